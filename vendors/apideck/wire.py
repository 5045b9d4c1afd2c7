"""Bodies of Apideck's unified CRM API, in its own spelling. Source: Apideck CRM API, OpenAPI document 10.34.0."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, TypeVar, cast

from pydantic import AliasChoices, BeforeValidator, Field, TypeAdapter

from vendors.wire import Day, Decoder, Flag, Id, Instant, Key, Number, Raw, Text, Whole, WireModel


def _objects(value: object) -> list[object]:
    return [item for item in cast("list[object]", value) if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [str(item) for item in items if isinstance(item, str | int) and not isinstance(item, bool) and item != ""]


def _object(value: Any) -> Any:
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped


def _complaints(value: object) -> list[tuple[str, str]]:
    entries = [item for entry in _objects(value) for item in cast("dict[str, object]", entry).items()]
    return [(name, rule if isinstance(rule, str) else "") for name, rule in entries]


_NUMBER: Final = TypeAdapter[Decimal | None](Number)

I = TypeVar("I")  # noqa: E741  # an item
Items = Annotated[tuple[I, ...], BeforeValidator(_objects)]
"""Objects of a list; null and what is no object are left out."""
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
"""Texts of a list; null and blanks are left out."""
Complaints = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_complaints)]
"""Objects of a place in a request and what is wrong there, such as `{"title": "required"}`."""
Count = Annotated[float | None, BeforeValidator(_NUMBER.validate_python)]
"""A number that need not be exact; what is no number is None."""


class Row(WireModel):
    """What every record has. Connectors choose their ids freely."""

    id: Key


class CustomField(WireModel):
    id: Id = None
    name: Text = None
    description: Text = None
    value: Any = None


class Opportunity(Row):
    title: Text = None
    primary_contact_id: Id = None
    description: Text = None
    type: Text = None
    monetary_amount: Number = None
    currency: Text = None
    win_probability: Number = None
    expected_revenue: Number = None
    close_date: Day = None
    loss_reason_id: Id = None
    loss_reason: Text = None
    won_reason_id: Id = None
    won_reason: Text = None
    pipeline_id: Id = None
    pipeline_stage_id: Id = None
    source_id: Id = None
    lead_id: Id = None
    lead_source: Text = None
    contact_id: Id = None
    contact_ids: Texts = ()
    company_id: Id = None
    company_name: Text = None
    owner_id: Id = None
    priority: Text = None
    status: Text = None
    status_id: Id = None
    tags: Texts = ()
    interaction_count: Count = None
    custom_fields: Items[CustomField] = ()
    stage_last_changed_at: Instant = None
    # Declared a string without a format; seen as ISO 8601.
    last_activity_at: Raw = None
    deleted: Flag = None
    date_stage_changed: Instant = None
    date_last_contacted: Instant = None
    date_lead_created: Instant = None
    custom_mappings: Any = None
    updated_by: Id = None
    created_by: Id = None
    updated_at: Instant = None
    created_at: Instant = None


class Stage(WireModel):
    id: Id = None
    name: Text = None
    value: Text = None
    win_probability: Number = None
    display_order: Whole = None
    archived: Flag = None
    created_at: Instant = None
    updated_at: Instant = None


class Pipeline(Row):
    name: Text = None
    currency: Text = None
    archived: Flag = None
    active: Flag = None
    display_order: Whole = None
    win_probability_enabled: Flag = None
    stages: Items[Stage] = ()


class Email(WireModel):
    email: Text = None
    type: Text = None


class Phone(WireModel):
    country_code: Text = None
    area_code: Text = None
    number: Text = None
    extension: Text = None
    type: Text = None


class Website(WireModel):
    url: Text = None
    type: Text = None


class Address(WireModel):
    type: Text = None
    string: Text = None
    line1: Text = None
    line2: Text = None
    line3: Text = None
    line4: Text = None
    line5: Text = None
    street_number: Text = None
    city: Text = None
    state: Text = None
    postal_code: Text = None
    country: Text = None


class User(Row):
    name: Text = None
    first_name: Text = None
    last_name: Text = None
    status: Text = None
    emails: Items[Email] = ()


class Company(Row):
    name: Text = None
    owner_id: Id = None
    parent_id: Id = None
    industry: Text = None
    deleted: Flag = None
    emails: Items[Email] = ()
    phone_numbers: Items[Phone] = ()
    websites: Items[Website] = ()
    addresses: Items[Address] = ()


class Contact(Row):
    name: Text = None
    first_name: Text = None
    last_name: Text = None
    title: Text = None
    owner_id: Id = None
    company_id: Id = None
    emails: Items[Email] = ()
    phone_numbers: Items[Phone] = ()


class Webhook(Row):
    delivery_url: Text = None
    status: Text = None
    disabled_reason: Text = None
    unified_api: Text = None
    events: Texts = ()


class Cursors(WireModel):
    next: Text = None


class Meta(WireModel):
    cursors: Annotated[Cursors | None, BeforeValidator(_object)] = None
    total_count: Whole = None
    warnings: Any = None


R = TypeVar("R", bound=Row)


class Rows(WireModel, Generic[R]):
    data: list[R]
    meta: Annotated[Meta | None, BeforeValidator(_object)] = None


class One(WireModel, Generic[R]):
    data: R
    meta: Annotated[Meta | None, BeforeValidator(_object)] = None


class Debug(WireModel):
    cooldown_remaining_ms: Number = None


class Detail(WireModel):
    debug: Annotated[Debug | None, BeforeValidator(_object)] = None
    missing: Complaints = ()
    invalid: Complaints = ()


class DownstreamError(WireModel):
    message: Raw = None
    detail: Raw = None
    code: Raw = None


class Failure(WireModel):
    """An error's body; `detail` is a text or an object."""

    type_name: Raw = None
    detail: Annotated[Detail | None, BeforeValidator(_object)] = None
    detail_text: Raw = Field(default=None, validation_alias=AliasChoices("detail"))
    downstream_errors: Items[DownstreamError] = ()


@dataclass(frozen=True, slots=True)
class Resource(Generic[R]):
    """A resource of the API: its path segment, which also begins its operations' names, and how its answers are read."""

    name: str
    rows: Decoder[Rows[R]]
    one: Decoder[One[R]]


OPPORTUNITIES: Final = Resource("opportunities", Decoder(Rows[Opportunity], rows=["data"], row=Opportunity), Decoder(One[Opportunity]))
PIPELINES: Final = Resource("pipelines", Decoder(Rows[Pipeline], rows=["data"], row=Pipeline), Decoder(One[Pipeline]))
USERS: Final = Resource("users", Decoder(Rows[User], rows=["data"], row=User), Decoder(One[User]))
COMPANIES: Final = Resource("companies", Decoder(Rows[Company], rows=["data"], row=Company), Decoder(One[Company]))
CONTACTS: Final = Resource("contacts", Decoder(Rows[Contact], rows=["data"], row=Contact), Decoder(One[Contact]))
WEBHOOKS: Final = Decoder(Rows[Webhook])
WEBHOOK: Final = Decoder(One[Webhook])
WRITTEN: Final = Decoder(One[Row])
"""What a write answers: its id."""
FAILURE: Final = Decoder(Failure)
