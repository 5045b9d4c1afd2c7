"""What is promised of a vendor that is watched: an opportunity looks the same however it is read, and no change stays unseen."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from random import Random

import pytest

from resolvers.listing.entries import Entry, entries_of
from server.changes.snapshot import COLUMNS, SELECTION, kept
from server.context import ContextMaker
from server.cursors import SignedCursors
from tests.playground import Playground
from vendors.capabilities import ListsOpportunities, Page, PageRequest, ReadsOpportunities
from vendors.changes import PollsOpportunities, ReceivesWebhooks, WatchesOpportunities, WebhookRefusedError
from vendors.errors import UnsupportedError, VendorError
from vendors.model import EVERYTHING, Opportunity, OpportunityStatus
from vendors.sandbox import OptionValue
from vendors.sandbox_board import LIFE, Board, DealState

# Positions of unconfirmed options in which the vendor does not stamp what a person moves.
SILENT: Mapping[str, Mapping[str, tuple[OptionValue, ...]]] = {
    "autotask": {"edit_is_activity": ("not_of_stage", "no")},
    "sharpspring": {"update_stamp": ("api",)},
}
ALWAYS = timedelta(days=20_000)


def board_of(ground: Playground) -> Board:
    if LIFE not in ground.sandbox.app:
        pytest.skip("nobody moves deals in this vendor's sandbox")
    return ground.sandbox.app[LIFE].board


async def entries(ground: Playground, records: list[Opportunity]) -> dict[str, Entry]:
    """What is kept of records."""
    context = ContextMaker({ground.crm.key: ground.crm}, SignedCursors(b"a key that only tests have"))()
    found = await entries_of(context, ground.crm, records, COLUMNS)
    return {entry.local_id: kept(entry) for entry in found}


async def all_rows(read: Callable[[PageRequest], Awaitable[Page[Opportunity]]], *, size: int = 7) -> list[Opportunity]:
    """The rows of all pages."""
    rows: list[Opportunity] = []
    position: str | None = None
    while True:
        page = await read(PageRequest(size=size, position=position, selection=SELECTION, include_deleted=True))
        rows += [row.record for row in page.rows]
        if not page.has_more or page.position == position:
            return rows
        position = page.position


async def swept(ground: Playground) -> dict[str, Entry]:
    client = ground.crm.client
    assert isinstance(client, ListsOpportunities)
    rows = await all_rows(client.opportunities_page, size=1_000)
    return await entries(ground, [row for row in rows if not row.is_deleted])


async def polled(ground: Playground, since: timedelta = ALWAYS) -> dict[str, Opportunity]:
    """What the vendor tells to have changed within that time."""
    client = ground.crm.client
    now = ground.crm.http.vendor_clock.now()
    if not isinstance(client, PollsOpportunities) or now is None:
        pytest.skip("this vendor cannot be asked for what has changed; it is swept instead")
    try:
        rows = await all_rows(lambda request: client.changed_opportunities(now - since, request))
    except UnsupportedError:
        pytest.skip("in this position the vendor cannot be asked for what has changed; it is swept instead")
    return {row.local_id: row for row in rows}


async def by_id(ground: Playground, ids: list[str], *, everything: bool = False) -> dict[str, Opportunity]:
    client = ground.crm.client
    assert isinstance(client, ReadsOpportunities)
    found = await client.opportunities_by_ids(ids, EVERYTHING if everything else SELECTION)
    records: dict[str, Opportunity] = {}
    for local_id, record in found.items():
        assert not isinstance(record, VendorError), record
        records[local_id] = record
    return records


async def test_an_opportunity_looks_the_same_in_a_sweep_and_by_its_id(ground: Playground) -> None:
    known = await swept(ground)
    assert known
    for everything in (False, True):
        records = await by_id(ground, list(known), everything=everything)
        assert await entries(ground, list(records.values())) == known


async def test_an_opportunity_looks_the_same_in_a_poll(ground: Playground) -> None:
    known = await swept(ground)
    there = [record for record in (await polled(ground)).values() if not record.is_deleted]
    found = await entries(ground, there)
    assert found, "all of them were changed at some time"
    assert found == {local_id: known[local_id] for local_id in found}


async def test_what_is_moved_is_told_by_the_next_poll(ground: Playground) -> None:
    if any(ground.sandbox.options.get(name) in values for name, values in SILENT.get(ground.crm.vendor.key, {}).items()):
        pytest.skip("in this position a person's moves leave no trace for polls; they are swept")
    await swept(ground)
    board, random = board_of(ground), Random(11)  # noqa: S311  # repeatable, not secret
    for deal in board.deals()[:5]:
        board.move(deal, random)
        before = ground.sandbox.app[LIFE].history[deal]
        assert before[-1] != before[-2]
    told = await polled(ground, timedelta(minutes=2))
    assert {*board.deals()[:5]} <= told.keys()


async def test_the_sandbox_says_the_same_of_its_deals_as_the_adapter(ground: Playground) -> None:
    board, random = board_of(ground), Random(5)  # noqa: S311  # repeatable, not secret
    deals = board.deals()
    for _ in range(100):
        board.move(random.choice(deals), random)
    records = await by_id(ground, list(deals))
    assert {deal: state_of(records[deal]) for deal in deals} == {deal: board.state(deal) for deal in deals}


def state_of(record: Opportunity) -> DealState:
    words: Mapping[OpportunityStatus, str] = {OpportunityStatus.OPEN: "OPEN", OpportunityStatus.WON: "WON", OpportunityStatus.LOST: "LOST"}
    stage = None if record.stage_ref is None else bare(record.stage_ref.local_id)
    return DealState(stage, None if record.status is None else words[record.status])  # type: ignore[arg-type]  # one of its words


def bare(stage: str) -> str:
    """The vendor's own id of a stage: where it is unique in a pipeline only, ours has the pipeline's before it."""
    return stage.rpartition("~")[2]


async def test_what_a_move_tells_of_itself_is_not_of_the_future(ground: Playground) -> None:
    board, client = board_of(ground), ground.crm.client
    assert isinstance(client, WatchesOpportunities)
    deal = board.deals()[3]
    board.move(deal, Random(2))  # noqa: S311  # repeatable, not secret
    record = (await by_id(ground, [deal]))[deal]
    facts, now = client.change_facts(record), ground.crm.http.vendor_clock.now()
    assert now is not None
    if facts.changed_at is not None:
        assert facts.changed_at <= now + timedelta(days=1)  # a vendor that tells the day alone is within it
    if facts.changed_by is not None:
        assert facts.changed_by.crm == ground.crm.key


def test_watching_leaves_most_of_a_vendors_budget_to_people(plain: Playground) -> None:
    client = plain.crm.client
    if not isinstance(client, WatchesOpportunities):
        pytest.skip("this vendor says nothing about how it is watched")
    watching = client.watching()
    assert watching.sweep_seconds >= 5
    assert watching.poll_seconds >= 5
    assert 3_600 / watching.poll_seconds <= watching.calls_per_hour <= 3_600


async def test_what_is_signed_wrongly_is_refused(plain: Playground) -> None:
    client = plain.crm.client
    if not isinstance(client, ReceivesWebhooks):
        pytest.skip("this vendor pushes nothing")
    body = b'{"id": "5a0d1e2b-1111-4000-8000-000000000001"}'
    signature = {"x-apideck-signature": "0" * 64, "webhook-signature": "0" * 64}
    for headers in ({}, signature, dict.fromkeys(signature, ""), dict.fromkeys(signature, "\u00e9\u00e9")):
        with pytest.raises(WebhookRefusedError):
            client.delivery(headers, body)
