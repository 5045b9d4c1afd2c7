"""The rules for opportunities that are written, all checked at once, and the body that follows from the values. Pure.

What a rule needs to know of the CRM is looked up before, and handed in.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from vendors.apideck.contacts import named_contacts, write_contacts
from vendors.apideck.currencies import CURRENCIES
from vendors.apideck.custom_fields import write_custom_fields
from vendors.apideck.demands import STATUS_WORDS, WIRE_NAMES, status_is_taken
from vendors.apideck.drafts import Draft, Path, is_writable, shown, spelled
from vendors.apideck.inputs import ApideckExtendPathInput, ApideckOpportunityInput, ApideckPassThroughInput
from vendors.apideck.mapping import stage_id as stage_local_id
from vendors.extension import wire_names
from vendors.model import Opportunity, OpportunityStatus, Pipeline
from vendors.writes import UNSET, FieldRule, Maybe, OpportunityValues, RuleCode, Unset

_CLOSED: Final = (OpportunityStatus.WON, OpportunityStatus.LOST)
_UNKNOWN: Final = "Give the id of a record that the CRM has; it has none with {}."
_SHOWN_IDS: Final = 3
_WHOLE_PERCENT: Final = 100
# Attributes whose values go into the field of that name as they are.
_PLAIN: Final[Mapping[str, str]] = {"description": "description", "type": "type", "lead_source": "lead_source", "owner_id": "owner_id"}

_ONLY_LATER: Final = frozenset({"add_contact_ids", "remove_contact_ids"})
_NOTES: Final[Mapping[str, str]] = {
    "amount": "Apideck has a list of currencies; a few that are in use are not on it.",
    "probability_percent": "From 0 to 100, with or without a fraction.",
    "expected_close_date": "Apideck has one close date: that of a closed opportunity is the day on which it was closed.",
    "pipeline_id": "Comes with the stage, when that is given.",
    "account_ids": "One at most.",
    "primary_contact_id": "The first of `contact_ids` when it is left out.",
    "add_contact_ids": "Give `contact_ids` instead.",
    "remove_contact_ids": "A new opportunity has no contacts to take out.",
    "custom_fields": "By the connector's id of the field; Apideck has no list of them.",
    "extension.contact_id": "One of `contact_ids` when these are given.",
    "extension.status": "The connector's own word; a stage may bring its own.",
    "extension.pass_through": "Handed on to the connector, and not kept.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was looked up for a plan.

    Args:
        pipelines: The table of pipelines; None where nobody asked for it, or it cannot be read.
        missing: Ids that nobody has, by the resource.
    """

    pipelines: Sequence[Pipeline] | None = None
    missing: Mapping[str, AbstractSet[str]] = field(default_factory=dict[str, AbstractSet[str]])

    def lacks(self, resource: str, local_id: str) -> bool:
        return local_id in self.missing.get(resource, ())


def extension_of(values: OpportunityValues) -> ApideckOpportunityInput:
    return values.extension if isinstance(values.extension, ApideckOpportunityInput) else ApideckOpportunityInput()


def opportunity_draft(
    values: OpportunityValues, current: Opportunity | None, known: Known, *, service_id: str, demanded: AbstractSet[str]
) -> Draft:
    """Write the body of a new record, or of a change of `current`."""
    draft = Draft(is_new=current is None, demanded=demanded)
    extension = extension_of(values)
    if values.extension is not None and values.extension is not extension:
        draft.refuse(("extension",), RuleCode.NOT_SUPPORTED, "Give Apideck's own input, or none.")
    # Source: Apideck CRM API, opportunitiesUpdate: its body is that of a create, so that the title is required there too.
    draft.put("title", current.title if isinstance(values.title, Unset) and current is not None else values.title, ("title",))
    for attribute, name in _PLAIN.items():
        draft.put(name, getattr(values, attribute), (attribute,))
    _write_amount(draft, values)
    _write_probability(draft, values.probability_percent)
    _write_close_date(draft, values, extension, current)
    _write_place(draft, values, known)
    _write_account(draft, values, extension)
    write_contacts(draft, values, extension, current)
    if not isinstance(values.tags, Unset):
        draft.put("tags", None if draft.is_new and values.tags is None else list(values.tags or ()), ("tags",))
    write_custom_fields(draft, values.custom_fields, current, service_id=service_id)
    _write_extension(draft, extension, service_id)
    _refuse_unknown(draft, values, extension, known)
    if draft.is_new:
        draft.demand(WIRE_NAMES)
    return draft


def account_of(values: OpportunityValues) -> Maybe[str]:
    """The one account that an opportunity has at the vendor."""
    if isinstance(values.account_id, str) or isinstance(values.account_ids, Unset):
        return values.account_id
    return next(iter(values.account_ids or ()), None)


def create_fields(*, demanded: AbstractSet[str]) -> list[FieldRule]:
    names = [item.name for item in fields(OpportunityValues) if item.name != "extension"]
    own = [f"extension.{item.name}" for item in fields(ApideckOpportunityInput)]
    return [
        FieldRule(name=name, is_required=name in demanded, is_allowed=name not in _ONLY_LATER, note=_NOTES.get(name))
        for name in names + own
    ]


def _write_amount(draft: Draft, values: OpportunityValues) -> None:
    amount = values.amount
    if isinstance(amount, Unset):
        return
    if amount is None:
        draft.put("monetary_amount", None, ("amount",))
        return
    if is_writable(amount.amount):
        draft.put("monetary_amount", amount.amount, ("amount", "amount"))
    else:
        draft.refuse(("amount", "amount"), RuleCode.OUT_OF_RANGE, "Give a number of at most 50 digits before and behind the point.")
    if amount.currency is None:
        return  # it stays what it is
    if amount.currency in CURRENCIES:
        draft.put("currency", amount.currency, ("amount", "currency"))
    else:
        message = f"Give a currency that Apideck knows, or none; it does not know {shown(amount.currency)}."
        draft.refuse(("amount", "currency"), RuleCode.CURRENCY_NOT_SUPPORTED, message)


def _write_probability(draft: Draft, percent: Maybe[float]) -> None:
    # Source: Apideck CRM API, schema Opportunity, win_probability: a percentage.
    if isinstance(percent, Unset) or percent is None:
        draft.put("win_probability", percent, ("probability_percent",))
    elif 0 <= percent <= _WHOLE_PERCENT:
        draft.put("win_probability", Decimal(str(percent)).normalize(), ("probability_percent",))
    else:
        draft.refuse(("probability_percent",), RuleCode.OUT_OF_RANGE, "Give a percentage from 0 to 100.")


def _write_close_date(draft: Draft, values: OpportunityValues, extension: ApideckOpportunityInput, current: Opportunity | None) -> None:
    """Write the one close date, unless it is that of a closed deal. Source: Apideck CRM API, schema Opportunity, close_date."""
    day = values.expected_close_date
    if current is not None and current.status in _CLOSED and isinstance(extension.status, Unset):
        if day is not None and not isinstance(day, Unset):
            message = (
                "Leave this out: the one date of a closed opportunity is the day on which it was closed. Open it again, or close it anew."
            )
            draft.refuse(("expected_close_date",), RuleCode.CONTRADICTION, message)
        return
    draft.put("close_date", day if day is None or isinstance(day, Unset) else day.isoformat(), ("expected_close_date",))


def _write_place(draft: Draft, values: OpportunityValues, known: Known) -> None:
    """Write pipeline and stage together: a stage's own id need not be unique without its pipeline."""
    stage, pipeline = values.stage_id, values.pipeline_id
    if draft.is_new:
        stage, pipeline = UNSET if stage is None else stage, UNSET if pipeline is None else pipeline
    pipelines = known.pipelines
    is_unknown = isinstance(pipeline, str) and pipelines is not None and all(pipeline != each.local_id for each in pipelines)
    if is_unknown:
        draft.refuse(("pipeline_id",), RuleCode.INVALID_REFERENCE, _UNKNOWN.format(shown(str(pipeline))))
    if not isinstance(stage, str):
        # Without its pipeline a stage is nowhere.
        cleared = pipeline is None and isinstance(stage, Unset)
        draft.put("pipeline_id", pipeline, ("pipeline_id",))
        draft.put("pipeline_stage_id", None if cleared else stage, ("stage_id",))
        return
    place = place_of(stage)
    stages = None if pipelines is None else {item.local_id for each in pipelines for item in each.stages}
    if place is None or (stages is not None and stage not in stages):
        draft.refuse(("stage_id",), RuleCode.INVALID_REFERENCE, _UNKNOWN.format(shown(stage)))
        return
    if not isinstance(pipeline, Unset) and pipeline != place[0] and not is_unknown:
        draft.refuse(("pipeline_id",), RuleCode.CONTRADICTION, "Leave this out, or give the pipeline that the stage belongs to.")
    draft.put("pipeline_id", place[0], ("stage_id",))
    draft.put("pipeline_stage_id", place[1], ("stage_id",))


def place_of(local_id: str) -> tuple[str, str] | None:
    """The pipeline and the key of a stage; None for what cannot be its id."""
    parts = [part.replace("%7E", "~").replace("%25", "%") for part in local_id.split("~")]
    place = (parts[0], parts[-1])
    return place if all(place) and stage_local_id(*place) == local_id else None


def _write_account(draft: Draft, values: OpportunityValues, extension: ApideckOpportunityInput) -> None:
    given = () if isinstance(values.account_ids, Unset) else tuple(dict.fromkeys(values.account_ids or ()))
    # Source: Apideck CRM API, schema Opportunity: company_id is one company.
    if len(given) > 1:
        draft.refuse(("account_ids",), RuleCode.NOT_SUPPORTED, "Give one account: an opportunity has no more here.")
    says_all = bool(given) or (not draft.is_new and not isinstance(values.account_ids, Unset))
    is_main = not isinstance(values.account_id, Unset) and not (draft.is_new and values.account_id is None)
    if says_all and is_main and values.account_id != next(iter(given), None) and values.account_id not in given:
        draft.refuse(("account_id",), RuleCode.CONTRADICTION, "Make one of `account_ids` the main account, or leave these out.")
    company = account_of(values)
    path: Path = ("account_ids",) if isinstance(values.account_id, Unset) else ("account_id",)
    draft.put("company_id", company, path)
    if company is None and isinstance(extension.company_name, Unset):
        draft.put("company_name", None, path)


def _write_extension(draft: Draft, extension: ApideckOpportunityInput, service_id: str) -> None:
    if not isinstance(extension.status, Unset) and not status_is_taken(extension.status, service_id):
        words = ", ".join(STATUS_WORDS[service_id])
        draft.refuse(("extension", "status"), RuleCode.INVALID_VALUE, f"Give one of the connector's words: {words}.")
    for attribute, name in wire_names(ApideckOpportunityInput).items():
        value = getattr(extension, attribute)
        draft.put(name, spelled(value) if isinstance(value, datetime) else value, ("extension", attribute))
    entries = () if isinstance(extension.pass_through, Unset) else extension.pass_through or ()
    if entries:
        path = ("extension", "pass_through")
        draft.put(path[-1], [_pass_through(draft, entry, (*path, str(at)), service_id) for at, entry in enumerate(entries)], path)


def _pass_through(draft: Draft, entry: ApideckPassThroughInput, path: Path, service_id: str) -> dict[str, Any]:
    """Source: Apideck CRM API, schema PassThroughBody: nothing in it may be null but the values."""
    made: dict[str, Any] = {"service_id": service_id if _is_empty(entry.service_id) else entry.service_id}
    if not _is_empty(entry.operation_id):
        made["operation_id"] = entry.operation_id
    if not _is_empty(entry.extend_object):
        made["extend_object"] = entry.extend_object
        if not isinstance(entry.extend_object, dict):
            draft.refuse((*path, "extend_object"), RuleCode.INVALID_VALUE, "Give a JSON object.")
    paths = () if isinstance(entry.extend_paths, Unset) else entry.extend_paths or ()
    if paths:
        made["extend_paths"] = [_extend_path(draft, item, (*path, "extend_paths", str(at))) for at, item in enumerate(paths)]
    return made


def _extend_path(draft: Draft, item: ApideckExtendPathInput, path: Path) -> dict[str, Any]:
    if _is_empty(item.path):
        draft.refuse((*path, "path"), RuleCode.REQUIRED, "Give a JSONPath, such as `$.nested.property`.")
    return {"path": item.path if isinstance(item.path, str) else "", "value": None if isinstance(item.value, Unset) else item.value}


def _is_empty(value: object) -> bool:
    return value is None or isinstance(value, Unset)


def _refuse_unknown(draft: Draft, values: OpportunityValues, extension: ApideckOpportunityInput, known: Known) -> None:
    if isinstance(values.owner_id, str) and known.lacks("users", values.owner_id):
        draft.refuse(("owner_id",), RuleCode.INVALID_REFERENCE, _UNKNOWN.format(shown(values.owner_id)))
    company = account_of(values)
    if isinstance(company, str) and known.lacks("companies", company):
        path: Path = ("account_ids",) if isinstance(values.account_id, Unset) else ("account_id",)
        draft.refuse(path, RuleCode.INVALID_REFERENCE, _UNKNOWN.format(shown(company)))
    missing: dict[Path, list[str]] = {}
    for local_id, path in named_contacts(values, extension).items():
        if known.lacks("contacts", local_id):
            missing.setdefault(path, []).append(local_id)
    for path, ids in missing.items():
        some = ", ".join(map(shown, ids[:_SHOWN_IDS])) + (", ..." if len(ids) > _SHOWN_IDS else "")
        draft.refuse(path, RuleCode.INVALID_REFERENCE, _UNKNOWN.format(some))
