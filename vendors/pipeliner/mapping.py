"""Pipeliner's opportunities and pipelines as normalized records. Pure: small tables that a value needs are handed in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from vendors.capabilities import OpportunityLinks, Seeds
from vendors.extension import VendorId, extension_from
from vendors.model import (
    UNREAD,
    Account,
    Contact,
    CustomFieldDefinition,
    Money,
    Opportunity,
    OpportunityStatus,
    Pipeline,
    Reason,
    Ref,
    Selection,
    Stage,
    Unread,
    ValueOrigin,
)
from vendors.pipeliner import wire
from vendors.pipeliner.custom_fields import Options, custom_fields_from_wire
from vendors.pipeliner.extension import (
    PipelinerCurrency,
    PipelinerFitness,
    PipelinerLabel,
    PipelinerOpportunityAccount,
    PipelinerOpportunityContact,
    PipelinerOpportunityFields,
    PipelinerOpportunityValue,
    PipelinerPipelineFields,
    PipelinerShareMode,
    PipelinerStageFields,
)
from vendors.pipeliner.parties import account_from_wire, contact_from_wire, reference, user_from_wire
from vendors.pipeliner.projection import ACCOUNT, CONTACT, USER, Kind
from vendors.wire import day, instant, percent

# Source: Pipeliner REST API, entity Opportunities, `status` (read-only). Steps of 100 percent and dates do not decide.
_STATUSES: Final = {
    1: (OpportunityStatus.OPEN, "Open"),
    2: (OpportunityStatus.LOST, "Lost"),
    3: (OpportunityStatus.WON, "Won"),
}
# Source: Pipeliner "Create Opportunity", `label_flag`.
_LABELS: Final = {1: PipelinerLabel.PRIORITY, 2: PipelinerLabel.HOT, 4: PipelinerLabel.STALLED}
# Source: Pipeliner "Create Opportunity", `share_mode`.
_SHARE_MODES: Final = dict(enumerate(PipelinerShareMode))
_CODE: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Pipelines:
    """All pipelines in the vendor's order, and their stages by id."""

    all: Sequence[Pipeline] = ()
    stages: Mapping[str, Stage] = field(default_factory=dict[str, Stage])


@dataclass(frozen=True, slots=True)
class Currencies:
    """The space's currencies by id, and the code of the base currency."""

    by_id: Mapping[str, PipelinerCurrency] = field(default_factory=dict[str, PipelinerCurrency])
    base: str | None = None

    def code(self, currency_id: str | None) -> str | None:
        """ISO 4217 letters of a currency; None when people entered something else."""
        found = None if currency_id is None else self.by_id.get(currency_id)
        return None if found is None else iso_code(found.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The small tables that opportunities refer to. Those that an operation does not need are empty."""

    pipelines: Pipelines = field(default_factory=Pipelines)
    currencies: Currencies = field(default_factory=Currencies)
    types: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    options: Options = field(default_factory=Options)
    custom_fields: Mapping[str, CustomFieldDefinition] | None = None


def currencies_from_wire(rows: Iterable[wire.Currency]) -> Currencies:
    currencies = [extension_from(PipelinerCurrency, row) for row in rows]
    base = next((currency for currency in currencies if currency.is_base and not currency.is_deleted), None)
    return Currencies({currency.id: currency for currency in currencies}, None if base is None else iso_code(base.code))


def iso_code(code: str | None) -> str | None:
    letters = (code or "").strip().upper()
    return letters if _CODE.fullmatch(letters) else None


def pipelines_from_wire(crm: str, rows: Sequence[wire.Pipeline], steps: Iterable[wire.Step] = ()) -> Pipelines:
    """Make the pipelines; `steps` are those that the pipelines' own rows do not hold."""
    further = list(steps)
    pipelines = [
        _pipeline_from_wire(crm, row, [*row.steps, *(step for step in further if (step.pipeline_id or step.pipeline) == row.id)])
        for row in rows
    ]
    return Pipelines(pipelines, {stage.local_id: stage for pipeline in pipelines for stage in pipeline.stages})


def opportunity_from_wire(
    crm: str, row: wire.Opportunity, *, tables: Tables, read_fields: frozenset[str] | None = None, names: frozenset[str] | None = None
) -> Opportunity:
    """Make an opportunity.

    Args:
        crm: Key of the Crm.
        row: The vendor's record.
        tables: Small tables, those that `read_fields` needs.
        read_fields: Attributes that it was read with.
        names: The vendor's fields that it was asked for with; None for all.
    """
    status, status_label = _STATUSES.get(row.status or 0, (None, None))
    stage_id = row.step_id or row.step
    stage = None if stage_id is None else tables.pipelines.stages.get(stage_id)
    closed_at, closed_on = _closing(status, row)
    account_ref = reference(crm, wire.id_in(row.primary_account))
    labels = [label for bit, label in _LABELS.items() if (row.label_flag or 0) & bit]
    return Opportunity(
        ref=Ref(crm, row.id),
        read_fields=read_fields,
        title=row.name or row.formatted_name or "",
        description=row.description,
        amount=_amount(row.value, tables.currencies),
        amount_base=_money(None if row.value is None else row.value.base_value, tables.currencies.base),
        probability_percent=None if stage is None else stage.probability_percent,
        probability_origin=None if stage is None or stage.probability_percent is None else ValueOrigin.DERIVED,
        status=status,
        status_label=status_label,
        pipeline_ref=None if stage is None else stage.pipeline_ref,
        stage_ref=reference(crm, stage_id),
        expected_close_date=row.closing_date,
        actual_close_date=closed_on,
        close_date=closed_on or row.closing_date,
        closed_at=closed_at,
        loss_reason=_reason(row, tables) if status is OpportunityStatus.LOST else None,
        won_reason=_reason(row, tables) if status is OpportunityStatus.WON else None,
        owner_ref=reference(crm, row.owner_id or wire.id_in(row.owner)),
        account_ref=account_ref,
        account_name=row.quick_account_name if account_ref is None else None,
        account_refs=_account_refs(crm, row, names),
        primary_contact_ref=reference(crm, wire.id_in(row.primary_contact)),
        contact_refs=_contact_refs(crm, row, names),
        type=tables.types.get(row.oppty_type_id or row.oppty_type or ""),
        priority=", ".join(label.capitalize() for label in labels) or None,
        lead_source=tables.options.labels.get(row.lead_source_id or row.lead_source or ""),
        tags=_tags(row),
        custom_fields=None
        if tables.custom_fields is None
        else custom_fields_from_wire(
            row.model_extra or {}, tables.custom_fields, labels=tables.options.labels, code=tables.currencies.code
        ),
        is_deleted=row.is_deleted or False,
        is_archived=row.is_archived,
        is_private=None if row.share_mode is None else _SHARE_MODES.get(row.share_mode) is PipelinerShareMode.PRIVATE,
        created_at=row.created,
        updated_at=row.modified,
        updated_by_ref=reference(crm, row.modified_by_user),
        revision=None if row.revision is None else str(row.revision),
        extension=_extension(crm, row, tables, labels) if read_fields is None or "extension" in read_fields else None,
    )


def seeds_from_wire(crm: str, rows: Iterable[wire.Opportunity], *, selection: Selection, labels: Mapping[str, str | None]) -> Seeds:
    """The users, accounts and contacts that were expanded inside opportunities."""
    users: dict[str, wire.Client] = {}
    accounts: dict[str, wire.Account] = {}
    contacts: dict[str, wire.Contact] = {}
    for row in rows:
        account_links = [link.account for link in row.account_relations if not isinstance(link, str)]
        contact_links = [link.contact for link in row.contact_relations if not isinstance(link, str)]
        users.update({user.id: user for user in [row.owner] if isinstance(user, wire.Client)})
        accounts.update({account.id: account for account in [row.primary_account, *account_links] if isinstance(account, wire.Account)})
        contacts.update({contact.id: contact for contact in [row.primary_contact, *contact_links] if isinstance(contact, wire.Contact)})
    return Seeds(
        users=[user_from_wire(crm, row, read_fields=_read(USER, selection, row)) for row in users.values()],
        accounts=_account_seeds(crm, accounts.values(), selection=selection, labels=labels),
        contacts=_contact_seeds(crm, contacts.values(), selection=selection),
    )


def contact_seeds_from_wire(crm: str, rows: Iterable[wire.Contact], *, selection: Selection, labels: Mapping[str, str | None]) -> Seeds:
    """The accounts that were expanded inside contacts."""
    accounts = {row.primary_account.id: row.primary_account for row in rows if isinstance(row.primary_account, wire.Account)}
    return Seeds(accounts=_account_seeds(crm, accounts.values(), selection=selection, labels=labels))


def links_from_wire(
    crm: str,
    record: Opportunity,
    account_links: Iterable[wire.AccountRelation],
    contact_links: Iterable[wire.ContactRelation],
    *,
    selection: Selection,
    labels: Mapping[str, str | None],
) -> OpportunityLinks:
    """The links of an opportunity; those that its own record tells are taken from there."""
    account_links, contact_links = list(account_links), list(contact_links)
    accounts = [link.account for link in account_links if isinstance(link.account, wire.Account)]
    contacts = [link.contact for link in contact_links if isinstance(link.contact, wire.Contact)]
    return OpportunityLinks(
        account_ref=None if record.account_ref is UNREAD else record.account_ref,
        account_refs=accounts_linked(crm, account_links) if record.account_refs is UNREAD else record.account_refs,
        contact_refs=contacts_linked(crm, contact_links) if record.contact_refs is UNREAD else record.contact_refs,
        seeds=Seeds(
            accounts=_account_seeds(crm, accounts, selection=selection, labels=labels),
            contacts=_contact_seeds(crm, contacts, selection=selection),
        ),
    )


def accounts_linked(crm: str, links: Iterable[wire.AccountRelation]) -> tuple[Ref, ...]:
    return _primary_first(crm, ((link.account_id or wire.id_in(link.account), link) for link in links))


def contacts_linked(crm: str, links: Iterable[wire.ContactRelation]) -> tuple[Ref, ...]:
    return _primary_first(crm, ((link.contact_id or wire.id_in(link.contact), link) for link in links))


def _primary_first(crm: str, links: Iterable[tuple[str | None, wire.AccountRelation | wire.ContactRelation]]) -> tuple[Ref, ...]:
    # Links that were taken away are kept by the vendor as deleted.
    standing = [(target, link) for target, link in links if target is not None and not link.is_deleted]
    return tuple(dict.fromkeys(Ref(crm, target) for target, _ in sorted(standing, key=lambda each: not each[1].is_primary)))


def _account_seeds(crm: str, rows: Iterable[wire.Account], *, selection: Selection, labels: Mapping[str, str | None]) -> list[Account]:
    # Links to contacts are rows of their own, which an expanded account does not hold.
    without = frozenset({"extension"} if selection.wants("PipelinerAccountFields", "contact_relations") else ())
    return [account_from_wire(crm, row, labels=labels, read_fields=_read(ACCOUNT, selection, row) - without) for row in rows]


def _contact_seeds(crm: str, rows: Iterable[wire.Contact], *, selection: Selection) -> list[Contact]:
    return [contact_from_wire(crm, row, read_fields=_read(CONTACT, selection, row)) for row in rows]


def _read(kind: Kind, selection: Selection, row: wire.Row) -> frozenset[str]:
    return kind.covered(selection, frozenset(row.model_fields_set))


def _pipeline_from_wire(crm: str, row: wire.Pipeline, steps: Iterable[wire.Step | str]) -> Pipeline:
    ref = Ref(crm, row.id)
    own = {step.id: step for step in steps if isinstance(step, wire.Step) and not _is_of_another_process(step)}
    ranked = sorted(own.values(), key=lambda step: (step.sort_order is None, step.sort_order or 0, step.id))
    return Pipeline(
        ref=ref,
        name=row.name,
        is_synthetic=False,
        stages=tuple(
            Stage(
                ref=Ref(crm, step.id),
                name=step.name,
                order=order,
                pipeline_ref=ref,
                probability_percent=percent(step.percent, crm=crm, kind="step", local_id=step.id, name="percentage"),
                description=step.description,
                is_archived=step.is_deleted,
                extension=extension_from(PipelinerStageFields, step),
            )
            for order, step in enumerate(ranked)
        ),
        is_archived=row.is_deleted,
        extension=extension_from(PipelinerPipelineFields, row),
    )


def _is_of_another_process(step: wire.Step) -> bool:
    return any((step.lead_process_id, step.lead_process, step.quote_process_id, step.quote_process))


def _closing(status: OpportunityStatus | None, row: wire.Opportunity) -> tuple[datetime | None, date | None]:
    """When it was won or lost; a date that does not fit the status is left over and does not count."""
    text = row.won_date if status is OpportunityStatus.WON else row.lost_date if status is OpportunityStatus.LOST else None
    return instant(text), day(text)


def _amount(value: wire.Value | None, currencies: Currencies) -> Money | None:
    """Source: Pipeliner "Create Opportunity", Value: the foreign value is what the salesperson entered, in `currency_id`."""
    if value is None:
        return None
    if value.value_foreign is None:
        return _money(value.base_value, currencies.base)
    return _money(value.value_foreign, currencies.code(value.currency_id))


def _money(amount: Decimal | None, currency: str | None) -> Money | None:
    return None if amount is None else Money(amount=amount, currency=currency)


def _reason(row: wire.Opportunity, tables: Tables) -> Reason | None:
    reason_id = row.reason_of_close_id or row.reason_of_close
    if reason_id is None and row.reason_of_close_description is None:
        return None
    return Reason(id=reason_id, label=tables.options.labels.get(reason_id or ""), detail=row.reason_of_close_description)


def _account_refs(crm: str, row: wire.Opportunity, names: frozenset[str] | None) -> tuple[Ref, ...] | Unread:
    links = [link for link in row.account_relations if not isinstance(link, str)]
    unread = len(links) < len(row.account_relations) or _was_held_back("account_relations", row, names)
    return UNREAD if unread else accounts_linked(crm, links)


def _contact_refs(crm: str, row: wire.Opportunity, names: frozenset[str] | None) -> tuple[Ref, ...] | Unread:
    links = [link for link in row.contact_relations if not isinstance(link, str)]
    unread = len(links) < len(row.contact_relations) or _was_held_back("contact_relations", row, names)
    return UNREAD if unread else contacts_linked(crm, links)


def _was_held_back(relation: str, row: wire.Opportunity, names: frozenset[str] | None) -> bool:
    asked = names is None or any(name.startswith(f"{relation}.") for name in names)
    return asked and relation not in row.model_fields_set


def _tags(row: wire.Opportunity) -> tuple[str, ...] | None:
    """Names of the tags; None when they came as links to further records."""
    if any(isinstance(tag, str) for tag in row.tags):
        return None
    return tuple(tag.name for tag in row.tags if not isinstance(tag, str) and tag.name is not None and not tag.is_deleted)


def _extension(crm: str, row: wire.Opportunity, tables: Tables, labels: Sequence[PipelinerLabel]) -> PipelinerOpportunityFields:
    value, fitness = row.value, row.fitness_description
    return extension_from(
        PipelinerOpportunityFields,
        row,
        labels=tuple(labels),
        won_date=instant(row.won_date),
        lost_date=instant(row.lost_date),
        oppty_type_id=row.oppty_type_id or row.oppty_type,
        unit_id=row.unit_id or row.unit,
        product_currency_id=row.product_currency_id or row.product_currency,
        product_price_list_id=row.product_price_list_id or row.product_price_list,
        reason_of_close_id=row.reason_of_close_id or row.reason_of_close,
        share_mode=None if row.share_mode is None else _SHARE_MODES.get(row.share_mode),
        value=None
        if value is None
        else extension_from(PipelinerOpportunityValue, value, currency=tables.currencies.by_id.get(value.currency_id or "")),
        fitness=None if fitness is None else extension_from(PipelinerFitness, fitness),
        account_relations=tuple(_account_link(crm, link_id, link) for link in row.account_relations if (link_id := wire.id_in(link))),
        contact_relations=tuple(_contact_link(crm, link_id, link) for link in row.contact_relations if (link_id := wire.id_in(link))),
    )


def _account_link(crm: str, link_id: str, link: wire.AccountRelation | str) -> PipelinerOpportunityAccount:
    if isinstance(link, str):
        return PipelinerOpportunityAccount(id=VendorId(link_id))
    return PipelinerOpportunityAccount(
        id=VendorId(link_id), is_primary=link.is_primary, account_ref=reference(crm, link.account_id or wire.id_in(link.account))
    )


def _contact_link(crm: str, link_id: str, link: wire.ContactRelation | str) -> PipelinerOpportunityContact:
    if isinstance(link, str):
        return PipelinerOpportunityContact(id=VendorId(link_id))
    return PipelinerOpportunityContact(
        id=VendorId(link_id),
        is_primary=link.is_primary,
        contact_ref=reference(crm, link.contact_id or wire.id_in(link.contact)),
        relationship=link.relationship,
        comment=link.comment,
        sales_roles=tuple(map(VendorId, link.sales_roles)),
    )
