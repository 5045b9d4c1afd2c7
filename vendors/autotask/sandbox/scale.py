"""Many opportunities instead of the seed's own, the same ones every time."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from vendors.autotask.sandbox.store import ACTIVE, CLOSED, LOST, Store, Table
from vendors.autotask.sandbox.values import UDFS, Row, instant

_FIRST_ID = 100_001
_WORK = (
    "Crane inspection",
    "Winch service",
    "Deck lighting repair",
    "Hull coating renewal",
    "Hydraulics overhaul",
    "Port software support",
)
_DAYS = 460
_FIRST_DAY = datetime(2025, 8, 1, tzinfo=UTC)


def replace_opportunities(store: Store, number: int) -> None:
    """Put `number` opportunities over the seed's companies, contacts and people in place of the seed's."""
    store.tables["Opportunities"] = Table(_opportunities(store, number))
    store.quoted.clear()


def _opportunities(store: Store, number: int) -> Iterator[Row]:
    dice = random.Random(2026)  # noqa: S311 - the same deals every time
    resources = store.tables["Resources"].rows.values()
    owners = [row["id"] for row in resources if row["id"] != store.api_user_id]
    contacts: dict[int, list[int]] = {}
    for contact in store.tables["Contacts"].rows.values():
        if contact["isActive"] == 1:
            contacts.setdefault(contact["companyID"], []).append(contact["id"])
    companies = sorted(contacts.keys() & store.tables["Companies"].rows.keys())
    stages = [int(value["value"]) for value in store.picklists["Opportunities"]["stage"] if value["isActive"]]
    open_stages = [stage for stage in stages if stage not in {store.won_stage, store.lost_stage}]
    days = [instant(_FIRST_DAY + timedelta(days=day)) for day in range(2 * _DAYS)]
    categories = sorted(store.tables["OpportunityCategories"].rows)
    for index in range(number):
        company, started, status = (
            dice.choice(companies),
            dice.randrange(_DAYS),
            dice.choices((ACTIVE, 0, CLOSED, LOST), (50, 8, 22, 20))[0],
        )
        amount = float(dice.randrange(0, 240_000) * 10)
        closing = started + dice.randrange(20, _DAYS)
        row: Row = {
            "id": _FIRST_ID + index,
            "title": f"{_WORK[index % len(_WORK)]} {index + 1}",
            "companyID": company,
            "contactID": dice.choice(contacts[company]),
            "ownerResourceID": dice.choice(owners),
            "stage": {CLOSED: store.won_stage, LOST: store.lost_stage}.get(status) or dice.choice(open_stages),
            "status": status,
            "probability": {CLOSED: 100, LOST: 0}.get(status, dice.randrange(5, 96, 5)),
            "amount": amount,
            "onetimeRevenue": amount,
            "cost": round(amount * 0.6, 2),
            "onetimeCost": round(amount * 0.6, 2),
            "startDate": days[started],
            "createDate": days[started],
            "lastActivity": days[min(started + dice.randrange(60), _DAYS)],
            "projectedCloseDate": days[closing],
            "opportunityCategoryID": dice.choice(categories),
            "useQuoteTotals": False,
            UDFS: {},
        }
        if status == CLOSED:
            row["closedDate"] = days[closing]
        elif status == LOST:
            row["lostDate"] = days[closing]
        yield row
