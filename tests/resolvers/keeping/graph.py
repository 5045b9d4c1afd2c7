"""A graph that keeps what it reads, and what it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from strawberry.types import ExecutionResult

from tests.resolvers.graph import Graph
from vendors.cache import MemoryCache

BOARD = """
query($age: Int!, $first: Int = 20) {
  opportunities(first: $first, maxAge: $age) {
    nodes {
      id title amount { amount currency } probability crm { key }
      pipeline { name } stage { name } owner { name email } account { name } contacts { name email }
    }
    sources { crm { key } status vendorCalls ageSeconds }
  }
}
"""
TITLES = "{ opportunities(first: 20, crms: [%s], maxAge: 60) { nodes { title } sources { ageSeconds } } }"
SOURCES = "sources { crm { key } status vendorCalls ageSeconds fetchedAt }"


@dataclass(slots=True)
class SetClock:
    """Begins long before the clients' clock, so that no small table looks newer than what is read from the vendor."""

    now: float = -1_000_000.0

    def __call__(self) -> float:
        return self.now


class KeepingGraph(Graph):
    """A graph that keeps what it reads, by a clock of the test's own."""

    def __init__(self, graph: Graph, *, ttl_seconds: float = 300) -> None:
        self.clock = SetClock()
        crms = {
            key: replace(ground.crm, cache=MemoryCache(ttl_seconds=ttl_seconds, clock=self.clock)) for key, ground in graph.grounds.items()
        }
        super().__init__(graph.grounds, more=crms)
        self.crms = crms

    def all_calls(self) -> dict[str, list[str]]:
        """What the sandboxes were asked since the last look, those that were."""
        return {key: calls for key in self.grounds if (calls := self.calls(key))}

    async def explained(self, query: str, **variables: object) -> Mapping[str, Any]:
        """The `extensions` of an answer, with the explanation."""
        result = await self.schema.execute(
            query, variable_values=variables, context_value=self.make(), operation_extensions={"explain": True}
        )
        assert isinstance(result, ExecutionResult)
        assert result.errors is None, result.errors
        return result.extensions or {}


def nodes(data: Mapping[str, Any]) -> Any:
    return data["opportunities"]["nodes"]
