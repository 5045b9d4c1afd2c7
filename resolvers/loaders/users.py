from collections.abc import Awaitable, Sequence

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsUsers, supported
from vendors.model import User
from vendors.registry import Crm


class UsersByRef(RefLoader[User]):
    record_name = "User"

    def read(self, crm: Crm, ids: Sequence[str]) -> Awaitable[ById[User]]:
        client = supported(crm.client, ReadsUsers, crm=crm.key, what="read users")
        return client.users_by_ids(ids, self._context.selection)
