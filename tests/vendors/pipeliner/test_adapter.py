"""What is particular to reading Pipeliner, over HTTP against its sandbox: calls made, ways of asking for many, odd answers."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.reading import sound, whole_list
from tests.playground import Playground, playground
from vendors.capabilities import Page, PageRequest
from vendors.errors import (
    CredentialsError,
    MalformedReplyError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
)
from vendors.model import EVERYTHING, UNREAD, Opportunity, Record, Ref, Selection, User
from vendors.pipeliner.client import Client
from vendors.pipeliner.extension import PipelinerAccountFields, PipelinerOpportunityFields
from vendors.pipeliner.settings import Settings
from vendors.registry import all_sandboxes
from vendors.sandbox import Fault, OptionValue

POSITIONS = all_sandboxes()["pipeliner"].positions()
WAYS = ["none", "repeat", "comma", "brackets"]
BOARD = Selection(
    {
        "Opportunity": frozenset({"title", "amount", "status", "pipeline_ref", "stage_ref", "owner_ref", "account_ref", "contact_refs"}),
        "Money": frozenset({"amount", "currency"}),
        "User": frozenset({"name", "email"}),
        "Account": frozenset({"name", "currency"}),
        "Contact": frozenset({"name", "email"}),
        "Stage": frozenset({"name", "order", "probability_percent", "kind"}),
        "Pipeline": frozenset({"name"}),
    }
)
TITLES = Selection({"Opportunity": frozenset({"title"})})
NAMES = Selection({"Account": frozenset({"name"}), "Contact": frozenset({"name"}), "Opportunity": frozenset({"title"})})


def client_of(ground: Playground) -> Client:
    assert isinstance(ground.crm.client, Client)
    return ground.crm.client


def calls(ground: Playground) -> Counter[str]:
    """What was called since the last time, by entity; a read of one record counts as `Entity/id`."""
    paths = [call.path.rpartition("/entities/")[2] for call in ground.control.calls]
    ground.control.calls.clear()
    return Counter(path if "/" not in path else f"{path.partition('/')[0]}/id" for path in paths)


def answers(ground: Playground, match: str, *bodies: object, status: int = 200) -> None:
    """Let the vendor answer so, one body after another."""
    for body in bodies:
        text = body if isinstance(body, str) else json.dumps(body)
        ground.control.faults.append(Fault(kind="status", status=status, body=text, match=match, times=1))


def uncovered(refs: Iterable[Ref], seeds: Sequence[Record], wanted: frozenset[str]) -> list[str]:
    seeded = {record.ref for record in seeds if record.covers(wanted)}
    return sorted({ref.local_id for ref in refs} - {ref.local_id for ref in seeded})


async def board(ground: Playground) -> Page[Opportunity]:
    """Read a board as the graph does: the page, then whatever its seeds do not cover."""
    client = client_of(ground)
    page = await client.opportunities_page(PageRequest(size=20, selection=BOARD))
    records = [row.record for row in page.rows]
    assert page.seeds is not None
    wanted = {name: BOARD.of(name) or frozenset() for name in ("User", "Account", "Contact")}
    users = uncovered([record.owner_ref for record in records if record.owner_ref], page.seeds.users, wanted["User"])
    accounts = uncovered(
        [record.account_ref for record in records if isinstance(record.account_ref, Ref)], page.seeds.accounts, wanted["Account"]
    )
    contact_refs = [ref for record in records if record.contact_refs is not UNREAD for ref in record.contact_refs]
    contacts = uncovered(contact_refs, page.seeds.contacts, wanted["Contact"])
    if users:
        await client.users_by_ids(users, BOARD)
    if accounts:
        await client.accounts_by_ids(accounts, BOARD)
    if contacts:
        await client.contacts_by_ids(contacts, BOARD)
    await client.pipelines()
    return page


def position_name(options: dict[str, OptionValue]) -> str:
    return ",".join(f"{name}={value}" for name, value in options.items()) or "defaults"


@pytest.mark.parametrize("options", POSITIONS, ids=position_name)
async def test_a_board_costs_three_calls_and_then_one(options: dict[str, OptionValue]) -> None:
    async with playground("pipeliner", options=options) as ground:
        cold = await board(ground)
        cold_calls = calls(ground)
        await board(ground)
        warm_calls = calls(ground)

    assert len(cold.rows) == 20
    assert cold_calls == {"Opportunities": 1, "Pipelines": 1, "Currencies": 1}
    assert warm_calls == {"Opportunities": 1}


async def ids_of(ground: Playground, count: int) -> tuple[list[str], list[str], list[str]]:
    """Ids of opportunities, accounts and contacts that exist."""
    records = [record for record in await whole_list(ground.crm) if isinstance(record.account_ref, Ref) and record.primary_contact_ref]
    accounts = list(dict.fromkeys(record.account_ref.local_id for record in records if isinstance(record.account_ref, Ref)))
    contacts = list(dict.fromkeys(record.primary_contact_ref.local_id for record in records if record.primary_contact_ref))
    calls(ground)
    return [record.local_id for record in records[:count]], accounts[:count], contacts[:count]


def takes_one_value(ground: Playground, account_id: str, times: int) -> None:
    """Let the server answer so many filters of several accounts as if they had one value."""
    answers(ground, "entities/Accounts", *[{"success": True, "data": [{"id": account_id, "name": "One"}]}] * times)


@pytest.mark.parametrize(("way", "probes"), [("repeat", 1), ("comma", 2), ("brackets", 3)])
async def test_many_ids_cost_one_call_once_the_way_is_known(way: str, probes: int) -> None:
    async with playground("pipeliner", options={"multi_value": way}) as ground:
        client = client_of(ground)
        opportunity_ids, account_ids, contact_ids = await ids_of(ground, 5)
        takes_one_value(ground, account_ids[0], probes - 1)

        accounts = await client.accounts_by_ids(account_ids, NAMES)
        first = calls(ground)
        contacts = await client.contacts_by_ids(contact_ids, NAMES)
        opportunities = await client.opportunities_by_ids(opportunity_ids, NAMES)
        second = calls(ground)

    assert (set(accounts), set(contacts), set(opportunities)) == (set(account_ids), set(contact_ids), set(opportunity_ids))
    assert first == {"Accounts": probes}
    assert second == {"Contacts": 1, "Opportunities": 1}


async def test_ids_are_asked_for_one_by_one_once_it_is_known_that_filters_take_one_value() -> None:
    async with playground("pipeliner", options={"multi_value": "none"}) as ground:
        client = client_of(ground)
        _, account_ids, contact_ids = await ids_of(ground, 5)

        accounts = await client.accounts_by_ids(account_ids, NAMES)
        first = calls(ground)
        contacts = await client.contacts_by_ids(contact_ids, NAMES)
        second = calls(ground)

    assert (set(accounts), set(contacts)) == (set(account_ids), set(contact_ids))
    assert first["Accounts"] == 3
    assert first["Accounts/id"] in {4, 5}
    assert second == {"Contacts/id": 5}


@pytest.mark.parametrize("way", WAYS)
async def test_an_id_that_does_not_exist_is_left_out(way: str) -> None:
    missing = "00000000-0000-4000-8000-00000000dead"
    async with playground("pipeliner", options={"multi_value": way}) as ground:
        client = client_of(ground)
        _, account_ids, _ = await ids_of(ground, 2)

        alone = await client.accounts_by_ids([missing], NAMES)
        beside = await client.accounts_by_ids([account_ids[0], missing], NAMES)
        among = await client.accounts_by_ids([*account_ids, missing], NAMES)
        impossible = await client.accounts_by_ids(["1", "../Clients", account_ids[0] + "?x=y"], NAMES)

    assert (alone, set(beside), set(among), impossible) == ({}, {account_ids[0]}, set(account_ids), {})


async def test_one_id_is_read_directly() -> None:
    async with playground("pipeliner") as ground:
        _, account_ids, _ = await ids_of(ground, 1)

        await client_of(ground).accounts_by_ids(account_ids, NAMES)

        assert calls(ground) == {"Accounts/id": 1}


async def test_concurrent_reads_of_many_ids_find_the_way_once() -> None:
    async with playground("pipeliner", options={"multi_value": "comma"}) as ground:
        client = client_of(ground)
        _, account_ids, contact_ids = await ids_of(ground, 5)

        await asyncio.gather(client.accounts_by_ids(account_ids, NAMES), client.contacts_by_ids(contact_ids, NAMES))

        assert sorted(calls(ground).values()) == [1, 2]


async def test_more_ids_than_a_page_holds_are_asked_for_in_chunks() -> None:
    async with playground("pipeliner", options={"multi_value": "repeat"}, scale=250) as ground:
        listed = [record.local_id for record in await whole_list(ground.crm, selection=TITLES)]
        calls(ground)

        found = await client_of(ground).opportunities_by_ids(listed, TITLES)

        assert set(found) == set(listed)
        assert calls(ground) == {"Opportunities": 3}


async def test_a_server_that_passes_the_filter_over_is_not_believed() -> None:
    async with playground("pipeliner", options={"multi_value": "none"}) as ground:
        _, account_ids, _ = await ids_of(ground, 4)
        stranger = {"id": "00000000-0000-4000-8000-00000000beef", "name": "Stranger"}
        everybody = {"success": True, "data": [{"id": account_id, "name": "Listed"} for account_id in account_ids[:3]] + [stranger]}
        answers(ground, "entities/Accounts", everybody)

        found = await client_of(ground).accounts_by_ids(account_ids, NAMES)

        assert set(found) == set(account_ids)
        assert calls(ground)["Accounts"] > 1


async def test_a_row_that_cannot_be_read_is_an_error_of_its_own_id() -> None:
    async with playground("pipeliner", options={"multi_value": "repeat"}) as ground:
        client = client_of(ground)
        _, account_ids, _ = await ids_of(ground, 4)
        await client.accounts_by_ids(account_ids, NAMES)
        ground.control.faults.append(Fault(kind="bad_row", match="entities/Accounts", times=1))
        answers(ground, f"entities/Accounts/{account_ids[0]}", {"success": True, "data": {"id": {"no": "id"}}})

        found = await client.accounts_by_ids(sorted(account_ids), NAMES)

    assert set(found) == set(account_ids)
    assert sum(isinstance(value, MalformedReplyError) for value in found.values()) <= 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"success": False, "http_status": 404, "data": []}, NotFoundError),
        ({"success": False, "http_status": 401}, CredentialsError),
        ({"success": False, "http_status": 403}, PermissionDeniedError),
        ({"success": False, "http_status": 422, "message": "\nsecret"}, RejectedRequestError),
        ({"success": False}, RejectedRequestError),
    ],
)
async def test_a_failure_may_come_with_status_200(body: dict[str, Any], kind: type[VendorError]) -> None:
    async with playground("pipeliner") as ground:
        answers(ground, "entities/Opportunities", body)

        with pytest.raises(kind) as caught:
            await client_of(ground).opportunities_page(PageRequest(size=5, selection=TITLES))

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("status", "kind"), [(503, UnavailableError), (429, RateLimitedError)])
async def test_a_failure_with_status_200_that_may_pass_is_tried_again(status: int, kind: type[VendorError]) -> None:
    async with playground("pipeliner") as ground:
        answers(ground, "entities/Opportunities", *[{"success": False, "http_status": status}] * 3)

        with pytest.raises(kind):
            await client_of(ground).opportunities_page(PageRequest(size=5, selection=TITLES))

        assert calls(ground) == {"Opportunities": 3}


async def test_words_of_people_do_not_make_a_failure() -> None:
    async with playground("pipeliner") as ground:
        row = {"id": "x", "name": '"success": false', "product_sections": {"success": False}}
        answers(ground, "entities/Opportunities", {"success": True, "data": [row]})

        page = await client_of(ground).opportunities_page(PageRequest(size=5, selection=TITLES))

    assert [row.record.title for row in page.rows] == ['"success": false']


@pytest.mark.parametrize("body", [{"success": True}, {"success": True, "data": None}, {"success": True, "data": {}}, {"data": "x"}])
async def test_an_answer_without_data_is_malformed(body: dict[str, Any]) -> None:
    async with playground("pipeliner") as ground:
        answers(ground, "entities/Opportunities", body)

        with pytest.raises(MalformedReplyError):
            await client_of(ground).opportunities_page(PageRequest(size=5, selection=TITLES))


# Source: recorded answers of the vendor: an unknown record or type, and a path that the web framework does not know.
@pytest.mark.parametrize(
    "body",
    [
        {"code": 404, "name": "ERROR_NOT_FOUND", "message": "Entity not found.", "http_status": 404, "success": False},
        {"status": 404, "message": "The requested URL was not found on the server.", "errorcode": None, "traceback": None},
        "<h1>Not Found</h1>",
    ],
)
async def test_both_kinds_of_404_mean_that_the_record_is_not_there(body: object) -> None:
    async with playground("pipeliner") as ground:
        _, account_ids, _ = await ids_of(ground, 1)
        answers(ground, "entities/Accounts/", body, status=404)

        assert await client_of(ground).accounts_by_ids(account_ids, NAMES) == {}


async def test_a_wrong_space_is_told_as_a_mistake_in_the_settings() -> None:
    async with playground("pipeliner", settings={"space_id": "no_such_space"}) as ground:
        with pytest.raises(RejectedRequestError, match="space_id"):
            await client_of(ground).opportunities_page(PageRequest(size=5, selection=TITLES))
        with pytest.raises(RejectedRequestError):
            await client_of(ground).check()


async def test_a_page_that_links_to_itself_is_not_followed() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        first = await client.opportunities_page(PageRequest(size=5, selection=TITLES))
        cursor = json.loads(first.position or "[]")[0]
        info = {"end_cursor": cursor, "has_next_page": True}
        answers(ground, "entities/Opportunities", {"success": True, "data": [{"id": "x"}], "page_info": info})

        with pytest.raises(MalformedReplyError):
            await client.opportunities_page(PageRequest(size=5, position=first.position, selection=TITLES))


async def test_a_table_whose_cursor_repeats_is_given_up() -> None:
    async with playground("pipeliner") as ground:
        body = {"success": True, "data": [{"id": "x"}], "page_info": {"end_cursor": "again", "has_next_page": True}}
        answers(ground, "entities/Pipelines", body, body, body)

        with pytest.raises(MalformedReplyError):
            await client_of(ground).pipelines()

        assert calls(ground) == {"Pipelines": 2}


async def test_a_table_is_read_over_all_its_pages_with_the_same_choice_of_fields() -> None:
    async with playground("pipeliner") as ground:
        one = {"id": "00000000-0000-0000-0000-000000000001", "formatted_name": "One"}
        two = {"id": "00000000-0000-0000-0000-000000000002", "formatted_name": "Two"}
        going_on = {"end_cursor": "WyIxIl0+/=", "has_next_page": True}
        answers(ground, "entities/Clients", {"data": [one], "page_info": going_on}, {"data": [two], "page_info": {"end_cursor": "x"}})

        users = await client_of(ground).users_by_ids([one["id"], two["id"]], EVERYTHING)

        assert [sound(user).name for user in users.values()] == ["One", "Two"]
        first, second = [dict(call.query) for call in ground.control.calls]
        assert second == {**first, "after": "WyIxIl0+/="}
        assert (first["first"], first["include-deleted"]) == ("100", "true")
        assert "default_unit_id" in first["load-only"]


async def test_users_are_read_once_and_again_only_for_one_that_is_missing() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        owners = sorted({record.owner_ref.local_id for record in await whole_list(ground.crm) if record.owner_ref})
        calls(ground)

        await client.users_by_ids(owners, EVERYTHING)
        await client.users_by_ids(owners, EVERYTHING)
        await client.users_by_ids(["00000000-0000-0000-0000-00000000dead"], EVERYTHING)

        assert calls(ground) == {"Clients": 1}


async def test_an_unknown_user_is_in_doubt_while_a_row_of_the_table_cannot_be_read() -> None:
    async with playground("pipeliner") as ground:
        ground.control.faults.append(Fault(kind="bad_row", match="entities/Clients", times=1))
        client = client_of(ground)
        known = [user.local_id for user in await client.users()]

        found = await client.users_by_ids([known[0], "00000000-0000-0000-0000-00000000dead"], EVERYTHING)

        assert [type(value) for value in found.values()] == [User, MalformedReplyError]
        assert calls(ground) == {"Clients": 1}


async def test_steps_that_came_as_links_are_read_as_a_table() -> None:
    async with playground("pipeliner") as ground:
        expected = await client_of(ground).pipelines()
        uris = {pipeline.ref: [f"https://old.example/x/Steps/{stage.local_id}" for stage in pipeline.stages] for pipeline in expected}
        rows = [{"id": pipeline.local_id, "name": pipeline.name, "steps": uris[pipeline.ref]} for pipeline in expected]
    async with playground("pipeliner") as ground:
        answers(ground, "entities/Pipelines", {"success": True, "data": rows})

        found = await client_of(ground).pipelines()

        assert calls(ground) == {"Pipelines": 1, "Steps": 1}
        stages = {stage.ref for pipeline in found for stage in pipeline.stages}
        assert stages >= {stage.ref for pipeline in expected for stage in pipeline.stages}


async def test_links_that_came_as_uris_are_read_by_opportunity() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        whole = [
            record
            for record in await whole_list(ground.crm)
            if record.account_refs is not UNREAD and record.account_refs and record.contact_refs
        ][:6]
        calls(ground)
        rows = [
            {
                "id": record.local_id,
                "account_relations": ["https://old.example/x/LeadOpptyAccountRelations/00000000-0000-4000-8000-000000000001"],
                "contact_relations": ["https://old.example/x/LeadOpptyContactRelations/00000000-0000-4000-8000-000000000002"],
            }
            for record in whole
        ]
        answers(ground, "entities/Opportunities", {"success": True, "data": rows})
        selection = Selection(
            {
                "Opportunity": frozenset({"account_refs", "contact_refs"}),
                "Account": frozenset({"name"}),
                "Contact": frozenset({"name"}),
            }
        )

        page = await client.opportunities_page(PageRequest(size=20, selection=selection))
        unread = [row.record for row in page.rows]
        links = await client.opportunity_links(unread, selection)

        assert all(record.account_refs is UNREAD and record.contact_refs is UNREAD for record in unread)
        for record in whole:
            link = sound(links[record.local_id])
            assert (link.account_refs, link.contact_refs) == (record.account_refs, record.contact_refs)
            assert link.seeds is not None
            assert {account.ref for account in link.seeds.accounts} == set(link.account_refs)
            assert all(contact.covers(frozenset({"name"})) for contact in link.seeds.contacts)


async def test_links_of_an_account_to_its_contacts_are_read_only_when_asked_for() -> None:
    async with playground("pipeliner", options={"multi_value": "repeat"}) as ground:
        client = client_of(ground)
        _, account_ids, _ = await ids_of(ground, 5)
        own = Selection({"Account": frozenset({"name", "extension"}), "PipelinerAccountFields": frozenset({"contact_relations", "emails"})})
        plain = Selection({"Account": frozenset({"name", "extension"}), "PipelinerAccountFields": frozenset({"emails"})})

        with_links = await client.accounts_by_ids(account_ids, own)
        first = calls(ground)
        await client.accounts_by_ids(account_ids, plain)

        assert calls(ground) == {"Accounts": 1}
        assert first["ContactAccountRelations"] >= 1
        fields = [sound(account).extension for account in with_links.values()]
        links = [link for own_fields in fields if isinstance(own_fields, PipelinerAccountFields) for link in own_fields.contact_relations]
        assert links
        assert {link.account_ref.local_id for link in links if link.account_ref} <= set(account_ids)


async def test_an_unknown_step_has_the_pipelines_read_again() -> None:
    async with playground("pipeliner") as ground:
        now = 0.0
        client = Client(replace(ground.crm.link, clock=lambda: now), Settings.model_validate(ground.sandbox.settings))
        await client.pipelines()
        calls(ground)
        now = 60.0
        row = {"id": "x", "step_id": "00000000-0000-4000-8000-00000000dead"}
        answers(ground, "entities/Opportunities", {"success": True, "data": [row]})

        page = await client.opportunities_page(PageRequest(size=5, selection=Selection({"Opportunity": frozenset({"pipeline_ref"})})))

        assert [row.record.pipeline_ref for row in page.rows] == [None]
        assert calls(ground) == {"Opportunities": 1, "Pipelines": 1}


async def test_seeds_are_the_records_that_a_read_by_id_gives() -> None:
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        page = await client.opportunities_page(PageRequest(size=50, selection=BOARD))
        assert page.seeds is not None
        seeds = page.seeds

        accounts = await client.accounts_by_ids([record.local_id for record in seeds.accounts], BOARD)
        contacts = await client.contacts_by_ids([record.local_id for record in seeds.contacts], BOARD)
        users = await client.users_by_ids([record.local_id for record in seeds.users], BOARD)

        assert seeds.accounts and seeds.contacts and seeds.users
        assert [record.name for record in seeds.accounts] == [sound(accounts[record.local_id]).name for record in seeds.accounts]
        assert [(record.name, record.email) for record in seeds.contacts] == [
            (sound(contacts[record.local_id]).name, sound(contacts[record.local_id]).email) for record in seeds.contacts
        ]
        assert [(record.name, record.email) for record in seeds.users] == [
            (sound(users[record.local_id]).name, sound(users[record.local_id]).email) for record in seeds.users
        ]


async def test_own_fields_come_only_with_those_that_are_read() -> None:
    selection = Selection(
        {"Opportunity": frozenset({"extension"}), "PipelinerOpportunityFields": frozenset({"days_in_step", "value", "labels"})}
    )
    async with playground("pipeliner") as ground:
        whole = {record.ref: record for record in await whole_list(ground.crm)}
        calls(ground)

        records = await whole_list(ground.crm, selection=selection)

        assert calls(ground) == {"Opportunities": 1}
        for record in records:
            mine, full = record.extension, whole[record.ref].extension
            assert isinstance(mine, PipelinerOpportunityFields) and isinstance(full, PipelinerOpportunityFields)
            assert (mine.days_in_step, mine.value, mine.labels) == (full.days_in_step, full.value, full.labels)


async def test_labels_come_from_kept_tables_that_only_their_readers_load() -> None:
    type_id, option_id = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
    row = {"id": "x", "status": 3, "oppty_type_id": type_id, "reason_of_close_id": option_id, "lead_source_id": option_id}
    selection = Selection({"Opportunity": frozenset({"type", "won_reason", "lead_source"})})
    async with playground("pipeliner") as ground:
        client = client_of(ground)
        answers(ground, "entities/OpportunityTypes", {"success": True, "data": [{"id": type_id, "name": "New equipment"}]})
        answers(ground, "entities/Data", {"success": True, "data": [{"id": option_id, "option_name": "Trade fair"}]})
        answers(ground, "entities/Opportunities", {"success": True, "data": [row]}, {"success": True, "data": [row]})

        page = await client.opportunities_page(PageRequest(size=5, selection=selection))
        cold = calls(ground)
        await client.opportunities_page(PageRequest(size=5, selection=selection))

        (record,) = [row.record for row in page.rows]
        assert (record.type, record.lead_source) == ("New equipment", "Trade fair")
        assert record.won_reason is not None and record.won_reason.label == "Trade fair"
        assert cold == {"Opportunities": 1, "OpportunityTypes": 1, "Data": 1}
        assert calls(ground) == {"Opportunities": 1}


async def test_the_base_currency_is_that_of_the_kept_table() -> None:
    async with playground("pipeliner") as ground:
        assert await client_of(ground).base_currency() == "EUR"
        assert await client_of(ground).base_currency() == "EUR"
        assert calls(ground) == {"Currencies": 1}


async def test_a_page_holds_a_hundred_rows_at_most_and_nothing_else_is_asked_for() -> None:
    async with playground("pipeliner") as ground:
        await client_of(ground).opportunities_page(PageRequest(size=150, selection=TITLES))

        (call,) = ground.control.calls
        assert dict(call.query)["first"] == "100"
        assert [name for name, _ in call.query] == ["first", "load-only"]
