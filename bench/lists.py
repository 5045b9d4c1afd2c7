"""Lists over Crms of many sizes, by what they cost: `python -m bench.lists`.

Calls are exact and depend on the size alone; times and memory are this machine's. README.md says what the columns mean.
"""

import asyncio
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import aiohttp
import orjson

from bench.measure import HEADERS
from bench.processes import BenchError, Cpus, Running, Sandboxes, pinned, running, sandbox, together, write_config
from server.commands.terminal import table
from server.config import CrmSettings, ServerSettings
from server.demo import RATES_FILE
from vendors.registry import all_vendors

_DOCUMENT: Final = (Path(__file__).parent / "lists.graphql").read_text("utf-8")
_PAGE_ROWS: Final = 100
_REPEATS: Final = 5
_MORE_PAGES: Final = 20
# Everything is answered at once here, however long it takes: the greatest deadline that a configuration may name.
_DEADLINE_SECONDS: Final = 300.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=_DEADLINE_SECONDS + 30)
_KEPT_FOREVER_SECONDS: Final = 86_400.0
_MONEY: Final = f'[money]\ncurrency = "EUR"\nrates_file = "{RATES_FILE}"\n'

BY_AMOUNT: Final = [{"field": "AMOUNT", "descending": True}]
BY_TITLE: Final = [{"field": "TITLE"}]
BY_AMOUNT_FIRST: Final = "first page by amount"
SCAN: Final = "opportunitySummary, nothing scanned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one question cost.

    Args:
        size: Opportunities in each Crm.
        name: What was asked.
        wall_ms: How long the answer took; the shortest time where it was asked several times.
        cpu_ms: User and system time of the server for one answer.
        calls: Vendor calls for one answer, by vendor.
        spans_ms: Time from the first call's begin to the last one's end, by vendor.
    """

    size: int
    name: str
    wall_ms: float
    cpu_ms: float
    calls: Mapping[str, float]
    spans_ms: Mapping[str, float]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured, and why no more was: something did not start, or an answer was wrong."""

    steps: Sequence[Step]
    walks: Sequence[Walk]
    owners: Sequence[str]
    failure: str | None


class Client:
    """Asks one server, and reads in the sandboxes' logs what that cost.

    Raises:
        BenchError: An answer has errors; a Crm that fails is one.
    """

    def __init__(self, size: int, target: Running, sandboxes: Sandboxes, session: aiohttp.ClientSession) -> None:
        self.target = target
        self.sandboxes = sandboxes
        self._size = size
        self._session = session

    async def ask(self, operation: str, **variables: object) -> Any:
        """The value of an operation's only field."""
        body = orjson.dumps({"query": _DOCUMENT, "operationName": operation, "variables": variables})
        try:
            async with self._session.post(f"{self.target.url}/graphql", data=body, headers=HEADERS, timeout=_TIMEOUT) as response:
                answer = orjson.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError) as cause:
            raise BenchError(f"{operation} was not answered") from cause
        if answer.get("errors") or answer.get("data") is None:
            raise BenchError(f"{operation} {variables} at {self._size} was answered with {orjson.dumps(answer).decode():.1000}")
        (value,) = answer["data"].values()
        return value

    async def page(self, **variables: object) -> Any:
        return await self.ask("Page", first=_PAGE_ROWS, **variables)

    async def step(self, name: str, operation: str, *, repeats: int = 1, **variables: object) -> tuple[Step, Any]:
        """Ask, so often one after another, and tell what it cost and what the last answer was."""
        await self.sandboxes.forget_calls()
        walls: list[float] = []
        value: Any = None
        cpu_before = self.target.cpu_seconds()
        for _ in range(repeats):
            begun = perf_counter()
            value = await self.ask(operation, **variables)
            walls.append((perf_counter() - begun) * 1_000)
        cpu = self.target.cpu_seconds() - cpu_before
        calls = await self.sandboxes.calls()
        return Step(
            size=self._size,
            name=name,
            wall_ms=min(walls),
            cpu_ms=cpu * 1_000 / repeats,
            calls={vendor: len(of_vendor) / repeats for vendor, of_vendor in calls.items()},
            spans_ms={vendor: _span_ms(of_vendor) / repeats for vendor, of_vendor in calls.items()},
        ), value


def _span_ms(calls: Sequence[Mapping[str, Any]]) -> float:
    return (max(call["ended"] for call in calls) - min(call["started"] for call in calls)) * 1_000 if calls else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The sandboxes of one size, and how to start servers over them."""

    size: int
    config: Path
    cpus: Cpus
    sandboxes: Sandboxes
    session: aiohttp.ClientSession

    @asynccontextmanager
    async def server(self, *arguments: str, env: Mapping[str, str] | None = None) -> AsyncGenerator[Client, None]:
        """A server that has answered nothing yet."""
        command = ("bench.serve", "ours", "--config", str(self.config), *arguments)
        async with running("ours", *command, cpus=self.cpus.server, env=env) as target:
            yield Client(self.size, target, self.sandboxes, self.session)


async def run(sizes: Sequence[int], *, walk_up_to: int) -> Report:
    """Measure every size, one after another, until one cannot be measured."""
    steps: list[Step] = []
    walks: list[Walk] = []
    owners: Sequence[str] = ()
    failure = None
    try:
        for size in sizes:
            async with _ground(size) as ground:
                owners, found = await _steps(ground)
                steps += found
                if size <= walk_up_to:
                    walks.append(await _walk(ground))
    except BenchError as error:
        failure = str(error)
    return Report(steps=steps, walks=walks, owners=owners, failure=failure)


def budgets(size: int) -> Mapping[str, float]:
    """What a Crm of that size may be scanned for: the defaults, and more only where they do not reach."""
    defaults = _defaults()
    return {
        "scan_max_rows": max(int(defaults["scan_max_rows"]), size + 1_000),
        "scan_max_calls": max(int(defaults["scan_max_calls"]), size // 20),
        "scan_seconds": defaults["scan_seconds"] if size <= 10_000 else _DEADLINE_SECONDS,  # found by running it
        "index_ttl_seconds": _KEPT_FOREVER_SECONDS,  # so that a walk is measured with one scan, however slow the machine is
    }


def _defaults() -> Mapping[str, float]:
    names = ("scan_max_rows", "scan_max_calls", "scan_seconds", "index_ttl_seconds")
    return {name: CrmSettings.model_fields[name].default for name in names}


@asynccontextmanager
async def _ground(size: int) -> AsyncGenerator[Ground, None]:
    async with AsyncExitStack() as stack:
        cpus = stack.enter_context(pinned())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crmgraph-bench-")))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        starting = (stack.enter_async_context(sandbox(vendor, folder, cpus.others, scale=size)) for vendor in all_vendors())
        sandboxes = Sandboxes(await together(*starting), session)
        config = write_config(folder, crm=budgets(size), more=f"[server]\ndeadline_seconds = {_DEADLINE_SECONDS}\n\n{_MONEY}")
        yield Ground(size=size, config=config, cpus=cpus, sandboxes=sandboxes, session=session)


async def _steps(ground: Ground) -> tuple[Sequence[str], Sequence[Step]]:
    """All questions, paced as the adapters pace themselves; and the owners whose opportunities were asked for."""
    steps: list[Step] = []

    async def noted(client: Client, name: str, operation: str, *, repeats: int = 1, **variables: object) -> Any:
        step, value = await client.step(name, operation, repeats=repeats, **variables)
        steps.append(step)
        return value

    async with ground.server("--paced") as client:
        page = {"first": _PAGE_ROWS}
        await noted(client, "first page, all tables unread", "Page", **page)
        await noted(client, "first page", "Page", repeats=_REPEATS, **page)
        owners = await _owners(client)
        chosen = {"status": ["OPEN"], "ownerEmails": owners}
        await noted(client, "first page of these owners' open ones", "Page", repeats=_REPEATS, filter=chosen, **page)
        first = await noted(client, BY_AMOUNT_FIRST, "Page", orderBy=BY_AMOUNT, **page)
        after = first["pageInfo"]["endCursor"]
        await noted(client, "then its second page", "Page", orderBy=BY_AMOUNT, after=after, **page)
        await noted(client, "then the first page by title", "Page", orderBy=BY_TITLE, **page)
        total = await noted(client, "then totalCount", "Total")
        summary = await noted(client, "then opportunitySummary", "Summary")
    async with ground.server("--paced") as client:
        await client.page()
        total_alone = await noted(client, "totalCount, nothing scanned", "Total")
    async with ground.server("--paced") as client:
        await client.page()
        summary_alone = await noted(client, SCAN, "Summary")
    if total != total_alone or summary != summary_alone or summary["count"] != total["totalCount"] or not summary["isComplete"]:
        raise BenchError(f"at {ground.size} the counts differ: {total}, {total_alone}, {summary['count']}, {summary_alone['count']}")
    return owners, steps


async def _owners(client: Client) -> list[str]:
    """A few e-mail addresses of users, so that every Crm has one of them."""
    crms: defaultdict[str, set[str]] = defaultdict(set)
    for user in (await client.ask("Owners"))["nodes"]:
        if user["email"]:
            crms[user["email"].casefold()].add(user["crm"]["key"])
    chosen: list[str] = []
    lacking = set[str]().union(*crms.values())
    while lacking:
        chosen.append(max(sorted(crms), key=lambda email: len(crms[email] & lacking)))
        lacking -= crms[chosen[-1]]
    return chosen


async def _walk(ground: Ground) -> Walk:
    """Page through everything by amount. No call is paced: memory does not depend on it, and the walk would take hours."""
    async with ground.server(env={"PYTHONTRACEMALLOC": "1"}) as client:
        await client.page()
        unscanned = await client.target.allocated_bytes()
        page = await client.page(orderBy=BY_AMOUNT)
        allocated = await client.target.allocated_bytes() - unscanned
        for _ in range(_MORE_PAGES):
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


def shown(report: Report) -> str:
    """The report as text for people."""
    sizes = sorted({step.size for step in report.steps})
    parts = [
        f"pages of {_PAGE_ROWS} over {len(all_vendors())} Crms, calls paced as the adapters do it; owners are {', '.join(report.owners)}",
        *(f"  {size} per Crm: {_raised(size)}" for size in sizes),
        "",
        table([["per Crm", "asked for", "ms", "CPU ms", "calls", *all_vendors()], *map(_step_row, report.steps)]),
        "",
        table([["per Crm", "scan alone", "calls", "seconds", "rows a call"], *_scan_rows(report)]),
    ]
    if report.walks:
        heading = [
            "per Crm",
            "rows",
            "pages",
            "ms a page",
            "calls a page",
            "before",
            "after scan",
            "scan's peak",
            "walk's peak",
            "after walk",
        ]
        per_row = [["per Crm", "bytes a row:", "resident", "allocated", f"after {_MORE_PAGES} pages"], *map(_bytes_row, report.walks)]
        parts += ["", "walk by amount, calls not paced; MB resident", table([heading, *map(_walk_row, report.walks)]), "", table(per_row)]
    return "\n".join(parts)


def _raised(size: int) -> str:
    raised = [f"{name} {value:g}" for name, value in budgets(size).items() if value != _defaults()[name]]
    if ServerSettings.model_fields["deadline_seconds"].default != _DEADLINE_SECONDS:
        raised.append(f"deadline_seconds {_DEADLINE_SECONDS:g}")
    return f"raised are {', '.join(raised)}"


def _step_row(step: Step) -> list[str]:
    calls = [step.calls[vendor] for vendor in all_vendors()]
    return [str(step.size), step.name, f"{step.wall_ms:.0f}", f"{step.cpu_ms:.0f}", f"{sum(calls):g}", *(f"{count:g}" for count in calls)]


def _scan_rows(report: Report) -> list[list[str]]:
    return [
        [
            str(step.size),
            vendor,
            f"{step.calls[vendor]:g}",
            f"{step.spans_ms[vendor] / 1_000:.1f}",
            f"{step.size / step.calls[vendor]:.0f}",
        ]
        for step in report.steps
        if step.name == SCAN
        for vendor in all_vendors()
    ]


def _walk_row(walk: Walk) -> list[str]:
    pages = max(walk.pages - 1, 1)
    memory = (walk.before, walk.after_scan, walk.scan_peak, walk.walk_peak, walk.after_walk)
    return [
        str(walk.size),
        str(walk.rows),
        str(walk.pages),
        f"{walk.wall_ms / pages:.0f}",
        f"{sum(walk.calls.values()) / pages:.1f}",
        *(f"{count / 1_000_000:.0f}" for count in memory),
    ]


def _bytes_row(walk: Walk) -> list[str]:
    found = (walk.after_scan - walk.before, walk.allocated, walk.allocated_later)
    return [str(walk.size), "", *(f"{count / walk.rows:.0f}" for count in found)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when it could not be done."""
    parser = ArgumentParser(prog="python -m bench.lists", description="Lists over Crms of many sizes, by what they cost.")
    parser.add_argument(
        "--sizes",
        type=_count,
        nargs="+",
        default=[1_000, 10_000, 100_000],
        metavar="N",
        help="opportunities in each Crm (1000 10000 100000)",
    )
    parser.add_argument(
        "--walk-up-to", type=_count, default=10_000, metavar="N", help="page through everything up to this size, for memory (10000)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    given = parser.parse_args(arguments)
    try:
        report = asyncio.run(run(given.sizes, walk_up_to=given.walk_up_to))
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 1
    if report.steps:
        print(shown(report))
    if given.json is not None:
        given.json.write_bytes(orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2))
    if report.failure is not None:
        print(f"bench: {report.failure}", file=sys.stderr)
    return 0 if report.failure is None else 1


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 1_000_000:  # a sandbox keeps them in memory
        raise ArgumentTypeError("must be a whole number from 1 to 1000000")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
