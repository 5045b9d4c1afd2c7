"""Small values inside records."""

import strawberry

from resolvers.relation import attribute
from resolvers.scalars import JSON
from resolvers.types.enums import CustomFieldType
from resolvers.types.extension import vendor_fields


@strawberry.type(description="Why an opportunity was won or lost.")
class Reason:
    id: strawberry.ID | None = attribute("The vendor's own id of the reason; no global id.")
    label: str | None = attribute("The reason, as chosen from a list.")
    detail: str | None = attribute("The reason in somebody's own words.")


@strawberry.type(description="A postal address, as far as the vendor splits it.")
class Address:
    street: str | None = attribute("Street and number, and further lines.")
    city: str | None = attribute("City.")
    region: str | None = attribute("State, province or county.")
    postal_code: str | None = attribute("Postal code.")
    country: str | None = attribute("Country, as the vendor writes it: a name, a code, or a number of its own.")


@strawberry.type(description="A value of a field that people of the CRM defined themselves.")
@vendor_fields("CustomField")
class CustomField:
    key: str = attribute("The vendor's stable key of the field.")
    label: str | None = attribute("The field's name as people see it.")
    type: CustomFieldType = attribute("Kind of value.")
    value: JSON | None = attribute("The value, converted by its type; null when empty.")
    display_value: str | None = attribute("The value as the vendor's own pages show it.")
