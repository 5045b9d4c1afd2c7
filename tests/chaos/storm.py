"""Deals that are moved at random over all vendors' sandboxes, while the server that watches them is killed and started again.

The truth is the sandboxes' own history. What a client sees that goes on from its last cursor is held against it.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final

import aiohttp

from resolvers.node_id import decode
from server.changes.webhooks import PATH
from server.commands.toml import toml_lines
from tests.contract.test_watching import bare
from tests.playground import connect
from tests.ports import held_port
from tests.server.command_line import lines_until, running
from vendors.changes import RegistersWebhooks
from vendors.registry import all_sandboxes, all_vendors
from vendors.sandbox import RunningSandbox, start
from vendors.sandbox_board import LIFE, DealState
from vendors.sandbox_webhooks import SENDER, Mishaps

log = logging.getLogger(__name__)

SUBSCRIPTION: Final = """
subscription {
  opportunityStageChanged {
    eventId cursor opportunityId crm { key }
    fromStage { vendorId } toStage { vendorId } fromStatus toStatus
  }
}
"""
_STREAM: Final = {"accept": "text/event-stream", "content-type": "application/json"}
_WATCH: Final = {"poll_seconds": 0.5, "sweep_seconds": 3.0, "watch_calls_per_hour": 1_000_000}
_AWAY: Final = (aiohttp.ClientError, ConnectionError)
_PATIENCE_SECONDS: Final = 90.0

Deal = tuple[str, str]


@dataclass(slots=True)
class Seen:
    """What a client has received, in order; `cursor` is where it goes on."""

    cursor: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    connections: int = 0

    def chains(self) -> Mapping[Deal, Sequence[tuple[DealState, DealState]]]:
        """The steps of each deal, each event counted once."""
        found: dict[Deal, list[tuple[DealState, DealState]]] = {}
        ids: set[str] = set()
        for event in self.events:
            if event["eventId"] in ids:
                continue
            ids.add(event["eventId"])
            ref = decode(event["opportunityId"]).ref
            found.setdefault((ref.crm, ref.local_id), []).append((_state(event, "from"), _state(event, "to")))
        return found


@dataclass(slots=True)
class Storm:
    """The sandboxes, by Crm, the folder that the server runs in, and its port. `kills` counts how often it was killed."""

    folder: Path
    sandboxes: Mapping[str, RunningSandbox]
    port: int
    kills: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    def truth(self) -> Mapping[Deal, Sequence[DealState]]:
        """Every state that each deal has been in."""
        return {
            (key, deal): [state for state in states if state is not None]
            for key, sandbox in self.sandboxes.items()
            for deal, states in sandbox.app[LIFE].history.items()
        }

    async def move(self, count: int, random: Random) -> None:
        """Move that many deals, anywhere, a few at a time."""
        lives = [sandbox.app[LIFE] for sandbox in self.sandboxes.values()]
        for number in range(count):
            random.choice(lives).move(1)
            if number % 10 == 9:  # a handful, then the others' turn
                await asyncio.sleep(0.05)

    def set_mishaps(self, mishaps: Mishaps) -> None:
        for sandbox in self.sandboxes.values():
            if SENDER in sandbox.app:
                sandbox.app[SENDER].mishaps = mishaps

    async def register_webhooks(self) -> None:
        """Have the vendors that can push do so, to the server that will run."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            for key, sandbox in self.sandboxes.items():
                client = connect(sandbox.kind.vendor, sandbox, session).client
                if isinstance(client, RegistersWebhooks):
                    await client.register_webhook(f"http://127.0.0.1:{self.port}{PATH}/{key}")

    async def first_read(self) -> None:
        """Wait until every Crm has been read once: only what happens from then on can be told."""
        query = {"query": "{ crms { changes { completeSince } } }"}
        async with aiohttp.ClientSession() as session, asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                with suppress(*_AWAY):
                    async with session.post(self.url, json=query) as answer:
                        crms = (await answer.json())["data"]["crms"]
                        if all(crm["changes"]["completeSince"] for crm in crms):
                            return
                await asyncio.sleep(0.1)

    async def serve_and_kill(self, random: Random, *, calm: asyncio.Event) -> None:
        """Run the server, kill it at random and start it again, until it is calm; then leave it running until cancelled."""
        while True:
            with running("serve", "--port", str(self.port), folder=self.folder) as process:
                await asyncio.to_thread(lines_until, process, "Application startup complete")
                draining = asyncio.create_task(asyncio.to_thread(_drain, process))
                try:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(calm.wait(), random.uniform(0.5, 4.0))
                    if calm.is_set():
                        await asyncio.Event().wait()
                finally:
                    process.kill()
                    await draining
                self.kills += 1

    async def follow(self, seen: Seen) -> None:
        """Receive events, and go on from the last one whenever the server is back, until cancelled."""
        async with aiohttp.ClientSession() as session:
            while True:
                with suppress(*_AWAY):
                    await self._receive(session, seen)
                await asyncio.sleep(0.05)

    async def _receive(self, session: aiohttp.ClientSession, seen: Seen) -> None:
        headers = {**_STREAM, **({} if seen.cursor is None else {"last-event-id": seen.cursor})}
        async with session.post(self.url, json={"query": SUBSCRIPTION}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            seen.connections += 1
            async for line in answer.content:
                if line.startswith(b"data: "):
                    body = json.loads(line[6:])
                    assert "errors" not in body, body
                    event = body["data"]["opportunityStageChanged"]
                    seen.events.append(event)
                    seen.cursor = event["cursor"]

    async def calmed(self, seen: Seen, *others: asyncio.Task[None]) -> None:
        """Wait until the client has seen every deal where it really is, or no more comes; or until one of the others fails."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not self._is_known(seen):
                    for other in others:
                        if other.done():
                            other.result()
                    await asyncio.sleep(0.2)

    def _is_known(self, seen: Seen) -> bool:
        chains = seen.chains()
        return all(_fits(chains[deal][-1][1] if deal in chains else states[0], states[-1]) for deal, states in self.truth().items())


@asynccontextmanager
async def storm(folder: Path) -> AsyncGenerator[Storm, None]:
    """Start every vendor's sandbox, write the configuration, and have webhooks sent to where the server will run."""
    async with AsyncExitStack() as stack:
        sandboxes: dict[str, RunningSandbox] = {}
        for vendor in sorted(set(all_vendors()) & set(all_sandboxes())):
            sandbox = await start(all_sandboxes()[vendor])
            stack.push_async_callback(sandbox.stop)
            sandboxes[sandbox.kind.crm_key] = sandbox
        lines: list[str] = []
        for key, sandbox in sandboxes.items():
            lines += [f"[crms.{key}]", f'vendor = "{sandbox.kind.vendor}"', *toml_lines({**sandbox.settings, **_WATCH})]
        (folder / "crms.toml").write_text("\n".join(lines), encoding="utf-8")
        yield Storm(folder, sandboxes, stack.enter_context(held_port()))


def broken_chains(truth: Mapping[Deal, Sequence[DealState]], chains: Mapping[Deal, Sequence[tuple[DealState, DealState]]]) -> list[str]:
    """What is wrong with what was seen; nothing, when each chain holds together, skips at most, and ends where the deal is.

    A stage that has vanished from its CRM is no stage to whoever asks for it, and fits every one.
    """
    wrong: list[str] = []
    for deal, steps in chains.items():
        states = truth.get(deal, [])
        seen = [steps[0][0], *(after for _, after in steps)]
        if any(before != earlier for (_, earlier), (before, _) in pairwise(steps)):
            wrong.append(f"{deal}: a step does not begin where the one before ended: {steps}")
        if not _is_subsequence(seen, states):
            wrong.append(f"{deal}: {seen} is not in {states} in that order")
        if not _fits(seen[-1], states[-1]):
            wrong.append(f"{deal}: it ends as {seen[-1]}, and is {states[-1]}")
    for deal, states in truth.items():
        if deal not in chains and states and states[0] != states[-1]:
            wrong.append(f"{deal}: nothing was seen of {states}")
    return wrong


def _is_subsequence(seen: Sequence[DealState], states: Sequence[DealState]) -> bool:
    rest = iter(states)
    return all(any(_fits(state, other) for other in rest) for state in seen)


def _fits(seen: DealState, state: DealState) -> bool:
    return seen.status == state.status and seen.stage in {state.stage, None}


def _state(event: Mapping[str, Any], side: str) -> DealState:
    stage = event[f"{side}Stage"]
    return DealState(None if stage is None else bare(stage["vendorId"]), event[f"{side}Status"])


def _drain(process: Any) -> None:
    for line in process.stdout:
        if "Traceback" in line or " ERROR " in line:
            log.error(line.rstrip())
