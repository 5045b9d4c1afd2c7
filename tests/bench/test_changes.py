"""The benchmark of changes measures what it says, with numbers that tell nothing else. No time is asserted."""

import json
import os
import resource
import sys
from pathlib import Path

import pytest

from bench.changes.__main__ import main
from bench.changes.ground import ASKED, PUSHING
from vendors.registry import all_vendors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pins processes to CPUs and reads their memory")

TRANSPORTS = ["WebSocket", "SSE"]
MOVES, IDLE, BUSY, EVENTS, PAGED, NESTED = 4, 3, 2, 120, 110, 5
SMALL = {"deals": 24, "moves": MOVES, "idle": IDLE, "idle-seconds": 1, "busy": BUSY, "events": EVENTS, "paged-events": PAGED}


def children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


def test_a_run_measures_every_part_and_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.json"
    before = os.sched_getaffinity(0), children(), resource.getrlimit(resource.RLIMIT_NOFILE)
    numbers = {**SMALL, "nested-events": NESTED, "stalled-seconds": 1}

    status = main([*(part for name, number in numbers.items() for part in (f"--{name}", str(number))), "--json", str(file)])

    assert status == 0
    assert (os.sched_getaffinity(0), children(), resource.getrlimit(resource.RLIMIT_NOFILE)) == before
    report = json.loads(file.read_text())
    assert [(cell["crm"], cell["transport"]) for cell in report["latencies"]] == [
        (crm, transport) for crm in (*PUSHING, *ASKED) for transport in TRANSPORTS
    ]
    for cell in report["latencies"]:
        assert len(cell["latencies_ms"]) == MOVES
        assert len(cell["waits_ms"]) == (MOVES if cell["crm"] in ASKED else 0)
        assert all(0 <= wait < latency for wait, latency in zip(cell["waits_ms"], cell["latencies_ms"], strict=False))
    assert [(cell["transport"], cell["subscribers"]) for cell in report["idle"]] == [(transport, IDLE) for transport in TRANSPORTS]
    assert all(0 < cell["before"] <= cell["after"] for cell in report["idle"])
    assert [(cell["transport"], cell["subscribers"], cell["latency_ms"]) for cell in report["busy"]] == [
        ("WebSocket", 1, 0),
        *((transport, BUSY, 0) for transport in TRANSPORTS),
        ("WebSocket", BUSY, 100),
    ]
    for cell in report["busy"]:
        assert cell["calls"].keys() == all_vendors().keys()
        assert all(cell["calls"][vendor] >= 1 for vendor in PUSHING)
    assert [(replay["way"], replay["events"]) for replay in report["replays"]] == [
        ("WebSocket", EVENTS),
        ("SSE", EVENTS),
        ("stageChanges", PAGED),
        ("WebSocket, with opportunity", NESTED),
    ]
    assert all(0 < replay["before"] <= replay["peak"] for replay in report["replays"])
    assert [(cell["transport"], cell["is_whole"]) for cell in report["stalled"]] == [(transport, True) for transport in TRANSPORTS]
    printed = capsys.readouterr().out
    assert all(text in printed for text in (*all_vendors(), *TRANSPORTS, f"replay of {EVENTS}", "stageChanges"))


@pytest.mark.parametrize("arguments", [["--moves", "0"], ["--events", "x"], ["--idle", "-1"], ["--stalled-seconds", "1.5"]])
def test_a_plan_that_measures_nothing_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
