"""What writes take. A key that is absent leaves a value as it is, and null clears it; in a new record both leave it to the CRM."""

import types
from collections.abc import Callable
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, Optional, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import strawberry

from resolvers.scalars import JSON
from resolvers.types.enums import OpportunityStatus
from resolvers.types.extension import output_type
from vendors.extension import DESCRIPTION, VendorId
from vendors.registry import all_vendors
from vendors.writes import Unset

C = TypeVar("C", bound=type)

_PLAIN: Final[dict[Any, Any]] = {
    str: str,
    int: int,
    float: float,
    bool: bool,
    Decimal: Decimal,
    date: date,
    datetime: datetime,
    VendorId: strawberry.ID,
    Any: JSON,
    object: JSON,
}
# Types made at run time, which type checkers cannot follow.
_OPTIONAL: Final[Any] = Optional
_LIST: Final[Any] = list


def _value(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


def vendor_inputs(model_name: str) -> Callable[[C], C]:
    """Add a key for every vendor that has an input of its own for this model class, such as `autotask`."""

    def add(owner: C) -> C:
        for vendor in all_vendors().values():
            own = vendor.inputs.get(model_name)
            if own is not None:
                owner.__annotations__[vendor.key] = _OPTIONAL[input_type(own)]
                setattr(owner, vendor.key, _value(f"What only {vendor.label} takes; for its CRMs only."))
        return owner

    return add


@cache
def input_type(own: type[Any]) -> Any:
    """The graph's type of a vendor's input class."""
    hints = get_type_hints(own)
    body: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}
    for item in fields(own):
        body["__annotations__"][item.name] = _OPTIONAL[_annotation(hints[item.name])]
        body[item.name] = _value(item.metadata[DESCRIPTION])
    return strawberry.input(type(own.__name__, (), body), description=" ".join((own.__doc__ or "").split()))


def class_of(own: type[Any], name: str) -> type[Any]:
    """The class that a field of a vendor's input holds, alone or in a tuple."""
    inner = _settled(get_type_hints(own)[name])
    found: type[Any] = _settled(get_args(inner)[0]) if get_origin(inner) is tuple else inner
    return found


def _annotation(hint: Any) -> Any:
    inner = _settled(hint)
    if get_origin(inner) is tuple:
        return _LIST[_annotation(get_args(inner)[0])]
    if inner in _PLAIN:
        return _PLAIN[inner]
    is_enum = isinstance(inner, type) and issubclass(cast("type[Any]", inner), Enum)
    return output_type(inner) if is_enum else input_type(inner)


def _settled(hint: Any) -> Any:
    """A type without None and UNSET."""
    if get_origin(hint) in {Union, types.UnionType}:
        parts = [part for part in get_args(hint) if part not in {type(None), Unset}]
        return parts[0] if len(parts) == 1 else hint
    return hint


@strawberry.input(description="An amount of money.")
class MoneyInput:
    amount: Decimal = strawberry.field(description="The amount, exact; send it as text.")
    currency: str | None = strawberry.field(
        default=None, description="ISO 4217 letters; the CRM's own currency, or that of the account, when absent."
    )


@strawberry.input(description="A value of a custom field.")
class CustomFieldInput:
    key: str = strawberry.field(description="Key of the field, as in `customFieldDefinitions`.")
    value: JSON | None = strawberry.field(default=None, description="The value; null clears it.")


@strawberry.input
class _OpportunityValues:
    """What creating and changing have in common."""

    title: str | None = _value("Title.")
    description: str | None = _value("Description.")
    amount: MoneyInput | None = _value("What the deal is worth.")
    probability: float | None = _value("Chance of winning in percent, 0 to 100.")
    expected_close_date: date | None = _value("Day on which it is expected to close.")
    pipeline_id: strawberry.ID | None = _value("The pipeline; that of the stage when absent.")
    stage_id: strawberry.ID | None = _value("The stage.")
    owner_id: strawberry.ID | None = _value("The user who owns it.")
    account_id: strawberry.ID | None = _value("The company it is with.")
    account_ids: list[strawberry.ID] | None = _value("All companies involved; replaces those there are.")
    primary_contact_id: strawberry.ID | None = _value(
        "The main contact. Null beside `contactIds`: none of them is; refused where one has to be."
    )
    contact_ids: list[strawberry.ID] | None = _value(
        "All contacts, the main one first or as `primaryContactId` says; replaces those there are."
    )
    type: str | None = _value("Kind of deal, in the vendor's own words.")
    lead_source: str | None = _value("Where the lead came from, in the vendor's own words.")
    tags: list[str] | None = _value("Tags; replaces those there are.")
    custom_fields: list[CustomFieldInput] | None = _value("Values of custom fields; those that are not named stay.")


@strawberry.input(description="A new opportunity. What a CRM requires, `Crm.createFields` tells.")
@vendor_inputs("Opportunity")
class CreateOpportunityInput(_OpportunityValues):
    crm: str = strawberry.field(description="Key of the CRM.")


@strawberry.input(description="What an opportunity has to be like, or it is not written: somebody else may have changed it meanwhile.")
class ExpectedState:
    stage_id: strawberry.ID | None = _value("The stage it is in.")
    status: OpportunityStatus | None = _value("Its status.")
    updated_at: datetime | None = _value("When it was last changed; not every vendor tells.")
    revision: str | None = _value("The vendor's number of its version; not every vendor has one.")


@strawberry.input(description="What to change in an opportunity; absent keys leave it as it is, null clears.")
@vendor_inputs("Opportunity")
class UpdateOpportunityInput(_OpportunityValues):
    id: strawberry.ID = strawberry.field(description="The opportunity.")
    add_contacts: list[strawberry.ID] | None = _value("Contacts to add; not together with `contactIds`.")
    remove_contacts: list[strawberry.ID] | None = _value("Contacts to take out; not together with `contactIds`.")
    expected: ExpectedState | None = _value("What it has to be like.")


@strawberry.input(description="Moves an opportunity to another stage.")
@vendor_inputs("Opportunity")
class MoveOpportunityToStageInput:
    id: strawberry.ID = strawberry.field(description="The opportunity.")
    stage_id: strawberry.ID = strawberry.field(description="The stage to move it to.")
    expected: ExpectedState | None = _value("What it has to be like.")


@strawberry.input(description="Closes an opportunity, or opens it again, where the vendor can.")
class CloseOpportunityInput:
    id: strawberry.ID = strawberry.field(description="The opportunity.")
    status: OpportunityStatus = strawberry.field(description="WON or LOST; OPEN opens it again. `Crm.closable` tells what the CRM can.")
    reason_id: str | None = _value("The vendor's id of why.")
    reason_detail: str | None = _value("Why, in words.")
    closed_on: date | None = _value("Day on which it was won or lost; today when absent.")
    expected: ExpectedState | None = _value("What it has to be like.")


@strawberry.input(description="Deletes an opportunity.")
class DeleteOpportunityInput:
    id: strawberry.ID = strawberry.field(description="The opportunity.")
    expected: ExpectedState | None = _value("What it has to be like.")


@strawberry.input(description="A new account.")
class CreateAccountInput:
    crm: str = strawberry.field(description="Key of the CRM.")
    name: str | None = _value("Name.")
    email: str | None = _value("E-mail address.")
    phone: str | None = _value("Telephone number.")
    website: str | None = _value("Web address.")
    owner_id: strawberry.ID | None = _value("The user who looks after it.")


@strawberry.input(description="A new contact.")
class CreateContactInput:
    crm: str = strawberry.field(description="Key of the CRM.")
    first_name: str | None = _value("First name.")
    last_name: str | None = _value("Last name.")
    email: str | None = _value("E-mail address.")
    phone: str | None = _value("Telephone number.")
    title: str | None = _value("Job title.")
    account_id: strawberry.ID | None = _value("The company the person works for.")
    owner_id: strawberry.ID | None = _value("The user who looks after the contact.")


@strawberry.input(description="What to do about a write whose outcome nobody knows.")
class Resolution:
    adopt: strawberry.ID | None = strawberry.field(
        default=None,
        description="This record is the one: the write has happened. One of `candidates`, or one that has come since and is like them.",
    )
    retry: bool = strawberry.field(
        default=False, description="It has not happened: make it again. If that writes nothing, the outcome stays UNKNOWN."
    )
