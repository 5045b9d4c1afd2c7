"""Apideck's opportunities, pipelines and stages as normalized ones. Pure: what a value needs besides its row is handed in."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from vendors.apideck import wire
from vendors.apideck.extension import (
    ApideckCustomFieldFields,
    ApideckOpportunityFields,
    ApideckPipelineFields,
    ApideckStageFields,
)
from vendors.calls import warn
from vendors.extension import extension_from, wire_names_of
from vendors.model import (
    CustomField,
    CustomFieldType,
    Money,
    Opportunity,
    OpportunityStatus,
    Pipeline,
    Reason,
    Ref,
    Selection,
    Stage,
    StageKind,
    ValueOrigin,
)
from vendors.wire import instant, percent

# Source: Apideck CRM API, Currency: ISO 4217 letters, and words such as UNKNOWN_CURRENCY.
_ISO_4217: Final = re.compile(r"[A-Z]{3}")
# Source: Apideck CRM API, opportunitiesAll, hubspot: what a filtered or sorted list leaves out.
_LOST_BY_SEARCH: Final = frozenset({"company_id", "primary_contact_id", "contact_ids", "contact_id", "lead_id"})
_OUTCOME_OF_CHANCE: Final = {Decimal(100): OpportunityStatus.WON, Decimal(0): OpportunityStatus.LOST}

# The text is the downstream CRM's own; these are the words that connectors are known to send.
_WON_WORDS: Final = ("won",)
_LOST_WORDS: Final = ("lost", "dead", "abandon", "disqualif")
_CLOSED_WORDS: Final = ("closed", "completed")
_OPEN_WORDS: Final = frozenset({"open", "active", "in progress", "new", "pending"})

_STATUS: Final = ("status", "won_reason", "won_reason_id", "loss_reason", "loss_reason_id", "win_probability")
_PLACE: Final = ("pipeline_id", "pipeline_stage_id")
_OPPORTUNITY_WIRE: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title",),
    "description": ("description",),
    "amount": ("monetary_amount", "currency"),
    "probability_percent": ("win_probability",),
    "probability_origin": ("win_probability",),
    "expected_revenue": ("expected_revenue", "currency"),
    "status": _STATUS,
    "status_label": ("status",),
    "pipeline_ref": _PLACE,
    "stage_ref": _PLACE,
    "stage_changed_at": ("stage_last_changed_at", "date_stage_changed"),
    "expected_close_date": ("close_date", *_STATUS),
    "actual_close_date": ("close_date", *_STATUS),
    "close_date": ("close_date",),
    "loss_reason": ("loss_reason_id", "loss_reason"),
    "won_reason": ("won_reason_id", "won_reason"),
    "owner_ref": ("owner_id",),
    "account_ref": ("company_id",),
    "account_refs": ("company_id",),
    "account_name": ("company_name",),
    "primary_contact_ref": ("primary_contact_id", "contact_id"),
    "contact_refs": ("primary_contact_id", "contact_id", "contact_ids"),
    "type": ("type",),
    "priority": ("priority",),
    "lead_source": ("lead_source",),
    "tags": ("tags",),
    "created_at": ("created_at",),
    "updated_at": ("updated_at",),
    "last_activity_at": ("last_activity_at",),
    "created_by_ref": ("created_by",),
    "updated_by_ref": ("updated_by",),
}
IDS: Final = ("deleted", "id")
"""What tells which rows there are, and which of them are deleted."""


def opportunity_fields(selection: Selection) -> list[str] | None:
    """The names to ask for; None for all."""
    wanted, own = selection.of("Opportunity"), selection.of("ApideckOpportunityFields")
    # Custom fields and mappings are nested; whether a name of theirs selects all of them differs by connector.
    if wanted is None or own is None or "custom_fields" in wanted or "custom_mappings" in own:
        return None
    names = {*IDS, *wire_names_of(ApideckOpportunityFields, own)}
    return sorted(names.union(*(_OPPORTUNITY_WIRE.get(name, ()) for name in wanted)))


def loses_by_search(fields: Sequence[str] | None, *, told: Collection[str]) -> bool:
    """Whether any of these fields (all for None) is one that filtered or sorted lists may leave out, and the filters do not tell."""
    return fields is None or not (_LOST_BY_SEARCH - frozenset(told)).isdisjoint(fields)


def lacks_pipeline(row: wire.Opportunity) -> bool:
    """Whether an opportunity names its stage and not its pipeline, so that the table of pipelines has to tell."""
    return row.pipeline_stage_id is not None and row.pipeline_id is None


def opportunity_from_wire(
    crm: str,
    row: wire.Opportunity,
    *,
    service: str | None,
    status_map: Mapping[str, OpportunityStatus],
    pipelines: Sequence[Pipeline] | None = None,
    read_fields: frozenset[str] | None = None,
) -> Opportunity:
    """Map a row; `pipelines` are needed for one that `lacks_pipeline`, and None where nobody asks for them."""
    status = status_of(row, status_map)
    pipeline_ref, stage_ref = _place(crm, row, pipelines)
    account, primary = ref(crm, row.company_id), ref(crm, row.primary_contact_id or row.contact_id)
    contacts = [row.primary_contact_id, row.contact_id, *row.contact_ids]
    currency = row.currency if row.currency and _ISO_4217.fullmatch(row.currency) else None
    is_open = status is OpportunityStatus.OPEN
    return Opportunity(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        title=row.title or "",
        description=row.description,
        amount=None if row.monetary_amount is None else Money(amount=row.monetary_amount, currency=currency),
        probability_percent=percent(row.win_probability, crm=crm, kind="opportunity", local_id=row.id, name="win_probability"),
        probability_origin=None if row.win_probability is None else ValueOrigin.VENDOR,
        expected_revenue=None if row.expected_revenue is None else Money(amount=row.expected_revenue, currency=currency),
        status=status,
        status_label=row.status,
        pipeline_ref=pipeline_ref,
        stage_ref=stage_ref,
        # Source: Apideck CRM API, Opportunity: both fields have the same meaning.
        stage_changed_at=max((moment for moment in (row.stage_last_changed_at, row.date_stage_changed) if moment), default=None),
        # Source: Apideck CRM API, Opportunity.close_date: the actual close by its text, but some connectors demand it on create.
        expected_close_date=row.close_date if is_open else None,
        actual_close_date=row.close_date if status is not None and not is_open else None,
        close_date=row.close_date,
        loss_reason=_reason(row.loss_reason_id, row.loss_reason),
        won_reason=_reason(row.won_reason_id, row.won_reason),
        owner_ref=ref(crm, row.owner_id),
        account_ref=account,
        account_name=row.company_name,
        account_refs=() if account is None else (account,),
        primary_contact_ref=primary,
        contact_refs=tuple(Ref(crm, local_id) for local_id in dict.fromkeys(contacts) if local_id),
        type=row.type,
        priority=row.priority,
        lead_source=row.lead_source,
        tags=tuple(row.tags),
        custom_fields=tuple(_custom_field(entry) for entry in row.custom_fields if entry.id or entry.name),
        is_deleted=bool(row.deleted),
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_activity_at=_lenient_instant(row.last_activity_at),
        created_by_ref=ref(crm, row.created_by),
        updated_by_ref=ref(crm, row.updated_by),
        extension=extension_from(ApideckOpportunityFields, row, service=service),
    )


def status_of(row: wire.Opportunity, status_map: Mapping[str, OpportunityStatus]) -> OpportunityStatus | None:
    """Read the outcome from the connector's status text, then from the reasons; None where it says closed and not how."""
    text = (row.status or "").strip().lower()
    words = status_map.get(text) or _status_in(text)
    if words is not None:
        return words
    if row.won_reason or row.won_reason_id:
        return OpportunityStatus.WON
    if row.loss_reason or row.loss_reason_id:
        return OpportunityStatus.LOST
    if _has(text, _CLOSED_WORDS):
        return None if row.win_probability is None else _OUTCOME_OF_CHANCE.get(row.win_probability)
    return OpportunityStatus.OPEN


def _status_in(text: str) -> OpportunityStatus | None:
    if _has(text, _WON_WORDS):
        return OpportunityStatus.WON
    if _has(text, _LOST_WORDS):
        return OpportunityStatus.LOST
    # A reason may be left over from before it was opened again.
    return OpportunityStatus.OPEN if text in _OPEN_WORDS else None


def pipeline_from_wire(crm: str, row: wire.Pipeline, stage_kinds: Mapping[str, StageKind]) -> Pipeline:
    # Source: Apideck CRM API, PipelineStages: display_order may be null; such stages come last, in the order they are sent.
    ranked = sorted(row.stages, key=lambda stage: (stage.display_order is None, stage.display_order or 0))
    by_key: dict[str, wire.Stage] = {}
    for stage in ranked:
        key = stage_key(stage)
        if key is not None:
            by_key.setdefault(key, stage)
    pipeline = Ref(crm, row.id)
    stages = tuple(_stage(crm, pipeline, order, stage, stage_kinds) for order, stage in enumerate(by_key.values()))
    return Pipeline(
        ref=pipeline,
        name=row.name,
        is_synthetic=False,
        stages=stages,
        is_archived=row.archived,
        currency=row.currency if row.currency and _ISO_4217.fullmatch(row.currency) else None,
        extension=extension_from(ApideckPipelineFields, row),
    )


def ref(crm: str, local_id: str | None) -> Ref | None:
    return None if local_id is None else Ref(crm, local_id)


def stage_key(stage: wire.Stage) -> str | None:
    """What opportunities call a stage: its id, which may be missing, else its constant, else its name."""
    return stage.id or stage.value or stage.name


def stage_id(pipeline_id: str, key: str) -> str:
    """The local id of a stage: a stage's own id is unique only inside its pipeline."""
    return "~".join(part.replace("%", "%25").replace("~", "%7E") for part in (pipeline_id, key))


def _place(crm: str, row: wire.Opportunity, pipelines: Sequence[Pipeline] | None) -> tuple[Ref | None, Ref | None]:
    """Pipeline and stage. A stage without its pipeline is found by being in just one of them."""
    key, pipeline_id = row.pipeline_stage_id, row.pipeline_id
    if key is not None and pipeline_id is None and pipelines is not None:
        holders = [
            pipeline for pipeline in pipelines if Ref(crm, stage_id(pipeline.local_id, key)) in {stage.ref for stage in pipeline.stages}
        ]
        if len(holders) != 1:
            warn(
                crm,
                "STAGE_WITHOUT_PIPELINE",
                f"Opportunity {row.id!r} has a stage that {len(holders)} pipelines hold; it is shown without one.",
                local_id=row.id,
            )
            return None, None
        pipeline_id = holders[0].local_id
    if pipeline_id is None:
        return None, None
    return Ref(crm, pipeline_id), None if key is None else Ref(crm, stage_id(pipeline_id, key))


def _stage(crm: str, pipeline: Ref, order: int, row: wire.Stage, kinds: Mapping[str, StageKind]) -> Stage:
    key = stage_key(row) or ""
    local_id = stage_id(pipeline.local_id, key)
    return Stage(
        ref=Ref(crm, local_id),
        name=row.name,
        order=order,
        pipeline_ref=pipeline,
        probability_percent=percent(row.win_probability, crm=crm, kind="stage", local_id=local_id, name="win_probability"),
        kind=kinds.get(key),
        is_archived=row.archived,
        extension=extension_from(ApideckStageFields, row),
    )


def _custom_field(entry: wire.CustomField) -> CustomField:
    kinds: list[tuple[type | tuple[type, ...], CustomFieldType]] = [
        (bool, CustomFieldType.BOOLEAN),
        (str, CustomFieldType.TEXT),
        ((int, float, Decimal), CustomFieldType.NUMBER),
        ((dict, list), CustomFieldType.JSON),
    ]
    kind = next((kind for types, kind in kinds if isinstance(entry.value, types)), CustomFieldType.UNKNOWN)
    shown = entry.value if isinstance(entry.value, str) else None
    return CustomField(
        key=entry.id or entry.name or "",
        label=entry.name,
        type=kind,
        value=entry.value,
        display_value=shown,
        extension=extension_from(ApideckCustomFieldFields, entry),
    )


def _lenient_instant(text: str | None) -> datetime | None:
    if text is None or not text.strip().isdigit():
        return instant(text)
    number = int(text)
    seconds = number / 1_000 if number > 10**11 else number  # that many seconds are the year 5138
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _has(text: str, words: Sequence[str]) -> bool:
    return any(word in text for word in words)


def _reason(identifier: str | None, label: str | None) -> Reason | None:
    return None if identifier is None and label is None else Reason(id=identifier, label=label)
