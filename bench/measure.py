"""What is measured of one target under one load, and what follows from it. Knows how to ask, not what is compared."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Final, cast

import aiohttp
import orjson

from bench.processes import BenchError, Running, Sandboxes, together

_TIMEOUT: Final = aiohttp.ClientTimeout(total=60.0)
# No target gets to compress its answer: only one of them could.
HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One target under one load in one round.

    Args:
        target: Name of the target.
        round: Number of the round, from 0.
        latency_ms: What every vendor call takes at least.
        clients: Requests under way at once.
        walls_ms: How long each request took.
        cpu_ms: The target's user and system time for a request.
        calls: Vendor calls for a request, by vendor.
    """

    target: str
    round: int
    latency_ms: float
    clients: int
    walls_ms: Sequence[float]
    cpu_ms: float
    calls: Mapping[str, float]


class Asker:
    """Asks targets one question, and compares what they answer."""

    def __init__(self, session: aiohttp.ClientSession, query: str, variables: Mapping[str, object]) -> None:
        self._session = session
        self._body = orjson.dumps({"query": query, "variables": variables})
        self._data: Any = None

    async def ask(self, target: Running) -> float:
        """Ask once and give the time it took in milliseconds.

        Raises:
            BenchError: The answer has errors, or not the data that the first answer had.
        """
        started = time.perf_counter()
        try:
            async with self._session.post(f"{target.url}/graphql", data=self._body, headers=HEADERS, timeout=_TIMEOUT) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as cause:
            raise BenchError(f"{target.name} did not answer") from cause
        wall = (time.perf_counter() - started) * 1_000
        answer = orjson.loads(body)
        if response.status != 200 or answer.get("errors") or answer.get("data") is None:
            raise BenchError(f"{target.name} answered {response.status}: {body[:1_000].decode(errors='replace')}")
        if self._data is None:
            self._data = answer["data"]
        if answer["data"] != self._data:
            raise BenchError(f"the answers are not equal: {difference(self._data, answer['data'])} of {target.name}")
        return wall

    async def load(self, target: Running, *, requests: int, clients: int) -> Sequence[float]:
        """Ask so often, with so many requests under way at once."""
        left = iter(range(requests))
        walls: list[float] = []

        async def client() -> None:
            for _ in left:
                walls.append(await self.ask(target))  # noqa: PERF401  # the clients share the list

        await together(*(client() for _ in range(clients)))
        return walls


async def measured(
    asker: Asker, target: Running, sandboxes: Sandboxes, *, round_number: int, latency_ms: float, clients: int, requests: int
) -> Cell:
    """Measure a target, after one request that does not count."""
    await sandboxes.set_latency(latency_ms)
    await asker.ask(target)
    await sandboxes.forget_calls()
    cpu_before = target.cpu_seconds()
    walls = await asker.load(target, requests=requests, clients=clients)
    cpu = target.cpu_seconds() - cpu_before
    calls = await sandboxes.calls()
    return Cell(
        target=target.name,
        round=round_number,
        latency_ms=latency_ms,
        clients=clients,
        walls_ms=walls,
        cpu_ms=cpu * 1_000 / requests,
        calls={vendor: len(of_vendor) / requests for vendor, of_vendor in calls.items()},
    )


def round_trips(calls: Sequence[Mapping[str, Any]]) -> int:
    """Length of the longest chain of calls of which each began when the one before had ended.

    With a latency far above everything else, calls that do not depend on each other overlap. What remains is the chain of dependent
    ones, and waiting that the target imposes on itself.
    """
    length, ended = 0, float("-inf")
    for call in sorted(calls, key=lambda call: float(call["ended"])):
        if call["started"] >= ended:
            length, ended = length + 1, call["ended"]
    return length


def percentile(values: Sequence[float], percent: int) -> float:
    """A percentile, between the values next to it."""
    return values[0] if len(values) == 1 else quantiles(values, n=100, method="inclusive")[percent - 1]


def difference(expected: object, actual: object, path: str = "data") -> str:
    """Where two JSON values first differ."""
    one, other = _members(expected), _members(actual)
    if one and one.keys() == other.keys() and type(expected) is type(actual):
        return next(difference(one[key], other[key], path + key) for key in one if one[key] != other[key])
    return f"{path} is {expected!r:.200} and then {actual!r:.200}"


def _members(value: object) -> Mapping[str, object]:
    """What is in an object or a list, by the rest of its path."""
    if isinstance(value, dict):
        return {f".{name}": member for name, member in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return {f"[{index}]": member for index, member in enumerate(cast("list[object]", value))}
    return {}
