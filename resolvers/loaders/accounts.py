from collections.abc import Sequence

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsAccounts, supported
from vendors.model import Account
from vendors.registry import Crm


class AccountsByRef(RefLoader[Account]):
    record_name = "Account"

    async def read(self, crm: Crm, ids: Sequence[str]) -> ById[Account]:
        client = supported(crm.client, ReadsAccounts, crm=crm.key, what="read accounts")
        return await client.accounts_by_ids(ids, self._context.selection)
