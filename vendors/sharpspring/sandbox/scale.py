"""A company with as many opportunities as asked for, the same ones each time."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from vendors.sharpspring.sandbox.values import TIME_FORMAT, short_decimal

_FIRST_OPPORTUNITY_ID = 90_600_000_001
_FIRST_LINK_ID = 39_500_000_001
_FIRST_DAY = datetime(2025, 8, 1)  # noqa: DTZ001 stored instants are naive UTC
_DAYS_OF_CREATION = 470
_WORKS = ("Quay crane retrofit", "Deck lighting", "Hull coating", "Winch service contract", "Berth planning software", "Fender renewal")
_BERTHS = 40
_HUNDREDTH = Decimal("0.01")
_SHARE_INACTIVE, _SHARE_WON, _SHARE_LOST = 0.03, 0.20, 0.20


def generated(seed: Mapping[str, Any], count: int) -> dict[str, list[dict[str, Any]]]:
    """Make that many opportunities and their links out of the seed's users, stages, accounts, campaigns and leads."""
    rng = random.Random(20261121)  # noqa: S311 a simulation
    opportunities: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    stages: list[dict[str, Any]] = seed["dealStage"]
    open_stages = [stage for stage in stages if stage["isEditable"]]
    closing_stages = {stage["defaultProbability"] == "100": stage for stage in stages if not stage["isEditable"]}
    users, accounts, campaigns, leads = ([row["id"] for row in seed[name]] for name in ("userProfile", "account", "campaign", "lead"))
    for number in range(count):
        fate = rng.random()
        is_won = fate < _SHARE_WON
        is_closed = fate < _SHARE_WON + _SHARE_LOST
        stage = closing_stages[is_won] if is_closed else rng.choice(open_stages)
        created = _FIRST_DAY + timedelta(days=rng.randrange(_DAYS_OF_CREATION), seconds=rng.randrange(86_400))
        updated = created + timedelta(minutes=rng.randrange(6_000))
        contacts = rng.sample(leads, rng.choice((0, 1, 1, 1, 2, 3)))
        opportunity_id = _FIRST_OPPORTUNITY_ID + number * 3
        opportunities.append(
            {
                "id": opportunity_id,
                "ownerID": rng.choice(users),
                "dealStageID": stage["id"],
                "accountID": rng.choice(accounts),
                "campaignID": rng.choice(campaigns),
                "opportunityName": f"{rng.choice(_WORKS)}, berth {rng.randrange(_BERTHS) + 1} ({number + 1})",
                "probability": stage["defaultProbability"],
                "amount": short_decimal(rng.randrange(240_000_000) * _HUNDREDTH),
                "isClosed": is_closed,
                "isWon": is_won,
                "isActive": rng.random() >= _SHARE_INACTIVE,
                "closeDate": (created + timedelta(days=rng.randrange(30, 300))).strftime("%Y-%m-%d 00:00:00"),
                "originatingLeadID": contacts[0] if contacts else None,
                "primaryLeadID": contacts[0] if contacts else None,
                "createTimestamp": created.strftime(TIME_FORMAT),
                "updateTimestamp": updated.strftime(TIME_FORMAT),
            }
        )
        links += [
            {
                "id": _FIRST_LINK_ID + len(links) + position,
                "opportunityID": opportunity_id,
                "leadID": contact,
                "createTimestamp": created.strftime(TIME_FORMAT),
                "updateTimestamp": created.strftime(TIME_FORMAT),
            }
            for position, contact in enumerate(contacts)
        ]
    return {"opportunity": opportunities, "opportunityLead": links}
