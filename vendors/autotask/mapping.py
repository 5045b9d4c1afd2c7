"""Autotask's records as normalized ones. Pure: small tables that a value needs are handed in."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from vendors.autotask import wire
from vendors.autotask.extension import AutotaskOpportunityFields, AutotaskPicklistValue
from vendors.extension import VendorId, extension_from, wire_names_of
from vendors.model import (
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
    Reason,
    Ref,
    Selection,
    Stage,
    User,
    ValueOrigin,
)
from vendors.values import dataclass
from vendors.wire import day, instant, joined, percent

PIPELINE_ID: Final = "default"

# Source: a public sync service that calls these system values static; the labels come from the status picklist when it can be read.
STATUS_LABELS: Final = {"0": "Not Ready To Buy", "1": "Active", "2": "Lost", "3": "Closed", "4": "Implemented"}
_STATUS_OF_LABEL: Final = {"lost": OpportunityStatus.LOST, "closed": OpportunityStatus.WON, "implemented": OpportunityStatus.WON}

# Source: Autotask REST "User-defined fields" metadata, dataType (vendor help).
_FIELD_TYPES: Final = {
    "string": CustomFieldType.TEXT,
    "integer": CustomFieldType.NUMBER,
    "long": CustomFieldType.NUMBER,
    "double": CustomFieldType.NUMBER,
    "decimal": CustomFieldType.NUMBER,
    "datetime": CustomFieldType.DATE_TIME,
    "date": CustomFieldType.DATE,
    "boolean": CustomFieldType.BOOLEAN,
}

_ISO_CODE: Final = re.compile(r"[A-Z]{3}")

_CLOSING: Final = ("status", "closedDate", "lostDate")
_OPPORTUNITY_WIRE: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title",),
    "description": ("description",),
    "amount": ("amount", "companyID"),
    "cost": ("cost",),
    "probability_percent": ("probability",),
    "probability_origin": ("probability",),
    "status": ("status",),
    "status_label": ("status",),
    "stage_ref": ("stage",),
    "expected_close_date": ("projectedCloseDate",),
    "actual_close_date": _CLOSING,
    "close_date": (*_CLOSING, "projectedCloseDate"),
    "closed_at": ("status", "lostDate"),
    "loss_reason": ("lossReason", "lossReasonDetail"),
    "won_reason": ("winReason", "winReasonDetail"),
    "owner_ref": ("ownerResourceID",),
    "account_ref": ("companyID",),
    "account_refs": ("companyID",),
    "primary_contact_ref": ("contactID",),
    "contact_refs": ("contactID",),
    "type": ("opportunityCategoryID",),
    "priority": ("rating",),
    "lead_source": ("leadSource",),
    "created_at": ("createDate", "startDate"),
    "last_activity_at": ("lastActivity",),
    "created_by_ref": ("creatorResourceID",),
}
_EXTENSION_WIRE: Final[Mapping[str, str]] = {
    "lead_source": "leadSource",
    "loss_reason": "lossReason",
    "win_reason": "winReason",
    "primary_competitor": "primaryCompetitor",
    "rating": "rating",
    "opportunity_category_id": "opportunityCategoryID",
    "status": "status",
    "stage": "stage",
    "creator_resource_ref": "creatorResourceID",
    "impersonator_creator_resource_ref": "impersonatorCreatorResourceID",
}
_LABELLED: Final = frozenset(
    {
        "status",
        "status_label",
        "actual_close_date",
        "close_date",
        "closed_at",
        "loss_reason",
        "won_reason",
        "type",
        "priority",
        "lead_source",
    }
)
_ACCOUNT_WIRE: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("companyName",),
    "phone": ("phone",),
    "website": ("webAddress",),
    "industry": ("marketSegmentID",),
    "owner_ref": ("ownerResourceID",),
    "parent_ref": ("parentCompanyID",),
    "address": ("address1", "address2", "city", "state", "postalCode", "countryID"),
    "currency": ("currencyID",),
}
_CONTACT_WIRE: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("firstName", "lastName"),
    "first_name": ("firstName",),
    "last_name": ("lastName",),
    "email": ("emailAddress",),
    "phone": ("phone",),
    "title": ("title",),
    "account_ref": ("companyID",),
}


@dataclass(frozen=True, slots=True)
class Picklists:
    """What the metadata of an entity tells of its fields, by field name.

    Args:
        values: Choices of the picklists, by value.
        lengths: Longest texts.
        required: Fields that a new record needs.
    """

    values: Mapping[str, Mapping[str, wire.PicklistValue]] = field(default_factory=dict[str, Mapping[str, wire.PicklistValue]])
    lengths: Mapping[str, int] = field(default_factory=dict[str, int])
    required: frozenset[str] = frozenset()

    def label(self, name: str, value: str | None) -> str | None:
        choice = None if value is None else self.values.get(name, {}).get(value)
        return None if choice is None else choice.label

    def choice(self, name: str, value: str | None) -> AutotaskPicklistValue | None:
        if value is None:
            return None
        known = self.values.get(name, {}).get(value)
        return AutotaskPicklistValue(
            value=VendorId(value), label=None if known is None else known.label, is_active=None if known is None else known.isActive
        )


@dataclass(frozen=True, slots=True)
class Currencies:
    """ISO 4217 codes by id, None for a currency named in another way, and the internal currency."""

    codes: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    internal: str | None = None


@dataclass(frozen=True, slots=True)
class Users:
    """The people of a database by id, and which of them is the API-only user that we are."""

    by_id: Mapping[str, User]
    own_id: str | None = None


def picklists_from_wire(fields: Sequence[wire.Field]) -> Picklists:
    return Picklists(
        {entry.name: {value.value: value for value in entry.picklistValues} for entry in fields if entry.picklistValues},
        {entry.name: entry.length for entry in fields if entry.length},
        frozenset(entry.name for entry in fields if entry.isRequired),
    )


def currencies_from_wire(rows: Iterable[wire.Currency]) -> Currencies:
    # Not documented: whether the name, which people can edit, is always the ISO code.
    codes = [(row, row.name if _ISO_CODE.fullmatch(row.name or "") else None) for row in rows]
    return Currencies({row.id: code for row, code in codes}, next((code for row, code in codes if row.isInternalCurrency), None))


def needs_picklists(selection: Selection) -> bool:
    """Whether a label or a status is read of opportunities."""
    labelled = selection.of("Opportunity")
    own = selection.of("AutotaskOpportunityFields")
    return labelled is None or own is None or bool(labelled & _LABELLED) or bool(own & _EXTENSION_WIRE.keys())


def opportunity_fields(selection: Selection) -> list[str] | None:
    """The vendor's names of the fields to ask for; None for all."""
    wanted, own = selection.of("Opportunity"), selection.of("AutotaskOpportunityFields")
    # Not documented: whether userDefinedFields come along when single fields are asked for; the whole record always has them.
    if wanted is None or own is None or "custom_fields" in wanted:
        return None
    names = {"id", *wire_names_of(AutotaskOpportunityFields, own), *(_EXTENSION_WIRE[name] for name in own if name in _EXTENSION_WIRE)}
    return sorted(names.union(*(_OPPORTUNITY_WIRE.get(name, ()) for name in wanted)))


def account_fields(selection: Selection) -> list[str] | None:
    return _fields(selection, "Account", _ACCOUNT_WIRE)


def contact_fields(selection: Selection) -> list[str] | None:
    return _fields(selection, "Contact", _CONTACT_WIRE)


def opportunity_from_wire(
    crm: str,
    row: wire.Opportunity,
    *,
    picklists: Picklists,
    currencies: Currencies,
    custom_fields: Mapping[str, CustomFieldDefinition],
    read_fields: frozenset[str] | None = None,
) -> Opportunity:
    status, status_label = (None, None) if row.status is None else status_and_label(row.status, picklists)
    actual = _actual_close_date(status, row)
    account = _ref(crm, row.companyID)
    contact = _ref(crm, row.contactID)
    creator = _ref(crm, row.creatorResourceID)
    return Opportunity(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        title=row.title or "",
        description=row.description,
        # Source: Autotask "Multicurrency FAQs" (vendor help): revenue is in the customer's currency, cost in the internal one.
        amount=None if row.amount is None else Money(amount=row.amount, currency_of=account),
        cost=None if row.cost is None else Money(amount=row.cost, currency=currencies.internal),
        probability_percent=percent(row.probability, crm=crm, kind="opportunity", local_id=row.id),
        probability_origin=None if row.probability is None else ValueOrigin.VENDOR,
        status=status,
        status_label=status_label,
        pipeline_ref=Ref(crm, PIPELINE_ID),
        stage_ref=_ref(crm, row.stage),
        expected_close_date=row.projectedCloseDate,
        actual_close_date=actual,
        close_date=actual or row.projectedCloseDate,
        closed_at=row.lostDate if status is OpportunityStatus.LOST else None,
        loss_reason=_reason(row.lossReason, picklists.label("lossReason", row.lossReason), row.lossReasonDetail),
        won_reason=_reason(row.winReason, picklists.label("winReason", row.winReason), row.winReasonDetail),
        owner_ref=_ref(crm, row.ownerResourceID),
        account_ref=account,
        account_refs=_refs(account),
        primary_contact_ref=contact,
        contact_refs=_refs(contact),
        type=picklists.label("opportunityCategoryID", row.opportunityCategoryID),
        priority=picklists.label("rating", row.rating),
        lead_source=picklists.label("leadSource", row.leadSource),
        custom_fields=tuple(_custom_field(entry, custom_fields) for entry in row.userDefinedFields or ()),
        created_at=row.createDate or row.startDate,
        last_activity_at=row.lastActivity,
        created_by_ref=creator,
        extension=extension_from(
            AutotaskOpportunityFields,
            row,
            lead_source=picklists.choice("leadSource", row.leadSource),
            loss_reason=picklists.choice("lossReason", row.lossReason),
            win_reason=picklists.choice("winReason", row.winReason),
            primary_competitor=picklists.choice("primaryCompetitor", row.primaryCompetitor),
            rating=picklists.choice("rating", row.rating),
            opportunity_category_id=picklists.choice("opportunityCategoryID", row.opportunityCategoryID),
            status=picklists.choice("status", row.status),
            stage=picklists.choice("stage", row.stage),
            creator_resource_ref=creator,
            impersonator_creator_resource_ref=_ref(crm, row.impersonatorCreatorResourceID),
        ),
    )


def status_and_label(value: str, picklists: Picklists) -> tuple[OpportunityStatus, str | None]:
    """What a value of the status picklist means, which its label tells, and the label. An unknown one is open."""
    label = picklists.label("status", value) or STATUS_LABELS.get(value)
    return _STATUS_OF_LABEL.get((label or "").strip().lower(), OpportunityStatus.OPEN), label


def pipeline_from_picklist(crm: str, name: str, picklists: Picklists) -> Pipeline:
    """The one pipeline that holds all sales stages: the vendor has none, and does not enforce a category's list of stages."""
    choices = sorted(picklists.values.get("stage", {}).values(), key=lambda choice: (choice.sortOrder or 0, _number(choice.value)))
    stages = tuple(
        Stage(
            ref=Ref(crm, choice.value),
            name=choice.label,
            order=order,
            pipeline_ref=Ref(crm, PIPELINE_ID),
            is_archived=None if choice.isActive is None else not choice.isActive,
        )
        for order, choice in enumerate(choices)
    )
    return Pipeline(ref=Ref(crm, PIPELINE_ID), name=name, is_synthetic=True, stages=stages)


def user_from_wire(crm: str, row: wire.Resource) -> User:
    return User(
        ref=Ref(crm, row.id),
        name=joined(row.firstName, row.lastName),
        first_name=row.firstName,
        last_name=row.lastName,
        email=row.email,
        is_active=row.isActive,
    )


def account_from_wire(
    crm: str, row: wire.Company, *, picklists: Picklists, currencies: Currencies, read_fields: frozenset[str] | None = None
) -> Account:
    address = Address(
        street=joined(row.address1, row.address2), city=row.city, region=row.state, postal_code=row.postalCode, country=row.countryID
    )
    return Account(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        name=row.companyName,
        phone=row.phone,
        website=row.webAddress,
        industry=picklists.label("marketSegmentID", row.marketSegmentID),
        owner_ref=_ref(crm, row.ownerResourceID),
        parent_ref=_ref(crm, row.parentCompanyID),
        address=None if address == Address() else address,
        currency=currencies.codes.get(row.currencyID or "", currencies.internal),
    )


def contact_from_wire(crm: str, row: wire.Contact, *, read_fields: frozenset[str] | None = None) -> Contact:
    return Contact(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        name=joined(row.firstName, row.lastName),
        first_name=row.firstName,
        last_name=row.lastName,
        email=row.emailAddress,
        phone=row.phone,
        title=row.title,
        account_ref=_ref(crm, row.companyID),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDefinition(CustomFieldDefinition):
    """A custom field that holds an entry of a list; `entries` are their labels and their values."""

    entries: frozenset[str]


def definition_from_wire(crm: str, applies_to: str, row: wire.Field) -> CustomFieldDefinition:
    definition = _definition(crm, applies_to, row)
    if not row.isPickList or not row.picklistValues:
        return definition
    entries = {text for value in row.picklistValues for text in (value.label, value.value) if text}
    return ListDefinition(**{item.name: getattr(definition, item.name) for item in fields(definition)}, entries=frozenset(entries))


def _definition(crm: str, applies_to: str, row: wire.Field) -> CustomFieldDefinition:
    return CustomFieldDefinition(
        crm=crm,
        key=row.name,
        label=row.label,
        applies_to=applies_to,
        type=CustomFieldType.SELECT if row.isPickList else _FIELD_TYPES.get((row.dataType or "").lower(), CustomFieldType.UNKNOWN),
        max_length=row.length or None,
        is_required=row.isRequired,
        is_custom=True,
        options=tuple(value.label or value.value for value in row.picklistValues or ()),
    )


def _actual_close_date(status: OpportunityStatus | None, row: wire.Opportunity) -> date | None:
    match status:
        case OpportunityStatus.WON:
            return row.closedDate
        case OpportunityStatus.LOST:
            return None if row.lostDate is None else row.lostDate.date()
        case OpportunityStatus.OPEN | None:
            return None


def _custom_field(entry: wire.UserDefinedField, definitions: Mapping[str, CustomFieldDefinition]) -> CustomField:
    definition = definitions.get(entry.name)
    kind = CustomFieldType.UNKNOWN if definition is None else definition.type
    return CustomField(
        key=entry.name,
        label=entry.name if definition is None else definition.label,
        type=kind,
        value=None if entry.value is None else _typed(kind, entry.value),
        display_value=entry.value,
    )


def _typed(kind: CustomFieldType, text: str) -> Any:
    """Convert a value, which the vendor always sends as text, by its declared type; text that does not fit stays text."""
    parsed: float | bool | date | datetime | Decimal | None
    match kind:
        case CustomFieldType.NUMBER:
            try:
                number = float(text)
            except ValueError:
                return text
            return number if math.isfinite(number) else text
        case CustomFieldType.BOOLEAN:
            return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
        case CustomFieldType.DATE:
            parsed = day(text)
            return text if parsed is None else parsed.isoformat()
        case CustomFieldType.DATE_TIME:
            parsed = instant(text)
            return text if parsed is None else parsed.isoformat()
        case _:
            return text


def _fields(selection: Selection, name: str, table: Mapping[str, Sequence[str]]) -> list[str] | None:
    wanted = selection.of(name)
    return None if wanted is None else sorted({"id"}.union(*(table.get(attribute, ()) for attribute in wanted)))


def _reason(identifier: str | None, label: str | None, detail: str | None) -> Reason | None:
    return None if identifier is None and detail is None else Reason(id=identifier, label=label, detail=detail)


def _ref(crm: str, local_id: str | None) -> Ref | None:
    return None if local_id is None else Ref(crm, local_id)


def _refs(ref: Ref | None) -> tuple[Ref, ...]:
    return () if ref is None else (ref,)


def _number(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdecimal() else (0, text)
