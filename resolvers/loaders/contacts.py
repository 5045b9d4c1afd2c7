from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsContacts, supported
from vendors.model import Contact
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context


class ContactsByRef(RefLoader[Contact]):
    record_name = "Contact"

    @staticmethod
    def read(context: "Context", crm: Crm, ids: Sequence[str]) -> Awaitable[ById[Contact]]:
        client = supported(crm.client, ReadsContacts, crm=crm.key, what="read contacts")
        return client.contacts_by_ids(ids, context.selection)
