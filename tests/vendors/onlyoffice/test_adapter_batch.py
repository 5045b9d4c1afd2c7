"""Batches whose single calls fail, answered by a small server on loopback."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.contract.reading import sound
from tests.playground import brief_sleep
from vendors.auth import FixedAccess
from vendors.errors import (
    CredentialsError,
    MalformedReplyError,
    PermissionDeniedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
)
from vendors.http import Reply
from vendors.limiting import Limits
from vendors.model import EVERYTHING, Ref
from vendors.onlyoffice import VENDOR, mapping, wire
from vendors.onlyoffice.batch import Batch
from vendors.onlyoffice.client import Client
from vendors.onlyoffice.settings import Settings
from vendors.registry import Link

PERSON = {"firstName": "Lene", "isCompany": False, "displayName": "Lene", "id": 1}


def inner(response: object) -> str:
    return json.dumps({"count": 1, "status": 0, "statusCode": 200, "response": response})


# Source of the shape: API page "Batch request".
ENTRIES: dict[str, dict[str, Any] | None] = {
    "crm/contact/1": {"status": 200, "headers": {}, "data": inner(PERSON)},
    "crm/contact/2": {"status": 404, "data": '{"status":1,"statusCode":404,"error":{"message":"Not found"}}'},
    "crm/contact/3": {"status": 403, "data": "{}"},
    "crm/contact/4": {"status": 500, "data": "{}"},
    "crm/contact/5": {"status": 400, "data": "{}"},
    "crm/contact/6": {"status": 401, "data": "Unauthorized"},
    "crm/contact/7": {"status": 200, "data": "<html>"},
    "crm/contact/8": None,
}


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    async def log_in(_: web.Request) -> web.Response:
        return web.json_response({"status": 0, "response": {"token": "t"}}, status=201)

    async def batch(request: web.Request) -> web.Response:
        form = await request.post()
        entries: list[Any] = []
        for call in json.loads(str(form["batch"])):
            assert call == {"relativeUrl": f"/api/2.0/{call['name']}.json", "method": "GET", "name": call["name"]}
            entry = ENTRIES[call["name"]]
            entries.append(entry and {"name": call["name"], **entry})
        return web.json_response({"count": len(entries), "status": 0, "statusCode": 201, "response": entries[::-1]}, status=201)

    app = web.Application()
    app.add_routes([web.post("/api/2.0/authentication", log_in), web.post("/api/2.0/batch", batch)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield str(site.name)
    await runner.cleanup()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    async with aiohttp.ClientSession() as session:
        yield Link(crm="baltic", session=session, clock=lambda: 0.0, sleep=brief_sleep, jitter=lambda: 0.0)


async def test_every_call_of_a_batch_fails_for_itself(origin: str, link: Link) -> None:
    http = link.http(auth=FixedAccess(origin + "/api/2.0/", {}), limits=Limits(max_concurrent=1))
    batch = Batch(http, clock=link.clock)

    found = await batch.read([*ENTRIES, "crm/contact/1"])

    kinds = {path: type(outcome) for path, outcome in found.items()}
    assert kinds == {
        "crm/contact/1": Reply,
        "crm/contact/3": PermissionDeniedError,
        "crm/contact/4": UnavailableError,
        "crm/contact/5": RejectedRequestError,
        "crm/contact/6": CredentialsError,
        "crm/contact/7": Reply,
        "crm/contact/8": MalformedReplyError,
    }
    decoded: dict[str, wire.Contact | VendorError | None] = {}
    for path in ENTRIES:
        outcome = batch.decoded(path, found, wire.CONTACT)
        decoded[path] = outcome
    person = decoded["crm/contact/1"]
    assert isinstance(person, wire.Contact) and person.displayName == "Lene"
    assert decoded["crm/contact/2"] is None
    assert isinstance(decoded["crm/contact/7"], MalformedReplyError)
    denied = decoded["crm/contact/3"]
    assert isinstance(denied, VendorError) and (denied.operation, denied.status) == ("crm/contact", 403)


async def test_a_failed_contact_takes_no_other_one_away(origin: str, link: Link) -> None:
    client = VENDOR.connect(link, Settings.model_validate({"portal_url": origin, "username": "u", "password": "p"}))
    assert isinstance(client, Client)

    contacts = await client.contacts_by_ids(["1", "2", "3"], EVERYTHING)
    accounts = await client.accounts_by_ids(["1", "3"], EVERYTHING)

    assert {local_id: type(value).__name__ for local_id, value in contacts.items()} == {"1": "Contact", "3": "PermissionDeniedError"}
    assert {local_id: type(value).__name__ for local_id, value in accounts.items()} == {"3": "PermissionDeniedError"}


async def test_an_opportunity_whose_contact_cannot_be_read_fails_for_itself(origin: str, link: Link) -> None:
    client = VENDOR.connect(link, Settings.model_validate({"portal_url": origin, "username": "u", "password": "p"}))
    assert isinstance(client, Client)
    rows = [wire.Opportunity.model_validate({"id": number, "contact": {**PERSON, "id": number}}) for number in (1, 2, 3)]
    records = [mapping.opportunity_from_wire("baltic", row) for row in rows]

    links = await client.opportunity_links(records, EVERYTHING)

    assert {local_id: type(link).__name__ for local_id, link in links.items()} == {
        "1": "OpportunityLinks",
        "2": "OpportunityLinks",
        "3": "PermissionDeniedError",
    }
    assert [sound(links[local_id]).contact_refs for local_id in ("1", "2")] == [(Ref("baltic", "1"),), (Ref("baltic", "2"),)]
