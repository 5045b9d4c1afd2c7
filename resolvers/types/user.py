import strawberry

from resolvers.listing.request import DEFAULT_FIRST
from resolvers.lists import opportunities_of
from resolvers.relation import ASSUMED_SIZE, attribute
from resolvers.types.connection import OpportunityConnection
from resolvers.types.node import CrmRecord, record_type
from vendors import model
from vendors.query import Field


@record_type(model.User, "A person who works with the CRM and may own opportunities.")
class User(CrmRecord):
    name: str | None = attribute("Full name.")
    first_name: str | None = attribute("First name.")
    last_name: str | None = attribute("Last name.")
    email: str | None = attribute("E-mail address.")
    is_active: bool | None = attribute("Whether the person may still log in.")
    opportunities: OpportunityConnection | None = strawberry.field(
        resolver=opportunities_of(Field.OWNER), description="Opportunities that the user owns.", metadata={ASSUMED_SIZE: DEFAULT_FIRST}
    )
