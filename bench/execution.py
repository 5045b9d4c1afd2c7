"""Times the execution of a board of 22 values a row, over rows in memory: by stock Strawberry, by us, and by dictionaries written by hand.

    python -m bench.execution

Stock is `bench.stock`: types, async resolvers and data loaders as the documentation of Strawberry has them. Then there is graphql-core with
the product's own schema and loaders, which shows what the executor alone makes of it. All of them read from the same records in memory, and
begin with the rows: reading the list is left out. In every round each takes its turn, and what counts is the ratio of their processor times
within the round.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson
import strawberry
from graphql import parse
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from bench import stock
from bench.company import Memory, contexts, memory_crm, memory_of
from resolvers.context import Context
from resolvers.listing.pages import Connection
from resolvers.node_id import encode
from resolvers.scalars import SCALARS
from resolvers.types.connection import OpportunityConnection
from server.context import ContextMaker
from server.execution import executor_class
from server.execution.core import execute
from server.execution.plans import Plans, Way
from vendors.model import Opportunity

BOARD: Final = (Path(__file__).parent / "execution.graphql").read_text()
SIZES: Final = (1, 10, 100, 1_000)
ROWS_A_TURN: Final = 300
MAX_TURNS: Final = 60

_pages: dict[int, Connection[Any]] = {}
_stock_pages: dict[int, stock.OpportunityConnection] = {}


def _opportunities(first: int) -> Any:
    return _pages[first]


@strawberry.type
class Query:
    opportunities: OpportunityConnection | None = strawberry.field(resolver=_opportunities)


@strawberry.type(name="Query")
class StockQuery:
    @strawberry.field
    async def opportunities(self, first: int) -> stock.OpportunityConnection:
        return _stock_pages[first]


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of processor time of one execution, median of all rounds, and the median of the rounds' ratios."""

    rows: int
    spent: Mapping[str, float]
    stock_to_ours: float
    core_to_ours: float
    ours_to_hand: float


async def measure(*, rounds: int, sizes: Sequence[int] = SIZES) -> list[Times]:
    """Time each way at each size.

    Raises:
        AssertionError: They do not answer the same, or ours does not go the quick way.
    """
    schema: Any = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))
    stock_schema: Any = strawberry.Schema(StockQuery)
    crm = memory_crm("memory", opportunities=max(sizes), account_currencies=False)
    rows = list(memory_of(crm).all_opportunities())
    for size in sizes:
        _pages[size] = Connection(
            records=rows[:size], sources=[], has_next_page=False, has_previous_page=False, cursor=str, end=lambda: None
        )
        _stock_pages[size] = stock.connection(rows[:size])
    make = contexts([crm])
    document = parse(BOARD)
    plans = Plans()

    async def executed(by: Any, context: Any, size: int, executor: type[Any]) -> Any:
        result = await execute(
            by._schema,  # noqa: SLF001  # it has no public name
            document,
            context_value=context,
            variable_values={"first": size},
            executor_class=executor,
            is_awaitable=optimized_is_awaitable,
        )
        assert result.errors is None, result.errors
        return result.data

    def through(executor: type[Any]) -> Callable[[int], Awaitable[Any]]:
        async def run(size: int) -> Any:
            context = make()
            data = await executed(schema, context, size, executor)
            context.end()  # as the server does
            return data

        return run

    async def run_stock(size: int) -> Any:
        return await executed(stock_schema, stock.Loaders({crm.key: crm}), size, StrawberryGraphQLCoreExecutionContext)

    ways = {
        "stock": run_stock,
        "core": through(StrawberryGraphQLCoreExecutionContext),
        "ours": through(executor_class(plans)),
        "by hand": _hand_writer(memory_of(crm), make),
    }
    times = [await _times(ways, size, rounds) for size in sizes]
    assert set(plans.gone) == {Way.QUICK}, plans.gone
    return times


async def _times(ways: Mapping[str, Callable[[int], Awaitable[Any]]], size: int, rounds: int) -> Times:
    answers = [orjson.dumps(await run(size)) for run in ways.values()]
    assert len(set(answers)) == 1, "they do not answer the same"
    turns = max(1, min(MAX_TURNS, ROWS_A_TURN // size))
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            more = turns if name in {"stock", "core"} else turns * 5  # the quick ones need more for a clock to see them
            begun = time.process_time()
            for _ in range(more):
                await run(size)
            spent[name].append((time.process_time() - begun) / more * 1_000)

    def ratio(one: str, other: str) -> float:
        return median(first / second for first, second in zip(spent[one], spent[other], strict=True))

    return Times(
        rows=size,
        spent={name: median(times) for name, times in spent.items()},
        stock_to_ours=ratio("stock", "ours"),
        core_to_ours=ratio("core", "ours"),
        ours_to_hand=ratio("ours", "by hand"),
    )


def _hand_writer(memory: Memory, make: ContextMaker) -> Callable[[int], Awaitable[Any]]:
    """What somebody would write who knew the query: one call for each relation, and dictionaries."""

    async def run(size: int) -> Any:
        context: Context = make()
        rows: list[Opportunity] = _pages[size].records
        everything = context.selection
        pipelines, users, accounts, contacts = await asyncio.gather(
            memory.pipelines(),
            memory.users_by_ids(list({of.owner_ref.local_id: None for of in rows if of.owner_ref}), everything),
            memory.accounts_by_ids(list({of.account_ref.local_id: None for of in rows if isinstance(of.account_ref, tuple)}), everything),
            memory.contacts_by_ids(list({ref.local_id: None for of in rows for ref in _refs(of.contact_refs)}), everything),
        )
        shown_pipelines = {of.local_id: {"id": encode("Pipeline", of.ref), "name": of.name} for of in pipelines}
        shown_stages = {
            stage.local_id: {"id": encode("Stage", stage.ref), "name": stage.name, "probability": stage.probability_percent}
            for of in pipelines
            for stage in of.stages
        }
        shown_users: Any = {key: {"id": encode("User", of.ref), "name": of.name, "email": of.email} for key, of in _found(users)}
        shown_accounts: Any = {key: {"id": encode("Account", of.ref), "name": of.name} for key, of in _found(accounts)}
        shown_contacts: Any = {key: {"id": encode("Contact", of.ref), "name": of.name, "email": of.email} for key, of in _found(contacts)}
        nodes = [
            {
                "id": encode("Opportunity", of.ref),
                "title": of.title,
                "amount": None if of.amount is None else {"amount": format(of.amount.amount, "f"), "currency": of.amount.currency},
                "probability": of.probability_percent,
                "closeDate": None if of.close_date is None else of.close_date.isoformat(),
                "pipeline": None if of.pipeline_ref is None else shown_pipelines[of.pipeline_ref.local_id],
                "stage": None if of.stage_ref is None else shown_stages[of.stage_ref.local_id],
                "owner": None if of.owner_ref is None else shown_users[of.owner_ref.local_id],
                "account": shown_accounts[of.account_ref.local_id] if isinstance(of.account_ref, tuple) else None,
                "contacts": [shown_contacts[ref.local_id] for ref in _refs(of.contact_refs)],
            }
            for of in rows
        ]
        return {"opportunities": {"nodes": nodes}}

    return run


def _refs(refs: Any) -> Any:
    return refs


def _found(found: Any) -> Any:
    return found.items()


def shown(times: Sequence[Times]) -> str:
    names = list(times[0].spent)
    heads = [f"{'rows':>6}", *(f"{name:>8} ms" for name in names), f"{'stock/ours':>11} {'core/ours':>10} {'ours/hand':>10}"]
    lines = [
        " ".join(
            [
                f"{of.rows:>6}",
                *(f"{of.spent[name]:>11.3f}" for name in names),
                f"{of.stock_to_ours:>11.1f} {of.core_to_ours:>10.1f} {of.ours_to_hand:>10.1f}",
            ]
        )
        for of in times
    ]
    return "\n".join([" ".join(heads), *lines])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.execution", description="Time the execution of the board over rows in memory.")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    print(shown(asyncio.run(measure(rounds=given.rounds))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
