"""Every vendor, really watched: what happens there becomes an event, also after the server or the vendor was away."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from resolvers.changes import ChangeKind, ChangeSource, Whereabouts
from resolvers.listing.index import IndexKey
from server.changes.allowance import Allowance
from server.changes.snapshot import COLUMNS
from server.schema import build_schema
from tests.contract.conftest import VENDORS
from tests.contract.test_watching import bare, state_of
from tests.server.changes.test_store import writer
from tests.server.changes.watchtower import EAGER, Tower, known_of, tower, watched
from tests.slots import holding
from vendors.calls import giving_way
from vendors.capabilities import ReadsOpportunities
from vendors.errors import ErrorCode, VendorError
from vendors.limiting import Budget, Limits
from vendors.model import EVERYTHING, Ref
from vendors.sandbox import Fault
from vendors.sandbox_board import LIFE, DealState
from vendors.writes import DeletesOpportunities

RARELY = replace(EAGER, poll_seconds=3_600, sweep_seconds=3_600)


async def moved(at: Tower, crm: str, seed: int = 1, *, number: int = 0) -> str:
    """Move a deal, and tell which."""
    deal = at.board(crm).deals()[number]
    at.board(crm).move(deal, Random(seed))  # noqa: S311  # repeatable, not secret
    return deal


@pytest.mark.parametrize("vendor", VENDORS)
async def test_what_is_moved_becomes_one_event(vendor: str, tmp_path: Path) -> None:
    async with tower(tmp_path, vendor) as at:
        await at.settled()
        (crm,) = at.crms
        assert at.service.head == 0, "what is seen first is no event"
        deal = at.board(crm).deals()[2]
        before = at.board(crm).state(deal)
        await moved(at, crm, number=2)
        after = at.board(crm).state(deal)
        (event,) = await at.next(1, after=0)
        assert before is not None
        assert after is not None
        assert (event.ref, event.kind) == (Ref(crm, deal), ChangeKind.UPDATED)
        assert [place(event.before), place(event.after)] == [before, after]
        await rounds_after(at, crm)
        assert at.service.head == 1, "later rounds find nothing new"


def place(at: Whereabouts | None) -> DealState:
    """A side of an event, as a sandbox would say it."""
    assert at is not None
    status: Any = None if at.status is None else at.status.name
    return DealState(None if at.stage is None else bare(at.stage), status)


async def rounds_after(at: Tower, crm: str) -> None:
    """Wait until a sweep that begins from now on has come to its end."""
    for _ in range(2):  # the one that is under way may have begun before
        swept_at = (await at.until(crm, lambda _: True)).swept_at
        await at.until(crm, lambda state, before=swept_at: state.swept_at != before)  # type: ignore[misc]  # mypy sees no default here


@pytest.mark.parametrize("vendor", VENDORS)
async def test_what_happened_while_the_server_was_away_is_found_afterwards(vendor: str, tmp_path: Path) -> None:
    async with tower(tmp_path, vendor) as at:
        await at.settled()
        (crm,) = at.crms
        await at.service.stop()
        at.store.close()
        await moved(at, crm, 1, number=0)
        await moved(at, crm, 2, number=1)
        await moved(at, crm, 3, number=1)
        async with watched(tmp_path, at.crms) as (service, store, make_context):
            again = Tower(at.crms, at.grounds, service, store, make_context)
            await rounds_after(again, crm)
            found = (await service.read(0, 10, again.all_of())).events
            for event in found:
                assert place(event.after) == at.board(crm).state(event.ref.local_id)
            changed = {deal for deal in at.board(crm).deals()[:2] if len({*history(at, crm, deal)}) > 1}
            assert {event.ref.local_id for event in found} <= changed
            assert at.board(crm).deals()[0] in {event.ref.local_id for event in found}


def history(at: Tower, crm: str, deal: str) -> list[object]:
    states = at.grounds[crm].sandbox.app[LIFE].history[deal]
    return [states[0], states[-1]]


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != "autotask"])  # which deletes nothing by its API
async def test_what_is_deleted_is_told_once(vendor: str, tmp_path: Path) -> None:
    async with tower(tmp_path, vendor) as at:
        await at.settled()
        (crm,) = at.crms
        client = at.crms[crm].client
        assert isinstance(client, DeletesOpportunities)
        assert isinstance(client, ReadsOpportunities)
        deal = at.board(crm).deals()[1]
        record = (await client.opportunities_by_ids([deal], EVERYTHING))[deal]
        assert not isinstance(record, VendorError)
        await (await client.plan_delete(record)).execute()
        (event,) = await at.next(1, after=0, only_moves=False)
        assert (event.kind, event.ref.local_id, event.after) == (ChangeKind.DELETED, deal, None)
        await rounds_after(at, crm)
        assert at.service.head == 1


@pytest.mark.parametrize("vendor", VENDORS)
async def test_an_own_write_is_told_at_once_and_its_record_given(vendor: str, tmp_path: Path) -> None:
    async with tower(tmp_path, vendor, watching=RARELY) as at:
        await at.settled()
        (crm,) = at.crms
        deal = await moved(at, crm)
        calls = len(at.grounds[crm].control.calls)
        record = await at.service.hand_on(at.crms[crm], Ref(crm, deal))
        assert record is not None
        assert state_of(record) == at.board(crm).state(deal)
        (event,) = await at.next(1, after=0)
        assert event.source is ChangeSource.MUTATION
        assert len(at.grounds[crm].control.calls) > calls
        assert await at.service.hand_on(at.crms[crm], Ref(crm, deal)) == record
        assert at.service.head == 1


async def test_what_a_webhook_names_is_read_at_once(tmp_path: Path) -> None:
    async with tower(tmp_path, "pipeliner", watching=RARELY) as at:
        await at.settled()
        deal = await moved(at, "dach")
        assert await at.service.receive("dach", [deal, "5a0d1e2b-1111-4000-8000-000000000001"], delivery="d1")
        (event,) = await at.next(1, after=0)
        assert (event.source, event.ref.local_id) == (ChangeSource.WEBHOOK, deal)
        assert not await at.service.receive("dach", [deal], delivery="d1")


async def test_hints_wait_while_the_vendor_is_down(tmp_path: Path) -> None:
    async with tower(tmp_path, "pipeliner", watching=RARELY) as at:
        await at.settled()
        deal = await moved(at, "dach")
        at.grounds["dach"].control.faults[:] = [Fault(kind="status", status=503)]
        await at.service.receive("dach", [deal], delivery=None)
        state = await at.until("dach", lambda state: state.error is not None)
        assert (state.error, state.pending_hints) == (ErrorCode.UNAVAILABLE, 1)
        at.grounds["dach"].control.faults.clear()
        (event,) = await at.next(1, after=0)
        assert event.ref.local_id == deal
        await at.until("dach", lambda state: state.error is None and not state.pending_hints)


async def test_one_row_that_cannot_be_read_is_not_taken_for_deleted(tmp_path: Path) -> None:
    async with tower(tmp_path, "autotask") as at:
        await at.settled()
        at.grounds["service"].control.faults[:] = [Fault(kind="bad_row", match="Opportunities")]
        await rounds_after(at, "service")
        assert at.service.head == 0
        at.grounds["service"].control.faults.clear()
        await rounds_after(at, "service")
        assert at.service.head == 0


async def test_a_row_that_cannot_be_read_hides_no_deletion_of_others(tmp_path: Path) -> None:
    async with tower(tmp_path, "sharpspring") as at:
        await at.settled()
        client = at.crms["nordic"].client
        assert isinstance(client, DeletesOpportunities)
        assert isinstance(client, ReadsOpportunities)
        deal = at.board("nordic").deals()[-1]
        record = (await client.opportunities_by_ids([deal], EVERYTHING))[deal]
        assert not isinstance(record, VendorError)
        at.grounds["nordic"].control.faults[:] = [Fault(kind="bad_row", match="getOpportunities")]
        await (await client.plan_delete(record)).execute()
        (event,) = await at.next(1, after=0, only_moves=False)
        assert (event.kind, event.ref.local_id) == (ChangeKind.DELETED, deal)


async def test_what_could_not_be_read_at_first_is_not_new_when_it_can(tmp_path: Path) -> None:
    async with tower(tmp_path, "autotask", watching=replace(EAGER, sweep_seconds=0.5)) as at:
        at.grounds["service"].control.faults[:] = [Fault(kind="bad_row", match="Opportunities")]
        await at.settled()
        known = await known_of(at, "service")
        assert (len(known.entries), known.dropped) == (len(at.board("service").deals()) - 1, 1)
        at.grounds["service"].control.faults.clear()
        await rounds_after(at, "service")
        assert at.service.head == 0
        known = await known_of(at, "service")
        assert (len(known.entries), known.dropped) == (len(at.board("service").deals()), 0)


async def test_an_own_write_does_not_wait_for_a_log_that_is_locked(tmp_path: Path) -> None:
    async with tower(tmp_path, "autotask", watching=RARELY) as at:
        await at.settled()
        deal = await moved(at, "service")
        with closing(sqlite3.connect(tmp_path / "changes.sqlite3", isolation_level=None)) as other:
            other.execute("begin immediate")
            record = await at.service.hand_on(at.crms["service"], Ref("service", deal))
            assert record is not None
            assert at.service.head == 0
            state = await at.service.state(at.crms["service"])
            assert state is not None, "reading does not wait either"
            other.execute("rollback")
        (event,) = await at.next(1, after=0)
        assert event.ref.local_id == deal


async def test_an_error_is_told_until_it_is_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with tower(tmp_path, "autotask", watching=RARELY) as at:
        await at.settled()
        db = writer(at.store)
        db.execute("pragma query_only = on")
        deal = await moved(at, "service")
        await at.service.hand_on(at.crms["service"], Ref("service", deal))
        assert (await at.until("service", lambda _: True)).error is ErrorCode.INTERNAL
        db.execute("pragma query_only = off")
        await at.service.hand_on(at.crms["service"], Ref("service", deal))
        assert (await at.until("service", lambda _: True)).error is None
        assert at.service.head == 1
        told = [record.getMessage() for record in caplog.records if record.name == "server.changes.watcher"]
        assert ["not seen for now" in message for message in told] == [True, False]
        assert "seen again" in told[1]


async def test_one_write_that_is_known_makes_no_other_one_known(tmp_path: Path) -> None:
    async with tower(tmp_path, "autotask", watching=RARELY) as at:
        await at.settled()
        key, indexes = IndexKey("service", "Opportunity"), at.service.indexes
        indexes.forget("service")  # one whose outcome is not known
        indexes.forget("service")
        await at.service.hand_on(at.crms["service"], Ref("service", at.board("service").deals()[0]))
        assert indexes.fresh(key, COLUMNS) is None


async def test_a_crm_that_is_down_takes_nothing_from_the_others(tmp_path: Path) -> None:
    async with tower(tmp_path, "autotask", "onlyoffice") as at:
        await at.settled()
        at.grounds["service"].control.faults[:] = [Fault(kind="hang")]
        deal = await moved(at, "baltic")
        (event,) = await at.next(1, after=0)
        assert event.ref == Ref("baltic", deal)


async def test_lists_and_totals_do_not_scan_what_is_watched(tmp_path: Path) -> None:
    query = """{
      opportunities(first: 3, orderBy: [{field: TITLE}], filter: {status: [OPEN]}) {
        totalCount
        edges { node { id title } }
        sources { vendorCalls fetchedAt evaluatedHere }
      }
      opportunitySummary { count }
    }"""
    async with tower(tmp_path, "autotask", watching=RARELY) as at:
        await at.settled()
        schema, calls = build_schema(), at.grounds["service"].control.calls

        async def answer() -> dict[str, Any]:
            calls.clear()
            result = await schema.execute(query, context_value=at.make_context())
            assert isinstance(result, ExecutionResult)
            assert result.errors is None, result.errors
            assert result.data is not None
            return result.data

        found = await answer()
        assert len(calls) <= 1, "the rows of the page are read, and nothing else"
        (source,) = found["opportunities"]["sources"]
        assert "orderBy" in source["evaluatedHere"]
        assert source["fetchedAt"] is not None
        titles = [edge["node"]["title"] for edge in found["opportunities"]["edges"]]
        assert titles == sorted(titles, key=str.casefold)
        total = found["opportunities"]["totalCount"]
        deal = next(deal for deal in at.board("service").deals() if _status(at, deal) == "OPEN")
        seed = 0
        while _status(at, deal) == "OPEN":
            await moved(at, "service", seed, number=at.board("service").deals().index(deal))
            seed += 1
        at.service.indexes.forget("service")  # as a write does before it is looked after
        await at.service.hand_on(at.crms["service"], Ref("service", deal))
        assert (await answer())["opportunities"]["totalCount"] == total - 1
        assert len(calls) <= 1


def _status(at: Tower, deal: str) -> str | None:
    state = at.board("service").state(deal)
    return None if state is None else state.status


async def test_what_was_written_and_not_looked_after_is_scanned(tmp_path: Path) -> None:
    async with tower(tmp_path, "autotask", watching=RARELY) as at:
        await at.settled()
        key = IndexKey("service", "Opportunity")
        assert at.service.indexes.fresh(key, COLUMNS) is not None
        assert at.service.indexes.fresh(key, COLUMNS | {"contacts"}) is None, "nobody knows that of all of them"
        assert at.service.indexes.fresh(key._replace(include_deleted=True), COLUMNS) is None
        at.service.indexes.forget("service")
        assert at.service.indexes.fresh(key, COLUMNS) is None
        await at.service.hand_on(at.crms["service"], Ref("service", at.board("service").deals()[0]))
        assert at.service.indexes.fresh(key, COLUMNS) is not None


async def test_background_calls_leave_half_of_the_slots_to_people() -> None:
    budget = Budget(Limits(max_concurrent=4), clock=lambda: 0.0, sleep=asyncio.sleep)
    let_go, held = asyncio.Event(), 0

    async def hold() -> None:
        nonlocal held
        async with holding(budget.slot(None)):
            held += 1
            await let_go.wait()

    with giving_way():
        waiting = [asyncio.create_task(hold()) for _ in range(4)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert held == 2
    waiting += [asyncio.create_task(hold()) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert held == 4
    let_go.set()
    await asyncio.gather(*waiting)


async def test_background_calls_leave_a_slot_of_each_entity_to_people() -> None:
    budget = Budget(Limits(max_concurrent=10, max_concurrent_per_entity=2), clock=lambda: 0.0, sleep=asyncio.sleep)
    let_go, held = asyncio.Event(), list[str]()

    async def hold(who: str) -> None:
        async with holding(budget.slot("Opportunities")):
            held.append(who)
            await let_go.wait()

    with giving_way():
        waiting = [asyncio.create_task(hold(who)) for who in ("poll", "sweep")]
    await asyncio.sleep(0.01)
    waiting.append(asyncio.create_task(hold("person")))
    await asyncio.sleep(0.01)
    assert held == ["poll", "person"]
    let_go.set()
    await asyncio.gather(*waiting)


async def test_background_calls_leave_half_of_a_burst_to_people() -> None:
    now, slept = 0.0, list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    budget = Budget(Limits(max_concurrent=10, calls_per_second=2, burst=10), clock=lambda: now, sleep=sleep)

    async def call() -> None:
        async with holding(budget.slot(None)):
            pass

    with giving_way():
        for _ in range(6):
            await call()
        assert not slept
        await call()
    assert slept == [0.5]
    slept.clear()
    for _ in range(4):
        await call()
    assert not slept, "people find what was left"


async def test_watching_spends_no_more_calls_than_it_may() -> None:
    now, slept = 0.0, list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    allowance = Allowance(600, clock=lambda: now, sleep=sleep)
    for _ in range(50):
        await allowance.wait()
        allowance.spend(2)
    assert not slept, "what ten minutes bring may be spent at once"
    for _ in range(10):
        await allowance.wait()
        allowance.spend(2)
    assert sum(slept) == pytest.approx((20 - 1) * 6)
