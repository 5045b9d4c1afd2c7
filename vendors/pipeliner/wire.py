"""Bodies of the Pipeliner REST API v100, in its own spelling.

A relation is the URI of the record, the record itself where it was expanded, or null. URIs carry ids and are never followed.
"""

import re
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import BeforeValidator, ConfigDict

from vendors.wire import Day, Decoded, Decoder, Flag, Id, Instant, Key, Number, Raw, Text, Whole, WireModel

T = TypeVar("T")

# Source: Pipeliner "Create Opportunity": every id is a UUID in text, some of them synthetic. Anything else exists nowhere.
_ID: Final = re.compile(r"[0-9A-Fa-f-]{36}")


def is_id(text: str) -> bool:
    """Whether the vendor could have given this id."""
    return _ID.fullmatch(text) is not None


def id_in(link: object) -> str | None:
    """The id that a relation carries: the last segment of its URI's path, or the `id` of the expanded record."""
    if isinstance(link, Row):
        return link.id
    if isinstance(link, dict):
        found: Any = link.get("id")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  # JSON comes in untyped
        return found if isinstance(found, str) and found else None
    if not isinstance(link, str):
        return None
    before, _, segment = link.partition("?")[0].rstrip("/").rpartition("/")
    return None if not segment or before.endswith("/") else segment  # `https://host` has no path


def ids_in(links: object) -> tuple[str, ...]:
    """The ids that a list of relations carries; anything else has none."""
    given: list[object] = links if isinstance(links, list) else []  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
    return tuple(found for found in map(id_in, given) if found is not None)


def _list_or_nothing(value: object) -> object:
    return value if isinstance(value, list) else ()  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped


Link = Annotated[str | None, BeforeValidator(id_in)]
"""The id in a relation that is never asked to be expanded."""
Links = Annotated[tuple[str, ...], BeforeValidator(ids_in)]
"""The ids in a list of such relations."""
Listed = BeforeValidator(_list_or_nothing)


class Row(WireModel):
    # Source: Pipeliner "Create Opportunity", recorded answers: what every entity has.
    id: Key
    is_deleted: Flag = None
    is_delete_protected: Flag = None
    created: Instant = None
    modified: Instant = None
    revision: Whole = None


class Client(Row):
    # Source: Pipeliner "Create Opportunity", Owner_id, and the entity Clients of the API reference.
    email: Text = None
    first_name: Text = None
    last_name: Text = None
    formatted_name: Text = None
    default_unit_id: Id = None


class Account(Row):
    # Source: Pipeliner "Create Opportunity", Account_id (recorded answer).
    name: Text = None
    owner_id: Id = None
    owner: Link = None
    unit_id: Id = None
    unit: Link = None
    account_type_id: Id = None
    account_type: Link = None
    customer_type_id: Id = None
    customer_type: Link = None
    industry_id: Id = None
    industry: Link = None
    parent_account_id: Id = None
    parent_account: Link = None
    parent_account_relation_type_id: Id = None
    parent_account_relation_type: Link = None
    picture: Link = None
    account_class: Whole = None
    address: Text = None
    city: Text = None
    zip_code: Text = None
    state_province: Text = None
    country: Text = None
    email1: Text = None
    email2: Text = None
    email3: Text = None
    email4: Text = None
    email5: Text = None
    phone1: Text = None
    phone2: Text = None
    phone3: Text = None
    phone4: Text = None
    phone5: Text = None
    home_page: Text = None
    comments: Text = None
    health_category: Text = None
    health_status: Text = None


class Contact(Row):
    # Source: entity Contacts of the Pipeliner API reference.
    first_name: Text = None
    middle_name: Text = None
    last_name: Text = None
    formatted_name: Text = None
    title: Text = None
    position: Text = None
    account_position: Text = None
    gender: Whole = None
    owner_id: Id = None
    owner: Link = None
    email1: Text = None
    email2: Text = None
    email3: Text = None
    email4: Text = None
    email5: Text = None
    phone1: Text = None
    phone2: Text = None
    phone3: Text = None
    phone4: Text = None
    phone5: Text = None
    primary_account: Account | str | None = None
    account_relations: Annotated[tuple["ContactAccountRelation | str", ...], Listed] = ()


class ContactAccountRelation(Row):
    # Source: Pipeliner "Create Opportunity", Contact_id (recorded answer).
    account_id: Id = None
    account: Link = None
    contact_id: Id = None
    contact: Contact | str | None = None
    comment: Text = None
    is_assistant: Flag = None
    is_primary: Flag = None
    is_sibling: Flag = None
    position: Text = None
    relationship: Whole = None
    account_roles: Links = ()


class AccountRelation(Row):
    # Source: entity LeadOpptyAccountRelations of the Pipeliner API reference; leads have such rows too.
    account_id: Id = None
    account: Account | str | None = None
    lead_oppty_id: Id = None
    oppty: "Opportunity | str | None" = None
    is_primary: Flag = None


class ContactRelation(Row):
    # Source: entity LeadOpptyContactRelations of the Pipeliner API reference; leads have such rows too.
    contact_id: Id = None
    contact: Contact | str | None = None
    lead_oppty_id: Id = None
    oppty: "Opportunity | str | None" = None
    is_primary: Flag = None
    relationship: Whole = None
    comment: Text = None
    sales_roles: Links = ()


class Value(WireModel):
    base_value: Number = None
    currency_id: Id = None
    value_foreign: Number = None


class FitnessDescription(WireModel):
    is_won: Flag = None
    is_overdue: Flag = None
    activities_on_time: Whole = None
    scheduled_activity: Whole = None
    fitness: Whole = None


class Tag(Row):
    name: Text = None


class Opportunity(Row):
    # Source: Pipeliner "Create Opportunity", POST/entities/Opportunities (answer). Any further key is a custom field or news.
    model_config = ConfigDict(extra="allow")

    name: Text = None
    formatted_name: Text = None
    description: Text = None
    closing_date: Day = None
    status: Whole = None
    won_date: Raw = None
    lost_date: Raw = None
    qualify_date: Instant = None
    was_qualified: Flag = None
    is_archived: Flag = None
    is_favorite: Flag = None
    is_value_auto_calculate: Flag = None
    days_in_step: Whole = None
    ranking: Whole = None
    label_flag: Whole = None
    share_mode: Whole = None
    value: Value | None = None
    fitness_description: FitnessDescription | None = None
    product_sections: Any = None
    quick_account_name: Text = None
    quick_account_email: Text = None
    quick_account_phone: Text = None
    quick_contact_name: Text = None
    quick_email: Text = None
    quick_phone: Text = None
    reason_of_close_description: Text = None
    step_id: Id = None
    step: Link = None
    owner_id: Id = None
    owner: Client | str | None = None
    unit_id: Id = None
    unit: Link = None
    oppty_type_id: Id = None
    oppty_type: Link = None
    product_currency_id: Id = None
    product_currency: Link = None
    product_price_list_id: Id = None
    product_price_list: Link = None
    reason_of_close_id: Id = None
    reason_of_close: Link = None
    oppty_recurrence: Link = None
    revenue_schedule: Link = None
    primary_account: Account | str | None = None
    primary_contact: Contact | str | None = None
    account_relations: Annotated[tuple[AccountRelation | str, ...], Listed] = ()
    contact_relations: Annotated[tuple[ContactRelation | str, ...], Listed] = ()
    product_relations: Links = ()
    documents: Links = ()
    sharing_units: Links = ()
    sharing_clients: Links = ()
    # Source: entity Opportunities of the Pipeliner API reference; not in "Create Opportunity".
    lead_source_id: Id = None
    lead_source: Link = None
    modified_by_user: Link = None
    tags: Annotated[tuple[Tag | str, ...], Listed] = ()


class Step(Row):
    # Source: Pipeliner "Create Opportunity", Step_id (recorded answer). Lead and quote processes have steps of their own.
    name: Text = None
    description: Text = None
    percent: Number = None
    sort_order: Whole = None
    timeframe: Whole = None
    pipeline_id: Id = None
    pipeline: Link = None
    lead_process_id: Id = None
    lead_process: Link = None
    quote_process_id: Id = None
    quote_process: Link = None
    documents: Links = ()
    step_checklists: Links = ()


class Pipeline(Row):
    # Source: Pipeliner "Create Opportunity", Step_id (recorded answer). Whether unexpanded steps are URIs or objects is contradictory.
    name: Text = None
    color: Whole = None
    steps: Annotated[tuple[Step | str, ...], Listed] = ()


class Currency(Row):
    # Source: Pipeliner "Create Opportunity", Value.currency_id (recorded answer).
    code: Text = None
    symbol: Text = None
    is_base: Flag = None
    currency_exchange_rates: Links = ()


class OpportunityType(Row):
    name: Text = None
    pipeline_id: Id = None


class Data(Row):
    """An option of a dropdown."""

    option_name: Text = None
    data_set_id: Id = None


class Field(Row):
    # Source: Pipeliner "Fields": entity_name, api_name, type_id, data_set.
    entity_name: Text = None
    api_name: Text = None
    name: Text = None
    type_id: Text = None
    data_set_id: Id = None
    data_set: Annotated[tuple[Data | str, ...], Listed] = ()


class Webhook(Row):
    # Source: entity Webhooks of the Pipeliner API reference.
    url: Text = None
    events: Annotated[tuple[Raw, ...], Listed] = ()
    signature: Text = None


class PageInfo(WireModel):
    end_cursor: Text = None
    has_next_page: Flag = None


class Rows(WireModel, Generic[T]):
    data: list[T]
    page_info: PageInfo | None = None
    total: Whole = None


class One(WireModel, Generic[T]):
    data: T


class Saved(Row):
    """What an answer to a write is read for."""

    status: Whole = None


class Problem(WireModel):
    """A reason why a record was refused; `field_name` is there where a step's checklist asks for a field."""

    code: Whole = None
    field_name: Text = None


class FieldProblem(Problem):
    """The reasons why a field was refused."""

    errors: Annotated[tuple[Problem, ...], Listed] = ()


class Failure(WireModel):
    """An error body; the web framework below the API has another one, without `success`."""

    success: Flag = None
    message: Raw = None
    http_status: Whole = None


class Refusal(WireModel):
    # Source: Pipeliner, recorded answer 422 ERROR_ENTITY_VALIDATION.
    code: Whole = None
    entity_name: Text = None
    entity_errors: Annotated[tuple[Problem, ...], Listed] = ()
    field_errors: Annotated[tuple[FieldProblem, ...], Listed] = ()
    step_checklist_errors: Annotated[tuple[Problem, ...], Listed] = ()


def next_cursor(answer: Decoded[Rows[Any]]) -> str | None:
    """Where the next page starts; None after the last, which may still carry a cursor.

    Source: public clients of the vendor: `has_next_page` decides, and an empty page ends the list.
    """
    info = answer.value.page_info
    return info.end_cursor if info is not None and info.has_next_page and (answer.value.data or answer.dropped) else None


OPPORTUNITIES = Decoder(Rows[Opportunity], rows=["data"], row=Opportunity)
ACCOUNTS = Decoder(Rows[Account], rows=["data"], row=Account)
CONTACTS = Decoder(Rows[Contact], rows=["data"], row=Contact)
CLIENTS = Decoder(Rows[Client], rows=["data"], row=Client)
PIPELINES = Decoder(Rows[Pipeline], rows=["data"], row=Pipeline)
STEPS = Decoder(Rows[Step], rows=["data"], row=Step)
CURRENCIES = Decoder(Rows[Currency], rows=["data"], row=Currency)
OPPORTUNITY_TYPES = Decoder(Rows[OpportunityType], rows=["data"], row=OpportunityType)
DATA = Decoder(Rows[Data], rows=["data"], row=Data)
ROWS = Decoder(Rows[Row], rows=["data"], row=Row)
FIELDS = Decoder(Rows[Field], rows=["data"], row=Field)
WEBHOOKS = Decoder(Rows[Webhook], rows=["data"], row=Webhook)
ACCOUNT_RELATIONS = Decoder(Rows[AccountRelation], rows=["data"], row=AccountRelation)
CONTACT_RELATIONS = Decoder(Rows[ContactRelation], rows=["data"], row=ContactRelation)
CONTACT_ACCOUNT_RELATIONS = Decoder(Rows[ContactAccountRelation], rows=["data"], row=ContactAccountRelation)
OPPORTUNITY = Decoder(One[Opportunity])
ACCOUNT = Decoder(One[Account])
CONTACT = Decoder(One[Contact])
WEBHOOK = Decoder(One[Webhook])
FAILURE = Decoder(Failure)
REFUSAL = Decoder(Refusal)
SAVED = Decoder(One[Saved])
DELETED = Decoder(One[Key])
