"""Moves deals in sandboxes, and sees how long it takes until subscribers know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from typing import Any

import aiohttp

from bench.followers import Follower, clock
from bench.processes import Running
from resolvers.node_id import encode
from vendors.model import Ref
from vendors.registry import all_sandboxes


@dataclass(frozen=True, slots=True)
class Move:
    """A deal that was moved: when, which event of it tells that, and when that came to each subscriber."""

    at: float
    arrivals: Sequence[float]

    @property
    def latencies_ms(self) -> list[float]:
        return [(arrival - self.at) * 1_000 for arrival in self.arrivals]


class Deals:
    """The deals of one running sandbox, moved one after the other.

    Args:
        sandbox: The sandbox.
        ids: The vendor's ids of the deals.
        session: How it is reached.
    """

    def __init__(self, sandbox: Running, ids: Sequence[str], session: aiohttp.ClientSession) -> None:
        self.vendor = sandbox.name
        self.crm = all_sandboxes()[sandbox.name].crm_key
        self.first = ids[0]
        self._url = sandbox.url
        self._session = session
        self._next = cycle(ids)
        self._seeds = count()

    async def move(self, followers: Sequence[Follower]) -> Move:
        """Move the next deal, and wait until all of these subscribers know of it."""
        deal = next(self._next)
        opportunity_id = encode("Opportunity", Ref(self.crm, deal))
        expected = [follower.count(opportunity_id) + 1 for follower in followers]
        at = clock()
        body = {"deal": deal, "seed": next(self._seeds)}
        async with self._session.post(f"{self._url}/_sandbox/moves", json=body, raise_for_status=True):
            pass
        return Move(at, [await follower.arrival(opportunity_id, number) for follower, number in zip(followers, expected, strict=True)])


async def deals_of(sandbox: Running, session: aiohttp.ClientSession) -> Deals:
    """All deals of a sandbox that its vendor shows."""
    async with session.get(f"{sandbox.url}/_sandbox/history", raise_for_status=True) as response:
        history: Mapping[str, Sequence[Any]] = await response.json()
    return Deals(sandbox, [deal for deal, states in history.items() if states[-1] is not None], session)
