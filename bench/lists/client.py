"""Asks a server, and tells what an answer cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import aiohttp
import orjson

from bench.lists.budgets import DEADLINE_SECONDS
from bench.measure import HEADERS
from bench.processes import BenchError, Running, Sandboxes

_DOCUMENT: Final = (Path(__file__).parents[1] / "lists.graphql").read_text("utf-8")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=DEADLINE_SECONDS + 30)
PAGE_ROWS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one question cost.

    Args:
        size: Opportunities in each Crm.
        name: What was asked.
        wall_ms: How long the answer took; the shortest time where it was asked several times.
        cpu_ms: User and system time of the server for one answer.
        calls: Vendor calls for one answer, by vendor.
        spans_ms: Time from the first call's begin to the last one's end, by vendor.
    """

    size: int
    name: str
    wall_ms: float
    cpu_ms: float
    calls: Mapping[str, float]
    spans_ms: Mapping[str, float]


class Client:
    """Asks one server, and reads in the sandboxes' logs what that cost.

    Raises:
        BenchError: An answer has errors; a Crm that fails is one.
    """

    def __init__(self, size: int, target: Running, sandboxes: Sandboxes, session: aiohttp.ClientSession) -> None:
        self.target = target
        self.sandboxes = sandboxes
        self._size = size
        self._session = session

    async def ask(self, operation: str, **variables: object) -> Any:
        """The value of an operation's only field."""
        body = orjson.dumps({"query": _DOCUMENT, "operationName": operation, "variables": variables})
        try:
            async with self._session.post(f"{self.target.url}/graphql", data=body, headers=HEADERS, timeout=_TIMEOUT) as response:
                answer = orjson.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError) as cause:
            raise BenchError(f"{operation} was not answered") from cause
        if answer.get("errors") or answer.get("data") is None:
            raise BenchError(f"{operation} {variables} at {self._size} was answered with {orjson.dumps(answer).decode():.1000}")
        (value,) = answer["data"].values()
        return value

    async def page(self, **variables: object) -> Any:
        return await self.ask("Page", first=PAGE_ROWS, **variables)

    async def step(self, name: str, operation: str, *, repeats: int = 1, **variables: object) -> tuple[Step, Any]:
        """Ask, so often one after another, and tell what it cost and what the last answer was."""
        await self.sandboxes.forget_calls()
        walls: list[float] = []
        value: Any = None
        cpu_before = self.target.cpu_seconds()
        for _ in range(repeats):
            begun = perf_counter()
            value = await self.ask(operation, **variables)
            walls.append((perf_counter() - begun) * 1_000)
        cpu = self.target.cpu_seconds() - cpu_before
        calls = await self.sandboxes.calls()
        return Step(
            size=self._size,
            name=name,
            wall_ms=min(walls),
            cpu_ms=cpu * 1_000 / repeats,
            calls={vendor: len(of_vendor) / repeats for vendor, of_vendor in calls.items()},
            spans_ms={vendor: _span_ms(of_vendor) / repeats for vendor, of_vendor in calls.items()},
        ), value


def _span_ms(calls: Sequence[Mapping[str, Any]]) -> float:
    return (max(call["ended"] for call in calls) - min(call["started"] for call in calls)) * 1_000 if calls else 0.0
