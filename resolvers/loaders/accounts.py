from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsAccounts, supported
from vendors.model import Account
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context


class AccountsByRef(RefLoader[Account]):
    record_name = "Account"

    @staticmethod
    def read(context: "Context", crm: Crm, ids: Sequence[str]) -> Awaitable[ById[Account]]:
        client = supported(crm.client, ReadsAccounts, crm=crm.key, what="read accounts")
        return client.accounts_by_ids(ids, context.selection)
