"""Random documents and random faults: our executor and graphql-core never differ, and each document goes the way it should.

`make fuzz` runs as many documents as FUZZ_DOCUMENTS says, anew each time, in as many processes as FUZZ_PROCESSES says or there are
processors; without it a few thousand run, the same each time.
"""

import asyncio
import logging
import multiprocessing
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from random import Random
from typing import Any, Final

from graphql import DocumentNode, OverlappingFieldsCanBeMergedRule, parse, validate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bench.company import memory_crm
from server.execution.plans import Plans, Way
from tests.execution.both_ways import STOCK, Bench, Outcome, settled
from tests.execution.conftest import SCHEMA
from tests.execution.documents import Fault, Pace, Writer, faults, replies
from vendors.cache import EntityCache, MemoryCache

DOCUMENTS: Final = int(os.environ.get("FUZZ_DOCUMENTS", "0"))
PROCESSES: Final = int(os.environ.get("FUZZ_PROCESSES", "0")) or os.cpu_count() or 1
SEEDED: Final = 2_000
PART: Final = 2_000
LOOKED_AT: Final = (
    0.1  # of all documents; they are written so that fields may conflict and all else is valid, and all rules take as long as running
)
OTHER_TIMES: Final = 8
KEEPING: Final = 0.3  # of all documents say how old what they read may be, and some of that is kept
CRMS: Final = [memory_crm("a", opportunities=5), memory_crm("b", opportunities=5, links=True)]


def test_random_documents_come_out_the_same() -> None:
    if DOCUMENTS:
        with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:  # forks would draw the same documents
            gone = sum(pool.map(ways_of, parts_of(DOCUMENTS)), Counter[tuple[bool, Way]]())
    else:
        gone = ways_of(0)

    told = {f"{way}, {'with' if has_errors else 'without'} errors": number for (has_errors, way), number in sorted(gone.items())}
    print(told)  # noqa: T201  # shown by `make fuzz`
    total = sum(gone.values())
    assert total >= (DOCUMENTS or SEEDED)
    assert gone[False, Way.QUICK] > total * 0.2
    assert gone[True, Way.REPEATED] > total * 0.1
    assert gone[True, Way.QUICK] < total * 0.2
    assert gone[False, Way.STOCK] + gone[True, Way.STOCK] < total * 0.3


def parts_of(documents: int) -> list[int]:
    """As many documents in parts that take half a minute, so that a difference is told soon."""
    return [PART] * (documents // PART) + [documents % PART] * (documents % PART > 0)


def ways_of(documents: int) -> Counter[tuple[bool, Way]]:
    """Compare so many documents, or the same ones as ever for 0: how many had errors, and went which way."""
    gone: Counter[tuple[bool, Way]] = Counter()

    @settings(
        max_examples=documents or SEEDED,
        derandomize=not documents,
        database=None,
        deadline=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
            HealthCheck.large_base_example,
        ],
    )
    @given(st.integers(min_value=0, max_value=2**64 - 1))  # a seed: hypothesis would rather draw the simplest documents
    def both_ways(seed: int) -> None:
        with asyncio.Runner() as runner:
            has_errors, way = runner.run(_same(Random(seed)))  # noqa: S311  # repeatable, not secret
        gone[has_errors, way] += 1

    logging.disable()  # defects are logged, and here most of what is read has one
    try:
        both_ways()
    finally:
        logging.disable(logging.NOTSET)
    return gone


async def _same(random: Random) -> tuple[bool, Way]:
    keeps = random.random() < KEEPING
    document = Writer(SCHEMA, random, ages=keeps).document()
    parsed = parse(document.text)
    assume(validate(SCHEMA, parsed, [OverlappingFieldsCanBeMergedRule]) == [])
    if random.random() < LOOKED_AT:
        assert validate(SCHEMA, parsed) == [], document.text
    found = faults(random)
    pace = Pace({"a": random.randrange(3), "b": random.randrange(6)}, spread=random.choice([0, 60]), seed=random.randrange(2**32))
    bench = Bench(SCHEMA, CRMS, Plans(), replies(found, pace))
    if keeps:
        bench.kept = partial(_kept, parsed, document.variables, [str(random.randrange(5)) for _ in range(random.choice([0, 0, 3]))])

    stock, ours, way = await bench.both(parsed, document.variables)

    told = f"{document.text}\n{document.variables}\n{found}\n{'with' if keeps else 'without'} caches"
    assert ours.data == stock.data, told
    assert ours.errors == stock.errors, told
    if document.is_unplannable:
        assert way is Way.STOCK or document.has_conditions, told
    else:
        assert way is not Way.STOCK, told
        assert found or stock.errors or way is Way.QUICK, told
    if not stock.errors and _asks_more(ours, stock):
        assert not await _always_asks_more(bench, parsed, document.variables, found, pace), told
    return bool(stock.errors), way


async def _kept(document: DocumentNode, variables: dict[str, Any], dropped: list[str]) -> dict[str, EntityCache]:
    """What is kept of an earlier run of a document, 40 seconds ago, but for records of these ids and all pages, if there are any."""
    now = [0.0]
    caches: dict[str, EntityCache] = {crm.key: MemoryCache(ttl_seconds=50, clock=lambda: now[0]) for crm in CRMS}
    before = Bench(SCHEMA, CRMS, Plans(), replies([], Pace({})), kept=partial(_made, caches))
    await before.outcome(document, STOCK, variables)
    await settled()
    if dropped:
        for cache in caches.values():
            cache.drop(dropped)
    now[0] = 40.0
    return caches


async def _made(caches: dict[str, EntityCache]) -> dict[str, EntityCache]:
    return caches


async def _always_asks_more(bench: Bench, document: DocumentNode, variables: dict[str, Any], found: list[Fault], pace: Pace) -> bool:
    """Whether ours asks for more than stock does, also where the vendors take a little longer.

    What two branches ask for is one batch where they come to it in the same tick, and a list that has been scanned is found by who comes
    later: where it is a matter of single ticks, it is so in the one run and not in the other.
    """
    for more in range(1, OTHER_TIMES):
        bench.reply = replies(found, pace.slower(4 * more))
        stock, ours, _ = await bench.both(document, variables)
        if not _asks_more(ours, stock):
            return False
    return True


def _asks_more(ours: Outcome, stock: Outcome) -> bool:
    """Whether ours asks for a record more, or makes a call more in all.

    Who finds contacts in a list that has come meanwhile calls nobody for them, and comes to their accounts at another time than to others.
    """
    return not ours.asked <= stock.asked or ours.batches.total() > stock.batches.total()
