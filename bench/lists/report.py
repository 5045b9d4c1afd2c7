"""What a run has found, and the same as tables for people."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.lists.budgets import raised_budgets
from bench.lists.client import PAGE_ROWS, Step
from bench.lists.steps import SCAN
from bench.lists.walk import MORE_PAGES, Walk
from server.commands.terminal import table
from vendors.registry import all_vendors


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured, and why no more was: something did not start, or an answer was wrong."""

    steps: Sequence[Step]
    walks: Sequence[Walk]
    owners: Sequence[str]
    failure: str | None


def shown(report: Report) -> str:
    """The report as text for people."""
    sizes = sorted({step.size for step in report.steps})
    parts = [
        f"pages of {PAGE_ROWS} over {len(all_vendors())} Crms, calls paced as the adapters do it; owners are {', '.join(report.owners)}",
        *(f"  {size} per Crm: {raised_budgets(size)}" for size in sizes),
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
        per_row = [["per Crm", "bytes a row:", "resident", "allocated", f"after {MORE_PAGES} pages"], *map(_bytes_row, report.walks)]
        parts += ["", "walk by amount, calls not paced; MB resident", table([heading, *map(_walk_row, report.walks)]), "", table(per_row)]
    return "\n".join(parts)


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
