"""The tables of an account as the vendor describes them: their columns in its spelling, and the keys that `where` takes."""

import re
from dataclasses import dataclass
from typing import Any, Literal

ColumnKind = Literal["id", "ref", "int", "double", "flag", "time", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Args:
        name: Its key on the wire.
        kind: What it holds; `ref` is the id of a row of another table, `flag` a tinyint of length 1.
        required: Whether a new row needs it, and whether null is refused.
        length: Longest text.
        refers_to: Table of a `ref`.
        default: Value of a new row that does not state it.
        read_only: Whether writing it is refused.
        custom: Whether users made it.
        data_type: Type that users gave it.
    """

    name: str
    kind: ColumnKind
    required: bool = False
    length: int = 255
    refers_to: str = ""
    default: Any = None
    read_only: bool = False
    custom: bool = False
    data_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """What a table is made of.

    Args:
        name: Its singular key on the wire.
        columns: Its columns, in the order they are written.
        where: Keys that `where` of its list method takes.
        indexed: Those of them that are looked up in an index.
        one_key: Whether `where` takes one key at a time.
        active: The flag that hides a row when it is false.
    """

    name: str
    columns: tuple[Column, ...]
    where: tuple[str, ...] = ("id",)
    indexed: tuple[str, ...] = ()
    one_key: bool = False
    active: str = ""


_ID = Column(name="id", kind="id", read_only=True)
TIMESTAMPS = (Column(name="updateTimestamp", kind="time", read_only=True), Column(name="createTimestamp", kind="time", read_only=True))


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, kind="text") for name in names)


def _ref(name: str, table: str, *, required: bool = False) -> Column:
    return Column(name=name, kind="ref", refers_to=table, required=required)


def _flag(name: str, *, default: bool) -> Column:
    return Column(name=name, kind="flag", default=default)


# Source: Lead Gen & CRM Open API Schema: Opportunities (vendor help, article 50887), table "Opportunity".
# One key at a time in `where`, and inactive rows hidden unless asked for by id: seen on the wire, not documented there.
OPPORTUNITY = TableSpec(
    name="opportunity",
    columns=(
        _ID,
        _ref("ownerID", "userProfile", required=True),
        _ref("dealStageID", "dealStage", required=True),
        _ref("accountID", "account"),
        _ref("campaignID", "campaign"),
        Column(name="opportunityName", kind="text", required=True),
        Column(name="probability", kind="double"),
        Column(name="amount", kind="double"),
        _flag("isClosed", default=False),
        _flag("isWon", default=False),
        _flag("isActive", default=True),
        Column(name="closeDate", kind="time", required=True),
        _ref("originatingLeadID", "lead"),
        _ref("primaryLeadID", "lead"),
    ),
    where=("id", "ownerID", "dealStageID", "accountID", "campaignID"),
    indexed=("ownerID", "dealStageID", "accountID", "campaignID"),
    one_key=True,
    active="isActive",
)

# Source: the same article, table "OpportunityLead".
OPPORTUNITY_LEAD = TableSpec(
    name="opportunityLead",
    columns=(_ID, _ref("opportunityID", "opportunity", required=True), _ref("leadID", "lead", required=True)),
    where=("id", "opportunityID", "leadID"),
    indexed=("opportunityID", "leadID"),
)

# Source: the same article, table "DealStage". pipelineID is not in it; an option of the sandbox.
DEAL_STAGE = TableSpec(
    name="dealStage",
    columns=(
        _ID,
        Column(name="dealStageName", kind="text", required=True),
        Column(name="description", kind="text"),
        Column(name="defaultProbability", kind="double"),
        Column(name="weight", kind="int"),
        Column(name="isEditable", kind="flag", default=True),
    ),
)
PIPELINE_ID = Column(name="pipelineID", kind="int", read_only=True)

# Not in the articles this sandbox was written from; attributes as several clients read them. `where` by id is unconfirmed and refused.
USER_PROFILE = TableSpec(
    name="userProfile",
    columns=(
        _ID,
        *_text("firstName", "lastName", "displayName", "emailAddress"),
        _flag("isActive", default=True),
        _flag("isReseller", default=False),
        *_text("userTimezone", "phone"),
    ),
    where=("isActive", "emailAddress"),
)

# Source: Lead Gen & CRM Open API, account methods (vendor help, article 50891).
ACCOUNT = TableSpec(
    name="account",
    columns=(
        _ID,
        _ref("ownerID", "userProfile", required=True),
        Column(name="accountName", kind="text", required=True),
        *_text("industry", "phone"),
        Column(name="annualRevenue", kind="double"),
        Column(name="numberOfEmployees", kind="int"),
        *_text("website", "yearStarted", "fax"),
        *_text("billingCity", "billingCountry", "billingPostalCode", "billingState", "billingStreetAddress"),
        *_text("shippingCity", "shippingCountry", "shippingPostalCode", "shippingState", "shippingStreetAddress"),
    ),
    where=("id", "ownerID"),
    indexed=("ownerID",),
)

# Source: Lead Gen & CRM Open API Schema: Leads (vendor help, article 50881).
LEAD_STATUSES = ("unqualified", "open", "qualified", "contact", "contactWithOpp", "customer")
LEAD = TableSpec(
    name="lead",
    columns=(
        _ID,
        _ref("accountID", "account"),
        _ref("ownerID", "userProfile"),
        _ref("campaignID", "campaign"),
        Column(name="leadStatus", kind="text", default="open"),
        Column(name="leadScore", kind="int"),
        Column(name="leadScoreWeighted", kind="int", read_only=True),
        *_text("persona"),
        _flag("active", default=True),
        *_text("firstName", "lastName", "emailAddress", "companyName", "title", "street", "city", "state", "zipcode", "country", "website"),
        *_text("phoneNumber", "phoneNumberExtension", "officePhoneNumber", "mobilePhoneNumber", "faxNumber"),
        Column(name="description", kind="text", length=10_000),
        *_text("industry", "trackingID"),
        _flag("isUnsubscribed", default=False),
        *TIMESTAMPS,
    ),
    where=("id", "emailAddress"),
    indexed=("emailAddress",),
    active="active",
)

# Source: Lead Gen & CRM Open API Schema: Opportunities (vendor help, article 50887), table "Field".
FIELD = TableSpec(
    name="field",
    columns=(
        _ID,
        *_text("relationship", "systemName", "label", "source", "dataType"),
        Column(name="dataLength", kind="int"),
        _flag("isRequired", default=False),
        _flag("isCustom", default=True),
        _flag("isActive", default=True),
        _flag("isAvailableInContactManager", default=True),
        _flag("isEditableInContactManager", default=True),
        _flag("isAvailableInForms", default=False),
    ),
    where=("id", "label", "systemName", "isCustom"),
)

# Not in the articles this sandbox was written from, but for its method and the keys of its `where`.
CAMPAIGN = TableSpec(
    name="campaign",
    columns=(_ID, _ref("ownerID", "userProfile"), *_text("campaignName", "campaignType"), _flag("isActive", default=True)),
    where=("id", "ownerID"),
)

SPECS = {spec.name: spec for spec in (USER_PROFILE, DEAL_STAGE, CAMPAIGN, ACCOUNT, LEAD, OPPORTUNITY, OPPORTUNITY_LEAD, FIELD)}

# Tables that users may add columns to. Source: article 50887, "Field": what a field can be related to.
CUSTOMIZABLE = ("lead", "opportunity", "account", "campaign")

_DATA_TYPES: dict[ColumnKind, str] = {
    "id": "int",
    "ref": "int",
    "int": "int",
    "double": "double",
    "flag": "boolean",
    "time": "timestamp",
    "text": "string",
}


def standard_fields(first_id: int) -> list[dict[str, Any]]:
    """Describe the columns that every account has, as rows of the table `field`; their labels and source are ours."""
    described = [(spec, column) for spec in SPECS.values() if spec.name in CUSTOMIZABLE for column in spec.columns]
    return [
        {
            "id": first_id + number,
            "relationship": spec.name,
            "systemName": column.name,
            "label": _label(column.name),
            "source": "sharpspring",
            "dataType": _DATA_TYPES[column.kind],
            "dataLength": {"text": column.length, "time": 255, "flag": 1}.get(column.kind, 18),
            "isRequired": column.required,
            "isCustom": False,
            "isActive": True,
            "isAvailableInContactManager": spec.name == "lead",
            "isEditableInContactManager": spec.name == "lead" and not column.read_only,
            "isAvailableInForms": spec.name == "lead" and column.kind == "text",
        }
        for number, (spec, column) in enumerate(described)
    ]


def _label(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return words[:1].upper() + words[1:]
