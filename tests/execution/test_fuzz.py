"""Random documents and random faults: our executor and graphql-core never differ, and each document goes the way it should.

`make fuzz` runs as many documents as FUZZ_DOCUMENTS says, anew each time, in as many processes as FUZZ_PROCESSES says or there are
processors; without it a few thousand run, the same each time.
"""

import asyncio
import logging
import multiprocessing
import os
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Final

from graphql import OverlappingFieldsCanBeMergedRule, parse, validate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bench.company import memory_crm
from server.execution.plans import Plans, Way
from tests.execution.both_ways import Bench, Outcome
from tests.execution.conftest import SCHEMA
from tests.execution.documents import Writer, faults, replies

DOCUMENTS: Final = int(os.environ.get("FUZZ_DOCUMENTS", "0"))
LISTS: Final = ("opportunities|opportunitySummary", "accounts", "contacts", "users")
PROCESSES: Final = int(os.environ.get("FUZZ_PROCESSES", "0")) or os.cpu_count() or 1
LOOKED_AT: Final = (
    0.1  # of all documents; they are written so that fields may conflict and all else is valid, and all rules take as long as running
)
CRMS: Final = [memory_crm("a", opportunities=5), memory_crm("b", opportunities=5, links=True)]


def test_random_documents_come_out_the_same() -> None:
    if DOCUMENTS:
        workers = min(PROCESSES, DOCUMENTS)
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:  # forks would draw the same documents
            gone = sum(pool.map(ways_of, [DOCUMENTS // workers] * workers), Counter[tuple[bool, Way]]())
    else:
        gone = ways_of(0)

    told = {f"{way}, {'with' if has_errors else 'without'} errors": number for (has_errors, way), number in sorted(gone.items())}
    print(told)  # noqa: T201  # shown by `make fuzz`
    total = sum(gone.values())
    assert gone[False, Way.QUICK] > total * 0.2
    assert gone[True, Way.REPEATED] > total * 0.1
    assert gone[True, Way.QUICK] < total * 0.2
    assert gone[False, Way.STOCK] + gone[True, Way.STOCK] < total * 0.3


def ways_of(documents: int) -> Counter[tuple[bool, Way]]:
    """Compare so many documents, or the same ones as ever for 0: how many had errors, and went which way."""
    gone: Counter[tuple[bool, Way]] = Counter()

    @settings(
        max_examples=documents or 2_000,
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
    document = Writer(SCHEMA, random).document()
    parsed = parse(document.text)
    assume(validate(SCHEMA, parsed, [OverlappingFieldsCanBeMergedRule]) == [])
    if random.random() < LOOKED_AT:
        assert validate(SCHEMA, parsed) == [], document.text
    found = faults(random)
    bench = Bench(SCHEMA, CRMS, Plans(), replies(found, {"a": random.randrange(3), "b": random.randrange(6)}))

    stock, ours, way = await bench.both(parsed, document.variables)

    told = f"{document.text}\n{document.variables}\n{found}"
    assert ours.data == stock.data, told
    assert ours.errors == stock.errors, told
    if document.is_unplannable:
        assert way is Way.STOCK or document.has_conditions, told
    else:
        assert way is not Way.STOCK, told
        assert found or stock.errors or way is Way.QUICK, told
    if not stock.errors and not _race(document.text, stock, ours):
        assert ours.asked <= stock.asked, told  # fewer where another list of the document brought a record along in time
        assert ours.batches <= stock.batches, told
    return bool(stock.errors), way


def _race(text: str, *outcomes: Outcome) -> bool:
    """Whether several lists may read the same, so that ticks decide which of them finds what another one has scanned.

    Who finds it reads the rows of its page by their ids; who does not reads a page. One is a call more than the other, now here, now there.
    """
    several = any(len(re.findall(rf"\b({names})\b", text)) > 1 for names in LISTS)
    return several or any(times > 1 and operation.startswith("list ") for of in outcomes for (_, operation), times in of.batches.items())
