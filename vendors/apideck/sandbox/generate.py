"""A big CRM out of the seed's small one: opportunities made deterministically from its companies, contacts, users and stages."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from vendors.apideck.sandbox.fields import Record

_GENERATOR_SEED = 20_261_121
_FIRST_ID = 30_000_000_001
_FIRST_DAY = datetime(2025, 8, 1, 8, tzinfo=UTC)
_DAYS = 470
_LAST_CHANGE = _FIRST_DAY + timedelta(days=_DAYS)
_STATUS_BY_PROBABILITY: Mapping[float | None, str] = {100: "closedwon", 0: "closedlost"}
_SUBJECTS = (
    "Quay crane retrofit",
    "Deck lighting",
    "Winch service contract",
    "Hull coating",
    "Berth planning software",
    "Fender replacement",
)


def opportunities(seed: Mapping[str, Sequence[Record]], count: int) -> list[Record]:
    """Make `count` opportunities, the same ones for the same seed and count. Stage ids are the seed's own."""
    dice = random.Random(_GENERATOR_SEED)  # noqa: S311 - data of a sandbox, no secret
    stages = [(pipeline["id"], stage) for pipeline in seed["pipelines"] if not pipeline["archived"] for stage in pipeline["stages"]]
    owners = [user["id"] for user in seed["users"] if user["emails"]]
    employees = _contacts_by_company(seed["contacts"])
    companies = [company for company in seed["companies"] if company["id"] in employees]
    made: list[Record] = []
    for number in range(count):
        company = dice.choice(companies)
        people = dice.choice(owners), dice.choice(employees[company["id"]])
        made.append(_opportunity(dice, number, dice.choice(stages), company, people))
    return made


def _contacts_by_company(contacts: Sequence[Record]) -> dict[str, list[str]]:
    employed = sorted((contact for contact in contacts if contact.get("company_id")), key=lambda contact: str(contact["company_id"]))
    return {key: [contact["id"] for contact in group] for key, group in groupby(employed, key=lambda contact: str(contact["company_id"]))}


def _opportunity(
    dice: random.Random,
    number: int,
    placed: tuple[str, Mapping[str, Any]],
    company: Record,
    people: tuple[str, str],
) -> Record:
    pipeline_id, stage = placed
    owner, contact = people
    created = _FIRST_DAY + timedelta(days=dice.randrange(_DAYS), minutes=dice.randrange(600))
    moved = min(created + timedelta(days=dice.randrange(1, 60)), _LAST_CHANGE)
    probability = stage["win_probability"]
    amount = dice.randrange(24_000) * 100
    return {
        "id": str(_FIRST_ID + number),
        "title": f"{dice.choice(_SUBJECTS)}, lot {number + 1}",
        "primary_contact_id": contact,
        "monetary_amount": amount,
        "currency": company.get("currency") or "USD",
        "win_probability": probability,
        "expected_revenue": None if probability is None else amount * probability / 100,
        "close_date": (created + timedelta(days=dice.randrange(60, 330))).date().isoformat(),
        "pipeline_id": pipeline_id,
        "pipeline_stage_id": stage["id"],
        "contact_id": contact,
        "contact_ids": [contact],
        "company_id": company["id"],
        "company_name": company["name"],
        "owner_id": owner,
        "status": _STATUS_BY_PROBABILITY.get(probability, "open"),
        "stage_last_changed_at": _stamp(moved),
        "deleted": False,
        "date_stage_changed": _stamp(moved),
        "created_by": owner,
        "updated_by": owner,
        "updated_at": _stamp(moved),
        "created_at": _stamp(created),
    }


def _stamp(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
