"""What can be asked of a list. All that is given must hold; of a list of values any; a row without a value fulfils nothing about it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Optional

import strawberry

from resolvers.listing.order import OrderField
from resolvers.scalars import JSON
from resolvers.types.enums import described_enum
from vendors.model import OpportunityStatus, StageKind

described_enum(
    OrderField,
    name="OpportunityOrderField",
    description="What opportunities can be ordered by. Rows without a value come last, whatever the direction.",
    texts={
        "TITLE": "Title, without regard to case and accents, by its first 200 characters.",
        "AMOUNT": "Amount, converted to one currency; an amount without a rate counts as having none.",
        "PROBABILITY": "Probability.",
        "EXPECTED_CLOSE_DATE": "Day on which it is expected to close.",
        "CREATED_AT": "When it was created.",
        "UPDATED_AT": "When it was last changed; not every vendor tells.",
        "STAGE_ORDER": "Rank of its stage within the pipeline.",
    },
)


def _field(description: str) -> Any:
    return strawberry.field(default=None, description=description)


@strawberry.input(description="One key of an order.")
class OpportunityOrder:
    field: OrderField = strawberry.field(description="What to compare.")
    descending: bool = strawberry.field(default=False, description="Whether the greatest value comes first.")
    currency: str | None = _field("For AMOUNT: the currency to compare in, as ISO 4217 letters; the server's `money.currency` when absent.")


@strawberry.input(description="Compares text without regard to case. All that is given must hold.")
class TextFilter:
    contains: str | None = _field("It holds this text.")
    starts_with: str | None = _field("It begins with this text.")
    equals: str | None = _field("It is this text.")


@strawberry.input(description="A range of numbers.")
class FloatRange:
    gte: float | None = _field("At least.")
    gt: float | None = _field("More than.")
    lte: float | None = _field("At most.")
    lt: float | None = _field("Less than.")


@strawberry.input(
    description="A range of amounts in one currency. Amounts in other currencies are converted; those without a rate are in no range."
)
class AmountRange:
    currency: str | None = _field("Currency of the bounds, as ISO 4217 letters; the server's `money.currency` when absent.")
    gte: Decimal | None = _field("At least.")
    gt: Decimal | None = _field("More than.")
    lte: Decimal | None = _field("At most.")
    lt: Decimal | None = _field("Less than.")


@strawberry.input(description="A range of days.")
class DateRange:
    gte: date | None = _field("On this day or later.")
    gt: date | None = _field("After this day.")
    lte: date | None = _field("On this day or earlier.")
    lt: date | None = _field("Before this day.")


@strawberry.input(description="A range of moments.")
class DateTimeRange:
    gte: datetime | None = _field("At this moment or later.")
    gt: datetime | None = _field("After this moment.")
    lte: datetime | None = _field("At this moment or earlier.")
    lt: datetime | None = _field("Before this moment.")


@strawberry.input(description="Compares a custom field.")
class CustomFieldFilter:
    key: str = strawberry.field(description="Key of the field, as in `customFields`.")
    equals: JSON = strawberry.field(description="The value that it has; for a field of several choices, one of them.")


@strawberry.input(
    description="Which opportunities belong to a list. All that is given must hold; of a list any value; an empty list lets nothing"
    " through. An opportunity without a value fulfils nothing about it. Ids of records that do not exist fit nothing."
)
class OpportunityFilter:
    crms: list[str] | None = _field("It is in one of the CRMs of these keys; the others are not asked.")
    status: list[OpportunityStatus] | None = _field("It has one of these statuses.")
    pipeline_ids: list[strawberry.ID] | None = _field("It is in one of these pipelines.")
    pipeline_names: list[str] | None = _field("It is in a pipeline of one of these names, without regard to case.")
    stage_ids: list[strawberry.ID] | None = _field("It is in one of these stages.")
    stage_names: list[str] | None = _field("It is in a stage of one of these names, without regard to case.")
    stage_kinds: list[StageKind] | None = _field("It is in a stage of one of these kinds; not every vendor tells the kind.")
    owner_ids: list[strawberry.ID] | None = _field("One of these users owns it.")
    owner_emails: list[str] | None = _field(
        "A user with one of these e-mail addresses owns it, without regard to case: the same person in all CRMs."
    )
    account_ids: list[strawberry.ID] | None = _field("One of these accounts is its `account` or among its `accounts`.")
    account_name: TextFilter | None = _field("Its `accountName` is like this.")
    contact_ids: list[strawberry.ID] | None = _field("One of these contacts is its `primaryContact` or among its `contacts`.")
    title: TextFilter | None = _field("Its title is like this.")
    amount: AmountRange | None = _field("Its amount is in this range, after conversion.")
    probability: FloatRange | None = _field("Its probability is in this range, in percent.")
    expected_close_date: DateRange | None = _field("It is expected to close in this range.")
    actual_close_date: DateRange | None = _field("It was won or lost in this range.")
    created_at: DateTimeRange | None = _field("It was created in this range.")
    updated_at: DateTimeRange | None = _field("It was last changed in this range; not every vendor tells when.")
    tags: list[str] | None = _field("It has one of these tags.")
    deleted: bool | None = _field("Whether the vendor keeps it as deleted; true lists deleted ones only, also without `includeDeleted`.")
    archived: bool | None = _field("Whether it is archived; false also lets those through whose vendor has no archive.")
    overdue: bool | None = _field("Whether it is open although its expected close date has passed (in UTC).")
    custom_fields: list[CustomFieldFilter] | None = _field("All these custom fields have these values; an empty list asks nothing.")
    not_: Optional["OpportunityFilter"] = strawberry.field(  # Strawberry needs a name for the forward reference
        default=None, name="not", description="This does not hold, taken as a whole."
    )


@strawberry.input(description="Which accounts belong to a list. All that is given must hold.")
class AccountFilter:
    crms: list[str] | None = _field("It is in one of the CRMs of these keys; the others are not asked.")
    text: str | None = _field("Its name, e-mail address, telephone number or web address holds this text, without regard to case.")
    name: TextFilter | None = _field("Its name is like this.")
    owner_ids: list[strawberry.ID] | None = _field("One of these users looks after it.")


@strawberry.input(description="Which contacts belong to a list. All that is given must hold.")
class ContactFilter:
    crms: list[str] | None = _field("It is in one of the CRMs of these keys; the others are not asked.")
    text: str | None = _field("Its name, e-mail address, telephone number or title holds this text, without regard to case.")
    name: TextFilter | None = _field("Its name is like this.")
    emails: list[str] | None = _field("It has one of these e-mail addresses, without regard to case.")
    account_ids: list[strawberry.ID] | None = _field("It belongs to one of these accounts.")
    owner_ids: list[strawberry.ID] | None = _field("One of these users looks after it.")


@strawberry.input(description="Which users belong to a list. All that is given must hold.")
class UserFilter:
    crms: list[str] | None = _field("The user is in one of the CRMs of these keys; the others are not asked.")
    text: str | None = _field("Name or e-mail address holds this text, without regard to case.")
    emails: list[str] | None = _field("The user has one of these e-mail addresses, without regard to case.")
    active: bool | None = _field("Whether the user is active.")
