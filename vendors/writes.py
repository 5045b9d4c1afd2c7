"""What a write asks of a vendor, and what comes of it.

A write is planned before it is made: planning may read from the vendor, and checks every rule that the vendor documents, all at once. The
plan tells the requests that would be sent, and sends them when it is carried out. Nothing here retries: whether a write that got no answer
has happened is for the caller to find out.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, StrEnum
from typing import Any, Final, Protocol, TypeAlias, TypeVar, runtime_checkable

from vendors.errors import ErrorCode, VendorError
from vendors.http import Request
from vendors.model import Money, Opportunity, OpportunityStatus

T = TypeVar("T")


class Unset(Enum):
    """Marks a value that a write says nothing about: it stays as it is, or is left to the vendor when a record is created."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET

Maybe: TypeAlias = T | Unset | None
"""A value to write, None to clear what is there, or UNSET."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityValues:
    """What to write into an opportunity. References are ids of the same Crm, without its key, and have the right type.

    Args:
        account_ids: All accounts, the main one (`account_id`, else the first) among them; replaces the set.
        contact_ids: All contacts, the primary one (`primary_contact_id`, else the first) among them; replaces the set.
        add_contact_ids: Contacts that are added to those there are; never together with `contact_ids`.
        remove_contact_ids: Contacts that are taken out of those there are; never together with `contact_ids`.
        custom_fields: JSON values by key, as `CustomField.key` has them; None clears one. Fields that are not named stay.
        extension: The vendor's own input, an instance of the class in `Vendor.inputs["Opportunity"]`; its attributes may be UNSET.
    """

    title: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    amount: Maybe[Money] = UNSET
    probability_percent: Maybe[float] = UNSET
    expected_close_date: Maybe[date] = UNSET
    pipeline_id: Maybe[str] = UNSET
    stage_id: Maybe[str] = UNSET
    owner_id: Maybe[str] = UNSET
    account_id: Maybe[str] = UNSET
    account_ids: Maybe[tuple[str, ...]] = UNSET
    primary_contact_id: Maybe[str] = UNSET
    contact_ids: Maybe[tuple[str, ...]] = UNSET
    add_contact_ids: tuple[str, ...] = ()
    remove_contact_ids: tuple[str, ...] = ()
    type: Maybe[str] = UNSET
    lead_source: Maybe[str] = UNSET
    tags: Maybe[tuple[str, ...]] = UNSET
    custom_fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    extension: object | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusValues:
    """How to close an opportunity, or with OPEN to open it again.

    Args:
        status: Its new status.
        reason_id: The vendor's id of why it was won or lost.
        reason_detail: The same in words.
        closed_on: Day on which it was won or lost; today, as the vendor takes it, when UNSET.
    """

    status: OpportunityStatus
    reason_id: Maybe[str] = UNSET
    reason_detail: Maybe[str] = UNSET
    closed_on: Maybe[date] = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountValues:
    """What to write into a new account."""

    name: Maybe[str] = UNSET
    email: Maybe[str] = UNSET
    phone: Maybe[str] = UNSET
    website: Maybe[str] = UNSET
    owner_id: Maybe[str] = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactValues:
    """What to write into a new contact."""

    first_name: Maybe[str] = UNSET
    last_name: Maybe[str] = UNSET
    email: Maybe[str] = UNSET
    phone: Maybe[str] = UNSET
    title: Maybe[str] = UNSET
    account_id: Maybe[str] = UNSET
    owner_id: Maybe[str] = UNSET


class RuleCode(StrEnum):
    """Why an input is refused. The set is closed."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that an input breaks.

    Args:
        path: Attributes of the values that lead to it, such as `("title",)` or `("extension", "lost_date")`; empty for the whole.
        code: Which kind of rule.
        message: What to do, in a sentence that is safe to show.
        vendor_code: The vendor's own code, where it was the vendor who refused.
    """

    path: tuple[str, ...]
    code: RuleCode
    message: str
    vendor_code: str | None = None


class InputRefusedError(VendorError):
    """The vendor refused what was to be written, and said why. Nothing was written."""

    code = ErrorCode.REJECTED

    def __init__(self, violations: Sequence[Violation], *, crm: str, operation: str | None = None, status: int | None = None) -> None:
        super().__init__(f"The CRM {crm!r} refused the input.", crm=crm, operation=operation, status=status)
        self.violations = tuple(violations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What came of a write.

    Args:
        local_id: The record that was written.
        problems: Parts that were not done although the record was written, as PARTLY_DONE.
    """

    local_id: str
    problems: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePlan:
    """A write that has not been made.

    Args:
        violations: Rules that the input breaks; the plan must not be carried out while there are any.
        requests: What would be sent, in order, without secrets; a request that needs the id of a record that an earlier one creates has
            `{id}` in its place.
        execute: Makes the write. Raises InputRefusedError when the vendor refuses, OutcomeUnknownError when no answer tells whether it
            has happened, another VendorError when it has not happened.
    """

    violations: tuple[Violation, ...] = ()
    requests: tuple[Request, ...] = ()
    execute: Callable[[], Awaitable[Written]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """What a vendor says about an attribute of `OpportunityValues` when an opportunity is created.

    Args:
        name: The attribute, or `extension.` and an attribute of the vendor's own input.
        is_required: Whether it must be given: neither the vendor nor the Crm's settings have a default.
        is_allowed: Whether it may be given.
        max_length: Number of characters, where it is text and the vendor limits it.
        note: What else to know, in a sentence.
    """

    name: str
    is_required: bool = False
    is_allowed: bool = True
    max_length: int | None = None
    note: str | None = None


@runtime_checkable
class CreatesOpportunities(Protocol):
    async def create_fields(self) -> Sequence[FieldRule]:
        """Tell, for every attribute of `OpportunityValues` and of the vendor's own input, whether it is required and allowed."""
        ...

    async def plan_create(self, values: OpportunityValues) -> WritePlan: ...


@runtime_checkable
class UpdatesOpportunities(Protocol):
    async def plan_update(self, current: Opportunity, values: OpportunityValues) -> WritePlan:
        """Plan a change. `current` is the record as it was just read, complete."""
        ...


@runtime_checkable
class MovesOpportunities(Protocol):
    async def plan_move(self, current: Opportunity, stage_id: str, extension: object | None) -> WritePlan: ...


@runtime_checkable
class ClosesOpportunities(Protocol):
    def closable(self) -> frozenset[OpportunityStatus]:
        """The statuses that an opportunity of this Crm can be given; OPEN when a closed one can be opened again. Calls nobody."""
        ...

    async def plan_close(self, current: Opportunity, values: StatusValues) -> WritePlan: ...


@runtime_checkable
class DeletesOpportunities(Protocol):
    async def plan_delete(self, current: Opportunity) -> WritePlan: ...


@runtime_checkable
class ReadsBack(Protocol):
    def read_back(self, text: str) -> str:
        """Tell how a text that is written is read again, where that differs whatever the vendor does with it."""
        ...


@runtime_checkable
class CreatesAccounts(Protocol):
    async def plan_create_account(self, values: AccountValues) -> WritePlan: ...


@runtime_checkable
class CreatesContacts(Protocol):
    async def plan_create_contact(self, values: ContactValues) -> WritePlan: ...
