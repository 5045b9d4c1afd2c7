"""The board query over all sandboxes, ours beside a stock Strawberry server: `python -m bench.board`.

Figures of one run are compared with each other and with nothing else: the two targets take turns within every round, so that whatever
else the machine does hits both. README.md says what the columns mean.
"""

import asyncio
import re
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Final

import aiohttp
import orjson

from bench.measure import Asker, Cell, measured, percentile, round_trips
from bench.processes import BenchError, Running, Sandboxes, pinned, running, sandbox, together, write_config
from server.commands.terminal import table
from vendors.registry import all_vendors

QUERY: Final = (Path(__file__).parent / "board.graphql").read_text("utf-8")
TARGETS: Final = ("ours", "stock")
_ROWS_PER_CRM: Final = 20
_WARM_UP_REQUESTS: Final = 10
# Calls that do not depend on each other overlap only if they take longer than the target takes to send them.
_LEAST_LATENCY_FOR_CHAINS_MS: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure: every latency with every number of clients, so often."""

    rounds: int = 5
    requests: int = 24
    latencies_ms: Sequence[float] = (0, 50, 200)
    clients: Sequence[int] = (1, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured.

    Args:
        plan: What was to be measured.
        rows: Number of opportunities in each answer.
        pinned: Whether the server under test had a CPU to itself.
        cold_calls: Vendor calls of a target's first request, by target and vendor.
        round_trips: Longest chain of dependent vendor calls of a warm request, by target.
        cells: The measurements.
    """

    plan: Plan
    rows: int
    pinned: bool
    cold_calls: Mapping[str, Mapping[str, int]]
    round_trips: Mapping[str, int]
    cells: Sequence[Cell]

    @property
    def critical_path(self) -> int:
        """Vendor round trips that the query needs one after another: what the better of the targets needs."""
        return min(self.round_trips.values())

    def of(self, target: str, latency_ms: float, clients: int) -> Sequence[Cell]:
        """The cells of one target and load, by round."""
        return [cell for cell in self.cells if (cell.target, cell.latency_ms, cell.clients) == (target, latency_ms, clients)]


async def run(plan: Plan) -> Report:
    """Start everything, measure, and end everything.

    Raises:
        BenchError: Something did not start, or the targets' answers are not equal.
    """
    rows = _ROWS_PER_CRM * len(all_vendors())
    async with AsyncExitStack() as stack:
        cpus = stack.enter_context(pinned())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crmgraph-bench-")))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        started = await together(*(stack.enter_async_context(sandbox(vendor, folder, cpus.others)) for vendor in all_vendors()))
        config = write_config(folder)
        serving = (running(name, "bench.serve", name, "--config", str(config), cpus=cpus.server) for name in TARGETS)
        targets = await together(*(stack.enter_async_context(target) for target in serving))
        sandboxes, asker = Sandboxes(started, session), Asker(session, QUERY, {"first": rows})
        cold = {target.name: await _cold_calls(asker, target, sandboxes) for target in targets}
        for target in targets:
            await asker.load(target, requests=_WARM_UP_REQUESTS, clients=1)
        chains = {
            target.name: await _chain(asker, target, sandboxes, max(*plan.latencies_ms, _LEAST_LATENCY_FOR_CHAINS_MS)) for target in targets
        }
        cells = [cell for number in range(plan.rounds) for cell in await _round(plan, number, asker, targets, sandboxes)]
    return Report(plan=plan, rows=rows, pinned=cpus.are_apart, cold_calls=cold, round_trips=chains, cells=cells)


async def _cold_calls(asker: Asker, target: Running, sandboxes: Sandboxes) -> Mapping[str, int]:
    await sandboxes.forget_calls()
    await asker.ask(target)
    return {vendor: len(calls) for vendor, calls in (await sandboxes.calls()).items()}


async def _chain(asker: Asker, target: Running, sandboxes: Sandboxes, latency_ms: float) -> int:
    await sandboxes.set_latency(latency_ms)
    await sandboxes.forget_calls()
    await asker.ask(target)
    return round_trips([call for calls in (await sandboxes.calls()).values() for call in calls])


async def _round(plan: Plan, number: int, asker: Asker, targets: Sequence[Running], sandboxes: Sandboxes) -> Sequence[Cell]:
    """Measure everything once; who comes first changes from round to round."""
    return [
        await measured(asker, target, sandboxes, round_number=number, latency_ms=latency_ms, clients=clients, requests=plan.requests)
        for latency_ms in plan.latencies_ms
        for clients in plan.clients
        for target in (targets if number % 2 == 0 else targets[::-1])
    ]


def shown(report: Report) -> str:
    """The report as text for people."""
    plan = report.plan
    heading = ["latency", "clients", "p50 ms", "p95 ms", "above path ms", "calls", "CPU ms", "CPU ratio", "p50 ratio"]
    rows = [_row(report, latency_ms, clients) for latency_ms in plan.latencies_ms for clients in plan.clients]
    calls = [["vendor calls", *TARGETS], *_call_rows(report)]
    chains = ", ".join(f"{target} {length}" for target, length in report.round_trips.items())
    return "\n".join(
        [
            f"{report.rows} opportunities of {len(all_vendors())} Crms; {plan.rounds} rounds of {plan.requests} requests",
            "pairs are ours / stock; ratios are ours / stock of each round: median (lowest-highest)",
            f"vendor round trips one after another: {chains}; critical path {report.critical_path}",
            "" if report.pinned else "There is only one CPU: the server under test shares it.\n",
            table([heading, *rows]),
            "",
            table(calls),
        ]
    )


def _row(report: Report, latency_ms: float, clients: int) -> list[str]:
    ours, stock = (report.of(target, latency_ms, clients) for target in TARGETS)
    walls = [[wall for cell in cells for wall in cell.walls_ms] for cells in (ours, stock)]
    middle = [percentile(of_target, 50) for of_target in walls]
    return [
        f"{latency_ms:g}",
        str(clients),
        _pair(middle),
        _pair([percentile(of_target, 95) for of_target in walls]),
        _pair([wall - report.critical_path * latency_ms for wall in middle]),
        _pair([mean(sum(cell.calls.values()) for cell in cells) for cells in (ours, stock)]),
        _pair([median(cell.cpu_ms for cell in cells) for cells in (ours, stock)]),
        _ratio([one.cpu_ms / other.cpu_ms for one, other in zip(ours, stock, strict=True) if other.cpu_ms]),
        _ratio([percentile(one.walls_ms, 50) / percentile(other.walls_ms, 50) for one, other in zip(ours, stock, strict=True)]),
    ]


def _call_rows(report: Report) -> list[list[str]]:
    """A row per vendor: calls of the first request, then of a later one of a single client."""
    warm = {
        target: [cell for cell in report.cells if cell.target == target and cell.clients == min(report.plan.clients)] for target in TARGETS
    }
    return [
        [
            vendor,
            *(
                f"cold {report.cold_calls[target][vendor]}, warm {mean(cell.calls[vendor] for cell in warm[target]):g}"
                for target in TARGETS
            ),
        ]
        for vendor in all_vendors()
    ]


def _pair(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.1f}" for value in values)


def _ratio(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when it could not be done."""
    default = Plan()
    parser = ArgumentParser(prog="python -m bench.board", description="The board query over all sandboxes, ours beside a stock server.")
    parser.add_argument("--rounds", type=int, default=default.rounds, metavar="N", help=f"({default.rounds})")
    parser.add_argument(
        "--requests", type=int, default=default.requests, metavar="N", help=f"requests of a measurement ({default.requests})"
    )
    parser.add_argument("--latencies", type=_numbers, default=default.latencies_ms, metavar="MS,...", help="vendor latencies (0,50,200)")
    parser.add_argument("--concurrency", type=_numbers, default=default.clients, metavar="N,...", help="requests at once (1,8)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    given = parser.parse_args(arguments)
    if given.rounds < 1 or given.requests < 1 or 0 in given.concurrency:
        parser.error("rounds, requests and concurrency are at least 1")
    try:
        report = asyncio.run(
            run(Plan(rounds=given.rounds, requests=given.requests, latencies_ms=given.latencies, clients=given.concurrency))
        )
    except (BenchError, KeyboardInterrupt) as error:
        print(f"bench: {str(error) or 'interrupted'}", file=sys.stderr)
        return 1
    print(shown(report))
    if given.json is not None:
        given.json.write_bytes(orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2))
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d{1,5}(,\d{1,5})*", text):
        raise ArgumentTypeError("must be whole numbers with commas between them")
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    raise SystemExit(main())
