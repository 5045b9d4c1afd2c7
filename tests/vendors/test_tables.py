"""What users of a small table share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from vendors.calls import CallRecorder, Deadline, deadline_scope, gives_way, giving_way, recording, warn
from vendors.errors import UnavailableError, VendorTimeoutError
from vendors.tables import Table


@dataclass(slots=True)
class Vendor:
    """Has a table with something odd in it."""

    now: float = 0.0
    reads: int = 0
    failures: list[UnavailableError] = field(default_factory=list[UnavailableError])
    rows: list[str] = field(default_factory=lambda: ["1", "2"])

    def clock(self) -> float:
        return self.now

    async def read(self) -> tuple[str, ...]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop()
        warn("main", "PERCENT_OUT_OF_RANGE", "The probability is 140.", local_id="2")
        return tuple(self.rows)


async def recorded(get: Callable[[], Awaitable[tuple[str, ...]]]) -> CallRecorder:
    with recording(CallRecorder()) as recorder:
        assert await get() == ("1", "2")
    return recorder


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def table(vendor: Vendor) -> Table[tuple[str, ...]]:
    return Table(vendor.read, crm="main", ttl_seconds=60, clock=vendor.clock)


async def test_what_is_odd_in_it_is_told_to_everybody(table: Table[tuple[str, ...]], vendor: Vendor) -> None:
    side_by_side = await asyncio.gather(*(recorded(table.get) for _ in range(3)))
    later = [await recorded(table.get), await recorded(table.get_after_miss)]

    assert vendor.reads == 1
    assert [[warned.local_id for warned in recorder.warnings] for recorder in (*side_by_side, *later)] == [["2"]] * 5


async def test_only_what_was_kept_is_told_to_be_kept(table: Table[tuple[str, ...]], vendor: Vendor) -> None:
    vendor.now = 5.0
    first = await recorded(table.get)
    vendor.now = 6.0
    kept, after_miss = await recorded(table.get), await recorded(table.get_after_miss)

    assert [(recorder.kept_since, recorder.cache_hits) for recorder in (first, kept, after_miss)] == [(None, 0), (5.0, 1), (5.0, 0)]


async def test_it_is_as_old_as_the_beginning_of_its_reading(vendor: Vendor) -> None:
    async def read() -> tuple[str, ...]:
        vendor.now += 7.0
        return ("1", "2")

    table = Table(read, crm="main", ttl_seconds=60, clock=vendor.clock)
    await table.get()

    assert (await recorded(table.get)).kept_since == 0.0


async def test_who_does_not_give_way_waits_for_nobody_who_does(vendor: Vendor) -> None:
    go_on = asyncio.Event()

    async def read() -> tuple[str, ...]:
        if gives_way():
            await go_on.wait()
            return ("1",)
        return ("1", "2")

    table = Table(read, crm="main", ttl_seconds=60, clock=vendor.clock)
    with giving_way():
        patient = asyncio.create_task(table.get())
    await asyncio.sleep(0.01)
    vendor.now = 1.0

    async with asyncio.timeout(5):
        assert await table.get() == ("1", "2")
    go_on.set()
    await patient
    assert await table.get() == ("1", "2"), "what was begun earlier takes the place of nothing later"


async def test_what_was_being_read_when_it_was_cleared_is_shown_to_who_asked_before(vendor: Vendor) -> None:
    go_on = asyncio.Event()

    async def read() -> tuple[str, ...]:
        rows = tuple(vendor.rows)
        await go_on.wait()
        return rows

    table = Table(read, crm="main", ttl_seconds=60, clock=vendor.clock)
    before = asyncio.create_task(table.get())
    await asyncio.sleep(0.01)
    vendor.rows.append("3")
    table.clear()
    after = asyncio.create_task(table.get())
    await asyncio.sleep(0.01)
    go_on.set()

    assert await before == ("1", "2")
    assert await after == await table.get() == ("1", "2", "3")


async def test_what_was_being_read_when_it_was_cleared_is_not_kept(vendor: Vendor) -> None:
    table = Table(vendor.read, crm="main", ttl_seconds=60, clock=vendor.clock)
    before = asyncio.create_task(table.get())
    while not vendor.reads:  # noqa: ASYNC110  # nobody announces it
        await asyncio.sleep(0)
    table.clear()
    await before
    await table.get()

    assert vendor.reads == 2


async def test_it_is_the_same_object_until_it_is_another_table(table: Table[tuple[str, ...]], vendor: Vendor) -> None:
    first = await table.get()
    vendor.now = 60.0
    again = await table.get()
    table.clear()
    cleared = await table.get()
    vendor.rows.append("3")
    table.clear()
    changed = await table.get()

    assert vendor.reads == 4
    assert again is first
    assert cleared is first
    assert changed == ("1", "2", "3")
    assert await table.get() is changed


async def test_it_is_read_again_when_it_is_too_old_or_a_key_is_missed(table: Table[tuple[str, ...]], vendor: Vendor) -> None:
    await table.get()
    vendor.now = 59.0
    await table.get()
    assert vendor.reads == 1
    await table.get_after_miss()
    assert vendor.reads == 2
    vendor.now = 88.0
    await table.get_after_miss()
    assert vendor.reads == 2
    vendor.now = 119.0
    await table.get()
    assert vendor.reads == 3


async def test_a_failed_reading_is_not_kept(table: Table[tuple[str, ...]], vendor: Vendor) -> None:
    vendor.failures.append(UnavailableError("It is down.", crm="main", operation="tables"))
    with pytest.raises(UnavailableError):
        await table.get()

    assert await table.get() == ("1", "2")


async def test_who_has_no_time_left_waits_no_longer_for_who_reads_it(vendor: Vendor) -> None:
    go_on = asyncio.Event()

    async def read() -> tuple[str, ...]:
        await go_on.wait()
        return ("1", "2")

    table = Table(read, crm="main", ttl_seconds=60, clock=vendor.clock)
    patient = asyncio.create_task(table.get())
    await asyncio.sleep(0)
    with deadline_scope(Deadline(1e-3, lambda: 0.0)), pytest.raises(VendorTimeoutError, match="'main' did not answer in time"):
        await table.get()
    go_on.set()
    assert await patient == ("1", "2")
