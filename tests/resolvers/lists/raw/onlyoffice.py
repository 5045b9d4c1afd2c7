"""ONLYOFFICE's records, as its sandbox keeps them: a portal that says three hours ahead of UTC, and hides what is not shared."""

from dataclasses import fields
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final

from aiohttp import web
from hypothesis import strategies as st

from tests.resolvers.lists.raw.common import AMOUNTS, DAYS, MOMENTS, Row, maybe, named, numbered, one_of, ranked, titles
from tests.resolvers.lists.raw.common import Place as Stage
from tests.resolvers.lists.reference import Deal
from vendors.onlyoffice.sandbox.records import Contact, Employee
from vendors.onlyoffice.sandbox.records import Deal as Record
from vendors.onlyoffice.sandbox.routes import PORTAL
from vendors.onlyoffice.sandbox.store import Store

_API_USER: Final = "2f9e1c7b-4d38-4b0a-8c66-91a7b35e0d42"
_IVO: Final = "9924256a-739c-462b-af15-e652a3b1b6eb"
_EWA: Final = "e81b6f3d-0a95-4c72-8d4e-b7f2916c5a08"
_REMOVED: Final = "00000000-1111-2222-3333-444444444444"
# What the portal shows in the place of a user who was removed.
STAND_IN: Final = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3"
_THROWAWAY: Final = 1

rows: Final = numbered(
    st.fixed_dictionaries(
        {
            "title": titles,
            # Companies, people of theirs, a person of none, and a company and a person that the user may not see.
            "contact_id": one_of(0, 12, 15, 41, 45, 58, 26, 60),
            "members": st.lists(one_of(12, 14, 41, 45, 58, 26), unique=True, max_size=2),
            "responsible_id": one_of(_IVO, _EWA, _REMOVED),
            "bid_type": one_of(0, 0, 4),
            "bid_value": one_of(*AMOUNTS),
            "per_period_value": one_of(0, 3),
            "bid_currency": one_of("EUR", "USD", "PLN", None),
            # No stage that is gone: lists have such opportunities, but a single read of one answers 404 (an option of the sandbox).
            "stage_id": one_of(1, 3, 4, 7, 8, 9, 11),
            "success_probability": one_of(0, 1, 75, 100),
            "expected_close_date": maybe(*DAYS),
            "actual_close_date": maybe(*DAYS, *MOMENTS),
            "created": one_of(*MOMENTS),
            "access_list": one_of((), (), (_IVO,), (_IVO, _API_USER)),
            "fields": one_of({}, {21: "4"}, {21: "Quay", 25: "true"}, {24: "Quay side", 26: "2027-02-15"}),
            "tags": st.lists(one_of("crane", "tender"), unique=True, max_size=2),
        }
    )
)


def fill(app: web.Application, records: list[Row]) -> None:
    store = app[PORTAL].store
    admin = next(user for user in store.employees.values() if user.is_admin)
    store.deals.clear()
    store.deals.update({row["id"]: _record(store, row) for row in records})
    # A deletion forgets the lists and counts that the portal keeps.
    store.deals[_THROWAWAY] = _record(store, {**_BLANK, "id": _THROWAWAY})
    store.delete(admin, _THROWAWAY)


_BLANK: Final[Row] = {"title": "x", "responsible_id": _IVO, "stage_id": 1, "created": MOMENTS[0], "access_list": (), "fields": {}}


def _record(store: Store, row: Row) -> Record:
    def moment(value: date | None) -> datetime | None:
        # A day is kept as its midnight in the portal's time zone.
        if value is None or isinstance(value, datetime):
            return value
        return datetime.combine(value, time(), tzinfo=store.zone).astimezone(UTC)

    values: Row = {name: moment(value) if name.endswith("_date") else value for name, value in row.items()}
    values["access_list"] = list(values["access_list"])
    values["fields"] = dict(values["fields"])
    known = {field.name for field in fields(Record)}
    assert values.keys() <= known
    return Record(**values, create_by=_IVO, modified=row["created"])


def deals(app: web.Application, crm: str) -> list[Deal]:
    store = app[PORTAL].store
    records = sorted(store.deals.values(), key=lambda record: record.id)
    return [_deal(store, crm, record) for record in records if not record.access_list or _API_USER in record.access_list]


def _deal(store: Store, crm: str, record: Record) -> Deal:
    primary = _seen(store, record.contact_id)
    involved = [contact for contact in (primary, *(_seen(store, member) for member in record.members)) if contact is not None]
    employer = _seen(store, primary.company_id) if primary is not None and not primary.is_company else None
    companies = [contact for contact in (employer, *involved) if contact is not None and contact.is_company]
    owner: Employee | None = store.employees.get(record.responsible_id)
    stage = store.stages.get(record.stage_id)
    bid = Decimal(str(record.bid_value))
    return Deal(
        crm=crm,
        id=str(record.id),
        title=record.title,
        amount=bid * record.per_period_value if record.bid_type else bid,
        currency=record.bid_currency,
        probability=float(record.success_probability),
        status=None if stage is None else ("OPEN", "WON", "LOST")[stage.stage_type],
        pipeline="default",
        pipeline_name="Sales",
        **named(_places(store), None if stage is None else str(stage.id)),
        owner=STAND_IN if owner is None else owner.id,
        owner_email=None if owner is None else owner.email,
        accounts=tuple(str(company.id) for company in companies),
        account_name=companies[0].name if companies else None,
        contacts=tuple(str(contact.id) for contact in involved if not contact.is_company),
        # A day is cut in the offset that it comes with, which is the portal's.
        expected_close_date=None if record.expected_close_date is None else record.expected_close_date.astimezone(store.zone).date(),
        actual_close_date=None if record.actual_close_date is None else record.actual_close_date.astimezone(store.zone).date(),
        created_at=record.created,
        tags=tuple(record.tags),
        custom_fields={str(key): text == "true" if key == 25 else text for key, text in record.fields.items()},
    )


def _seen(store: Store, contact_id: int) -> Contact | None:
    contact = store.contacts.get(contact_id)
    return contact if contact is not None and (contact.share_type > 0 or _API_USER in contact.access_list) else None


def _places(store: Store) -> dict[str, Stage]:
    in_order = sorted(store.stages.values(), key=lambda stage: (stage.sort_order, stage.id))
    ranks = ranked([str(stage.id) for stage in in_order])
    kinds = ("OPEN", "WON", "LOST")
    return {str(stage.id): Stage("default", "Sales", stage.title, ranks[str(stage.id)], kinds[stage.stage_type]) for stage in in_order}
