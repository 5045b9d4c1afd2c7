from typing import Annotated

import strawberry

from resolvers.listing.request import DEFAULT_FIRST
from resolvers.lists import account_contacts, opportunities_of
from resolvers.relation import ASSUMED_SIZE, attribute, relation
from resolvers.types.connection import ContactConnection, OpportunityConnection
from resolvers.types.node import CrmRecord, record_type
from resolvers.types.user import User
from resolvers.types.values import Address
from vendors import model
from vendors.query import Field


@record_type(model.Account, "A customer's company.")
class Account(CrmRecord):
    name: str | None = attribute("Name.")
    email: str | None = attribute("Main e-mail address.")
    phone: str | None = attribute("Main telephone number.")
    website: str | None = attribute("Web address, as the vendor writes it.")
    industry: str | None = attribute("Industry.")
    owner: User | None = relation("The user who looks after it.", loader="users_by_ref", key="owner_ref")
    parent: Annotated["Account", strawberry.lazy("resolvers.types.account")] | None = relation(
        "The company it belongs to.", loader="accounts_by_ref", key="parent_ref"
    )
    address: Address | None = attribute("Main postal address.")
    contacts: ContactConnection | None = strawberry.field(
        resolver=account_contacts,
        description="People at this company, in the vendor's native order.",
        metadata={ASSUMED_SIZE: DEFAULT_FIRST},
    )
    opportunities: OpportunityConnection | None = strawberry.field(
        resolver=opportunities_of(Field.ACCOUNT),
        description="Opportunities that this company takes part in.",
        metadata={ASSUMED_SIZE: DEFAULT_FIRST},
    )
