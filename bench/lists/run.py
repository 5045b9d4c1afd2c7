"""A run: every size is measured, until one cannot be."""

from collections.abc import Sequence

from bench.lists.client import Step
from bench.lists.ground import prepared
from bench.lists.report import Report
from bench.lists.steps import measure_steps
from bench.lists.walk import Walk, measure_walk
from bench.processes import BenchError


async def run(sizes: Sequence[int], *, walk_up_to: int) -> Report:
    """Measure every size, one after another, until one cannot be measured."""
    steps: list[Step] = []
    walks: list[Walk] = []
    owners: Sequence[str] = ()
    failure = None
    try:
        for size in sizes:
            async with prepared(size) as ground:
                owners, found = await measure_steps(ground)
                steps += found
                if size <= walk_up_to:
                    walks.append(await measure_walk(ground))
    except BenchError as error:
        failure = str(error)
    return Report(steps=steps, walks=walks, owners=owners, failure=failure)
