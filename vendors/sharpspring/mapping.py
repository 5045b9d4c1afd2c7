"""Lead Gen & CRM's records as normalized ones. Pure: small tables that a value needs are handed in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from math import isfinite
from typing import Any, Final

from vendors.calls import warn
from vendors.capabilities import OpportunityLinks
from vendors.extension import VendorId, extension_from
from vendors.model import (
    UNREAD,
    Account,
    Address,
    Contact,
    CustomField,
    CustomFieldDefinition,
    CustomFieldType,
    Money,
    Opportunity,
    OpportunityStatus,
    Pipeline,
    Ref,
    Selection,
    Stage,
    User,
    ValueOrigin,
)
from vendors.sharpspring import wire
from vendors.sharpspring.extension import (
    SharpspringFieldDefinition,
    SharpspringLink,
    SharpspringOpportunityFields,
    SharpspringStageFields,
)
from vendors.wire import day, instant, joined, note_unknown, percent

PIPELINE_ID: Final = "default"

_STATUS_LABELS: Final = {OpportunityStatus.OPEN: "Open", OpportunityStatus.WON: "Won", OpportunityStatus.LOST: "Lost"}
# Source: observed names of custom fields on the wire: words of the label, then 13 hexadecimal digits.
_CUSTOM_KEY: Final = re.compile(r".+_[0-9a-f]{13}")
# Not documented: the words of dataType. These are the ones that public clients name; any other is UNKNOWN and its value stays text.
_FIELD_TYPES: Final = {
    "string": CustomFieldType.TEXT,
    "text": CustomFieldType.TEXT,
    "varchar": CustomFieldType.TEXT,
    "country": CustomFieldType.TEXT,
    "textarea": CustomFieldType.LONG_TEXT,
    "int": CustomFieldType.NUMBER,
    "integer": CustomFieldType.NUMBER,
    "double": CustomFieldType.NUMBER,
    "float": CustomFieldType.NUMBER,
    "decimal": CustomFieldType.NUMBER,
    "number": CustomFieldType.NUMBER,
    "currency": CustomFieldType.NUMBER,
    "boolean": CustomFieldType.BOOLEAN,
    "tinyint": CustomFieldType.BOOLEAN,
    "bit": CustomFieldType.BOOLEAN,
    "date": CustomFieldType.DATE,
    "datetime": CustomFieldType.DATE_TIME,
    "timestamp": CustomFieldType.DATE_TIME,
    "picklist": CustomFieldType.SELECT,
    "dropdown": CustomFieldType.SELECT,
    "radio": CustomFieldType.SELECT,
    "checkbox": CustomFieldType.MULTI_SELECT,
    "url": CustomFieldType.URL,
    "email": CustomFieldType.EMAIL,
    "phone": CustomFieldType.PHONE,
}
# Source: Lead Gen & CRM Open API Schema: Opportunities (article 50887), "Field", relationship; a lead is the graph's contact.
_APPLIES_TO: Final = {"lead": "contact"}
_CONTACT_WIRE: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("firstName", "lastName", "emailAddress"),
    "first_name": ("firstName",),
    "last_name": ("lastName",),
    "email": ("emailAddress",),
    "phone": ("phoneNumber",),
    "title": ("title",),
    "account_ref": ("accountID",),
    "owner_ref": ("ownerID",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an opportunity's own row does not tell.

    Args:
        currency: Currency of all amounts.
        zone: Time zone that timestamps are written in.
        pipelines: Pipeline by stage; empty when they were not needed.
        only_pipeline: The one pipeline that there is, also for stages that are unknown; None when there are several.
        definitions: Definitions of custom fields by key; None when they were not needed.
        read_fields: Attributes that opportunities are read with; None for all.
    """

    currency: str | None
    zone: tzinfo
    pipelines: Mapping[str, Ref] = field(default_factory=dict[str, Ref])
    only_pipeline: Ref | None = None
    definitions: Mapping[str, CustomFieldDefinition] | None = None
    read_fields: frozenset[str] | None = None


def contact_fields(selection: Selection) -> list[str] | None:
    """The vendor's names of the fields to ask for; None for all."""
    wanted = selection.of("Contact")
    return None if wanted is None else sorted({"id"}.union(*(_CONTACT_WIRE.get(attribute, ()) for attribute in wanted)))


def opportunity_from_wire(
    crm: str, row: wire.Opportunity, around: Surroundings, *, links: Sequence[wire.OpportunityLead] | None = None
) -> Opportunity:
    """Map an opportunity.

    Args:
        crm: Key of the Crm.
        row: The row.
        around: What the row does not tell.
        links: Its connections to leads; None leaves its contacts UNREAD.
    """
    status = _status(crm, row)
    account, primary, stage = _ref(crm, row.accountID), _ref(crm, row.primaryLeadID), _ref(crm, row.dealStageID)
    return Opportunity(
        ref=Ref(crm, row.id),
        read_fields=around.read_fields,
        title=row.opportunityName or "",
        # Not documented: the currency; the API does not tell it.
        amount=None if row.amount is None else Money(amount=row.amount, currency=around.currency),
        # Not documented: the unit; taken as a percentage.
        probability_percent=percent(row.probability, crm=crm, kind="opportunity", local_id=row.id),
        probability_origin=None if row.probability is None else ValueOrigin.VENDOR,
        status=status,
        status_label=_STATUS_LABELS[status],
        pipeline_ref=around.pipelines.get(row.dealStageID or "", around.only_pipeline),
        stage_ref=stage,
        # The one date is the expected day of the close while it is open, and the actual one afterwards.
        expected_close_date=row.closeDate if status is OpportunityStatus.OPEN else None,
        actual_close_date=None if status is OpportunityStatus.OPEN else row.closeDate,
        close_date=row.closeDate,
        owner_ref=_ref(crm, row.ownerID),
        account_ref=account,
        account_refs=() if account is None else (account,),
        primary_contact_ref=primary,
        contact_refs=UNREAD if links is None else contact_refs(crm, primary, links),
        custom_fields=_custom_fields(row, around),
        # Source: observed; inactive rows vanish from lists and are still found by id.
        is_deleted=row.isActive is False,
        created_at=instant(row.createTimestamp, naive_in=around.zone),
        updated_at=instant(row.updateTimestamp, naive_in=around.zone),
        extension=extension_from(
            SharpspringOpportunityFields,
            row,
            originating_lead_ref=_ref(crm, row.originatingLeadID),
            links=None
            if links is None
            else tuple(SharpspringLink(id=VendorId(link.id), lead_ref=Ref(crm, link.leadID)) for link in in_order(links)),
        ),
    )


def links_of(opportunity: Opportunity, links: Sequence[wire.OpportunityLead]) -> OpportunityLinks:
    """The account that the opportunity itself tells, and its contacts."""
    account = None if opportunity.account_ref is UNREAD else opportunity.account_ref
    return OpportunityLinks(
        account_ref=account,
        account_refs=() if account is None else (account,),
        contact_refs=contact_refs(opportunity.crm, opportunity.primary_contact_ref, links),
    )


def contact_refs(crm: str, primary: Ref | None, links: Sequence[wire.OpportunityLead]) -> tuple[Ref, ...]:
    """The primary lead, then the connected ones in the order in which they were connected, each once."""
    linked = [Ref(crm, link.leadID) for link in in_order(links)]
    return tuple(dict.fromkeys(linked if primary is None else [primary, *linked]))


def in_order(links: Iterable[wire.OpportunityLead]) -> list[wire.OpportunityLead]:
    """Connections by id, each once: pages of a list may overlap when rows come and go meanwhile."""
    by_id = {link.id: link for link in links}
    return sorted(by_id.values(), key=lambda link: _number(link.id))


def pipelines_from_wire(crm: str, name: str, rows: Iterable[wire.DealStage]) -> list[Pipeline]:
    """The pipelines that the stages name, each with its stages in order; stages that name none are in a synthetic one.

    Not documented: `pipelineID`; the published schema has no pipelines, although the product may show several. Their names are nowhere.
    """
    rows = sorted(rows, key=lambda row: (row.weight is None, row.weight or 0, _number(row.id)))
    by_pipeline: dict[str | None, list[wire.DealStage]] = {}
    for row in rows:
        by_pipeline.setdefault(row.pipelineID, []).append(row)
    named = sorted((key for key in by_pipeline if key is not None), key=_number)
    pipelines = [_pipeline(crm, key, None, by_pipeline[key], is_synthetic=False) for key in named]
    if None in by_pipeline or not pipelines:
        pipelines.append(_pipeline(crm, PIPELINE_ID, name, by_pipeline.get(None, ()), is_synthetic=True))
    return pipelines


def user_from_wire(crm: str, row: wire.UserProfile) -> User:
    return User(
        ref=Ref(crm, row.id),
        name=row.displayName or joined(row.firstName, row.lastName),
        first_name=row.firstName,
        last_name=row.lastName,
        email=row.emailAddress,
        is_active=row.isActive,
    )


def account_from_wire(crm: str, row: wire.Account) -> Account:
    address = Address(
        street=row.billingStreetAddress,
        city=row.billingCity,
        region=row.billingState,
        postal_code=row.billingPostalCode,
        country=row.billingCountry,
    )
    return Account(
        ref=Ref(crm, row.id),
        name=row.accountName,
        phone=row.phone,
        website=row.website,
        industry=row.industry,
        owner_ref=_ref(crm, row.ownerID),
        address=None if address == Address() else address,
    )


def contact_from_wire(crm: str, row: wire.Lead, *, read_fields: frozenset[str] | None = None) -> Contact:
    return Contact(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        name=joined(row.firstName, row.lastName) or row.emailAddress,
        first_name=row.firstName,
        last_name=row.lastName,
        email=row.emailAddress,
        phone=row.phoneNumber,
        title=row.title,
        account_ref=_ref(crm, row.accountID),
        owner_ref=_ref(crm, row.ownerID),
    )


def definition_from_wire(crm: str, row: wire.Field) -> CustomFieldDefinition:
    relationship = (row.relationship or "").lower()
    return CustomFieldDefinition(
        crm=crm,
        key=row.systemName,
        label=row.label,
        applies_to=_APPLIES_TO.get(relationship, relationship),
        type=_FIELD_TYPES.get((row.dataType or "").lower(), CustomFieldType.UNKNOWN),
        max_length=row.dataLength,
        is_required=row.isRequired,
        is_custom=row.isCustom,
        is_active=row.isActive,
        extension=extension_from(SharpspringFieldDefinition, row),
    )


def _pipeline(crm: str, local_id: str, name: str | None, rows: Sequence[wire.DealStage], *, is_synthetic: bool) -> Pipeline:
    ref = Ref(crm, local_id)
    stages = tuple(
        Stage(
            ref=Ref(crm, row.id),
            name=row.dealStageName,
            order=order,
            pipeline_ref=ref,
            probability_percent=percent(row.defaultProbability, crm=crm, kind="stage", local_id=row.id),
            description=row.description,
            extension=extension_from(SharpspringStageFields, row),
        )
        for order, row in enumerate(rows)
    )
    return Pipeline(ref=ref, name=name, is_synthetic=is_synthetic, stages=stages)


def _status(crm: str, row: wire.Opportunity) -> OpportunityStatus:
    if row.isWon:
        if not row.isClosed:
            # Not documented whether that can be; treated as won.
            message = f"The opportunity {row.id!r} is marked as won but not as closed; it is shown as won."
            warn(crm, "WON_BUT_NOT_CLOSED", message, local_id=row.id)
        return OpportunityStatus.WON
    return OpportunityStatus.LOST if row.isClosed else OpportunityStatus.OPEN


def _custom_fields(row: wire.Opportunity, around: Surroundings) -> tuple[CustomField, ...]:
    """The further keys of a row, as far as a definition or their form says that people of the CRM defined them."""
    definitions = around.definitions
    if definitions is None:
        return ()
    further = row.model_extra or {}
    custom = {key: value for key, value in further.items() if key in definitions or _CUSTOM_KEY.fullmatch(key)}
    note_unknown("sharpspring opportunity", further.keys() - custom.keys())
    return tuple(_custom_field(key, value, definitions.get(key), around.zone) for key, value in custom.items())


def _custom_field(key: str, value: Any, definition: CustomFieldDefinition | None, zone: tzinfo) -> CustomField:
    kind = CustomFieldType.UNKNOWN if definition is None else definition.type
    # Source: observed; a custom field without a value is "", and its texts are not escaped.
    text = None if value is None or value == "" else str(value)
    return CustomField(
        key=key,
        label=None if definition is None else definition.label,
        type=kind,
        value=None if text is None else _typed(kind, text, zone),
        display_value=text,
    )


def _typed(kind: CustomFieldType, text: str, zone: tzinfo) -> Any:
    """Convert a value, which mostly comes as text, by its declared type; text that does not fit stays text."""
    parsed: date | datetime | None
    match kind:
        case CustomFieldType.NUMBER:
            try:
                number = float(text)
            except ValueError:
                return text
            return number if isfinite(number) else text
        case CustomFieldType.BOOLEAN:
            return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
        case CustomFieldType.DATE:
            parsed = day(text)
            return text if parsed is None else parsed.isoformat()
        case CustomFieldType.DATE_TIME:
            parsed = instant(text, naive_in=zone)
            return text if parsed is None else parsed.isoformat()
        case _:
            return text


def _ref(crm: str, local_id: str | None) -> Ref | None:
    return None if local_id is None else Ref(crm, local_id)


def _number(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdecimal() else (0, text)
