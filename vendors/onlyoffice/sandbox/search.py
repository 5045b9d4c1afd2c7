"""Which opportunities and contacts match a filter, and in which order. Pure: records in, ids out."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vendors.onlyoffice.sandbox.records import Contact, Deal, Stage

# Source: Community Server, DealSortedByType and ContactSortedByType (compared without case).
DEAL_SORTS = frozenset({"title", "responsible", "stage", "bidvalue", "dateandtime", "id"})
CONTACT_SORTS = frozenset({"displayname", "contacttype", "created", "firstname", "lastname", "history", "id"})
VIEWS = ("All", "Company", "Person", "WithOpportunity")

_YEAR_ONE = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DealFilter:
    """The filter of `crm/opportunity/filter`; a default means the condition was not given."""

    text: str = ""
    responsible_id: str | None = None
    stage_id: int = 0
    tags: tuple[str, ...] = ()
    contact_id: int = 0
    contact_also_is_participant: bool = False
    stage_type: int | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFilter:
    """The filter of `crm/contact/filter`. `view` is an index of VIEWS."""

    text: str = ""
    view: int = 0
    tags: tuple[str, ...] = ()
    status_id: int = -1
    type_id: int = -1
    responsible_id: str | None = None
    is_shared: bool | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None


def keywords(text: str) -> tuple[str, ...]:
    """Words of a free-text filter. Source: Community Server, ApiContext: a list value, of which only the first item counts."""
    return tuple(text.split(",", 1)[0].casefold().split())


def deal_ids(
    deals: Iterable[Deal], stages: Mapping[int, Stage], wanted: DealFilter, sort_by: str, *, participants: Collection[int], descending: bool
) -> list[int]:
    """Ids in order. `participants` are the contacts that take part in any opportunity of the portal, seen by the user or not."""
    conditions = _deal_conditions(wanted, stages, participants)
    found = [deal for deal in deals if all(condition(deal) for condition in conditions)]
    _sort_deals(found, stages, sort_by, descending=descending)
    return [deal.id for deal in found]


def contact_ids(
    contacts: Iterable[Contact], wanted: ContactFilter, sort_by: str, *, with_deals: Collection[int], descending: bool
) -> list[int]:
    conditions = _contact_conditions(wanted, with_deals)
    found = [contact for contact in contacts if all(condition(contact) for condition in conditions)]
    found.sort(key=lambda contact: contact.id)
    found.sort(key=_CONTACT_KEYS.get(sort_by, _CONTACT_KEYS["id"]), reverse=descending)
    return [contact.id for contact in found]


def _deal_conditions(wanted: DealFilter, stages: Mapping[int, Stage], participants: Collection[int]) -> list[Callable[[Deal], bool]]:
    conditions: list[Callable[[Deal], bool]] = []
    if words := keywords(wanted.text):
        conditions.append(lambda deal: _has_words(f"{deal.title}\n{deal.description or ''}", words))
    if wanted.responsible_id:
        conditions.append(lambda deal: deal.responsible_id == wanted.responsible_id)
    if wanted.stage_id > 0:
        conditions.append(lambda deal: deal.stage_id == wanted.stage_id)
    if wanted.tags:
        conditions.append(lambda deal: set(wanted.tags) <= set(deal.tags))
    if wanted.contact_id > 0:
        # Source: DealDao.WhereConditional: a contact that takes part in anything is looked for among participants only.
        if wanted.contact_also_is_participant and wanted.contact_id in participants:
            conditions.append(lambda deal: wanted.contact_id in deal.members)
        else:
            conditions.append(lambda deal: deal.contact_id == wanted.contact_id)
    if wanted.stage_type is not None:
        of_type = {stage.id for stage in stages.values() if stage.stage_type == wanted.stage_type}
        conditions.append(lambda deal: deal.stage_id in of_type)
    start, end = wanted.from_date, wanted.to_date
    if start is not None and end is not None:
        conditions.append(lambda deal: start <= (_close_date(deal, stages) or _YEAR_ONE) <= end)
    return conditions


def _contact_conditions(wanted: ContactFilter, with_deals: Collection[int]) -> list[Callable[[Contact], bool]]:
    conditions: list[Callable[[Contact], bool]] = []
    if words := keywords(wanted.text):
        conditions.append(lambda contact: _has_words("\n".join([contact.display_name, *(row["data"] for row in contact.info)]), words))
    if wanted.view:
        conditions.append(_VIEW_CONDITIONS[VIEWS[wanted.view]](with_deals))
    if wanted.tags:
        conditions.append(lambda contact: set(wanted.tags) <= set(contact.tags))
    if wanted.status_id >= 0:
        conditions.append(lambda contact: contact.status_id == wanted.status_id)
    if wanted.type_id >= 0:
        conditions.append(lambda contact: contact.type_id == wanted.type_id)
    if wanted.responsible_id:
        conditions.append(lambda contact: wanted.responsible_id in contact.access_list)
    if wanted.is_shared is not None:
        conditions.append(lambda contact: (contact.share_type > 0) is wanted.is_shared)
    start, end = wanted.from_date, wanted.to_date
    if start is not None:
        conditions.append(lambda contact: contact.created >= start)
    if end is not None:
        conditions.append(lambda contact: contact.created <= end)
    return conditions


def _sort_deals(deals: list[Deal], stages: Mapping[int, Stage], sort_by: str, *, descending: bool) -> None:
    """Sort in place. Source: DealDao.GetCrudeDeals: only the first key turns round; nothing breaks ties of short keys."""
    if sort_by in {"stage", "responsible"}:
        deals.sort(key=lambda deal: deal.title.casefold())
        deals.sort(key=lambda deal: deal.expected_close_date or _YEAR_ONE)
        deals.sort(key=lambda deal: deal.actual_close_date or _YEAR_ONE, reverse=True)
        deals.sort(key=lambda deal: deal.contact_id)
        deals.sort(key=lambda deal: stages[deal.stage_id].sort_order if deal.stage_id in stages else -1, reverse=descending)
        if sort_by == "responsible":
            deals.sort(key=lambda deal: deal.responsible_id, reverse=descending)
        return
    keys: dict[str, Callable[[Deal], Any]] = {
        "id": lambda deal: deal.id,
        "title": lambda deal: deal.title.casefold(),
        "bidvalue": lambda deal: deal.bid_value,
        "dateandtime": lambda deal: _close_date(deal, stages) or _YEAR_ONE,
    }
    deals.sort(key=keys[sort_by], reverse=descending)


def _close_date(deal: Deal, stages: Mapping[int, Stage]) -> datetime | None:
    """The expected date of an open opportunity, the actual one of any other. Source: DealDao.GetDealSqlQuery, close_date."""
    stage = stages.get(deal.stage_id)
    return deal.expected_close_date if stage is not None and stage.stage_type == 0 else deal.actual_close_date


def _has_words(text: str, words: tuple[str, ...]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


_VIEW_CONDITIONS: dict[str, Callable[[Collection[int]], Callable[[Contact], bool]]] = {
    "Company": lambda _: lambda contact: contact.is_company,
    "Person": lambda _: lambda contact: not contact.is_company,
    "WithOpportunity": lambda with_deals: lambda contact: contact.id in with_deals,
}

_CONTACT_KEYS: dict[str, Callable[[Contact], Any]] = {
    "displayname": lambda contact: contact.display_name.casefold(),
    "contacttype": lambda contact: contact.type_id,
    "created": lambda contact: contact.created,
    "firstname": lambda contact: contact.first_name.casefold(),
    "lastname": lambda contact: contact.last_name.casefold(),
    "history": lambda contact: contact.created,
    "id": lambda contact: contact.id,
}
