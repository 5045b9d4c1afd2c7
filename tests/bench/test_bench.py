"""The benchmark runs and reports what it says it reports. No time is asserted."""

import json
import os
import sys
from pathlib import Path

import pytest

from bench.board import TARGETS, main
from bench.measure import difference, percentile, round_trips
from vendors.registry import all_vendors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pins processes to CPUs and reads their clocks")

LATENCIES = (0, 20)
CLIENTS = (1, 2)
REQUESTS = 3


def children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


def test_a_run_measures_every_load_of_both_targets_and_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.json"
    cpus, before = os.sched_getaffinity(0), children()

    status = main(
        ["--rounds", "1", "--requests", f"{REQUESTS}", "--latencies", "0,20", "--concurrency", "1,2", "--json", str(file)],
    )

    assert (status, os.sched_getaffinity(0), children()) == (0, cpus, before)
    report = json.loads(file.read_text())
    loads = [(cell["target"], cell["latency_ms"], cell["clients"]) for cell in report["cells"]]
    assert loads == [(target, latency, clients) for latency in LATENCIES for clients in CLIENTS for target in TARGETS]
    assert report["rows"] == 20 * len(all_vendors())
    for cell in report["cells"]:
        assert len(cell["walls_ms"]) == REQUESTS
        assert cell["cpu_ms"] > 0
        assert cell["calls"].keys() == all_vendors().keys()
        for vendor, calls in cell["calls"].items():
            assert 0 < calls <= report["cold_calls"][cell["target"]][vendor]
    for target in TARGETS:
        assert 1 <= report["round_trips"][target] <= sum(report["cold_calls"][target].values())
    printed = capsys.readouterr().out
    assert [line.split()[:2] for line in printed.splitlines() if line[:1].isdigit()][1:] == [
        [str(latency), str(clients)] for latency in LATENCIES for clients in CLIENTS
    ]
    assert all(vendor in printed for vendor in all_vendors())


@pytest.mark.parametrize(
    "arguments", [["--rounds", "0"], ["--requests", "0"], ["--latencies", "x"], ["--latencies", "1,"], ["--concurrency", "1,0"]]
)
def test_a_plan_that_measures_nothing_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)


def test_calls_under_way_at_once_are_one_round_trip() -> None:
    calls = [(0.0, 0.2), (0.01, 0.21), (0.22, 0.42), (0.2, 0.41), (0.45, 0.65)]

    assert round_trips([{"started": started, "ended": ended} for started, ended in calls]) == 3
    assert round_trips([]) == 0


def test_percentiles_lie_between_the_values_next_to_them() -> None:
    assert percentile([5.0], 95) == 5.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0
    assert percentile([float(number) for number in range(101)], 95) == 95.0


def test_a_difference_is_told_by_its_path() -> None:
    expected = {"nodes": [{"title": "a", "owner": None}, {"title": "b", "owner": None}]}
    actual = {"nodes": [{"title": "a", "owner": None}, {"title": "b", "owner": {"name": "Eva"}}]}

    assert difference(expected, actual) == "data.nodes[1].owner is None and then {'name': 'Eva'}"
    assert difference({"nodes": []}, {"nodes": [1]}) == "data.nodes is [] and then [1]"
