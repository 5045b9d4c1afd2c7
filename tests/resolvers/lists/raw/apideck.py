"""Apideck's records, as its API sends them and its sandbox keeps them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from aiohttp import web
from hypothesis import strategies as st

from tests.resolvers.lists.raw.common import AMOUNTS, DAYS, MOMENTS, Row, maybe, milliseconds, numbered, one_of, titles
from tests.resolvers.lists.reference import Deal
from vendors.apideck.sandbox.store import STORE, Store, Table

_PLACES: Final = (
    (None, None),
    (None, "148220911"),  # only one pipeline has it
    (None, "gone"),
    ("default", None),
    ("default", "appointmentscheduled"),
    ("default", "contractsent"),
    ("74215630", "148220911"),
    ("74215630", "148220914"),
    ("90118822", "201900001"),
    ("default", "gone"),
    ("gone", "gone"),
)
_STATUSES: Final = (None, "", "open", "In Progress", "closedwon", "Deal Won", "closedlost", "Abandoned", "Closed", "completed", "whatever")
_FIELDS: Final[tuple[Row, ...]] = (
    {"id": "berth", "name": "Berth", "description": None, "value": "4"},
    {"id": "berth", "name": "Berth", "description": None, "value": None},
    {"id": "lift_height_m", "name": "Lift height", "description": None, "value": 38.5},
    {"id": "needs_permit", "name": "Permit", "description": None, "value": True},
    {"id": None, "name": "scope", "description": None, "value": ["drives", "cabin"]},
)
_COMPANIES: Final = ("6214407301", "6214407302", "999")
_CONTACTS: Final = ("101", "151", "201", "998")


def _record(row: Row) -> Row:
    place = row.pop("place")
    company = row["company_id"]
    return {
        **row,
        "id": str(row["id"]),
        "pipeline_id": place[0],
        "pipeline_stage_id": place[1],
        "company_name": row["company_name"] if company != "6214407302" else None,
        "custom_fields": [dict(entry) for entry in row["custom_fields"]],
    }


rows: Final = numbered(
    st.fixed_dictionaries(
        {
            "title": st.one_of(titles, st.just("")),
            "monetary_amount": maybe(*AMOUNTS),
            "currency": one_of("USD", "EUR", "JPY", "UNKNOWN_CURRENCY", "SEK", None),
            "win_probability": maybe(0, 33.3, 60, 100, 140),
            "close_date": maybe(*(day.isoformat() for day in DAYS)),
            "loss_reason": maybe("Price"),
            "won_reason_id": maybe("w1"),
            "place": one_of(*_PLACES),
            "primary_contact_id": maybe(*_CONTACTS),
            "contact_id": maybe(*_CONTACTS),
            "contact_ids": st.lists(one_of(*_CONTACTS), unique=True, max_size=2),
            "company_id": maybe(*_COMPANIES),
            "company_name": maybe("Atlantic Crane Co.", "Åland Quay"),
            "owner_id": maybe("71004011", "71004012", "71004014", "997"),
            "status": one_of(*_STATUSES),
            "tags": st.lists(one_of("crane", "Crane", "tender"), unique=True, max_size=2),
            "custom_fields": st.lists(one_of(*_FIELDS), max_size=2, unique_by=lambda entry: str(entry["id"])),
            "deleted": one_of(False, False, True),
            "created_at": maybe(*map(milliseconds, MOMENTS)),
            "updated_at": maybe(*map(milliseconds, MOMENTS)),
        }
    )
).map(lambda found: [_record(dict(row)) for row in found])


def fill(app: web.Application, records: list[Row]) -> None:
    app[STORE].tables["opportunities"] = Table(records)


def deals(app: web.Application, crm: str) -> list[Deal]:
    store = app[STORE]
    return [_deal(store, crm, record) for record in store.tables["opportunities"]]


def _deal(store: Store, crm: str, record: Row) -> Deal:
    status = _status(record)
    day = None if record["close_date"] is None else date.fromisoformat(record["close_date"])
    chance = record["win_probability"]
    company = None if record["company_id"] is None else store.tables["companies"].get(record["company_id"])
    owner = None if record["owner_id"] is None else store.tables["users"].get(record["owner_id"])
    emails: list[Row] = owner["emails"] if owner else []
    mine = next((entry for entry in emails if entry.get("type") == "primary"), emails[0] if emails else None)
    contacts = [record["primary_contact_id"], record["contact_id"], *record["contact_ids"]]
    return Deal(
        crm=crm,
        id=record["id"],
        title=record["title"],
        amount=None if record["monetary_amount"] is None else Decimal(str(record["monetary_amount"])),
        currency=None if record["currency"] == "UNKNOWN_CURRENCY" else record["currency"],
        probability=float(chance) if chance is not None and 0 <= chance <= 100 else None,
        status=status,
        **_place(store, record),
        owner=record["owner_id"],
        owner_email=mine["email"] if mine else None,
        accounts=() if record["company_id"] is None else (record["company_id"],),
        account_name=record["company_name"] or (company["name"] if company else None),
        contacts=tuple(contact for contact in contacts if contact is not None),
        expected_close_date=day if status == "OPEN" else None,
        actual_close_date=day if status in {"WON", "LOST"} else None,
        created_at=_moment(record["created_at"]),
        updated_at=_moment(record["updated_at"]),
        tags=tuple(record["tags"]),
        custom_fields={entry["id"] or entry["name"]: entry["value"] for entry in record["custom_fields"]},
        is_deleted=record["deleted"],
    )


def _status(record: Row) -> str | None:
    text = (record["status"] or "").lower()
    by_word = _status_of_word(text)
    if by_word is not None:
        return by_word
    if record["won_reason_id"] is not None:
        return "WON"
    if record["loss_reason"] is not None:
        return "LOST"
    is_closed = "closed" in text or "completed" in text
    return {100: "WON", 0: "LOST"}.get(record["win_probability"]) if is_closed else "OPEN"


def _status_of_word(text: str) -> str | None:
    if "won" in text:
        return "WON"
    if any(word in text for word in ("lost", "dead", "abandon", "disqualif")):
        return "LOST"
    # A word that says open leaves no doubt; what is silent or unknown is told by the reasons.
    return "OPEN" if text in {"open", "active", "in progress", "new", "pending"} else None


def _place(store: Store, record: Row) -> Row:
    key, pipeline_id = record["pipeline_stage_id"], record["pipeline_id"]
    holders = [pipeline for pipeline in store.pipelines if key is not None and key in _stage_ids(pipeline)]
    if pipeline_id is None and len(holders) == 1:
        pipeline_id = holders[0]["id"]
    if pipeline_id is None:
        return {}
    pipeline = next((pipeline for pipeline in store.pipelines if pipeline["id"] == pipeline_id), None)
    place: Row = {"pipeline": pipeline_id, "pipeline_name": pipeline["name"] if pipeline else None}
    if key is not None:
        place["stage"] = f"{pipeline_id}~{key}"
    if pipeline is not None and key in _stage_ids(pipeline):
        place["stage_name"] = next(stage["name"] for stage in pipeline["stages"] if stage["id"] == key)
        place["stage_rank"] = _stage_ids(pipeline).index(key)
    return place


def _stage_ids(pipeline: Any) -> list[str]:
    return [
        stage["id"] for stage in sorted(pipeline["stages"], key=lambda stage: (stage["display_order"] is None, stage["display_order"] or 0))
    ]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
