"""What `bench/execution.py` compares answers alike and goes the quick way; its times are for people to read."""

from bench.execution import measure, shown


async def test_all_ways_answer_the_same() -> None:
    times = await measure(rounds=1, sizes=(1, 20))

    assert [of.rows for of in times] == [1, 20]
    assert all(of.stock > 0 and of.ours > 0 and of.by_hand > 0 for of in times)
    assert len(shown(times).splitlines()) == 3
