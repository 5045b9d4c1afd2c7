"""Many opportunities instead of the seed's own, the same ones every time."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from vendors.pipeliner.sandbox.store import LOST, OPEN, WON, Row, Store, other_amount

_FIRST_DAY = date(2025, 8, 1)
_START = datetime(2025, 8, 1, 6, tzinfo=UTC)
_DAYS = 470
_WORK = ("Ship-to-shore crane", "Winch package", "Deck lighting", "Hull coating", "Fender renewal", "Berth planning software")


def replace_opportunities(store: Store, number: int) -> None:
    """Put `number` opportunities over the seed's accounts, contacts and people, with their links, in place of the seed's."""
    dice = random.Random(2026)  # noqa: S311 - the same deals every time
    owners = [row for row in store.tables["Clients"].rows.values() if not row.get("is_deleted") and row.get("email")]
    accounts = [row["id"] for row in store.tables["Accounts"].rows.values() if not row.get("is_deleted")]
    contacts = [row["id"] for row in store.tables["Contacts"].rows.values() if not row.get("is_deleted")]
    pipelines = store.tables["Pipelines"].rows
    steps = [
        row
        for row in store.tables["Steps"].rows.values()
        if row.get("pipeline_id") is not None and not row.get("is_deleted") and not pipelines[row["pipeline_id"]].get("is_deleted")
    ]
    last_steps = [step for step in steps if step.get("percent") == 100]  # noqa: PLR2004
    open_steps = [step for step in steps if step.get("percent") not in {0, 100}]
    rates = {currency: rate for currency in store.tables["Currencies"].rows if (rate := store.rate(currency, store.now())) is not None}
    currencies = sorted(rates)
    types = {row["pipeline_id"]: row["id"] for row in store.tables["OpportunityTypes"].rows.values()}
    opportunities: list[Row] = []
    account_links: list[Row] = []
    contact_links: list[Row] = []
    for index in range(number):
        opportunity_id = f"{index:08x}-5ca1-4e00-8000-{index:012x}"
        status = dice.choices((OPEN, WON, LOST), (56, 23, 21))[0]
        step = dice.choice(last_steps if status == WON else open_steps)
        owner = dice.choice(owners)
        created_day = dice.randrange(_DAYS)
        created = _START + timedelta(days=created_day, seconds=dice.randrange(40_000), microseconds=dice.randrange(1_000_000))
        entered = min(created + timedelta(days=dice.randrange(90)), _START + timedelta(days=_DAYS))
        stamps = {"created": created, "modified": entered, "revision": 100_000 + index}
        currency_id = dice.choice(currencies)
        foreign, base = other_amount(foreign=Decimal(dice.randrange(0, 240_000) * 10), base=None, rate=rates[currency_id])
        row: Row = {
            "id": opportunity_id,
            **stamps,
            "name": f"{_WORK[index % len(_WORK)]} {index + 1}",
            "status": status,
            "closing_date": _FIRST_DAY + timedelta(days=created_day + dice.randrange(20, 320)),
            "value": {"base_value": base, "currency_id": currency_id, "value_foreign": foreign},
            "step_id": step["id"],
            "oppty_type_id": types.get(step["pipeline_id"]),
            "owner_id": owner["id"],
            "unit_id": owner.get("default_unit_id"),
            "ranking": dice.randrange(6),
            "label_flag": dice.choice((0, 0, 0, 1, 2, 3, 4)),
            "_step_entered": entered,
        }
        if status == LOST:
            row |= {"is_archived": True, "lost_date": entered}
        elif status == WON:
            row["won_date"] = entered
        opportunities.append(row)
        link = {**stamps, "lead_oppty_id": opportunity_id, "is_primary": True}
        account_links.append({**link, "id": f"{index:08x}-acc0-4e00-8000-{index:012x}", "account_id": dice.choice(accounts)})
        for place, contact_id in enumerate(dice.sample(contacts, dice.choice((1, 1, 2)))):
            link_id = f"{index:08x}-c0a{place}-4e00-8000-{index:012x}"
            contact_links.append({**link, "id": link_id, "contact_id": contact_id, "is_primary": place == 0})
    store.tables["Opportunities"].load(opportunities)
    store.tables["LeadOpptyAccountRelations"].load(account_links)
    store.tables["LeadOpptyContactRelations"].load(contact_links)
