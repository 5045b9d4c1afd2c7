"""The benchmark of the lists measures what it says, at sizes that tell nothing else. No time is asserted."""

import json
import os
import sys
from pathlib import Path

import pytest

from bench.lists.__main__ import main
from bench.lists.budgets import budgets
from bench.lists.steps import BY_AMOUNT_FIRST, SCAN
from vendors.registry import all_vendors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pins processes to CPUs and reads their memory")

SIZES = (24, 60)
PAGED_UP_TO = 24


def children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


def test_a_run_measures_every_size_and_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.json"
    cpus, before = os.sched_getaffinity(0), children()

    status = main(["--sizes", *map(str, SIZES), "--walk-up-to", str(PAGED_UP_TO), "--json", str(file)])

    assert (status, os.sched_getaffinity(0), children()) == (0, cpus, before)
    report = json.loads(file.read_text())
    calls = {(step["size"], step["name"]): step["calls"] for step in report["steps"]}
    names = [step["name"] for step in report["steps"] if step["size"] == SIZES[0]]
    assert list(calls) == [(size, name) for size in SIZES for name in names]
    assert calls[SIZES[0], "first page"] == calls[SIZES[1], "first page"]
    for size in SIZES:
        assert calls[size, "then opportunitySummary"] == dict.fromkeys(all_vendors(), 0)
        assert all(calls[size, name][vendor] > 0 for name in (BY_AMOUNT_FIRST, SCAN) for vendor in all_vendors())
    (walk,) = report["walks"]
    assert walk["size"] == PAGED_UP_TO
    assert 100 < walk["rows"] <= PAGED_UP_TO * len(all_vendors())
    assert walk["pages"] == 2
    assert 0 < walk["before"] <= walk["after_scan"] <= walk["scan_peak"]
    assert 0 < walk["allocated"] < walk["before"]
    assert walk["allocated_later"] > 0
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines() if line[:1].isdigit()] == [
        *(str(size) for size in SIZES for _ in names),
        *(str(size) for size in SIZES for _ in all_vendors()),
        *(str(PAGED_UP_TO) for _ in ("walk", "bytes a row")),
    ]


@pytest.mark.parametrize("arguments", [["--sizes"], ["--sizes", "0"], ["--sizes", "10", "x"], ["--walk-up-to", "-1"]])
def test_a_size_that_nothing_can_have_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)


@pytest.mark.parametrize(("size", "raised"), [(1_000, set[str]()), (100_000, {"scan_max_rows", "scan_max_calls", "scan_seconds"})])
def test_budgets_are_raised_only_where_a_size_demands_it(size: int, raised: set[str]) -> None:
    small, found = budgets(1), budgets(size)

    assert {name for name in found if found[name] > small[name]} == raised
