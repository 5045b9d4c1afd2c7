"""Since when a read has been under way that somebody joined."""

import asyncio
import time

from vendors.calls import MAX_WARNINGS, CallRecorder, record_joined, recording, recording_all_warnings, retell, warn
from vendors.sharing import SharedReads


async def test_whoever_joins_a_shared_read_is_told_when_it_began() -> None:
    reads, go_on = SharedReads(), asyncio.Event()

    async def read() -> str:
        await go_on.wait()
        return "found"

    async def ask() -> CallRecorder:
        with recording(CallRecorder()) as recorder:
            await reads.run("Deal", lambda: "a", read)
        return recorder

    early = [asyncio.create_task(ask()) for _ in range(2)]  # the first one reads by himself
    await asyncio.sleep(0.03)
    joined_at = time.monotonic()
    late = asyncio.create_task(ask())
    await asyncio.sleep(0)
    go_on.set()

    alone, first, second = await asyncio.gather(*early, late)
    assert (alone.joined_since, first.joined_since) == (None, None)
    assert second.joined_since is not None
    assert second.joined_since < joined_at - 0.02


def test_the_earliest_read_that_was_joined_counts_also_for_who_is_told_of_it() -> None:
    with recording(CallRecorder()) as outer, recording() as inner:
        for moment in (5.0, 3.0, 4.0):
            record_joined(moment)
    with recording(CallRecorder()) as told:
        retell(inner)
    assert (outer.joined_since, inner.joined_since, told.joined_since) == (3.0, 3.0, 3.0)
    outer.clear()
    assert outer.joined_since is None


def test_only_who_keeps_warnings_hears_them_all() -> None:
    with recording(CallRecorder()) as shown, recording_all_warnings() as kept:
        for number in [*range(2 * MAX_WARNINGS), 0]:
            warn("main", "PERCENT_OUT_OF_RANGE", "The probability is 140.", local_id=str(number))
    assert [warned.local_id for warned in kept.warnings] == [str(number) for number in range(2 * MAX_WARNINGS)]
    assert shown.warnings == kept.warnings[:MAX_WARNINGS]
