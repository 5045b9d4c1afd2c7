"""Enums of the graph, with a description for every value."""

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any

import strawberry

from resolvers.changes import ChangeKind, ChangeSource
from vendors.capabilities import Capability
from vendors.errors import ErrorCode
from vendors.limiting import CircuitState
from vendors.model import CustomFieldType, OpportunityStatus, StageKind, ValueOrigin
from vendors.registry import all_vendors


def described_enum(values: type[Enum], *, description: str, texts: Mapping[str, str], name: str | None = None) -> Any:
    """Make a class a graph enum, and give every value its description. The class itself is then used in annotations."""
    made: Any = strawberry.enum(values, name=name, description=description)
    for value in made.__strawberry_definition__.values:
        value.description = texts[value.name]
    return made


_make_enum: Any = StrEnum  # its members are known only at run time
Vendor = described_enum(
    _make_enum("VendorName", {key.upper(): key for key in all_vendors()}),
    name="Vendor",
    description="A product that CRMs are run with.",
    texts={key.upper(): vendor.label for key, vendor in all_vendors().items()},
)
described_enum(
    OpportunityStatus,
    description="Whether an opportunity is still open, and how it ended.",
    texts={"OPEN": "Still being worked on.", "WON": "Closed and won.", "LOST": "Closed and lost."},
)
described_enum(
    StageKind,
    description="What being in a stage means for an opportunity, where the vendor says so.",
    texts={"OPEN": "Opportunities in it are open.", "WON": "Opportunities in it are won.", "LOST": "Opportunities in it are lost."},
)
described_enum(
    ValueOrigin,
    description="Where a value comes from.",
    texts={
        "VENDOR": "The vendor sent it for this record.",
        "DERIVED": "Computed from other fields.",
        "CONFIGURED": "Taken from the settings of the CRM.",
    },
)
described_enum(
    CustomFieldType,
    description="Kind of value that a custom field holds.",
    texts={
        "TEXT": "One line of text.",
        "LONG_TEXT": "Text of several lines.",
        "NUMBER": "A number.",
        "BOOLEAN": "True or false.",
        "DATE": "A calendar day.",
        "DATE_TIME": "A moment.",
        "SELECT": "One of a list of choices.",
        "MULTI_SELECT": "Any of a list of choices.",
        "URL": "A web address.",
        "EMAIL": "An e-mail address.",
        "PHONE": "A telephone number.",
        "JSON": "Anything else that the vendor sends.",
        "UNKNOWN": "The vendor does not say.",
    },
)
described_enum(
    Capability,
    description="What a CRM can do; what it does not list answers NOT_SUPPORTED.",
    texts={
        "LIST_OPPORTUNITIES": "Opportunities can be listed.",
        "READ_OPPORTUNITIES": "Opportunities can be read by id.",
        "READ_PIPELINES": "Pipelines and stages can be read.",
        "READ_USERS": "Users can be read.",
        "READ_ACCOUNTS": "Accounts can be read by id.",
        "READ_CONTACTS": "Contacts can be read by id.",
        "LIST_ACCOUNTS": "Accounts can be listed.",
        "LIST_CONTACTS": "Contacts can be listed.",
        "LIST_USERS": "Users can be listed.",
        "READ_CUSTOM_FIELD_DEFINITIONS": "Definitions of custom fields can be read.",
        "CREATE_OPPORTUNITIES": "Opportunities can be created.",
        "UPDATE_OPPORTUNITIES": "Opportunities can be changed.",
        "MOVE_OPPORTUNITIES": "Opportunities can be moved to another stage.",
        "CLOSE_OPPORTUNITIES": "Opportunities can be closed as won or lost, as far as the CRM's settings say how; `closable` tells.",
        "DELETE_OPPORTUNITIES": "Opportunities can be deleted.",
        "CREATE_ACCOUNTS": "Accounts can be created.",
        "CREATE_CONTACTS": "Contacts can be created.",
        "RECEIVE_WEBHOOKS": "Its vendor can push changes here, and the settings hold what it signs them with.",
    },
)
described_enum(
    ErrorCode,
    description="What went wrong, as a machine can use it. The set is closed; `errors[].extensions.code` is one of it.",
    texts={
        "TIMEOUT": "No whole answer within the deadline.",
        "UNAVAILABLE": "The CRM is down or cannot be reached.",
        "RATE_LIMITED": "The CRM takes no more calls for now.",
        "QUOTA_EXCEEDED": "The quota of the plan or day is used up.",
        "UNAUTHENTICATED": "The configured credentials were refused.",
        "FORBIDDEN": "The configured credentials may not do this.",
        "NOT_FOUND": "There is no such record.",
        "REJECTED": "The CRM refused the request.",
        "MALFORMED": "The CRM answered with something that cannot be read.",
        "NOT_SUPPORTED": "The CRM cannot do this.",
        "CONFLICT": "The record was changed meanwhile, or exists already.",
        "OUTCOME_UNKNOWN": "A write may or may not have happened.",
        "SCAN_BUDGET_EXCEEDED": "Answering would read more rows than permitted.",
        "INVALID_ID": "An id is malformed or of another type.",
        "INVALID_CURSOR": "A cursor is malformed or belongs to another list.",
        "CURSOR_EXPIRED": "A cursor is older than what is kept.",
        "SUBSCRIBER_LAGGED": "A subscriber took events too slowly; it can go on from the `cursor` in the error's extensions.",
        "UNKNOWN_CRM": "No CRM has that key.",
        "BAD_USER_INPUT": "The request itself is wrong.",
        "LIMIT_EXCEEDED": "The request asks for more than is permitted.",
        "INTERNAL": "A defect of this server; its log has the details.",
    },
)
described_enum(
    ChangeKind,
    description="What happened to an opportunity, as we saw it.",
    texts={
        "CREATED": "It was seen for the first time.",
        "UPDATED": "Something of it has changed.",
        "DELETED": "It is gone, or marked as deleted.",
    },
)
described_enum(
    ChangeSource,
    description="What made us look.",
    texts={
        "WEBHOOK": "The vendor pushed a notice.",
        "POLL": "We asked the vendor what has changed.",
        "MUTATION": "The change was made through this graph.",
    },
)
described_enum(
    CircuitState,
    description="Whether calls to a CRM are let through.",
    texts={
        "CLOSED": "Calls go through.",
        "OPEN": "The CRM kept failing; calls are refused for some seconds.",
        "HALF_OPEN": "One call at a time finds out whether it is back.",
    },
)


class UserErrorCode(StrEnum):
    """Why a write was not made: every `RuleCode`, and what the graph itself refuses."""

    REQUIRED = "REQUIRED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    READ_ONLY = "READ_ONLY"
    TOO_LONG = "TOO_LONG"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    INVALID_VALUE = "INVALID_VALUE"
    INVALID_REFERENCE = "INVALID_REFERENCE"
    CONTRADICTION = "CONTRADICTION"
    CURRENCY_NOT_SUPPORTED = "CURRENCY_NOT_SUPPORTED"
    STAGE_CHECKLIST_INCOMPLETE = "STAGE_CHECKLIST_INCOMPLETE"
    PARTLY_DONE = "PARTLY_DONE"
    REJECTED_BY_VENDOR = "REJECTED_BY_VENDOR"
    INVALID_ID = "INVALID_ID"
    UNKNOWN_CRM = "UNKNOWN_CRM"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    KEY_REUSED = "KEY_REUSED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"


described_enum(
    UserErrorCode,
    description="Why a write was not made, or not as a whole. The set is closed.",
    texts={
        "REQUIRED": "It has to be given.",
        "NOT_SUPPORTED": "The vendor cannot do this.",
        "READ_ONLY": "It cannot be written.",
        "TOO_LONG": "The text is longer than the vendor takes.",
        "OUT_OF_RANGE": "The value is outside what the vendor takes.",
        "INVALID_VALUE": "The value is not what the vendor takes.",
        "INVALID_REFERENCE": "It refers to a record that does not exist or does not fit.",
        "CONTRADICTION": "Two values exclude each other.",
        "CURRENCY_NOT_SUPPORTED": "The vendor does not take amounts in this currency here.",
        "STAGE_CHECKLIST_INCOMPLETE": "The stage that it is in has steps that have to be done first.",
        "PARTLY_DONE": "The record was written, but this part of it was not.",
        "REJECTED_BY_VENDOR": "The vendor refused it.",
        "INVALID_ID": "The id is malformed, of another type or of another CRM.",
        "UNKNOWN_CRM": "No CRM has that key.",
        "NOT_FOUND": "There is no such record.",
        "CONFLICT": "The record is not as expected: somebody has changed it meanwhile.",
        "KEY_REUSED": "The idempotency key belongs to a write with another input.",
        "OUTCOME_UNKNOWN": "Whether the write has happened is not known: adopt one of the candidates, or make it again.",
    },
)


class SourceState(StrEnum):
    """How one Crm contributed to a list."""

    OK = "ok"
    PARTIAL = "partial"
    STALE = "stale"
    FAILED = "failed"
    SKIPPED = "skipped"


class CountOrigin(StrEnum):
    """Where a number of rows comes from."""

    VENDOR = "vendor"
    SCAN = "scan"
    UNKNOWN = "unknown"


class WriteOutcome(StrEnum):
    """What became of a write."""

    DONE = "done"
    REPLAYED = "replayed"
    ADOPTED = "adopted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    DRY_RUN = "dry_run"


class Consistency(StrEnum):
    """What paging promises while records change."""

    STRICT = "strict"
    BEST_EFFORT = "best_effort"


described_enum(
    SourceState,
    description="How one CRM contributed to a list.",
    texts={
        "OK": "Its rows are all here.",
        "PARTIAL": "Rows that could not be read are missing, or the reading was cut short.",
        "STALE": "Served from a kept answer.",
        "FAILED": "It could not be read; none of its rows are here.",
        "SKIPPED": "It was not asked, because it has no rows left for this page.",
    },
)
described_enum(
    Consistency,
    description="What paging promises while records are added, changed and deleted.",
    texts={
        "STRICT": "Unchanged records are neither skipped nor repeated.",
        "BEST_EFFORT": "As far as the vendor's own cursor allows.",
    },
)

__all__ = [
    "Capability",
    "CircuitState",
    "Consistency",
    "CustomFieldType",
    "ErrorCode",
    "OpportunityStatus",
    "SourceState",
    "StageKind",
    "UserErrorCode",
    "ValueOrigin",
    "Vendor",
    "described_enum",
]
described_enum(
    WriteOutcome,
    description="What became of a write.",
    texts={
        "DONE": "It was made now.",
        "REPLAYED": "It was made before, under the same idempotency key; nothing was written now.",
        "ADOPTED": "Its outcome was unknown, and this record is what came of it; nothing was written now.",
        "REFUSED": "It was not made; `userErrors` say why.",
        "UNKNOWN": "It may or may not have been made; `candidates` are what it may have made.",
        "DRY_RUN": "It was only checked; `vendorRequests` are what would be sent.",
    },
)
described_enum(
    CountOrigin,
    description="Where a number of rows comes from.",
    texts={
        "VENDOR": "The vendor counted.",
        "SCAN": "All rows were read and counted here, at `fetchedAt`.",
        "UNKNOWN": "Nobody counted: it was not asked for, or the rows could not all be read.",
    },
)
