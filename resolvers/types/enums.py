"""Enums of the graph, with a description for every value."""

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any

import strawberry

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
        "UNKNOWN_CRM": "No CRM has that key.",
        "BAD_USER_INPUT": "The request itself is wrong.",
        "LIMIT_EXCEEDED": "The request asks for more than is permitted.",
        "INTERNAL": "A defect of this server; its log has the details.",
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
    "ValueOrigin",
    "Vendor",
    "described_enum",
]
described_enum(
    CountOrigin,
    description="Where a number of rows comes from.",
    texts={
        "VENDOR": "The vendor counted.",
        "SCAN": "All rows were read and counted here, at `fetchedAt`.",
        "UNKNOWN": "Nobody counted: it was not asked for, or the rows could not all be read.",
    },
)
