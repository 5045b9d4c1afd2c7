"""Paging through everything in an order that no vendor has, and the memory that it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from bench.lists.ground import Ground
from bench.lists.steps import BY_AMOUNT
from bench.processes import BenchError

MORE_PAGES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Paging through everything by amount, with the server's memory.

    Args:
        size: Opportunities in each Crm.
        rows: Number of rows that came, each once.
        pages: Number of pages.
        wall_ms: How long the pages after the first one took.
        calls: Vendor calls for those pages, by vendor.
        before: Resident bytes after a page in the default order.
        after_scan: Resident bytes after the first page by amount.
        scan_peak: The most resident bytes until then.
        walk_peak: The most resident bytes after a page.
        after_walk: Resident bytes after the last page.
        allocated: Bytes that the Python objects of a server of its own take more after the first page by amount than before.
        allocated_later: The same after further pages.
    """

    size: int
    rows: int
    pages: int
    wall_ms: float
    calls: Mapping[str, int]
    before: int
    after_scan: int
    scan_peak: int
    walk_peak: int
    after_walk: int
    allocated: int
    allocated_later: int


async def measure_walk(ground: Ground) -> Walk:
    """Page through everything by amount. No call is paced: memory does not depend on it, and the walk would take hours."""
    async with ground.server(env={"PYTHONTRACEMALLOC": "1"}) as client:
        await client.page()
        unscanned = await client.target.allocated_bytes()
        page = await client.page(orderBy=BY_AMOUNT)
        allocated = await client.target.allocated_bytes() - unscanned
        for _ in range(MORE_PAGES):
            if page["pageInfo"]["hasNextPage"]:
                page = await client.page(orderBy=BY_AMOUNT, after=page["pageInfo"]["endCursor"])
        allocated_later = await client.target.allocated_bytes() - unscanned
    async with ground.server() as client:
        target = client.target
        await client.page()
        before = target.resident_bytes()
        page = await client.page(orderBy=BY_AMOUNT)
        after_scan, scan_peak = target.resident_bytes(), target.resident_bytes(peak=True)
        await client.sandboxes.forget_calls()
        ids = [node["id"] for node in page["nodes"]]
        pages, walk_peak, begun = 1, after_scan, perf_counter()
        while page["pageInfo"]["hasNextPage"]:
            page = await client.page(orderBy=BY_AMOUNT, after=page["pageInfo"]["endCursor"])
            ids += [node["id"] for node in page["nodes"]]
            pages += 1
            walk_peak = max(walk_peak, target.resident_bytes())
        wall_ms, after_walk = (perf_counter() - begun) * 1_000, target.resident_bytes()
        calls = await client.sandboxes.calls()
        total = (await client.ask("Total"))["totalCount"]
    if not len(ids) == len(set(ids)) == total:
        raise BenchError(f"at {ground.size} paging gave {len(ids)} rows, {len(set(ids))} different ones, of {total}")
    return Walk(
        size=ground.size,
        rows=len(ids),
        pages=pages,
        wall_ms=wall_ms,
        calls={vendor: len(of_vendor) for vendor, of_vendor in calls.items()},
        before=before,
        after_scan=after_scan,
        scan_peak=scan_peak,
        walk_peak=walk_peak,
        after_walk=after_walk,
        allocated=allocated,
        allocated_later=allocated_later,
    )
