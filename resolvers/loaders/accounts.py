from collections.abc import Awaitable, Sequence

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsAccounts, supported
from vendors.model import Account
from vendors.registry import Crm


class AccountsByRef(RefLoader[Account]):
    record_name = "Account"

    def read(self, crm: Crm, ids: Sequence[str]) -> Awaitable[ById[Account]]:
        client = supported(crm.client, ReadsAccounts, crm=crm.key, what="read accounts")
        return client.accounts_by_ids(ids, self._context.selection)
