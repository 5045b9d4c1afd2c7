"""What a run has found, and the same as tables for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.changes.busy import Busy
from bench.changes.idle import Idle
from bench.changes.latency import Latency
from bench.changes.plan import Plan
from bench.changes.replay import Replay
from bench.changes.stalled import Beside, Stalled
from bench.followers import Transport
from bench.measure import percentile
from server.commands.terminal import table
from vendors.registry import all_vendors


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured."""

    plan: Plan
    load: tuple[float, float]
    seconds: float
    latencies: Sequence[Latency]
    idle: Sequence[Idle]
    busy: Sequence[Busy]
    replays: Sequence[Replay]
    stalled: Sequence[Stalled]
    beside: Beside


def shown(report: Report) -> str:
    """The report as text for people."""
    sandboxes = f"{report.plan.deals} deals in each of {len(all_vendors())} sandboxes"
    rows = [
        *_latency_rows(report),
        *_idle_rows(report),
        *_busy_rows(report),
        *_replay_rows(report),
        *_stalled_rows(report),
    ]
    return "\n".join(
        [
            f"{sandboxes}; {report.seconds:.0f} seconds, load {report.load[0]:.1f} before, {report.load[1]:.1f} after",
            "pairs are p50 / p95",
            "",
            table([["", *Transport], *rows]),
            "",
            table([["vendor calls for an event", *all_vendors()], *_call_rows(report)]),
            "",
            table([_REPLAY_HEADING, *map(_replay_row, report.replays)]),
        ]
    )


def _latency_rows(report: Report) -> list[list[str]]:
    rows: list[list[str]] = []
    for crm, way in dict.fromkeys((latency.crm, latency.way) for latency in report.latencies):
        cells = [latency for latency in report.latencies if latency.crm == crm]
        rows.append([f"{way}, {crm}: ms", *(_pair(cell.latencies_ms) for cell in cells)])
        if cells[0].waits_ms:
            rows += [
                ["  of that, waiting for the next look", *(f"{sum(cell.waits_ms) / sum(cell.latencies_ms):.0%}" for cell in cells)],
                ["  without it: ms", *(_pair(_differences(cell.latencies_ms, cell.waits_ms)) for cell in cells)],
            ]
    return rows


def _idle_rows(report: Report) -> list[list[str]]:
    cells = report.idle
    count = f"{report.plan.idle:,} idle"
    return [
        [f"{count}: MB before / with / later", *(" / ".join(_mb(it) for it in (cell.before, cell.after, cell.later)) for cell in cells)],
        ["  KB a subscriber", *(f"{(max(cell.after, cell.later) - cell.before) / cell.subscribers / 1_000:.1f}" for cell in cells)],
        ["  CPU ms a second, without / with", *(f"{cell.cpu_ms[0]:.1f} / {cell.cpu_ms[1]:.1f}" for cell in cells)],
        ["  webhook beside none: ms", *(_pair(cell.alone_ms) for cell in cells)],
        ["  webhook beside them: ms", *(_pair(cell.beside_ms) for cell in cells)],
    ]


def _busy_rows(report: Report) -> list[list[str]]:
    rows: list[list[str]] = []
    for load in dict.fromkeys((cell.subscribers, cell.latency_ms) for cell in report.busy):
        cells = {cell.transport: cell for cell in report.busy if (cell.subscribers, cell.latency_ms) == load}
        found = [cells.get(transport) for transport in Transport]
        rows += [
            [f"{load[0]} busy, vendors take {load[1]:g} ms: ms", *("" if it is None else _pair(it.latencies_ms) for it in found)],
            ["  CPU ms a delivery", *("" if it is None else f"{it.cpu_ms:.2f}" for it in found)],
        ]
    return rows


def _replay_rows(report: Report) -> list[list[str]]:
    cells = {replay.way: replay for replay in report.replays}
    found = [cells[transport.value] for transport in Transport]
    return [[f"replay of {found[0].events:,}: events a second", *(f"{cell.events / cell.seconds:.0f}" for cell in found)]]


def _stalled_rows(report: Report) -> list[list[str]]:
    beside = report.beside
    return [
        [f"reads nothing for {report.plan.stalled_seconds:g} seconds: is told", *(cell.told for cell in report.stalled)],
        ["  has all events after going on", *("yes" if cell.is_whole else "no" for cell in report.stalled)],
        ["  webhook beside none: ms", _pair(beside.alone_ms), ""],
        ["  webhook beside them while they read: ms", _pair(beside.reading_ms), ""],
        ["  webhook beside them while they do not: ms", _pair(beside.stalled_ms), ""],
        ["  MB before / peak / after", " / ".join(_mb(it) for it in (beside.before, beside.peak, beside.after)), ""],
    ]


def _call_rows(report: Report) -> list[list[str]]:
    return [
        [
            f"{cell.subscribers} by {cell.transport}, vendors take {cell.latency_ms:g} ms",
            *(f"{cell.calls[vendor]:.1f}" for vendor in all_vendors()),
        ]
        for cell in report.busy
    ]


_REPLAY_HEADING: Final = ["reading the log by", "events", "events/s", "CPU ms an event", "calls an event", "MB before", "peak", "after"]


def _replay_row(replay: Replay) -> list[str]:
    return [
        replay.way,
        str(replay.events),
        f"{replay.events / replay.seconds:.0f}",
        f"{replay.cpu_ms:.2f}",
        f"{replay.calls:.2f}",
        *(_mb(count) for count in (replay.before, replay.peak, replay.after)),
    ]


def _pair(values: Sequence[float]) -> str:
    return f"{percentile(values, 50):.0f} / {percentile(values, 95):.0f}"


def _differences(values: Sequence[float], others: Sequence[float]) -> list[float]:
    return [value - other for value, other in zip(values, others, strict=True)]


def _mb(count: int) -> str:
    return f"{count / 1_000_000:.1f}"
