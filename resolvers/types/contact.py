from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers.listing.request import DEFAULT_FIRST
from resolvers.lists import opportunities_of
from resolvers.relation import ASSUMED_SIZE, attribute, relation
from resolvers.types.connection import OpportunityConnection
from resolvers.types.node import CrmRecord, record_type
from resolvers.types.user import User
from vendors import model
from vendors.query import Field

if TYPE_CHECKING:
    from resolvers.types.account import Account


@record_type(model.Contact, "A person at a customer's company.")
class Contact(CrmRecord):
    name: str | None = attribute("Full name.")
    first_name: str | None = attribute("First name.")
    last_name: str | None = attribute("Last name.")
    email: str | None = attribute("Main e-mail address.")
    phone: str | None = attribute("Main telephone number.")
    title: str | None = attribute("Job title.")
    account: Annotated["Account", strawberry.lazy("resolvers.types.account")] | None = relation(
        "The company the person works for.", loader="accounts_by_ref", key="account_ref"
    )
    owner: User | None = relation("The user who looks after the contact.", loader="users_by_ref", key="owner_ref")
    opportunities: OpportunityConnection | None = strawberry.field(
        resolver=opportunities_of(Field.CONTACT),
        description="Opportunities that the person takes part in.",
        metadata={ASSUMED_SIZE: DEFAULT_FIRST},
    )
