"""The files' rows as normalized records. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from vendors.extension import extension_from, wire_names_of
from vendors.model import (
    Account,
    Contact,
    CustomField,
    CustomFieldType,
    Money,
    Opportunity,
    Pipeline,
    Ref,
    Selection,
    Stage,
    User,
    ValueOrigin,
)
from vendors.wire import percent

from . import wire
from .extension import PlainrestOpportunityFields

_OPPORTUNITY_WIRE: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title",),
    "description": ("description",),
    "amount": ("amount", "currency"),
    "probability_percent": ("probability",),
    "probability_origin": ("probability",),
    "pipeline_ref": ("pipelineId",),
    "stage_ref": ("stageId",),
    "expected_close_date": ("closeDate",),
    "close_date": ("closeDate",),
    "owner_ref": ("ownerId",),
    "account_ref": ("accountId",),
    "account_refs": ("accountId",),
    "contact_refs": ("contactIds",),
    "custom_fields": ("customFields",),
    "created_at": ("createdAt",),
    "updated_at": ("updatedAt",),
    "extension": (),
}


def opportunity_fields(selection: Selection) -> frozenset[str] | None:
    """The fields of a row that a selection needs; None for all."""
    wanted, own = selection.of("Opportunity"), selection.of("PlainrestOpportunityFields")
    if wanted is None or own is None:
        return None
    return frozenset(wire_names_of(PlainrestOpportunityFields, own)).union(*(_OPPORTUNITY_WIRE.get(name, ()) for name in wanted))


def opportunity_from_wire(crm: str, row: wire.Opportunity, read_fields: frozenset[str] | None = None) -> Opportunity:
    account_ref = _ref(crm, row.accountId)
    return Opportunity(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        title=row.title or "",
        description=row.description,
        amount=None if row.amount is None else Money(amount=row.amount, currency=row.currency),
        probability_percent=percent(row.probability, crm=crm, kind="opportunity", local_id=row.id),
        probability_origin=None if row.probability is None else ValueOrigin.VENDOR,
        pipeline_ref=_ref(crm, row.pipelineId),
        stage_ref=_ref(crm, row.stageId),
        # Nothing says whether a deal is closed, so the day is the expected one.
        expected_close_date=row.closeDate,
        close_date=row.closeDate,
        owner_ref=_ref(crm, row.ownerId),
        account_ref=account_ref,
        account_refs=() if account_ref is None else (account_ref,),
        contact_refs=tuple([Ref(crm, local_id) for local_id in row.contactIds]),
        custom_fields=tuple(
            [
                CustomField(key=field.key, label=None, type=CustomFieldType.TEXT, value=field.value, display_value=field.value)
                for field in row.customFields
            ]
        ),
        created_at=row.createdAt,
        updated_at=row.updatedAt,
        extension=extension_from(PlainrestOpportunityFields, row) if read_fields is None or "extension" in read_fields else None,
    )


def pipelines_from_wire(crm: str, pipelines: Iterable[wire.Pipeline], stages: Iterable[wire.Stage]) -> Sequence[Pipeline]:
    """All pipelines with their stages, both in the vendor's order. A stage of no pipeline that there is belongs to none."""
    stages_of: dict[str, list[Stage]] = {}
    for row in stages:
        siblings = stages_of.setdefault(row.pipelineId or "", [])
        siblings.append(_stage_from_wire(crm, row, order=len(siblings)))
    return [Pipeline(ref=Ref(crm, row.id), name=row.name, is_synthetic=False, stages=tuple(stages_of.get(row.id, ()))) for row in pipelines]


def _stage_from_wire(crm: str, row: wire.Stage, *, order: int) -> Stage:
    return Stage(
        ref=Ref(crm, row.id),
        name=row.name,
        order=order,
        pipeline_ref=_ref(crm, row.pipelineId),
        probability_percent=percent(row.probability, crm=crm, kind="stage", local_id=row.id),
        description=row.description,
    )


def user_from_wire(crm: str, row: wire.User) -> User:
    return User(ref=Ref(crm, row.id), name=row.name, email=row.email, is_active=row.active)


def account_from_wire(crm: str, row: wire.Account) -> Account:
    return Account(ref=Ref(crm, row.id), name=row.name)


def contact_from_wire(crm: str, row: wire.Contact) -> Contact:
    return Contact(ref=Ref(crm, row.id), name=row.name, email=row.email)


def _ref(crm: str, local_id: str | None) -> Ref | None:
    return None if local_id is None else Ref(crm, local_id)
