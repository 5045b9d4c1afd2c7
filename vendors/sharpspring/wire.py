"""Bodies of the Open API, in its own spelling, its reading methods, and the receipts of its writing ones.

Every answer has one envelope. Its `error` says in one of five shapes whether anything failed, and an empty map may be written as `[]`,
as PHP does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, TypeVar

import pydantic
from pydantic import AfterValidator, BeforeValidator, ConfigDict, PlainValidator

from vendors.wire import Day, Decoder, Flag, Id, Key, Number, Text, Whole, WireModel

E = TypeVar("E")
T = TypeVar("T")

# Source: observed encoding of values typed in the product, written down by a client's author: PHP's special characters, `<` doubly.
_ESCAPED: Final = re.compile(r"&(amp|quot|#0?39|lt|gt);")
_CHARACTERS: Final = {"amp": "&", "quot": '"', "#039": "'", "#39": "'", "lt": "<", "gt": ">"}
_ROW_ID: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
# Source: answers that clients' authors wrote down: for some accounts each tells how many calls the day has had.
_CALLS_SO_FAR: Final = re.compile(rb'"callCount"\s*:\s*(?:"\d+"|0|[1-9]\d*)(?=\s*[,}])')


def unescaped(value: Any) -> Any:
    """Undo the escaping of a text that was typed in the product; one that the API wrote has none, and stays as it is."""
    if not isinstance(value, str) or "&" not in value:
        return value
    return _ESCAPED.sub(lambda match: _CHARACTERS[match[1]], value).replace("&lt;", "<")


def is_row_id(text: str) -> bool:
    """Whether a row can have that id, as the vendor writes it: an integer of at most 18 digits, and none is 0."""
    return _ROW_ID.fullmatch(text) is not None


def _blank_for_none(value: Any) -> Any:
    return "" if value is None else value


def _nothing(_: object) -> None:
    """Stand in for a row that does not fit its model, so that the others keep their places."""


# Source: article 50887: ids are integers of at most 18 digits. They exceed 32 bits, so they stay text.
RowId = Annotated[Key, pydantic.Field(pattern=r"^[0-9]{1,18}$")]
"""The id of a row; one without it does not fit."""
Typed = Annotated[Text, BeforeValidator(unescaped)]
"""Text that people type in the product, where it is escaped."""
# Source: rows seen by several clients: an empty integer comes back as "", null or 0, and no row has the id 0.
Link = Annotated[Id, AfterValidator(lambda value: None if value == "0" else value)]
"""The id of another row, or None."""
Unreadable = Annotated[None, PlainValidator(_nothing)]


class Opportunity(WireModel):
    # Source: Lead Gen & CRM Open API Schema: Opportunities (vendor help, article 50887), table "Opportunity".
    # Custom fields are further keys. Source: observed; keys are label_words_<13 hexadecimal digits>.
    model_config = ConfigDict(extra="allow")

    id: RowId
    ownerID: Link = None
    dealStageID: Link = None
    accountID: Link = None
    campaignID: Link = None
    opportunityName: Typed = None
    probability: Number = None
    amount: Number = None
    isClosed: Flag = None
    isWon: Flag = None
    isActive: Flag = None
    closeDate: Day = None
    originatingLeadID: Link = None
    primaryLeadID: Link = None
    # Not in the article; read when they are there.
    createTimestamp: Text = None
    updateTimestamp: Text = None


class OpportunityLead(WireModel):
    # Source: the same article, table "OpportunityLead".
    id: RowId
    opportunityID: RowId
    leadID: RowId


class DealStage(WireModel):
    # Source: the same article, table "DealStage". pipelineID is not in it; read when it is there.
    id: RowId
    dealStageName: Typed = None
    description: Typed = None
    defaultProbability: Number = None
    weight: Whole = None
    isEditable: Flag = None
    pipelineID: Link = None


class UserProfile(WireModel):
    # Not in an article; attributes as public clients read them.
    id: RowId
    firstName: Typed = None
    lastName: Typed = None
    displayName: Typed = None
    emailAddress: Typed = None
    isActive: Flag = None


class Account(WireModel):
    # Source: Lead Gen & CRM Open API, account methods (vendor help, article 50891).
    id: RowId
    ownerID: Link = None
    accountName: Typed = None
    industry: Typed = None
    phone: Typed = None
    website: Typed = None
    billingStreetAddress: Typed = None
    billingCity: Typed = None
    billingState: Typed = None
    billingPostalCode: Typed = None
    billingCountry: Typed = None


class Lead(WireModel):
    # Source: Lead Gen & CRM Open API Schema: Leads (vendor help, article 50881).
    id: RowId
    accountID: Link = None
    ownerID: Link = None
    firstName: Typed = None
    lastName: Typed = None
    emailAddress: Typed = None
    title: Typed = None
    phoneNumber: Typed = None


class UnknownLead(Lead):
    """A row of defaults, which says that there is no such lead."""

    # Source: observed: an unknown lead may be answered with defaults and no id.
    id: Annotated[str, BeforeValidator(_blank_for_none), pydantic.Field(max_length=0)] = ""


class Field(WireModel):
    # Source: Lead Gen & CRM Open API Schema: Opportunities (vendor help, article 50887), table "Field".
    id: RowId
    relationship: Text = None
    systemName: Key
    label: Typed = None
    source: Text = None
    dataType: Text = None
    dataLength: Whole = None
    isRequired: Flag = None
    isCustom: Flag = None
    isActive: Flag = None
    isAvailableInContactManager: Flag = None
    isEditableInContactManager: Flag = None
    isAvailableInForms: Flag = None


class Campaign(WireModel):
    # Not in an article; only looked up, to learn whether it exists.
    id: RowId


Row = Annotated[T | Unreadable, pydantic.Field(union_mode="left_to_right")]
Member = Annotated[list[Row[T]] | Unreadable, pydantic.Field(union_mode="left_to_right")]


class Envelope(WireModel, Generic[T]):
    """An answer. `result` is None when nothing was done, and a row that does not fit is None in its place."""

    id: Id = None
    result: Annotated[dict[str, Member[T]] | list[Any], pydantic.Field(union_mode="left_to_right")]
    hasMore: Flag = None

    def rows(self, keys: Sequence[str]) -> Sequence[T | None] | None:
        """The rows of a read; None when it is not plain which list they are.

        Source: observed: the key differs from the documented one, and between the list and the range call of one entity.

        Args:
            keys: Names of the list, the likelier first.
        """
        if isinstance(self.result, list):
            return None if self.result else ()
        lists = {name: rows for name, rows in self.result.items() if rows is not None}
        for key in keys:
            if key in lists:
                return lists[key]
        if len(lists) == 1:
            return next(iter(lists.values()))
        return None if self.result.keys() - {"hasMore"} else ()


class Failure(WireModel):
    """What an envelope says of failures."""

    error: dict[str, Any] | list[dict[str, Any]] | None = None
    result: dict[str, Any] | list[Any] | None = None

    def code(self) -> str | None:
        """The vendor's code of a failure of the whole call, or None.

        Source: observed: `error` is null, `[]`, an object whose members are null, one that has a code, or, where single objects of a
        write failed, a list of copies of their errors. A read has no objects, so a list is its failure.
        """
        error = self.error
        if isinstance(error, list):
            if isinstance(self.result, dict) and self.result.keys() & {"creates", "updates", "deletes"}:
                return None
            error = error[0] if error else None
        code = None if error is None else error.get("code")
        return None if code is None else str(code)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An object's error. `said` is the vendor's own text of it, good for finding names of fields, never for showing."""

    code: str | None
    said: str = ""


class Outcome(WireModel):
    """What became of one object of a write; `id` is that of a new row."""

    success: Flag = None
    error: Any = None
    id: Link = None

    def refusal(self) -> Refusal | None:
        """Why it was refused; None when it was carried out.

        Source: observed: a failed row has `success` false, as JSON or as text, or an error with a code.
        """
        refusal = refusal_of(self.error)
        return Refusal(None) if refusal is None and self.success is False else refusal


class Receipt(WireModel):
    """The answer to a write. `error` may hold a copy of the errors of those objects that were refused, in their order."""

    id: Id = None
    result: dict[str, Any] | list[Any] | None = None
    error: Any = None

    def outcomes(self, key: str) -> list[Outcome] | None:
        """What became of each object; None when it does not say. `key` is the name of the list in `result`."""
        rows = self.result.get(key) if isinstance(self.result, dict) else None
        return None if rows is None else _OUTCOMES.validate_python(rows)


def refusal_of(error: Any) -> Refusal | None:
    """Read an error in any of its shapes; None where it is none."""
    first: Any = next(iter(error), None) if isinstance(error, list) else error  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if not isinstance(first, dict):
        return None
    members: dict[str, Any] = first  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
    code = members.get("code")
    return None if code is None else Refusal(str(code)[:_CODE_LENGTH], f"{members.get('message')} {members.get('data')}")


_CODE_LENGTH: Final = 16
_OUTCOMES: Final = pydantic.TypeAdapter(list[Outcome])


class CountedDecoder(Decoder[E]):
    """Reads answers that may count the calls, behind everything else that has parts."""

    def gist(self, body: bytes) -> bytes:
        at = max(body.rfind(b"]"), body.rfind(b"}", 0, max(0, body.rfind(b"}"))), 0)
        return body[:at] + _CALLS_SO_FAR.sub(b'"callCount":0', body[at:])


@dataclass(frozen=True, slots=True)
class Method(Generic[T]):
    """A method that lists rows. `keys` are the names of the list in `result`, as seen and as documented."""

    name: str
    keys: Sequence[str]
    decoder: Decoder[Envelope[T]]


FAILURE: Final = Decoder(Failure)
RECEIPT: Final = Decoder(Receipt)
# Sources: the method articles of the Open API; keys as clients found them on the wire, then as documented.
OPPORTUNITIES: Final = Method("getOpportunities", ("opportunity", "opportunities"), CountedDecoder(Envelope[Opportunity]))
CHANGED_OPPORTUNITIES: Final = Method("getOpportunitiesDateRange", OPPORTUNITIES.keys, OPPORTUNITIES.decoder)
OPPORTUNITY_LEADS: Final = Method(
    "getOpportunityLeads", ("getWhereopportunityLeads", "opportunityLead", "opportunityLeads"), CountedDecoder(Envelope[OpportunityLead])
)
DEAL_STAGES: Final = Method("getDealStages", ("dealStage", "dealStages"), CountedDecoder(Envelope[DealStage]))
USER_PROFILES: Final = Method("getUserProfiles", ("userProfile", "userProfiles"), CountedDecoder(Envelope[UserProfile]))
ACCOUNTS: Final = Method("getAccounts", ("account", "accounts"), CountedDecoder(Envelope[Account]))
LEADS: Final = Method("getLeads", ("lead", "leads"), CountedDecoder(Envelope[Lead]))
_FOUND_OR_NOT: Final[Any] = Envelope[Lead | UnknownLead]
LEADS_BY_ID: Final[Method[Lead]] = Method(LEADS.name, LEADS.keys, CountedDecoder(_FOUND_OR_NOT))
FIELDS: Final = Method("getFields", ("field", "fields"), CountedDecoder(Envelope[Field]))
CAMPAIGNS: Final = Method("getCampaigns", ("campaign", "campaigns"), CountedDecoder(Envelope[Campaign]))
