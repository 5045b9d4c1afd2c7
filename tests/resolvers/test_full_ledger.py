"""Writes whose end the ledger cannot keep: what happened is told, and a repetition never makes it again."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from resolvers.writing.ledger import EntryState, LedgerError
from server.context import ContextMaker
from server.cursors import SignedCursors
from server.ledger import SqliteLedger
from tests.contract.conftest import VENDORS
from tests.resolvers.graph import codes, until
from tests.resolvers.writing_desk import Desk, Json, asks, desk, errors
from vendors.sandbox import FaultKind

KEY = "f6c2c0a0-5d3e-4d0a-9f6c-0d6f9b1c7a11"
NOT_KEPT = [(["idempotencyKey"], "PARTLY_DONE")]
UNKNOWN = [(["idempotencyKey"], "OUTCOME_UNKNOWN")]


class Ledger(SqliteLedger):
    """A ledger on a disk that fails, as SQLite itself finds it to."""

    def protect(self) -> None:
        """Let nothing be written any more, as on a disk that was mounted again for reading only."""
        self._db.execute("pragma query_only = on")

    def fill(self) -> None:
        """Leave no room: neither for another entry, nor for the result of one that there is."""
        pages = self._db.execute("pragma page_count").fetchone()[0]
        self._db.execute(f"pragma max_page_count = {pages}")
        for first in (KEY, "a"):  # beside the one, and where others would go
            number, size = 0, 2_048
            while size:
                number += 1
                new = (f"{first}{number}", b"x" * size)
                try:
                    self._db.execute(
                        "insert into writes (key, digest, state, process, started_at, result) values (?, '', 'done', '', 0, ?)", new
                    )
                except sqlite3.OperationalError:
                    size //= 2

    def mend(self) -> None:
        self._db.execute("pragma query_only = off")
        self._db.execute("pragma max_page_count = 1000000")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, process="one", days=30)


@pytest.fixture(params=VENDORS)
async def at(request: pytest.FixtureRequest, ledger: Ledger) -> AsyncGenerator[Desk, None]:
    async with desk(request.param) as found:
        found.graph.make = ContextMaker({found.key: found.ground.crm}, SignedCursors(b"a key that only tests have"), ledger=ledger)
        yield found


async def created_while(at: Desk, new: Json, disk_fails: Callable[[], None]) -> Json:
    """The answer to a create, with a disk that fails while the vendor has it."""
    at.ground.control.latency_seconds = 0.05
    asked = asyncio.ensure_future(at.graph.answer(asks("createOpportunity"), input=new, key=KEY, dry=False))
    await until(lambda: at.creates() == 1)
    disk_fails()
    result = await asked
    at.ground.control.latency_seconds = 0
    return {"data": result.data, "codes": codes(result)}


async def test_what_was_written_and_could_not_be_kept_is_told_and_looked_up_afterwards(at: Desk, ledger: Ledger) -> None:
    new = await at.new(title="Quay lights")

    made = (await created_while(at, new, ledger.fill))["data"]["made"]
    assert (made["outcome"], errors(made), made["opportunity"]["title"]) == ("DONE", NOT_KEPT, "Quay lights")

    for _ in range(2):  # while the disk is full, and when it has room again
        unknown = await at.write("createOpportunity", new, key=KEY)
        assert (unknown["outcome"], errors(unknown)) == ("UNKNOWN", UNKNOWN)
        assert [each["id"] for each in unknown["candidates"]] == [made["id"]]
        ledger.mend()
    adopted = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": made["id"]})
    replayed = await at.write("createOpportunity", new, key=KEY, resolution={"retry": True})

    assert [(each["outcome"], each["id"]) for each in (adopted, replayed)] == [("ADOPTED", made["id"]), ("REPLAYED", made["id"])]
    assert at.creates() == 1


@pytest.mark.parametrize("kind", ["reset", "reset_after"])
async def test_an_outcome_that_nobody_knows_and_that_could_not_be_kept_is_still_told(at: Desk, ledger: Ledger, kind: FaultKind) -> None:
    new = await at.new(title="Quay lights")
    at.fail_creates(kind, times=1)

    assert await created_while(at, new, ledger.protect) == {"data": {"made": None}, "codes": ["OUTCOME_UNKNOWN"]}
    for resolution in (None, {"retry": True}):
        assert await at.write_error("createOpportunity", new, key=KEY, resolution=resolution) == "UNAVAILABLE"
    assert at.creates() == 1

    ledger.mend()
    unknown = await at.write("createOpportunity", new, key=KEY)
    assert (unknown["outcome"], len(unknown["candidates"]), at.creates()) == ("UNKNOWN", kind == "reset_after", 1)
    made = await at.write("createOpportunity", new, key=KEY, resolution={"retry": True})
    assert (made["outcome"], errors(made), at.creates()) == ("DONE", [], 2)


async def test_a_refusal_whose_key_could_not_be_freed_is_still_told_and_the_key_asks_what_became_of_it(at: Desk, ledger: Ledger) -> None:
    new = await at.new(title="Quay lights")
    at.fail_creates("status", times=1)
    at.ground.control.faults[0].status = 429

    assert (await created_while(at, new, ledger.protect))["codes"] == ["RATE_LIMITED"]
    ledger.mend()

    assert errors(await at.write("createOpportunity", new, key=KEY)) == UNKNOWN
    assert (await at.write("createOpportunity", new, key=KEY, resolution={"retry": True}))["outcome"] == "DONE"


@pytest.mark.parametrize("failure", ["fill", "protect"])
async def test_nothing_is_sent_where_the_key_cannot_be_kept(at: Desk, ledger: Ledger, failure: str) -> None:
    new = await at.new()
    getattr(ledger, failure)()

    assert await at.write_error("createOpportunity", new, key=KEY) == "UNAVAILABLE"
    assert at.calls() == []
    ledger.mend()
    assert (await at.write("createOpportunity", new, key=KEY))["outcome"] == "DONE"


@pytest.mark.parametrize(("failure", "told"), [("fill", "full"), ("protect", "readonly")])
async def test_a_disk_that_fails_is_an_error_of_the_ledger(ledger: Ledger, failure: str, told: str) -> None:
    await ledger.begin(KEY, "digest")
    getattr(ledger, failure)()

    for change in (ledger.begin("another", "digest"), ledger.done(KEY, {"id": "7" * 40, "problems": []})):
        with pytest.raises(LedgerError, match=told):
            await change
    ledger.mend()
    entry = await ledger.begin(KEY, "digest")
    assert entry is not None
    assert (entry.state, entry.result) == (EntryState.STARTED, None)
