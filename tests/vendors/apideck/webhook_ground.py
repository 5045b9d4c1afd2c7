"""What a delivery of Apideck's is like, and a client to read it with."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from vendors.apideck.client import Client
from vendors.apideck.settings import Settings
from vendors.registry import Link

EVENTS = ("crm.opportunity.created", "crm.opportunity.updated", "crm.opportunity.deleted")
SECRET = "sk_test"
# Source: Apideck CRM API, x-webhooks, OpportunityUpdated, example.
PAYLOAD: Mapping[str, Any] = {
    "event_type": "crm.opportunity.updated",
    "unified_api": "crm",
    "service_id": "hubspot",
    "consumer_id": "test_user_id",
    "event_id": "d290f1ee-6c54-4b01-90e6-d701748f0851",
    "entity_id": "123456ASDF",
    "entity_url": "https://unify.apideck.com/crm/opportunities/123456ASDF",
    "entity_type": "opportunity",
    "occurred_at": "2020-01-01T00:00:00.000Z",
}


@asynccontextmanager
async def client_of(**settings: Any) -> AsyncGenerator[Client, None]:
    """A client that calls nobody."""
    async with aiohttp.ClientSession() as session:
        link = Link(crm="am", session=session, clock=lambda: 0.0, sleep=asyncio.sleep, jitter=lambda: 0.5)
        given = {"api_key": SECRET, "app_id": "A", "consumer_id": "test_user_id", "service_id": "hubspot", **settings}
        yield Client(link, Settings.model_validate(given))
