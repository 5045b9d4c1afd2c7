from resolvers.relation import attribute
from resolvers.types.node import CrmRecord, record_type
from vendors import model


@record_type(model.User, "A person who works with the CRM and may own opportunities.")
class User(CrmRecord):
    name: str | None = attribute("Full name.")
    first_name: str | None = attribute("First name.")
    last_name: str | None = attribute("Last name.")
    email: str | None = attribute("E-mail address.")
    is_active: bool | None = attribute("Whether the person may still log in.")
