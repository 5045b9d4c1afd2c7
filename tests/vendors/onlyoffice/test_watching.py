"""What watching a portal comes to: reading all its opportunities again, with few keys, and comparing them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from random import Random
from typing import Any

import aiohttp
import pytest

from resolvers.listing.entries import PLAIN_COLUMNS, Entry, entry_of, selection_of_columns
from tests.contract.changes import hands_in
from tests.contract.reading import opportunities_of, sound, walk, whole_list
from tests.playground import Playground, playground
from tests.vendors.onlyoffice.writing_desk import client_of, deal_of, done, store_of, values
from vendors.capabilities import PageRequest, Row
from vendors.changes import PollsOpportunities, ReceivesWebhooks, WatchesOpportunities
from vendors.model import EVERYTHING, UNREAD, Opportunity, OpportunityStatus, Ref, Selection
from vendors.onlyoffice.client import Client
from vendors.onlyoffice.mapping import LOST_USER_ID
from vendors.onlyoffice.pages import MAX_SIZE
from vendors.onlyoffice.sandbox.logins import ADMIN_USERNAME
from vendors.onlyoffice.sandbox.objects import LOST_USER_NAME
from vendors.query import Condition, Field, Operator
from vendors.registry import all_sandboxes
from vendors.sandbox import OptionValue
from vendors.sandbox_board import LIFE, DealState
from vendors.writes import OpportunityValues, StatusValues

LIST, LOGIN = "GET crm/opportunity/filter", "authentication"
POSITIONS = all_sandboxes()["onlyoffice"].positions()
WATCHED = selection_of_columns(PLAIN_COLUMNS)
KEYS = {
    "abbreviation",
    "actualCloseDate",
    "bidCurrency",
    "bidType",
    "bidValue",
    "created",
    "expectedCloseDate",
    "id",
    "perPeriodValue",
    "responsible",
    "stage",
    "stageType",
    "successProbability",
    "title",
}
ADMIN, IVO = "1b0d6a54-7c21-4f6e-9a53-0c8e5d2f7a10", "9924256a-739c-462b-af15-e652a3b1b6eb"


def name_of(position: Mapping[str, OptionValue]) -> str:
    return "hardest" if len(position) > 1 else ",".join(f"{name}={value}" for name, value in position.items()) or "defaults"


in_every_position = pytest.mark.parametrize("position", POSITIONS, ids=name_of)


async def swept(ground: Playground, *, size: int = 100) -> dict[str, Entry]:
    """What a watch compares, by id."""
    records = await whole_list(ground.crm, size=size, selection=WATCHED)
    found = {record.local_id: entry_of(record) for record in records}
    assert len(found) == len(records)
    return found


def changes(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> set[str]:
    return {local_id for local_id in before.keys() | after.keys() if before.get(local_id) != after.get(local_id)}


def list_calls(ground: Playground) -> list[dict[str, str]]:
    """The queries of what was answered since the last look, which may be nothing but the list."""
    sent = [call for call in ground.control.calls if call.operation != LOGIN and call.status != HTTPStatus.UNAUTHORIZED]
    ground.control.calls.clear()
    assert {call.operation for call in sent} <= {LIST}
    return [dict(call.query) for call in sent]


def test_a_portal_is_swept_often_and_neither_polled_nor_listened_to() -> None:
    assert issubclass(Client, WatchesOpportunities)
    assert not issubclass(Client, PollsOpportunities | ReceivesWebhooks)


async def test_the_calls_of_an_hour_are_enough_for_ten_pages_a_sweep() -> None:
    async with playground("onlyoffice") as ground:
        watching = client_of(ground).watching()

    assert 10 * 3_600 / watching.sweep_seconds <= watching.calls_per_hour


# What is asked for


@in_every_position
async def test_a_narrow_row_tells_what_the_whole_one_tells(position: Mapping[str, OptionValue]) -> None:
    async with playground("onlyoffice", options=position) as ground:
        whole = await whole_list(ground.crm, selection=EVERYTHING)
        ground.control.calls.clear()
        narrow = await whole_list(ground.crm, selection=WATCHED)

        assert [set(query["fields"].split(",")) for query in list_calls(ground)] == [KEYS]

    wanted = WATCHED.of("Opportunity")
    assert wanted is not None and all(record.covers(wanted) for record in narrow)
    assert [record.ref for record in narrow] == [record.ref for record in whole]
    for record, other in zip(narrow, whole, strict=True):
        for name in record.read_fields or ():
            if name not in {"id", "read_fields"}:
                assert getattr(record, name) == getattr(other, name), name
    assert {record.status for record in narrow} == {None, *OpportunityStatus}
    assert any(record.closed_at is not None for record in narrow)


@pytest.mark.parametrize("fields", ["top_level", "every_level"])
@pytest.mark.parametrize(
    ("attribute", "keys"),
    [
        ("title", "id,title"),
        ("description", "description,id"),
        ("amount", "abbreviation,bidCurrency,bidType,bidValue,id,perPeriodValue"),
        ("probability_percent", "id,successProbability"),
        ("status", "id,stage,stageType"),
        ("status_label", "id,stage,stageType"),
        ("stage_ref", "id,stage"),
        ("expected_close_date", "expectedCloseDate,id"),
        ("actual_close_date", "actualCloseDate,id"),
        ("close_date", "actualCloseDate,expectedCloseDate,id"),
        ("closed_at", "actualCloseDate,id"),
        ("owner_ref", "id,responsible"),
        ("is_private", "id,isPrivate"),
        ("can_edit", "canEdit,id"),
        ("created_at", "created,id"),
        ("created_by_ref", "createBy,id"),
        ("pipeline_ref", "id"),
    ],
)
async def test_each_attribute_asks_for_its_own_keys_alone(fields: str, attribute: str, keys: str) -> None:
    async with playground("onlyoffice", options={"fields": fields}) as ground:
        whole = {record.ref: record for record in await whole_list(ground.crm)}
        ground.control.calls.clear()
        narrow = await whole_list(ground.crm, selection=Selection({"Opportunity": frozenset({attribute})}))

        assert [query["fields"] for query in list_calls(ground)] == [keys]

    assert {record.ref: getattr(record, attribute) for record in narrow} == {ref: getattr(whole[ref], attribute) for ref in whole}
    assert any(getattr(record, attribute) not in (None, False, "") for record in narrow)


async def test_what_is_not_read_is_said_to_be_unread() -> None:
    async with playground("onlyoffice") as ground:
        [record, *_] = await whole_list(ground.crm, selection=Selection({"Opportunity": frozenset({"title"})}))

    assert record.read_fields is not None
    lost = {"amount", "probability_percent", "status", "stage_ref", "account_ref", "contact_refs", "tags", "custom_fields", "extension"}
    assert not lost & record.read_fields
    assert (record.account_ref, record.account_refs, record.contact_refs) == (UNREAD, UNREAD, UNREAD)
    assert (record.amount, record.probability_percent, record.tags, record.custom_fields, record.extension) == (None,) * 5


@pytest.mark.parametrize(
    "attributes",
    [
        {"Opportunity": {"title", "account_ref"}},
        {"Opportunity": {"title", "contact_refs"}},
        {"Opportunity": {"title", "custom_fields"}},
        {"Opportunity": {"title", "extension"}},
        {"Opportunity": {"title"}, "OnlyofficeOpportunityFields": {"bid_type"}},
        {"Opportunity": {"owner_ref"}, "User": {"name"}},
    ],
)
async def test_rows_that_embed_what_is_read_come_whole(attributes: Mapping[str, set[str]]) -> None:
    selection = Selection({name: frozenset(names) for name, names in attributes.items()})
    async with playground("onlyoffice") as ground:
        page = await client_of(ground).opportunities_page(PageRequest(size=5, selection=selection))

        [query] = list_calls(ground)

    assert "fields" not in query
    assert page.seeds is not None and page.seeds.users


@pytest.mark.parametrize("fields", ["top_level", "every_level"])
async def test_a_narrow_list_tells_nothing_of_people(fields: str) -> None:
    """What little is there of them would look whole, and overwrite what whole rows told of removed ones."""
    async with playground("onlyoffice", options={"fields": fields}) as ground:
        client = client_of(ground)
        await whole_list(ground.crm)
        page = await client.opportunities_page(PageRequest(size=100, selection=WATCHED))
        [lost] = (await client.users_by_ids([LOST_USER_ID], EVERYTHING)).values()

    assert LOST_USER_ID in {row.record.owner_ref.local_id for row in page.rows if row.record.owner_ref is not None}
    assert page.seeds is None
    assert sound(lost).name == LOST_USER_NAME


@pytest.mark.parametrize("fields", ["top_level", "every_level"])
@pytest.mark.parametrize(
    ("field", "value", "key"),
    [(Field.STAGE, "11", "stage"), (Field.OWNER, IVO, "responsible"), (Field.CONTACT, "46", None), (Field.ACCOUNT, "15", None)],
)
async def test_a_filter_of_a_narrow_list_keeps_its_rows(fields: str, field: Field, value: str, key: str | None) -> None:
    """A row is looked at for what the filter asked for, so that it comes with that, or whole."""
    where = [Condition(field, Operator.ANY_OF, (value,))]
    async with playground("onlyoffice", options={"fields": fields}) as ground:
        whole = await walk(opportunities_of(ground.crm), 100, selection=EVERYTHING, where=where)
        ground.control.calls.clear()
        narrow = await walk(opportunities_of(ground.crm), 100, selection=Selection({"Opportunity": frozenset({"title"})}), where=where)

        asked = {dict(call.query).get("fields") for call in ground.control.calls if call.operation == LIST}

    assert narrow.refs == whole.refs != []
    assert asked == ({None} if key is None else {",".join(sorted(["id", key, "title"]))})


# What it costs


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (54, 1), (MAX_SIZE, 1), (MAX_SIZE + 1, 2), (2_500, 3)])
async def test_a_quiet_sweep_is_a_call_for_each_thousand(count: int, calls: int) -> None:
    async with playground("onlyoffice", scale=count) as ground:
        first = await swept(ground, size=1_000)
        list_calls(ground)
        second = await swept(ground, size=1_000)

        queries = list_calls(ground)

    assert len(first) == count and not changes(first, second)
    assert len(queries) == calls
    assert all((query["sortBy"], query["sortOrder"]) == ("id", "ascending") for query in queries)


# What it finds


@in_every_position
async def test_reading_again_tells_every_change_that_was_made(position: Mapping[str, OptionValue]) -> None:
    """Changes made by the API, and by people in the vendor's own product."""
    async with playground("onlyoffice", options=position) as ground, aiohttp.ClientSession(ground.sandbox.base_url) as people:
        client, life = client_of(ground), ground.sandbox.app[LIFE]
        before = await swept(ground)
        told: set[str] = set()
        life.board.listen(told.add)

        created = await done(await client.plan_create(values(title="Quay extension")))
        [moved, renamed, won, deleted] = [sound(record) for record in (await by_ids(client, ["101", "105", "108", "110"])).values()]
        await done(await client.plan_move(moved, "7", None))
        await done(await client.plan_update(renamed, OpportunityValues(title="Berth planning, second phase")))
        await done(await client.plan_close(won, StatusValues(status=OpportunityStatus.WON)))
        await done(await client.plan_delete(deleted))
        assert {created.local_id, "101", "105", "108", "110"} == told
        await people.post("/_sandbox/moves", json={"deal": "112"})
        await people.post("/_sandbox/moves", json={"deal": "135"})
        await people.post("/_sandbox/moves", json={"count": 5})
        after = await swept(ground)

    moves = {deal for deal, states in life.history.items() if len(states) > 1 and states[0] != states[-1]}
    assert {created.local_id, "101", "105", "108", "110"} | moves <= changes(before, after) <= told
    assert {"112", "135"} <= told
    assert created.local_id in after and "110" not in after


@pytest.mark.parametrize("size", [1, 3, 10])
@in_every_position
async def test_rows_that_move_come_and_go_during_a_sweep_hide_no_others(position: Mapping[str, OptionValue], size: int) -> None:
    random = Random(size)  # noqa: S311  # keeps no secret
    async with playground("onlyoffice", options=position, scale=40) as ground:
        board, hands = ground.sandbox.app[LIFE].board, hands_in("onlyoffice", ground.sandbox.app)
        assert hands is not None
        left = set(board.deals())

        def disturb(seen: Sequence[Row[Opportunity]]) -> None:
            """Move the row that was read last, the last one of all and any, add one, and delete one that was read."""
            if len(left) <= 10:
                return
            for deal in {seen[-1].record.local_id, board.deals()[-1], random.choice(board.deals())} & set(board.deals()):
                board.move(deal, random)
            hands.copy(board.deals()[0])
            gone = random.choice([row.record.local_id for row in seen if row.record.local_id in left])
            hands.remove(gone)
            left.discard(gone)

        found = await walk(opportunities_of(ground.crm), size, selection=WATCHED, between=disturb)
        in_order = list(board.deals())

    read = [record.local_id for record in found.records]
    assert len(read) == len(set(read)), "a row came twice"
    assert left <= set(read)
    assert set(in_order) <= set(read), "one that was added behind the place is missing"
    assert read == sorted(read, key=int)


async def test_what_is_moved_and_moved_back_between_two_sweeps_is_not_seen() -> None:
    async with playground("onlyoffice", scale=20) as ground:
        store = store_of(ground)
        deal = next(deal for deal in store.deals.values() if deal.actual_close_date is None)
        before, stage_id = await swept(ground), deal.stage_id

        store.move(deal.id, 8)
        store.move(deal.id, stage_id)

        assert ground.sandbox.app[LIFE].history[str(deal.id)] == [
            DealState(str(stage_id), "OPEN"),
            DealState("8", "WON"),
            DealState(str(stage_id), "OPEN"),
        ]
        assert await swept(ground) == before


async def test_a_record_that_is_closed_to_us_is_gone_and_comes_again() -> None:
    async with playground("onlyoffice") as ground:
        store = store_of(ground)
        admin = store.employees[ADMIN]
        before = await swept(ground)

        store.set_access(admin, 112, is_private=True, access_list=[ADMIN])
        without = await swept(ground)
        store.set_access(admin, 112, is_private=False, access_list=[])
        again = await swept(ground)

    assert changes(before, without) == {"112"} and "112" not in without
    assert again == before


# When it happened


async def by_ids(client: Client, ids: Sequence[str]) -> Mapping[str, Any]:
    return await client.opportunities_by_ids(ids, EVERYTHING)


@in_every_position
async def test_only_a_closing_move_has_a_moment(position: Mapping[str, OptionValue]) -> None:
    async with playground("onlyoffice", options=position) as ground:
        client, store = client_of(ground), store_of(ground)
        for deal_id, stage_id in ((101, 8), (105, 9), (112, 7), (117, 3)):
            store.move(deal_id, stage_id)
        single = await by_ids(client, ["101", "105", "112", "117", "108"])
        listed = {record.local_id: record for record in await whole_list(ground.crm, selection=WATCHED)}
        moments = {deal: deal_of(ground, deal).actual_close_date for deal in ("101", "105")}

    statuses = {deal: sound(record).status for deal, record in single.items()}
    won, lost, is_open = OpportunityStatus.WON, OpportunityStatus.LOST, OpportunityStatus.OPEN
    assert statuses == {"101": won, "105": lost, "112": is_open, "117": is_open, "108": is_open}
    for found in (single, listed):
        facts = {deal: client.change_facts(sound(found[deal])) for deal in single}
        assert {deal: fact.changed_at for deal, fact in facts.items()} == {**dict.fromkeys(single), **moments}
        assert all(fact.changed_by is None for fact in facts.values())
    assert all(isinstance(moment, datetime) for moment in moments.values())


async def test_a_day_that_somebody_chose_is_no_moment() -> None:
    async with playground("onlyoffice", settings={"username": ADMIN_USERNAME}) as ground:
        client = client_of(ground)
        own = {"title": "Closed by hand", "responsibleid": IVO, "stageid": 8, "bidCurrencyAbbr": "EUR"}
        async with aiohttp.ClientSession(ground.sandbox.base_url) as other:
            credentials = {"userName": ADMIN_USERNAME, "password": ground.sandbox.settings["password"]}
            login = await (await other.post("/api/2.0/authentication", json=credentials)).json()
            headers = {"Authorization": login["response"]["token"]}
            url = "/api/2.0/crm/opportunity/101"
            await other.put(url, json={**own, "actualCloseDate": "2026-11-02"}, headers=headers)
            by_day = sound((await by_ids(client, ["101"]))["101"])
            await other.put(url, json=own, headers=headers)
            by_nothing = sound((await by_ids(client, ["101"]))["101"])

    assert (by_day.status, str(by_day.actual_close_date)) == (OpportunityStatus.WON, "2026-11-02")
    assert (by_nothing.status, by_nothing.actual_close_date) == (OpportunityStatus.WON, None)
    assert client.change_facts(by_day).changed_at is None is client.change_facts(by_nothing).changed_at


async def test_an_open_record_keeps_no_moment_of_an_earlier_close() -> None:
    """A full update opens a record again and leaves its close date as it is sent."""
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        record = sound((await by_ids(client, ["117"]))["117"])

    assert client.change_facts(record).changed_at == record.closed_at is not None
    opened = replace(record, status=OpportunityStatus.OPEN, stage_ref=Ref(record.crm, "4"))
    assert client.change_facts(opened).changed_at is None
    assert client.change_facts(replace(record, status=None, stage_ref=None)).changed_at is None
