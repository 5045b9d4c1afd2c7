"""Bodies of Apideck's unified CRM API, in its own spelling. Source: Apideck CRM API, OpenAPI document 10.34.0."""

from typing import Any, Generic, TypeVar

from pydantic import Field

from vendors.wire import Day, Decoder, Flag, Id, Instant, Key, Number, Raw, Text, Whole, WireModel

T = TypeVar("T")


class CustomField(WireModel):
    id: Id = None
    name: Text = None
    value: Any = None


class Opportunity(WireModel):
    id: Key
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
    contact_ids: list[Id] | None = None
    company_id: Id = None
    company_name: Text = None
    owner_id: Id = None
    priority: Text = None
    status: Text = None
    status_id: Id = None
    tags: list[Text] | None = None
    interaction_count: Number = None
    custom_fields: list[CustomField] | None = None
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


class Pipeline(WireModel):
    id: Key
    name: Text = None
    currency: Text = None
    archived: Flag = None
    active: Flag = None
    display_order: Whole = None
    win_probability_enabled: Flag = None
    stages: list[Stage] | None = None


class Email(WireModel):
    email: Text = None
    type: Text = None


class Phone(WireModel):
    country_code: Text = None
    area_code: Text = None
    number: Text = None
    type: Text = None


class Website(WireModel):
    url: Text = None
    type: Text = None


class Address(WireModel):
    type: Text = None
    string: Text = None
    line1: Text = None
    line2: Text = None
    city: Text = None
    state: Text = None
    postal_code: Text = None
    country: Text = None


class User(WireModel):
    id: Key
    name: Text = None
    first_name: Text = None
    last_name: Text = None
    status: Text = None
    emails: list[Email] | None = None


class Company(WireModel):
    id: Key
    name: Text = None
    owner_id: Id = None
    parent_id: Id = None
    industry: Text = None
    emails: list[Email] | None = None
    phone_numbers: list[Phone] | None = None
    websites: list[Website] | None = None
    addresses: list[Address] | None = None


class Contact(WireModel):
    id: Key
    name: Text = None
    first_name: Text = None
    last_name: Text = None
    title: Text = None
    owner_id: Id = None
    company_id: Id = None
    emails: list[Email] | None = None
    phone_numbers: list[Phone] | None = None


class Cursors(WireModel):
    next: Text = None


class Warned(WireModel):
    type: Text = None


class Meta(WireModel):
    cursors: Cursors | None = None
    total_count: Whole = None
    warnings: list[Warned] | None = None


class Rows(WireModel, Generic[T]):
    service: Text = None
    data: list[T]
    meta: Meta | None = None


class One(WireModel, Generic[T]):
    service: Text = None
    data: T


class Failure(WireModel):
    type_name: Text = None
    detail: Any = Field(default=None)


OPPORTUNITIES = Decoder(Rows[Opportunity], rows=["data"], row=Opportunity)
PIPELINES = Decoder(Rows[Pipeline], rows=["data"], row=Pipeline)
USERS = Decoder(Rows[User], rows=["data"], row=User)
COMPANIES = Decoder(Rows[Company], rows=["data"], row=Company)
CONTACTS = Decoder(Rows[Contact], rows=["data"], row=Contact)
OPPORTUNITY = Decoder(One[Opportunity])
USER = Decoder(One[User])
COMPANY = Decoder(One[Company])
CONTACT = Decoder(One[Contact])
FAILURE = Decoder(Failure)
