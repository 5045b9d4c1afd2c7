"""SharpSpring's records, as its sandbox keeps them: rows of texts, flags and ids, and the links from opportunities to leads."""

from datetime import date
from decimal import Decimal
from typing import Final

from aiohttp import web
from hypothesis import strategies as st

from tests.resolvers.lists.raw.common import DAYS, Place, Row, maybe, named, numbered, one_of, titles
from tests.resolvers.lists.reference import Deal
from vendors.sharpspring.sandbox.routes import STORE
from vendors.sharpspring.sandbox.store import Store

_CODE, _TONS, _PERMIT = "project_code_66aa01f3c2b4d", "lift_capacity_t_66aa0230bb51f", "port_permit_66aa0251e3a07"
_LEADS: Final = (88038560001, 88038560004, 88038560009)
_STAMPS: Final = {"createTimestamp": "2026-01-01 00:00:00", "updateTimestamp": "2026-01-01 00:00:00"}

rows: Final = numbered(
    st.fixed_dictionaries(
        {
            "opportunityName": titles,
            "ownerID": one_of(312000001, 312000002, 312000009),
            "dealStageID": one_of(70110011, 70110015, 70110016, 70110023, 70119999),
            "accountID": maybe(40112233401, 40112233402, 40112233478, 40119999999),
            "probability": maybe("0", "12.5", "60", "100", "140"),
            "amount": maybe("0", "0.01", "10.5", "1250", "123456789012.34", "12345678901234567.89"),
            "isClosed": st.booleans(),
            "isWon": st.booleans(),
            "isActive": one_of(True, True, False),
            "closeDate": maybe(*(f"{day.isoformat()} 00:00:00" for day in DAYS)),
            "primaryLeadID": maybe(*_LEADS),
            "leads": st.lists(one_of(*_LEADS), unique=True, max_size=2),
            _CODE: one_of("", "4", "Quay"),
            _TONS: one_of("", "65"),
            _PERMIT: one_of("", "1", "0"),
        }
    )
)


def fill(app: web.Application, records: list[Row]) -> None:
    store = app[STORE]
    opportunities, links = store.tables["opportunity"], store.tables["opportunityLead"]
    for table in (opportunities, links):
        for row_id in list(table.rows):
            table.remove(row_id)
    for record in records:
        blank = {name: "" if column.custom else column.default for name, column in opportunities.columns.items()}
        opportunities.put({**blank, **{name: value for name, value in record.items() if name != "leads"}, **_STAMPS})
        for lead in record["leads"]:
            links.put({"id": len(links.rows) + 1, "opportunityID": record["id"], "leadID": lead, **_STAMPS})


def deals(app: web.Application, crm: str) -> list[Deal]:
    """The deals that lists show: inactive ones are found by their ids only."""
    store = app[STORE]
    table = store.tables["opportunity"]
    return [_deal(store, crm, table.rows[row_id]) for row_id in sorted(table.rows) if table.rows[row_id]["isActive"]]


def _deal(store: Store, crm: str, row: Row) -> Deal:
    status = "WON" if row["isWon"] else "LOST" if row["isClosed"] else "OPEN"
    day = None if row["closeDate"] is None else date.fromisoformat(row["closeDate"][:10])
    account = store.tables["account"].rows.get(row["accountID"])
    owner = store.tables["userProfile"].rows.get(row["ownerID"])
    links = sorted(store.tables["opportunityLead"].rows.values(), key=lambda link: int(link["id"]))
    leads = [row["primaryLeadID"], *(link["leadID"] for link in links if link["opportunityID"] == row["id"])]
    return Deal(
        crm=crm,
        id=str(row["id"]),
        title=row["opportunityName"],
        amount=None if row["amount"] is None else Decimal(row["amount"]),
        currency="NOK",
        probability=float(row["probability"]) if row["probability"] is not None and float(row["probability"]) <= 100 else None,
        status=status,
        pipeline="default",
        pipeline_name="Sales",
        **named(_places(store), str(row["dealStageID"])),
        owner=str(row["ownerID"]),
        owner_email=None if owner is None else owner["emailAddress"],
        accounts=() if row["accountID"] is None else (str(row["accountID"]),),
        account_name=None if account is None else account["accountName"],
        contacts=tuple(str(lead) for lead in leads if lead is not None),
        expected_close_date=day if status == "OPEN" else None,
        actual_close_date=None if status == "OPEN" else day,
        custom_fields={
            _CODE: row[_CODE] or None,
            _TONS: float(row[_TONS]) if row[_TONS] else None,
            _PERMIT: {"1": True, "0": False}.get(row[_PERMIT]),
        },
    )


def _places(store: Store) -> dict[str, Place]:
    stages = sorted(store.tables["dealStage"].rows.values(), key=lambda row: (row["weight"] is None, row["weight"] or 0, row["id"]))
    return {str(row["id"]): Place("default", "Sales", row["dealStageName"], rank) for rank, row in enumerate(stages)}
