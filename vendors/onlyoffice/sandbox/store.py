"""State of the portal and its rules: who sees what, what a write changes, what is refused. Knows nothing of HTTP."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timezone
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Literal

from vendors.onlyoffice.sandbox.faults import bad_request, denied, not_found, server_error
from vendors.onlyoffice.sandbox.records import Contact, Deal, Employee, Seed, Stage
from vendors.onlyoffice.sandbox.search import ContactFilter, DealFilter, contact_ids, deal_ids

# Source: Community Server, CRM opportunity API: title is a string of at most 255 characters.
TITLE_MAX = 255
# Source: Community Server, onlyoffice.sql, crm_deal: `description text`, which holds bytes; `bid_value decimal(50,9)`; MySQL `datetime`.
DESCRIPTION_MAX_BYTES = 65_535
BID_DECIMALS = Decimal("1e-9")
FIRST_YEAR = 1000
# Source: Community Server, DealDao.GetDealsCount: the count is cached for 30 seconds per user and filter.
TOTAL_CACHE_SECONDS = 30.0
_REMEMBERED_LISTS = 32

ChangeKind = Literal["created", "updated", "stage", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DealInput:
    """What a create and a full update carry. Absent arguments arrive as the default of their type."""

    title: str | None
    description: str | None
    responsible_id: str | None
    bid_type: int
    bid_value: Decimal | int
    bid_currency: str | None
    per_period_value: int
    stage_id: int
    success_probability: int
    contact_id: int
    actual_close_date: datetime | None
    expected_close_date: datetime | None
    members: list[int]
    custom_fields: list[tuple[int, str]]
    is_private: bool
    access_list: list[str]


class Store:
    """One portal.

    Args:
        seed: The content to start with; the store takes it over.
        zone: The portal's time zone.
        stale_totals: Whether counted totals survive edits and stage moves for 30 seconds, as the vendor's do.
        clock: Seconds that only grow, for everything that expires.
        now: The wall clock, for stamps.
    """

    def __init__(
        self,
        seed: Seed,
        *,
        zone: timezone,
        stale_totals: bool = True,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.zone = zone
        self.clock = clock
        self.now = now
        self.employees = seed.employees
        self.currencies = seed.currencies
        self.rates = seed.rates
        self.stages = seed.stages
        self.custom_fields = seed.custom_fields
        self.contact_statuses = seed.contact_statuses
        self.contact_types = seed.contact_types
        self.contacts = seed.contacts
        self.deals = seed.deals
        self.listeners: list[Callable[[ChangeKind, int], None]] = []
        self._stale_totals = stale_totals
        self._version = 0
        self._next_id = max(self.deals, default=0) + 1
        self._lists: dict[tuple[object, ...], tuple[int, list[int]]] = {}
        self._totals: dict[tuple[str, DealFilter], tuple[float, int]] = {}
        self._stage_counts: tuple[int, Counter[int]] = (-1, Counter())
        self._linked: tuple[int, set[int]] = (-1, set())

    # Reading

    def can_see(self, user: Employee, deal: Deal) -> bool:
        return user.is_admin or not deal.access_list or user.id in deal.access_list

    def can_edit(self, user: Employee, deal: Deal) -> bool:
        return user.id in (deal.responsible_id, deal.create_by) or self.can_see(user, deal)

    def can_see_contact(self, user: Employee, contact: Contact) -> bool:
        return user.is_admin or contact.share_type > 0 or user.id in contact.access_list

    def can_edit_contact(self, user: Employee, contact: Contact) -> bool:
        return user.is_admin or contact.share_type == 1 or user.id in contact.access_list

    def visible_deal(self, user: Employee, deal_id: int) -> Deal:
        if deal_id <= 0:
            raise bad_request()
        deal = self.deals.get(deal_id)
        if deal is None or not self.can_see(user, deal):
            raise not_found()
        return deal

    def visible_contact(self, user: Employee, contact_id: int) -> Contact:
        if contact_id <= 0:
            raise bad_request()
        contact = self.contacts.get(contact_id)
        if contact is None or not self.can_see_contact(user, contact):
            raise not_found()
        return contact

    def seen_contacts(self, user: Employee, ids: list[int]) -> list[Contact]:
        """Those of the ids that exist and that the user may see, in the order of the ids."""
        found = (self.contacts.get(contact_id) for contact_id in dict.fromkeys(ids))
        return [contact for contact in found if contact is not None and self.can_see_contact(user, contact)]

    def find(self, user: Employee, wanted: DealFilter, sort_by: str, *, descending: bool) -> list[int]:
        """Ids of the visible opportunities that match, ordered; remembered until something changes, so that paging is cheap."""
        key = (user.id, wanted, sort_by, descending)
        remembered = self._lists.get(key)
        if remembered is not None and remembered[0] == self._version:
            return remembered[1]
        visible = [deal for deal in self.deals.values() if self.can_see(user, deal)]
        ids = deal_ids(visible, self.stages, wanted, sort_by, participants=self._participants(), descending=descending)
        if len(self._lists) >= _REMEMBERED_LISTS:
            self._lists.pop(next(iter(self._lists)))
        self._lists[key] = (self._version, ids)
        return ids

    def find_contacts(self, user: Employee, wanted: ContactFilter, sort_by: str, *, descending: bool) -> list[int]:
        visible = [contact for contact in self.contacts.values() if self.can_see_contact(user, contact)]
        return contact_ids(visible, wanted, sort_by, with_deals=self._participants(), descending=descending)

    def total(self, user: Employee, wanted: DealFilter, true_count: int) -> int:
        """The count of a filter, possibly an old one. Source: DealDao.GetDealsCount, cache."""
        key = (user.id, wanted)
        cached = self._totals.get(key)
        if self._stale_totals and cached is not None and self.clock() < cached[0]:
            return cached[1]
        if true_count > 0:
            self._totals[key] = (self.clock() + TOTAL_CACHE_SECONDS, true_count)
        return true_count

    def deals_in_stage(self, stage_id: int) -> int:
        if self._stage_counts[0] != self._version:
            self._stage_counts = (self._version, Counter(deal.stage_id for deal in self.deals.values()))
        return self._stage_counts[1][stage_id]

    def ordered_stages(self) -> list[Stage]:
        return sorted(self.stages.values(), key=lambda stage: (stage.sort_order, stage.id))

    # Writing opportunities

    def create(self, user: Employee, given: DealInput) -> Deal:
        title, responsible, currency = self._demand(user, given)
        now = self.now()
        deal = Deal(
            id=self._next_id, title=title, responsible_id=responsible, stage_id=given.stage_id, create_by=user.id, created=now, modified=now
        )
        self._assign(deal, given, title, responsible, currency)
        self._next_id += 1
        self._set_access(user, deal, given)
        wanted = [*given.members, *([given.contact_id] if given.contact_id > 0 else [])]
        deal.members = [contact.id for contact in self.seen_contacts(user, wanted)]
        self._set_fields(deal, given.custom_fields)
        self.deals[deal.id] = deal
        self._totals.clear()
        self._changed("created", deal.id)
        return deal

    def update(self, user: Employee, deal_id: int, given: DealInput) -> Deal:
        """Replace everything that the update carries. Source: CRM opportunity API, "Update opportunity": a full replace."""
        deal = self.visible_deal(user, deal_id)
        title, responsible, currency = self._demand(user, given)
        self._assign(deal, given, title, responsible, currency)
        if given.members:
            deal.members = [contact.id for contact in self.seen_contacts(user, given.members)]
        if user.is_admin or deal.create_by == user.id:
            self._set_access(user, deal, given)
        self._set_fields(deal, given.custom_fields)
        self._touch("updated", deal)
        return deal

    def move(self, deal_id: int, stage_id: int, user: Employee | None = None) -> Deal:
        """Move to a stage, which also sets the probability and the actual close date. Without a user it is a person in the vendor's UI."""
        if deal_id <= 0 or stage_id <= 0:
            raise bad_request()
        deal = self.deals.get(deal_id)
        stage = self.stages.get(stage_id)
        if deal is None or stage is None or (user is not None and not self.can_edit(user, deal)):
            raise not_found()
        deal.stage_id = stage.id
        deal.success_probability = stage.success_probability
        deal.actual_close_date = self.now() if stage.stage_type else None
        self._touch("stage", deal)
        return deal

    def delete(self, user: Employee, deal_id: int) -> Deal:
        if deal_id <= 0:
            raise bad_request()
        deal = self.deals.get(deal_id)
        if deal is None:
            raise not_found()
        if not self.can_edit(user, deal):
            raise denied()
        self._remove(deal)
        return deal

    def delete_many(self, user: Employee, ids: list[int]) -> list[Deal]:
        """Delete those that exist and may be deleted; the others are skipped without a word."""
        gone = [self.deals[deal_id] for deal_id in dict.fromkeys(ids) if deal_id in self.deals and self.can_edit(user, self.deals[deal_id])]
        for deal in gone:
            self._remove(deal)
        return gone

    def set_access(self, user: Employee, deal_id: int, *, is_private: bool, access_list: list[str]) -> Deal:
        deal = self.deals.get(deal_id)
        if deal_id <= 0:
            raise bad_request()
        if deal is None:
            raise not_found()
        if not (user.is_admin or deal.create_by == user.id):
            raise denied()
        deal.access_list = _with_self(access_list, user) if is_private and access_list else []
        self._touch("updated", deal)
        return deal

    def add_member(self, user: Employee, deal_id: int, contact_id: int) -> Contact:
        deal, contact = self.visible_deal(user, deal_id), self.visible_contact(user, contact_id)
        if contact.id not in deal.members:
            deal.members.append(contact.id)
            self._touch("updated", deal)
        return contact

    def remove_member(self, user: Employee, deal_id: int, contact_id: int) -> Contact:
        deal, contact = self.visible_deal(user, deal_id), self.visible_contact(user, contact_id)
        if contact.id in deal.members:
            deal.members.remove(contact.id)
            self._touch("updated", deal)
        return contact

    def set_field(self, user: Employee, deal_id: int, field_id: int, value: str) -> Deal:
        deal = self.visible_deal(user, deal_id)
        if field_id not in self.custom_fields:
            raise bad_request()
        deal.fields[field_id] = value.strip()
        self._touch("updated", deal)
        return deal

    def add_tag(self, user: Employee, deal_id: int, name: str) -> str:
        """Source: CRMApi.Tag AddTagTo and TagDao: a tag is trimmed, and found by its name in any case."""
        if deal_id <= 0 or not name:
            raise bad_request()
        deal, tag = self.visible_deal(user, deal_id), name.strip()
        if not tag:
            raise bad_request()
        known = {other.casefold(): other for each in self.deals.values() for other in each.tags}
        if tag.casefold() not in {other.casefold() for other in deal.tags}:
            deal.tags.append(known.get(tag.casefold(), tag))
            self._touch("updated", deal)
        return name

    def remove_tag(self, user: Employee, deal_id: int, name: str) -> str:
        """Source: CRMApi.Tag DeleteTagFrom: a tag that nothing has is not found."""
        if deal_id <= 0 or not name:
            raise bad_request()
        deal, tag = self.visible_deal(user, deal_id), name.strip().casefold()
        if not any(tag == other.casefold() for each in self.deals.values() for other in each.tags):
            raise not_found()
        deal.tags = [other for other in deal.tags if other.casefold() != tag]
        self._touch("updated", deal)
        return name

    # Writing contacts

    def next_contact_id(self) -> int:
        return max(self.contacts, default=0) + 1

    def add_contact(self, contact: Contact) -> Contact:
        self.contacts[contact.id] = contact
        self._version += 1
        return contact

    def add_contact_info(self, contact: Contact, row: dict[str, Any]) -> dict[str, Any]:
        """Source: ContactInfoDao.Save: of each kind at most one is primary."""
        ids = (int(info["id"]) for other in self.contacts.values() for info in other.info)
        if row["isPrimary"]:
            contact.info = [{**info, "isPrimary": False} if info["infoType"] == row["infoType"] else info for info in contact.info]
        added = {**row, "id": max(ids, default=0) + 1}
        contact.info.append(added)
        return added

    # Writing stages

    def save_stage(
        self, stage_id: int | None, title: str | None, *, description: str, color: str, probability: int, stage_type: int
    ) -> Stage:
        """Create (no id) or replace a stage. A stage with opportunities cannot be edited."""
        if not title:
            raise bad_request()
        if stage_id is not None:
            self._unused_stage(stage_id)
        order = self.stages[stage_id].sort_order if stage_id else max((stage.sort_order for stage in self.stages.values()), default=0) + 1
        stage = Stage(
            id=stage_id or max(self.stages, default=0) + 1,
            title=title,
            description=description,
            color=color,
            success_probability=max(0, min(100, probability)),
            stage_type=stage_type,
            sort_order=order,
        )
        self.stages[stage.id] = stage
        self._version += 1
        return stage

    def color_stage(self, stage_id: int, color: str) -> Stage:
        stage = self._stage(stage_id)
        stage.color = color
        return stage

    def reorder_stages(self, ids: list[int]) -> list[Stage]:
        if not ids:
            raise bad_request()
        for order, stage_id in enumerate(ids, 1):
            self._stage(stage_id).sort_order = order
        self._version += 1
        return [self.stages[stage_id] for stage_id in ids]

    def delete_stage(self, stage_id: int) -> Stage:
        stage = self._unused_stage(stage_id)
        del self.stages[stage_id]
        self._version += 1
        return stage

    # Rules

    def _demand(self, user: Employee, given: DealInput) -> tuple[str, str, str]:
        """Check what every opportunity needs, and give its title, owner and currency. Source: CRMSecurity.DemandCreateOrUpdate."""
        currency = (given.bid_currency or "").upper()
        if not (given.title or "").strip() or not given.title or not given.responsible_id or given.stage_id <= 0 or not currency:
            raise bad_request()
        if given.stage_id not in self.stages:
            raise bad_request("Deal milestone is not found")
        if given.contact_id:
            contact = self.contacts.get(given.contact_id)
            if contact is None:
                raise bad_request()
            if not self.can_see_contact(user, contact):
                raise denied()
        if currency not in self.currencies:
            raise bad_request()
        _demand_room(given, given.title)
        return given.title, given.responsible_id, currency

    def _assign(self, deal: Deal, given: DealInput, title: str, responsible: str, currency: str) -> None:
        # Not documented; the sandbox alters the title, so that what was sent is not what is read again.
        deal.title = title.strip()
        deal.description = given.description
        deal.responsible_id = responsible
        deal.bid_type = given.bid_type
        with localcontext(prec=60):
            deal.bid_value = Decimal(given.bid_value).quantize(BID_DECIMALS, rounding=ROUND_HALF_UP).normalize()
        deal.bid_currency = currency
        deal.per_period_value = given.per_period_value
        deal.stage_id = given.stage_id
        deal.success_probability = max(0, min(100, given.success_probability))
        deal.contact_id = given.contact_id
        deal.actual_close_date = given.actual_close_date
        deal.expected_close_date = given.expected_close_date

    def _set_access(self, user: Employee, deal: Deal, given: DealInput) -> None:
        deal.access_list = _with_self(given.access_list, user) if given.is_private and given.access_list else []

    def _set_fields(self, deal: Deal, values: list[tuple[int, str]]) -> None:
        """Source: CRM opportunity API: empty values and unknown fields are passed over. CustomFieldDao.SetFieldValue: texts are trimmed."""
        deal.fields.update({field_id: value.strip() for field_id, value in values if value and field_id in self.custom_fields})

    def _remove(self, deal: Deal) -> None:
        del self.deals[deal.id]
        self._totals.clear()
        self._changed("deleted", deal.id)

    def _touch(self, kind: ChangeKind, deal: Deal) -> None:
        deal.modified = self.now()
        self._changed(kind, deal.id)

    def _changed(self, kind: ChangeKind, deal_id: int) -> None:
        self._version += 1
        for listener in self.listeners:
            listener(kind, deal_id)

    def _stage(self, stage_id: int) -> Stage:
        stage = self.stages.get(stage_id)
        if stage is None:
            raise not_found()
        return stage

    def _unused_stage(self, stage_id: int) -> Stage:
        stage = self._stage(stage_id)
        if self.deals_in_stage(stage_id):
            raise bad_request()
        return stage

    def _participants(self) -> set[int]:
        """Contacts that take part in an opportunity; being its primary contact alone does not count. Source: table crm_entity_contact."""
        if self._linked[0] != self._version:
            self._linked = (self._version, {contact_id for deal in self.deals.values() for contact_id in deal.members})
        return self._linked[1]


def _demand_room(given: DealInput, title: str) -> None:
    """Refuse what the columns do not hold. What the portal answers is not documented. Chosen: the database's refusal."""
    if len(title) > TITLE_MAX:
        raise server_error("Data too long for column 'title' at row 1")
    if len((given.description or "").encode()) > DESCRIPTION_MAX_BYTES:
        raise server_error("Data too long for column 'description' at row 1")
    if any(day is not None and day.year < FIRST_YEAR for day in (given.actual_close_date, given.expected_close_date)):
        raise server_error("Incorrect datetime value")


def _with_self(access_list: list[str], user: Employee) -> list[str]:
    """The caller is always among those who have access to what they close."""
    return list(dict.fromkeys([*access_list, user.id]))
