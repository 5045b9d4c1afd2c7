"""The entities of a Pipeliner space as its REST API spells them: keys, kinds, relations, and what a write may set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal[
    "id", "text", "int", "decimal", "bool", "date", "datetime", "one", "primary", "many", "links", "ids", "money", "json", "computed"
]
SORTABLE: frozenset[Kind] = frozenset({"id", "text", "int", "decimal", "bool", "date", "datetime", "one"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of an entity (two for a relation: `owner_id` and `owner`).

    Args:
        name: Key on the wire and in the stored row; for a relation the key that holds the id.
        kind: How the value is stored, compared, written and shown.
        default: Value of a row that does not hold the key.
        relation: Key of the relation, shown as a URI or, expanded, as an object.
        source: Key of the stored row that the relation is read by, where it is not the obvious one.
        target: Entity the relation leads to.
        via: For `many` and `primary`, the key of the other rows that holds this record's id.
        through: For `primary`, the link entity; `pick` is the key of its row that holds the target's id.
        order: For `many`, the key that orders the rows.
        if_exists: The relation is null when no such record exists (leads and opportunities share ids).
        maximum: Largest whole number the vendor's enum or bit mask allows; the smallest is 0.
    """

    name: str
    kind: Kind
    default: object = None
    required: bool = False
    read_only: bool = False
    custom: bool = False
    relation: str = ""
    source: str = ""
    target: str = ""
    via: str = ""
    through: str = ""
    pick: str = ""
    order: str = "id"
    if_exists: bool = False
    maximum: int | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys the field occupies in an answer."""
        return (self.name, self.relation) if self.relation and self.relation != self.name else (self.name,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """An entity: `path` is its plural name in URLs, `name` its singular in errors and events."""

    path: str
    name: str
    fields: tuple[Field, ...]
    writable: bool = False
    by_key: Mapping[str, Field] = field(default_factory=dict[str, Field], compare=False)

    def __post_init__(self) -> None:
        """Index the fields by every key they occupy."""
        object.__setattr__(self, "by_key", {key: one for one in self.fields for key in one.keys})

    def extended(self, more: Sequence[Field]) -> "Entity":
        """The entity with the space's custom fields."""
        return replace(self, fields=(*self.fields, *more))


def _texts(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name=name, kind="text", default="") for name in names)


def _text(name: str, *, required: bool = False) -> Field:
    return Field(name=name, kind="text", default="", required=required)


def _flag(name: str, *, read_only: bool = False) -> Field:
    return Field(name=name, kind="bool", default=False, read_only=read_only)


def _int(name: str, *, default: int | None = None, maximum: int | None = None, read_only: bool = False) -> Field:
    return Field(name=name, kind="int", default=default, maximum=maximum, read_only=read_only)


def _one(relation: str, target: str, *, required: bool = False) -> Field:
    return Field(name=f"{relation}_id", kind="one", relation=relation, target=target, required=required)


def _many(name: str, target: str, via: str, *, order: str = "id", read_only: bool = True) -> Field:
    return Field(name=name, kind="many", relation=name, target=target, via=via, order=order, read_only=read_only)


def _links(name: str, target: str) -> Field:
    return Field(name=name, kind="links", relation=name, target=target, default=())


def _computed(name: str) -> Field:
    return Field(name=name, kind="computed", read_only=True)


def _primary(relation: str, target: str, through: str, via: str, pick: str) -> Field:
    return Field(name=relation, kind="primary", relation=relation, target=target, through=through, via=via, pick=pick, read_only=True)


_BASE = (
    Field(name="id", kind="id", read_only=True),
    _flag("is_deleted", read_only=True),
    _flag("is_delete_protected", read_only=True),
    Field(name="created", kind="datetime"),
    Field(name="modified", kind="datetime", read_only=True),
)
# The create example of the vendor's document sends a revision, so a body may hold one; the server counts its own.
_REVISION = Field(name="revision", kind="int", default=0)
_EMAILS = _texts("email1", "email2", "email3", "email4", "email5")
_PHONES = _texts("phone1", "phone2", "phone3", "phone4", "phone5")
_ADDRESS = _texts("address", "city", "zip_code", "state_province", "country")
_LEAD_OPPTY = (
    Field(name="lead_oppty_id", kind="one", relation="oppty", target="Opportunities", required=True, if_exists=True),
    Field(name="lead", kind="one", relation="lead", source="lead_oppty_id", target="Leads", read_only=True, if_exists=True),
)


def _entity(path: str, name: str, *fields: Field, writable: bool = False, revision: bool = True) -> Entity:
    return Entity(path=path, name=name, fields=(*_BASE, *((_REVISION,) if revision else ()), *fields), writable=writable)


# Source: Pipeliner "Create Opportunity", POST/entities/Opportunities (body, read-only marks, answer).
_OPPORTUNITIES = _entity(
    "Opportunities",
    "Opportunity",
    _text("name", required=True),
    _computed("formatted_name"),
    _text("description"),
    Field(name="closing_date", kind="date", required=True),
    Field(name="value", kind="money", required=True),
    Field(name="status", kind="int", default=1, read_only=True),
    Field(name="won_date", kind="datetime"),
    Field(name="lost_date", kind="datetime"),
    Field(name="qualify_date", kind="datetime", read_only=True),
    _flag("was_qualified"),
    _flag("is_archived"),
    _flag("is_value_auto_calculate"),
    _flag("is_favorite", read_only=True),
    _computed("days_in_step"),
    _int("ranking", default=0),
    _int("label_flag", default=0, maximum=7),
    _int("share_mode", default=0, maximum=3),
    Field(name="product_sections", kind="json"),
    *_texts("quick_account_name", "quick_account_email", "quick_account_phone", "quick_contact_name", "quick_email", "quick_phone"),
    _text("reason_of_close_description"),
    _one("step", "Steps", required=True),
    _one("owner", "Clients", required=True),
    _one("unit", "SalesUnits"),
    _one("oppty_type", "OpportunityTypes"),
    _one("product_currency", "Currencies"),
    _one("product_price_list", "ProductPriceLists"),
    _one("reason_of_close", "Data"),
    _one("lead_source", "Data"),
    _one("active_quote", "Quotes"),
    _one("modified_by_user", "Clients"),
    Field(name="oppty_recurrence", kind="one", relation="oppty_recurrence", target="OpptyRecurrences"),
    Field(name="revenue_schedule", kind="one", relation="revenue_schedule", target="RevenueSchedules"),
    _primary("primary_account", "Accounts", "LeadOpptyAccountRelations", "lead_oppty_id", "account_id"),
    _primary("primary_contact", "Contacts", "LeadOpptyContactRelations", "lead_oppty_id", "contact_id"),
    _many("account_relations", "LeadOpptyAccountRelations", "lead_oppty_id", read_only=False),
    _many("contact_relations", "LeadOpptyContactRelations", "lead_oppty_id", read_only=False),
    _links("product_relations", "OpptyProductRelations"),
    _links("documents", "CloudObjects"),
    _links("quote_relations", "Quotes"),
    _links("sharing_units", "OpptySharingSalesUnitRelations"),
    _links("sharing_clients", "OpptySharingClientRelations"),
    _links("tags", "Tags"),
    _computed("fitness_description"),
    _computed("table_name"),
    writable=True,
)

# Source: Pipeliner "Create Opportunity", sections Account_id and Contact_id (recorded rows), and the entities' reference pages.
_ACCOUNTS = _entity(
    "Accounts",
    "Account",
    _text("name", required=True),
    _computed("formatted_name"),
    _one("owner", "Clients", required=True),
    _one("unit", "SalesUnits"),
    _one("account_type", "AccountTypes"),
    _one("customer_type", "Data"),
    _one("industry", "Data"),
    _one("parent_account", "Accounts"),
    _one("parent_account_relation_type", "AccountRelationTypes"),
    _one("picture", "CloudObjects"),
    _one("modified_by_user", "Clients"),
    _int("account_class", default=1, maximum=5),
    *_ADDRESS,
    *_EMAILS,
    *_PHONES,
    *_texts("home_page", "comments"),
    _int("health_category"),
    _int("health_status"),
    _flag("is_archived"),
    _flag("is_unsubscribed"),
    _int("share_mode", default=0, maximum=3),
    _links("documents", "CloudObjects"),
    _links("tags", "Tags"),
    writable=True,
)

_CONTACTS = _entity(
    "Contacts",
    "Contact",
    *_texts("first_name", "middle_name", "title", "position", "account_position", "comments", "quick_account_name"),
    _text("last_name", required=True),
    _computed("formatted_name"),
    _int("gender", default=0, maximum=3),
    _one("owner", "Clients", required=True),
    _one("unit", "SalesUnits"),
    _one("contact_type", "ContactTypes"),
    _one("modified_by_user", "Clients"),
    *_ADDRESS,
    *_EMAILS,
    *_PHONES,
    _flag("is_archived"),
    _flag("is_unsubscribed"),
    _int("share_mode", default=0, maximum=3),
    _primary("primary_account", "Accounts", "ContactAccountRelations", "contact_id", "account_id"),
    _many("account_relations", "ContactAccountRelations", "contact_id", read_only=False),
    _links("documents", "CloudObjects"),
    _links("tags", "Tags"),
    writable=True,
)

ENTITIES: Mapping[str, Entity] = {
    entity.path: entity
    for entity in (
        _OPPORTUNITIES,
        _ACCOUNTS,
        _CONTACTS,
        _entity(
            "Pipelines",
            "Pipeline",
            _text("name"),
            _int("color"),
            _many("steps", "Steps", "pipeline_id", order="sort_order"),
            _many("opportunity_types", "OpportunityTypes", "pipeline_id"),
        ),
        _entity(
            "Steps",
            "Step",
            *_texts("name", "description"),
            _int("percent", default=0),
            _int("sort_order", default=0),
            _int("timeframe"),
            _one("pipeline", "Pipelines"),
            _one("lead_process", "LeadProcesses"),
            _one("quote_process", "QuoteProcesses"),
            _flag("has_readonly_form"),
            _flag("has_version_increment"),
            _links("documents", "CloudObjectStepRelations"),
            _many("step_checklists", "StepChecklists", "step_id", order="sort_order"),
        ),
        _entity(
            "StepChecklists",
            "StepChecklist",
            *_texts("label", "description"),
            _int("item_type", default=0),
            _int("sort_order", default=0),
            _one("step", "Steps"),
            _one("field", "Fields"),
        ),
        _entity(
            "Clients",
            "Client",
            *_texts(
                "email", "first_name", "middle_name", "last_name", "phone", "position", "picture_url", "region", "timezone", "timezone_name"
            ),
            _computed("formatted_name"),
            _computed("name"),
            _int("type", default=0),
            _one("default_unit", "SalesUnits"),
            _one("master_right", "MasterRights"),
            _links("unit_membership", "SalesUnitClientRelations"),
            Field(name="last_active", kind="datetime"),
        ),
        _entity("SalesUnits", "SalesUnit", _text("name"), _one("parent_unit", "SalesUnits")),
        _entity("OpportunityTypes", "OpportunityType", _text("name"), _one("pipeline", "Pipelines")),
        _entity("LeadProcesses", "LeadProcess", _text("name"), _many("steps", "Steps", "lead_process_id", order="sort_order")),
        _entity("QuoteProcesses", "QuoteProcess", _text("name"), _many("steps", "Steps", "quote_process_id", order="sort_order")),
        _entity("Leads", "Lead", _text("name"), _one("owner", "Clients"), _one("step", "Steps"), _int("status", default=1, read_only=True)),
        _entity(
            "Currencies",
            "Currency",
            *_texts("code", "symbol"),
            _flag("is_base"),
            _many("currency_exchange_rates", "CurrencyExchangeRates", "currency_id"),
        ),
        _entity(
            "CurrencyExchangeRates",
            "CurrencyExchangeRate",
            Field(name="exchange_rate", kind="decimal"),
            _one("currency", "Currencies"),
            _one("currency_exchange_rate_list", "CurrencyExchangeRatesLists"),
        ),
        _entity(
            "CurrencyExchangeRatesLists",
            "CurrencyExchangeRatesList",
            Field(name="valid_from", kind="datetime"),
            _many("currency_exchange_rates", "CurrencyExchangeRates", "currency_exchange_rate_list_id"),
        ),
        _entity(
            "LeadOpptyAccountRelations",
            "LeadOpptyAccountRelation",
            *_LEAD_OPPTY,
            _one("account", "Accounts", required=True),
            _flag("is_primary"),
            writable=True,
        ),
        _entity(
            "LeadOpptyContactRelations",
            "LeadOpptyContactRelation",
            *_LEAD_OPPTY,
            _one("contact", "Contacts", required=True),
            _flag("is_primary"),
            _int("relationship", default=0, maximum=3),
            _text("comment"),
            _one("lead_oppty_contact_group_relation", "LeadOpptyContactGroupRelations"),
            _links("sales_roles", "SalesRoles"),
            writable=True,
        ),
        _entity(
            "ContactAccountRelations",
            "ContactAccountRelation",
            _one("contact", "Contacts", required=True),
            _one("account", "Accounts", required=True),
            *(_flag(name) for name in ("is_primary", "is_assistant", "is_sibling")),
            *_texts("position", "comment"),
            _int("relationship", default=0, maximum=3),
            _links("account_roles", "AccountRoles"),
            writable=True,
        ),
        _entity(
            "Fields",
            "Field",
            *_texts("entity_name", "api_name", "name", "type_id"),
            Field(name="data_set_id", kind="id"),
            replace(_many("data_set", "Data", "data_set_id", order="sort_order"), source="data_set_id"),
        ),
        _entity(
            "Data",
            "Data",
            _text("option_name"),
            Field(name="calc_value", kind="decimal"),
            Field(name="data_set_id", kind="id"),
            _int("sort_order", default=0),
        ),
        _entity("Tags", "Tag", _text("name"), _int("color"), _links("supported_entities", "Entities")),
        _entity("SalesRoles", "SalesRole", _text("name")),
        _entity("AccountTypes", "AccountType", _text("name")),
        _entity("ContactTypes", "ContactType", _text("name")),
        _entity(
            "Webhooks",
            "Webhook",
            Field(name="url", kind="text", default="", required=True),
            Field(name="events", kind="json", required=True),
            Field(name="insecure_ssl", kind="bool", required=True),
            Field(name="signature", kind="id"),
            Field(name="options", kind="json"),
            _one("client", "Clients"),
            Field(name="application_id", kind="id", read_only=True),
            writable=True,
            revision=False,
        ),
    )
}

# Source: Pipeliner "Fields", type ids. How a multi-select is shaped is not documented; an option of the sandbox.
CUSTOM_KINDS: Mapping[str, Kind] = {
    "checkbox": "bool",
    "currency": "decimal",
    "currency_foreign": "money",
    "date": "date",
    "datetime": "datetime",
    "dropdown": "id",
    "email": "text",
    "float": "decimal",
    "input": "text",
    "integer": "int",
    "multiselect_checkbox": "ids",
    "phone": "text",
    "radio": "id",
    "sequence": "text",
    "text_area": "text",
    "url": "text",
}


def custom_field(api_name: str, type_id: str) -> Field:
    """The field that a row of `Fields` adds to its entity."""
    kind = CUSTOM_KINDS[type_id]
    default: object = "" if kind == "text" else () if kind == "ids" else None
    target = "Data" if kind in {"id", "ids"} else ""
    return Field(name=api_name, kind=kind, default=default, custom=True, read_only=type_id == "sequence", target=target)


def type_id_of(one: Field) -> str | None:
    """The `type_id` under which `Fields` lists a field of the system; None for what it does not list here."""
    if one.kind == "text":
        if one.name.startswith(("email", "quick_email", "quick_account_email")):
            return "email"
        if one.name.startswith(("phone", "quick_phone", "quick_account_phone")):
            return "phone"
        return {"home_page": "url", "description": "text_area", "comments": "text_area"}.get(one.name, "input")
    kinds: dict[Kind, str] = {
        "int": "integer",
        "decimal": "float",
        "bool": "checkbox",
        "date": "date",
        "datetime": "datetime",
        "money": "currency_foreign",
    }
    return kinds.get(one.kind)
