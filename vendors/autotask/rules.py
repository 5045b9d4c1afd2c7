"""What Autotask demands of an opportunity that is written, all of it checked before anything is sent. Pure: what it takes is handed in.

Source, where nothing else is said: Autotask REST "Opportunities", Conditions and requirements, Special field attributes, and Field
definitions (vendor help).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from vendors.autotask import wire
from vendors.autotask.custom_fields import put_custom_fields
from vendors.autotask.drafts import Draft, Path, number_of, spelled
from vendors.autotask.extension import AutotaskOpportunityFields
from vendors.autotask.inputs import AutotaskOpportunityInput
from vendors.autotask.mapping import PIPELINE_ID, STATUS_LABELS, Currencies, Picklists, Users, status_and_label
from vendors.autotask.parties import Parties, put_account, put_contact
from vendors.extension import wire_names
from vendors.model import CustomFieldDefinition, Opportunity, OpportunityStatus, Ref
from vendors.writes import UNSET, Maybe, OpportunityValues, RuleCode, Unset

V = TypeVar("V")

TITLE_LENGTH: Final = 128
DESCRIPTION_LENGTH: Final = 8_000
# The page's check marks are lost in its text form; these are the fields that the payloads of public clients always send.
MANDATORY: Final = frozenset(
    {
        "amount",
        "companyID",
        "cost",
        "organizationalLevelAssociationID",  # not needed, but cannot be cleared
        "ownerResourceID",
        "probability",
        "projectedCloseDate",
        "stage",
        "startDate",
        "status",
        "title",
        "useQuoteTotals",
    }
)
EXTENSION_LENGTHS: Final = {
    "barriers": 500,
    "help_needed": 500,
    "market": 500,
    "next_step": 500,
    "loss_reason_detail": 500,
    "win_reason_detail": 500,
    "promotion_name": 50,
    "revenue_spread_unit": 6,
}
_CHOICES: Final = ("status", "loss_reason", "win_reason", "primary_competitor", "rating")
_PERIODS: Final = ("onetime", "monthly", "quarterly", "semiannual", "yearly")
PARTS: Final = tuple(f"{period}_{kind}" for kind in ("revenue", "cost") for period in _PERIODS)
_DECIMALS: Final = ("cost", *PARTS, *(f"advanced_field{number}" for number in range(1, 6)))
_WIRE: Final = wire_names(AutotaskOpportunityInput)
_HIGHEST_PROBABILITY: Final = 100
# By which labels a status is chosen, the first one first. Source: a public sync service that calls these system values static.
_LABELS_OF_STATUS: Final[Mapping[OpportunityStatus, tuple[str, ...]]] = {
    OpportunityStatus.OPEN: ("active",),
    OpportunityStatus.WON: ("closed", "implemented"),
    OpportunityStatus.LOST: ("lost",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was read of the Crm for checking a write; what a write does not touch is left out.

    Args:
        today: The vendor's day; None when no answer told it.
        picklists: Those of opportunities.
        currencies: All currencies.
        users: All people.
        companies: By id.
        contacts: By id.
        definitions: Custom fields of opportunities, by key.
    """

    today: date | None = None
    picklists: Picklists = field(default_factory=Picklists)
    currencies: Currencies = field(default_factory=Currencies)
    users: Users = field(default_factory=lambda: Users({}))
    companies: Mapping[str, wire.Company] = field(default_factory=dict[str, wire.Company])
    contacts: Mapping[str, wire.Contact] = field(default_factory=dict[str, wire.Contact])
    definitions: Mapping[str, CustomFieldDefinition] = field(default_factory=dict[str, CustomFieldDefinition])


def own_input(values: OpportunityValues) -> AutotaskOpportunityInput:
    return values.extension if isinstance(values.extension, AutotaskOpportunityInput) else AutotaskOpportunityInput()


def own_fields(current: Opportunity) -> AutotaskOpportunityFields:
    return current.extension if isinstance(current.extension, AutotaskOpportunityFields) else AutotaskOpportunityFields()


def without_nulls(values: OpportunityValues) -> OpportunityValues:
    """The same for a record that is not there yet, which has nothing to clear: None is as good as nothing said.

    But for the primary contact, where contacts are given: None says that none of them is it.
    """
    own, nothing = own_input(values), _nulls(values)
    if isinstance(values.contact_ids, tuple) and values.contact_ids:
        nothing.pop("primary_contact_id", None)
    return dataclasses.replace(values, **nothing, extension=dataclasses.replace(own, **_nulls(own)))


def draft_of(values: OpportunityValues, parties: Parties, known: Known, current: Opportunity | None) -> Draft:
    """Write the body of a write, with every rule that it breaks.

    Args:
        values: What to write; of a new record without None.
        parties: Its company and contact, as `parties_of` settles them.
        known: What was read for it.
        current: The record as it is; None for a new one.
    """
    draft = Draft(mandatory=MANDATORY, violations=list(parties.violations))
    own = own_input(values)
    before = AutotaskOpportunityFields() if current is None else own_fields(current)
    draft.text("title", values.title, ("title",), max_length=TITLE_LENGTH)
    draft.text("description", values.description, ("description",), max_length=DESCRIPTION_LENGTH)
    put_account(draft, parties, known.companies)
    put_contact(draft, parties, known.companies, known.contacts)
    put_owner(draft, "ownerResourceID", values.owner_id, known.users, current.owner_ref if current else None)
    _put_place(draft, values, known, current)
    _put_amount(draft, values, own, parties, known)
    _put_probability(draft, values.probability_percent)
    draft.day("projectedCloseDate", values.expected_close_date, ("expected_close_date",))
    _put_labelled(draft, "opportunityCategoryID", values.type, ("type",), known.picklists)
    _put_labelled(draft, "leadSource", values.lead_source, ("lead_source",), known.picklists)
    if not isinstance(values.tags, Unset) and values.tags:
        draft.refuse(("tags",), RuleCode.NOT_SUPPORTED, "Leave the tags out: opportunities of Autotask have none.")
    _put_own(draft, own, before, known.picklists)
    _put_spread(draft, own, before, known.picklists)
    _check_lost_date(draft, own, before, known.picklists)
    put_custom_fields(draft, values.custom_fields, known.definitions)
    if current is None:
        _complete(draft, own, known)
    _check_dates(draft, values, current, known)
    return draft


def put_owner(draft: Draft, name: str, owner_id: Maybe[str], users: Users, kept: Ref | None = None) -> None:
    """An active person. Who has left meanwhile may stay the owner of what is theirs."""
    path = ("owner_id",)
    owner = users.by_id.get(owner_id) if isinstance(owner_id, str) else None
    if not isinstance(owner_id, str) or (kept is not None and kept.local_id == owner_id):
        draft.reference(name, owner_id, path)
    elif owner is None:
        draft.refuse(path, RuleCode.INVALID_REFERENCE, "Give the id of a user of this CRM.")
    elif owner.is_active is False:
        draft.refuse(path, RuleCode.INVALID_REFERENCE, "Give a user who is active.")
    elif owner_id == users.own_id:
        draft.refuse(path, RuleCode.INVALID_REFERENCE, "Give a person: an API-only user cannot own anything.")
    else:
        draft.reference(name, owner_id, path)


def status_value(wanted: OpportunityStatus, picklists: Picklists) -> str | None:
    """The value of the status picklist that means a status; None when there is none that can be chosen."""
    listed = picklists.values.get("status", {})
    values = [value for value, choice in listed.items() if choice.isActive is not False] or ([] if listed else list(STATUS_LABELS))
    labels = _LABELS_OF_STATUS[wanted]
    told = {value: status_and_label(value, picklists) for value in values}
    named = {(label or "").strip().lower(): value for value, (status, label) in told.items() if status is wanted}
    return next((named[label] for label in labels if label in named), None)


def _nulls(values: Any) -> dict[str, Any]:
    names = [item.name for item in dataclasses.fields(values) if item.name != "extension"]
    return {name: UNSET for name in names if getattr(values, name) is None}


def _put_place(draft: Draft, values: OpportunityValues, known: Known, current: Opportunity | None) -> None:
    if isinstance(values.pipeline_id, str) and values.pipeline_id != PIPELINE_ID:
        draft.refuse(("pipeline_id",), RuleCode.INVALID_REFERENCE, "Leave the pipeline out: this CRM has only one.")
    elif values.pipeline_id is None:
        draft.refuse(("pipeline_id",), RuleCode.REQUIRED, "Leave the pipeline out: an opportunity of this CRM is always in its only one.")
    kept = current.stage_ref.local_id if current is not None and current.stage_ref is not None else None
    draft.choice("stage", values.stage_id, ("stage_id",), picklists=known.picklists, kept=kept)


def _put_amount(draft: Draft, values: OpportunityValues, own: AutotaskOpportunityInput, parties: Parties, known: Known) -> None:
    """Source: General: a total is ignored when any of the parts is given."""
    has_parts = any(not isinstance(getattr(own, part), Unset) for part in PARTS)
    for path, value in ((("amount",), values.amount), (("extension", "cost"), own.cost)):
        if has_parts and not isinstance(value, Unset):
            message = (
                "Leave the total out: Autotask computes amount and cost from the one-time, monthly, quarterly, semiannual and yearly parts."
            )
            draft.refuse(path, RuleCode.CONTRADICTION, message)
    if isinstance(values.amount, Unset) or values.amount is None:
        draft.decimal("amount", values.amount, ("amount",))
        return
    draft.decimal("amount", values.amount.amount, ("amount",))
    company = known.companies.get(parties.account_then or "")
    # Source: Autotask "Multicurrency FAQs" (vendor help): revenue is in the customer's currency.
    if values.amount.currency is not None and company is not None:
        currency = currency_of(company, known.currencies)
        if values.amount.currency != currency:
            which = "the account's" if currency is None else currency
            message = f"Give the amount in {which}, or leave the currency out: an opportunity is in its account's currency."
            draft.refuse(("amount", "currency"), RuleCode.CURRENCY_NOT_SUPPORTED, message)


def currency_of(company: wire.Company, currencies: Currencies) -> str | None:
    return currencies.codes.get(company.currencyID or "", currencies.internal)


def _put_probability(draft: Draft, value: Maybe[float]) -> None:
    path = ("probability_percent",)
    if isinstance(value, Unset) or value is None:
        if value is None:
            draft.put("probability", None, path)
    elif not 0 <= value <= _HIGHEST_PROBABILITY:
        draft.refuse(path, RuleCode.OUT_OF_RANGE, f"Give a probability from 0 to {_HIGHEST_PROBABILITY}.")
    elif value != int(value):
        draft.refuse(path, RuleCode.INVALID_VALUE, "Give a whole number: Autotask keeps no fractions of a percent.")
    else:
        draft.put("probability", int(value), path)


def _put_labelled(draft: Draft, name: str, value: Maybe[str], path: Path, picklists: Picklists) -> None:
    """A choice that people name by its label; its value will do as well."""
    if not isinstance(value, str):
        draft.choice(name, value, path, picklists=picklists)
        return
    listed = picklists.values.get(name, {})
    found = [key for key, choice in listed.items() if choice.label == value] or [key for key in listed if key == value]
    usable = [key for key in found if listed[key].isActive is not False]
    if len(usable) > 1:
        draft.refuse(
            path, RuleCode.INVALID_VALUE, f"Give the value instead: several choices of Autotask's picklist `{name}` have that label."
        )
    elif not found:
        draft.refuse(path, RuleCode.INVALID_VALUE, f"Give a label that Autotask's picklist `{name}` has.")
    else:
        draft.choice(name, (usable or found)[0], path, picklists=picklists)


def _put_own(draft: Draft, own: AutotaskOpportunityInput, before: AutotaskOpportunityFields, picklists: Picklists) -> None:
    for attribute in _CHOICES:
        kept = getattr(before, attribute)
        draft.choice(
            _WIRE[attribute],
            getattr(own, attribute),
            ("extension", attribute),
            picklists=picklists,
            kept=None if kept is None else kept.value,
        )
    for attribute, length in EXTENSION_LENGTHS.items():
        draft.text(_WIRE[attribute], getattr(own, attribute), ("extension", attribute), max_length=length)
    for attribute in _DECIMALS:
        draft.decimal(_WIRE[attribute], getattr(own, attribute), ("extension", attribute))
    for attribute in ("total_amount_months", "revenue_spread"):
        draft.integer(_WIRE[attribute], getattr(own, attribute), ("extension", attribute))
    for attribute in ("closed_date", "through_date"):
        draft.day(_WIRE[attribute], getattr(own, attribute), ("extension", attribute))
    for attribute in ("start_date", "promised_fulfillment_date"):
        draft.moment(_WIRE[attribute], getattr(own, attribute), ("extension", attribute))
    for attribute in ("product_id", "organizational_level_association_id"):
        draft.reference(_WIRE[attribute], getattr(own, attribute), ("extension", attribute))
    if not isinstance(own.use_quote_totals, Unset):
        draft.put("useQuoteTotals", own.use_quote_totals, ("extension", "use_quote_totals"))


def _put_spread(draft: Draft, own: AutotaskOpportunityInput, before: AutotaskOpportunityFields, picklists: Picklists) -> None:
    """Source: revenueSpread: discarded when there is no unit."""
    spread, unit = _after(own.revenue_spread, before.revenue_spread), _after(own.revenue_spread_unit, before.revenue_spread_unit)
    if spread is not None and not unit:
        if not isinstance(own.revenue_spread, Unset):
            draft.refuse(("extension", "revenue_spread"), RuleCode.CONTRADICTION, "Give the unit of the spread as well, or no spread.")
        elif not isinstance(own.revenue_spread_unit, Unset):
            draft.refuse(("extension", "revenue_spread_unit"), RuleCode.CONTRADICTION, "Clear the spread as well: it needs a unit.")
    listed = picklists.values.get("revenueSpreadUnit")
    given = draft.body.get("revenueSpreadUnit")
    if listed is not None and given and given not in listed:
        path = ("extension", "revenue_spread_unit")
        draft.refuse(path, RuleCode.INVALID_VALUE, "Give a value that Autotask's picklist `revenueSpreadUnit` has.")


def _check_lost_date(draft: Draft, own: AutotaskOpportunityInput, before: AutotaskOpportunityFields, picklists: Picklists) -> None:
    """Source: lostDate: kept only while the status is Lost, or when it becomes so; otherwise the vendor clears or ignores it."""
    path = ("extension", "lost_date")
    status = _after(own.status, None if before.status is None else before.status.value)
    is_lost = status is not None and status_and_label(status, picklists)[0] is OpportunityStatus.LOST
    if isinstance(own.lost_date, Unset):
        return
    if own.lost_date is None:
        if is_lost:
            draft.refuse(path, RuleCode.REQUIRED, "Give a time: while an opportunity is lost, Autotask keeps when that was.")
    elif is_lost:
        draft.moment("lostDate", own.lost_date, path)
    else:
        draft.refuse(
            path, RuleCode.CONTRADICTION, "Give the status Lost as well, or no lost date: Autotask keeps it for lost opportunities only."
        )


def _complete(draft: Draft, own: AutotaskOpportunityInput, known: Known) -> None:
    """Fill what a new opportunity needs and was not given, and miss what nothing can stand in for.

    The category is left to the vendor, which takes the default one.
    """
    if own.use_quote_totals is True:
        message = "Leave the quote totals off until a quote refers to the opportunity."
        draft.refuse(("extension", "use_quote_totals"), RuleCode.INVALID_VALUE, message)
    active = status_value(OpportunityStatus.OPEN, known.picklists)
    defaults: dict[str, Any] = {
        "startDate": None if known.today is None else f"{known.today.isoformat()}T00:00:00Z",
        "status": None if active is None else number_of(active),
        "probability": 0,
        "amount": Decimal(0),
        "cost": Decimal(0),
        "useQuoteTotals": False,
    }
    for name, value in defaults.items():
        if name not in draft.origins and value is not None and not _was_refused(draft, name):
            draft.body[name] = value
    for name, path in _NEEDED.items():
        if name not in draft.body and not _was_refused(draft, name):
            draft.refuse(path, RuleCode.REQUIRED, "Give a value: Autotask needs it for a new opportunity.")


_NEEDED: Final[Mapping[str, Path]] = {
    "title": ("title",),
    "companyID": ("account_id",),
    "ownerResourceID": ("owner_id",),
    "stage": ("stage_id",),
    "projectedCloseDate": ("expected_close_date",),
    "startDate": ("extension", "start_date"),
    "status": ("extension", "status"),
}
_PATHS: Final[Mapping[str, tuple[Path, ...]]] = {
    **{name: (path,) for name, path in _NEEDED.items()},
    "companyID": (("account_id",), ("account_ids",)),
    "probability": (("probability_percent",),),
    "amount": (("amount",),),
    "cost": (("extension", "cost"),),
    "useQuoteTotals": (("extension", "use_quote_totals"),),
}


def _was_refused(draft: Draft, name: str) -> bool:
    return any(violation.path in _PATHS[name] for violation in draft.violations)


def _check_dates(draft: Draft, values: OpportunityValues, current: Opportunity | None, known: Known) -> None:
    """Source: projectedCloseDate: not before startDate. Days are compared, as only the projected close loses its time."""
    own = own_input(values)
    if isinstance(values.expected_close_date, Unset) and isinstance(own.start_date, Unset):
        return
    told = {violation.path for violation in draft.violations}
    if {("expected_close_date",), ("extension", "start_date")} & told:
        return
    start = _day(_after(own.start_date, known.today if current is None else own_fields(current).start_date))
    close = _after(values.expected_close_date, None if current is None else current.expected_close_date)
    if start is None or close is None or close >= start:
        return
    if isinstance(values.expected_close_date, Unset):
        message = f"Give a start on or before the expected close date, {close.isoformat()}, or move that as well."
        draft.refuse(("extension", "start_date"), RuleCode.OUT_OF_RANGE, message)
    else:
        message = f"Give a date on or after the start date, {start.isoformat()}, or move that as well."
        draft.refuse(("expected_close_date",), RuleCode.OUT_OF_RANGE, message)


def _after(given: V | Unset | None, before: V | None) -> V | None:
    return before if isinstance(given, Unset) else given


def _day(moment: datetime | date | None) -> date | None:
    return date.fromisoformat(spelled(moment)[:10]) if isinstance(moment, datetime) else moment
