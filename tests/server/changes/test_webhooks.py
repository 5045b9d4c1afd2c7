"""Webhooks over real HTTP: what a vendor's sandbox pushes becomes an event, and what anybody else pushes is refused."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette

from resolvers.changes import ChangeSource
from server.changes.settings import ChangeSettings
from server.changes.webhooks import Webhooks
from server.context import SystemClocks
from server.http import HttpSettings, listen, uvicorn_config
from tests.server.changes.test_store import writer
from tests.server.changes.watchtower import EAGER, Tower, tower
from vendors.changes import RegistersWebhooks
from vendors.pipeliner.sandbox.webhooks import SIGNATURE
from vendors.sandbox_webhooks import SENDER, Mishaps

RARELY = replace(EAGER, poll_seconds=3_600, sweep_seconds=3_600)
PUSHING = ["apideck", "pipeliner"]
SETTINGS = ChangeSettings(webhook_max_bytes=5_000)


@dataclass(frozen=True)
class Receiver:
    """A server that takes webhooks of what a tower watches."""

    tower: Tower
    origin: str
    session: aiohttp.ClientSession

    async def post(self, crm: str, body: bytes, **headers: str) -> tuple[int, Any]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(f"{self.origin}/webhooks/{crm}", data=body, headers=names) as answer:
            return answer.status, (await answer.json() if answer.status != 204 else None)


@asynccontextmanager
async def receiver(folder: Path, *vendors: str) -> AsyncGenerator[Receiver, None]:
    """Watch these vendors, rarely by themselves, and take their webhooks."""
    async with tower(folder, *vendors, watching=RARELY) as at:
        await at.settled()
        webhooks = Webhooks(lambda: (at.service, at.crms), settings=SETTINGS, http=HttpSettings(), clocks=SystemClocks())
        listener = listen("127.0.0.1", 0)
        server = uvicorn.Server(uvicorn_config(Starlette(routes=[webhooks.route()])))
        server.config.lifespan = "off"
        running = asyncio.create_task(server.serve(sockets=[listener]))
        async with aiohttp.ClientSession() as session:
            yield Receiver(at, f"http://127.0.0.1:{listener.getsockname()[1]}", session)
        server.should_exit = True
        await running


@pytest.fixture
async def pipeliner(tmp_path: Path) -> AsyncGenerator[Receiver, None]:
    async with receiver(tmp_path, "pipeliner") as made:
        yield made


def signed(body: bytes) -> str:
    return hmac.new(SIGNATURE.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("vendor", PUSHING)
async def test_what_is_moved_is_pushed_and_becomes_an_event(vendor: str, tmp_path: Path) -> None:
    async with receiver(tmp_path, vendor) as to:
        (crm,) = to.tower.crms
        client = to.tower.crms[crm].client
        assert isinstance(client, RegistersWebhooks)
        made = await client.register_webhook(f"{to.origin}/webhooks/{crm}")
        assert [webhook.local_id for webhook in await client.webhooks()] == [made.local_id]
        sandbox = to.tower.grounds[crm].sandbox
        sandbox.app[SENDER].mishaps = Mishaps(duplicate=1.0)
        deal = to.tower.board(crm).deals()[1]
        to.tower.board(crm).move(deal, Random(1))  # noqa: S311  # repeatable, not secret
        (event,) = await to.tower.next(1, after=0)
        assert (event.ref.local_id, event.source) == (deal, ChangeSource.WEBHOOK)
        log = sandbox.app[SENDER].log
        await to.tower.until(crm, lambda _: len(log) > 1 and all(delivered.statuses for delivered in log))
        assert {status for delivered in log for status in delivered.statuses} == {204}
        assert to.tower.service.head == 1, "though it was pushed twice"
        await client.remove_webhook(made.local_id)
        assert await client.webhooks() == []


async def test_what_is_not_signed_by_the_vendor_is_refused(pipeliner: Receiver) -> None:
    body = json.dumps({"id": pipeliner.tower.board("dach").deals()[0]}).encode()
    right = signed(body)
    for signature in ("", "0" * 64, right[:-1], signed(body + b" "), right + "0"):
        status, answer = await pipeliner.post("dach", body, webhook_signature=signature)
        assert (status, answer["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
        assert SIGNATURE not in json.dumps(answer)
    assert (await pipeliner.post("dach", body))[0] == 401
    assert await pipeliner.tower.store.count_hints("dach") == 0
    assert (await pipeliner.post("dach", body, webhook_signature=right))[0] == 204


async def test_what_is_signed_and_no_delivery_is_refused(pipeliner: Receiver) -> None:
    for body in (b"", b"nonsense", b"\xff\xfe", b"[" * 2_000, b'{"id": ' + b"1" * 4_000 + b"}"):
        status, _ = await pipeliner.post("dach", body, webhook_signature=signed(body))
        assert status in {204, 400}, body[:20]
    assert await pipeliner.tower.store.count_hints("dach") == 0


async def test_what_is_too_large_is_refused_before_it_is_read(pipeliner: Receiver) -> None:
    body = b" " * (SETTINGS.webhook_max_bytes + 1)
    assert (await pipeliner.post("dach", body, webhook_signature=signed(body)))[0] == 413


async def test_who_takes_no_webhooks_says_nothing_else(tmp_path: Path) -> None:
    async with receiver(tmp_path, "autotask") as to:
        answers = [await to.post(crm, b"{}") for crm in ("service", "unknown")]
        assert [status for status, _ in answers] == [404, 404]
        assert answers[0][1] == answers[1][1]
        assert answers[0][1]["errors"][0]["message"] == (
            "No webhooks are taken here: the CRM is unknown, its vendor has none, its settings do not hold what they are signed with,"
            " or `changes.enabled` is false."
        )
        async with to.session.get(f"{to.origin}/webhooks/service") as answer:
            assert answer.status == 405


async def test_a_delivery_that_says_when_it_happened_has_to_be_of_these_days(tmp_path: Path) -> None:
    async with receiver(tmp_path, "apideck") as to:
        now = datetime.now(UTC)
        moments = (now - timedelta(days=3), now + timedelta(hours=1), now)
        bodies = [json.dumps({"payload": {"event_type": "x", "occurred_at": moment.isoformat()}}).encode() for moment in moments]
        found = [await to.post("americas", body, x_apideck_signature=_of_apideck(to, body)) for body in bodies]
        assert [status for status, _ in found] == [400, 400, 204]


def _of_apideck(to: Receiver, body: bytes) -> str:
    key = str(to.tower.grounds["americas"].sandbox.settings["api_key"])
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


async def test_a_delivery_whose_text_is_none_is_refused(tmp_path: Path) -> None:
    async with receiver(tmp_path, "apideck") as to:
        now = datetime.now(UTC).isoformat()
        body = json.dumps({"payload": {"event_type": "x", "occurred_at": now, "event_id": "\ud800"}}).encode()
        assert (await to.post("americas", body, x_apideck_signature=_of_apideck(to, body)))[0] == 400


async def test_a_delivery_that_cannot_be_kept_is_not_taken(pipeliner: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    body = json.dumps([{"id": deal} for deal in pipeliner.tower.board("dach").deals()]).encode()
    db = writer(pipeliner.tower.store)
    db.execute(f"pragma max_page_count = {db.execute('pragma page_count').fetchone()[0]}")
    status = 204
    answer: Any = None
    for number in range(60):  # until the last page is full
        many = json.dumps([{"id": f"5a0d1e2b-1111-4000-{number:04}-{index:012}"} for index in range(50)]).encode()
        status, answer = await pipeliner.post("dach", many, webhook_signature=signed(many))
        if status != 204:
            break
    assert (status, answer["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
    assert "could not be kept" in caplog.text
    db.execute("pragma max_page_count = 100000")
    assert (await pipeliner.post("dach", body, webhook_signature=signed(body)))[0] == 204
