from collections.abc import Awaitable, Sequence

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsContacts, supported
from vendors.model import Contact
from vendors.registry import Crm


class ContactsByRef(RefLoader[Contact]):
    record_name = "Contact"

    def read(self, crm: Crm, ids: Sequence[str]) -> Awaitable[ById[Contact]]:
        client = supported(crm.client, ReadsContacts, crm=crm.key, what="read contacts")
        return client.contacts_by_ids(ids, self._context.selection)
