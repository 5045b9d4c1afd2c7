from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsUsers, supported
from vendors.model import User
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context


class UsersByRef(RefLoader[User]):
    record_name = "User"

    @staticmethod
    def read(context: "Context", crm: Crm, ids: Sequence[str]) -> Awaitable[ById[User]]:
        client = supported(crm.client, ReadsUsers, crm=crm.key, what="read users")
        return client.users_by_ids(ids, context.selection)
