"""Random documents and random faults: our executor and graphql-core never differ, and each document goes the way it should.

`make fuzz` runs as many documents as FUZZ_DOCUMENTS says, anew each time; without it a few thousand run, the same each time.
"""

import asyncio
import os
from collections import Counter
from random import Random
from typing import Final

from graphql import parse, validate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bench.company import memory_crm
from server.execution.plans import Plans, Way
from tests.execution.both_ways import Bench
from tests.execution.conftest import SCHEMA
from tests.execution.documents import Writer, faults, replies

DOCUMENTS: Final = int(os.environ.get("FUZZ_DOCUMENTS", "0"))
CRMS: Final = [memory_crm("a", opportunities=5), memory_crm("b", opportunities=5, links=True)]


def test_random_documents_come_out_the_same() -> None:
    gone: Counter[tuple[bool, Way]] = Counter()

    @settings(
        max_examples=DOCUMENTS or 2_000,
        derandomize=not DOCUMENTS,
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

    both_ways()

    print(dict(gone))  # noqa: T201  # shown by `make fuzz`
    total = sum(gone.values())
    assert gone[False, Way.QUICK] > total * 0.2
    assert gone[True, Way.REPEATED] > total * 0.1
    assert gone[True, Way.QUICK] < total * 0.2
    assert gone[False, Way.STOCK] + gone[True, Way.STOCK] < total * 0.3


async def _same(random: Random) -> tuple[bool, Way]:
    document = Writer(SCHEMA, random).document()
    assume(validate(SCHEMA, parse(document.text)) == [])
    found = faults(random)
    bench = Bench(SCHEMA, CRMS, Plans(), replies(found, {"a": random.randrange(3), "b": random.randrange(6)}))

    stock, ours, way = await bench.both(document.text, document.variables)

    told = f"{document.text}\n{document.variables}\n{found}"
    assert ours.data == stock.data, told
    assert ours.errors == stock.errors, told
    if document.is_unplannable:
        assert way is Way.STOCK or document.has_conditions, told
    else:
        assert way is not Way.STOCK, told
        assert found or stock.errors or way is Way.QUICK, told
    if not stock.errors:
        assert ours.asked <= stock.asked, told  # fewer where another list of the document brought a record along in time
        assert ours.batches <= stock.batches, told
    return bool(stock.errors), way
