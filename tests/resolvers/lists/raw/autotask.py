"""Autotask's records, as its sandbox keeps them: fields that are not set are left out."""

from datetime import date, datetime
from decimal import Decimal
from typing import Final

from aiohttp import web
from hypothesis import strategies as st

from tests.resolvers.lists.raw.common import AMOUNTS, DAYS, MOMENTS, Row, maybe, milliseconds, numbered, one_of, titles
from tests.resolvers.lists.reference import Deal
from vendors.autotask.sandbox.control import API
from vendors.autotask.sandbox.store import Store, Table

_DAYS: Final = tuple(f"{day.isoformat()}T00:00:00.000Z" for day in DAYS)
_MOMENTS: Final = tuple(map(milliseconds, MOMENTS))
_UDFS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"Vessel or berth": "4"},
    {"Vessel or berth": "Quay"},
    {"Crane hours per year": "38.5", "Service level": "2"},
    {"Service level": "3"},
)


def _record(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


rows: Final = numbered(
    st.fixed_dictionaries(
        {
            "title": titles,
            "companyID": one_of(0, 174, 29683512, 29683530, 99_999_999, None),
            "contactID": maybe(30684, 30685, 30701, 99_999_998),
            "ownerResourceID": maybe(29682885, 29682887, 99_999_997),
            "stage": maybe(29682772, 29682774, 16, 18, 29682776, 99),
            "status": one_of(0, 1, 2, 3, 4, 9),
            "probability": maybe(0, 35, 100, 140),
            "amount": maybe(*AMOUNTS),
            "projectedCloseDate": maybe(*_DAYS),
            "closedDate": maybe(*_DAYS),
            "lostDate": maybe(*_MOMENTS),
            "createDate": maybe(*_MOMENTS),
            "startDate": maybe(*_MOMENTS),
            "userDefinedFields": one_of(*_UDFS),
        }
    )
).map(lambda found: [_record(row) for row in found])


def fill(app: web.Application, records: list[Row]) -> None:
    app[API].store.tables["Opportunities"] = Table(records)


def deals(app: web.Application, crm: str) -> list[Deal]:
    store = app[API].store
    table = store.tables["Opportunities"]
    return [_deal(store, crm, table.rows[row_id]) for row_id in table.ids]


def _deal(store: Store, crm: str, row: Row) -> Deal:
    label = {value["value"]: value["label"] for value in store.picklists["Opportunities"]["status"]}.get(str(row["status"]), "")
    status = {"Lost": "LOST", "Closed": "WON", "Implemented": "WON"}.get(label, "OPEN")
    actual = row.get("closedDate") if status == "WON" else row.get("lostDate") if status == "LOST" else None
    company = store.row("Companies", row.get("companyID"))
    owner = store.row("Resources", row.get("ownerResourceID"))
    stages = sorted(store.picklists["Opportunities"]["stage"], key=lambda value: (value["sortOrder"], int(value["value"])))
    rank = next((rank for rank, value in enumerate(stages) if value["value"] == str(row.get("stage"))), None)
    chance = row.get("probability")
    created = row.get("createDate") or row.get("startDate")
    return Deal(
        crm=crm,
        id=str(row["id"]),
        title=row["title"],
        amount=None if "amount" not in row else Decimal(str(row["amount"])),
        currency=None if company is None else _currency(store, company),
        probability=float(chance) if chance is not None and chance <= 100 else None,
        status=status,
        pipeline="default",
        pipeline_name="Opportunities",
        stage=_text(row.get("stage")),
        stage_name=None if rank is None else stages[rank]["label"],
        stage_rank=rank,
        owner=_text(row.get("ownerResourceID")),
        owner_email=None if owner is None else owner["email"],
        accounts=(str(row["companyID"]),) if "companyID" in row else (),
        account_name=None if company is None else company["companyName"],
        contacts=(str(row["contactID"]),) if "contactID" in row else (),
        expected_close_date=_day(row.get("projectedCloseDate")),
        actual_close_date=_day(actual),
        created_at=None if created is None else datetime.fromisoformat(created),
        custom_fields={name: _udf(store, name, value) for name, value in row["userDefinedFields"].items()},
    )


def _currency(store: Store, company: Row) -> str:
    currencies = store.tables["Currencies"].rows.values()
    own = [row["name"] for row in currencies if row["id"] == company.get("currencyID")]
    internal = [row["name"] for row in currencies if row.get("isInternalCurrency")]
    return str([*own, *internal][0])


def _udf(store: Store, name: str, text: str) -> object:
    if name == "Crane hours per year":
        return float(text)
    # A list carries the label of its entry.
    choices = {value["value"]: value["label"] for value in store.picklists["Opportunities"].get(name, ())}
    return choices.get(text, text)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text[:10])
