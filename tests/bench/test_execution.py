"""What `bench/execution.py` compares answers alike and goes the quick way; its times are for people to read."""

import sys

import pytest

from bench.execution import SIZES, main, measure, shown


async def test_all_ways_answer_the_same() -> None:
    times = await measure(rounds=1, sizes=(1, 20))

    assert [of.rows for of in times] == [1, 20]
    assert all(list(of.spent) == ["stock", "core", "ours", "by hand"] for of in times)
    assert all(milliseconds > 0 for of in times for milliseconds in of.spent.values())
    assert len(shown(times).splitlines()) == 3


def test_the_command_prints_a_row_for_each_size(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.execution", "--rounds", "1"])

    assert main() == 0

    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [int(row[0]) for row in rows] == list(SIZES)
    assert all(float(value) > 0 for row in rows for value in row[1:])
