"""Many opportunities, made from the seed's people, contacts and stages: the same ones every time."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from vendors.onlyoffice.sandbox.records import Deal, Seed

_SEED_NUMBER = 20_261_121
_FIRST_ID = 1_001
_FROM = datetime(2025, 8, 1, 6, tzinfo=UTC)
_UNTIL = datetime(2026, 11, 21, 6, tzinfo=UTC)
_CURRENCIES = ("EUR", "EUR", "EUR", "SEK", "PLN")


def scaled_deals(seed: Seed, count: int) -> dict[int, Deal]:
    """Make opportunities with consecutive ids, spread over owners, contacts, stages and dates."""
    pick = random.Random(_SEED_NUMBER)  # noqa: S311  # data, not secrets
    owners = [user.id for user in seed.employees.values() if user.status == 1 and user.crm and not user.is_owner]
    contacts = [contact for contact in seed.contacts.values() if contact.share_type > 0]
    stages = sorted(seed.stages.values(), key=lambda stage: stage.id)
    titles = [deal.title for deal in seed.deals.values() if len(deal.title) < 100]  # noqa: PLR2004  # leaves room for the number
    days = (_UNTIL - _FROM).days
    deals: dict[int, Deal] = {}
    for deal_id in range(_FIRST_ID, _FIRST_ID + count):
        created = _FROM + timedelta(days=pick.randrange(days), minutes=pick.randrange(600))
        stage, contact, owner = pick.choice(stages), pick.choice(contacts), pick.choice(owners)
        closed = min(created + timedelta(days=pick.randrange(20, 200)), _UNTIL) if stage.stage_type else None
        deals[deal_id] = Deal(
            id=deal_id,
            title=f"{pick.choice(titles)} #{deal_id}",
            contact_id=contact.id,
            members=[contact.id, contact.company_id] if contact.company_id else [contact.id],
            responsible_id=owner,
            bid_value=Decimal(pick.randrange(0, 240_001) * 10),
            bid_currency=pick.choice(_CURRENCIES),
            stage_id=stage.id,
            success_probability=stage.success_probability,
            actual_close_date=closed,
            expected_close_date=created.replace(hour=21, minute=0) + timedelta(days=pick.randrange(30, 300)),
            create_by=owner,
            created=created,
            modified=closed or created,
        )
    return deals
