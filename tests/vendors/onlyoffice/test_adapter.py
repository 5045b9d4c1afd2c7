"""The adapter against the sandbox: how it logs in, what it calls, and what it makes of the portal's peculiarities."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import aiohttp
import pytest

from tests.contract.reading import sound, whole_list
from tests.playground import Playground, brief_sleep, connect, playground
from vendors.calls import Clock
from vendors.capabilities import PageRequest
from vendors.errors import CredentialsError, MalformedReplyError, PermissionDeniedError, UnavailableError
from vendors.model import EVERYTHING, UNREAD, Opportunity, OpportunityStatus, Ref, Selection
from vendors.onlyoffice import VENDOR
from vendors.onlyoffice.client import Client
from vendors.onlyoffice.extension import OnlyofficeOpportunityFields
from vendors.onlyoffice.mapping import LOST_USER_ID
from vendors.onlyoffice.sandbox.logins import ADMIN_USERNAME, APP_USERNAME, SMS_USERNAME
from vendors.onlyoffice.settings import Settings
from vendors.registry import Link, all_sandboxes
from vendors.sandbox import Fault, OptionValue

LIST, STAGES, PEOPLE, LOGIN, BATCH = (
    "GET crm/opportunity/filter",
    "GET crm/opportunity/stage",
    "GET people/filter",
    "authentication",
    "batch",
)
CONTACT, TAGS = "GET crm/contact/{id}", "GET crm/opportunity/tag/{id}"
TERMINATED = "7ad20b61-c3f4-4598-8e17-5f09d6b3c8a2"
TITLES = Selection({"Opportunity": frozenset({"title"})})
WHOLE_ROWS = Selection({"Opportunity": frozenset({"title", "extension"})})
BOARD_OF_OPPORTUNITIES = frozenset(
    {"title", "amount", "status", "pipeline_ref", "stage_ref", "owner_ref", "account_ref", "contact_refs", "probability_percent"}
)
BOARD = Selection(
    {
        "Opportunity": BOARD_OF_OPPORTUNITIES,
        "Money": frozenset({"amount", "currency"}),
        "User": frozenset({"name", "email"}),
        "Account": frozenset({"name", "currency"}),
        "Contact": frozenset({"name", "email"}),
        "Stage": frozenset({"name", "order", "probability_percent", "kind"}),
        "Pipeline": frozenset({"name"}),
    }
)


def selecting(**classes: Sequence[str]) -> Selection:
    return Selection({name: frozenset(attributes) for name, attributes in classes.items()})


def client_of(ground: Playground) -> Client:
    assert isinstance(ground.crm.client, Client)
    return ground.crm.client


def calls(ground: Playground) -> Counter[str]:
    """What was called since the last look."""
    counted = Counter(ground.control.operations())
    ground.control.calls.clear()
    return counted


async def first_page(ground: Playground, selection: Selection = TITLES, *, size: int = 20) -> list[Opportunity]:
    page = await client_of(ground).opportunities_page(PageRequest(size=size, selection=selection))
    return [row.record for row in page.rows]


async def read_board(client: Client, selection: Selection = BOARD, *, size: int = 20) -> dict[str, tuple[str | None, list[str | None]]]:
    """Do what the graph does for a page: take what the page holds, ask for the rest at once; gives account and contacts by title."""
    page = await client.opportunities_page(PageRequest(size=size, selection=selection))
    assert page.seeds is not None
    records = [row.record for row in page.rows]
    unread = [record for record in records if UNREAD in (record.account_ref, record.contact_refs)]
    known = [ref.local_id for record in records if isinstance(record.contact_refs, tuple) for ref in record.contact_refs]
    owners = sorted({record.owner_ref.local_id for record in records if record.owner_ref is not None})
    wanted = {name: selection.of(name) or frozenset() for name in ("Account", "Contact", "User")}
    accounts = {account.ref: account.name for account in page.seeds.accounts if account.covers(wanted["Account"])}
    contacts = {contact.ref: contact.email for contact in page.seeds.contacts if contact.covers(wanted["Contact"])}
    _, links, found, users = await asyncio.gather(
        client.pipelines(),
        client.opportunity_links(unread, selection),
        client.contacts_by_ids([local_id for local_id in known if Ref("baltic", local_id) not in contacts], selection),
        client.users_by_ids(owners, selection),
    )
    assert {sound(user).ref for user in users.values()} | {user.ref for user in page.seeds.users} >= {
        record.owner_ref for record in records
    }
    contacts |= {contact.ref: contact.email for contact in map(sound, found.values())}
    for link in map(sound, links.values()):
        assert link.seeds is not None
        accounts |= {account.ref: account.name for account in link.seeds.accounts}
        contacts |= {contact.ref: contact.email for contact in link.seeds.contacts}
    shown: dict[str, tuple[str | None, list[str | None]]] = {}
    for record in records:
        related = sound(links[record.local_id]) if record.local_id in links else record
        account, people = related.account_ref, related.contact_refs
        assert account is not UNREAD and people is not UNREAD
        shown[record.title] = (None if account is None else accounts[account], [contacts[ref] for ref in people])
    return shown


# What it costs

COLD = {LOGIN: 1, LIST: 1, STAGES: 1, PEOPLE: 1, BATCH: 1}
WARM = {LIST: 1, BATCH: 1}
SINGLE = {CONTACT: 16}
COSTS: Mapping[tuple[str, OptionValue], tuple[Mapping[str, int], Mapping[str, int]]] = {
    ("auth_style", "bearer"): ({**COLD, LIST: 2}, WARM),
    ("batch", "off"): ({**COLD, **SINGLE}, {LIST: 1, **SINGLE}),
}
POSITIONS = [position for position in all_sandboxes()["onlyoffice"].positions() if len(position) <= 1]


@pytest.mark.parametrize("position", POSITIONS, ids=str)
async def test_a_board_costs_list_stages_people_and_one_batch_and_less_when_tables_are_kept(position: dict[str, OptionValue]) -> None:
    async with playground("onlyoffice", options=position) as ground:
        first = await read_board(client_of(ground))
        cold = calls(ground)
        again = await read_board(client_of(ground))
        warm = calls(ground)

    costs = COSTS.get(next(iter(position.items()), ("", "")), (COLD, WARM))
    assert (dict(cold), dict(warm)) == costs
    assert first == again
    assert first["Quay crane retrofit, berth 4"] == (
        "Port of Gdynia S.A.",
        ["kasia.zielinska@portgdynia.example", "tomasz.wojcik@portgdynia.example"],
    )
    assert first["Deck lighting 2027"] == (
        "Baltic Timber & Freight SIA",
        ["oskars.liepa@baltictimber.example", "ilze.krumina@baltictimber.example"],
    )
    assert first["Slipway inspection by the hour"] == ("Liepāja Ship Repair", ["peteris@vitols-survey.example"])


async def test_the_hardest_portal_gives_the_same_board() -> None:
    hardest = all_sandboxes()["onlyoffice"].positions()[-1]
    async with playground("onlyoffice", options=hardest) as hard, playground("onlyoffice") as plain:
        assert await read_board(client_of(hard), size=60) == await read_board(client_of(plain), size=60)


@pytest.mark.parametrize(
    ("selection", "cost"),
    [
        (selecting(Opportunity=["title", "amount", "status"]), {LIST: 1}),
        (selecting(Opportunity=["contact_refs"], Contact=["name"]), {LIST: 1}),
        (selecting(Opportunity=["contact_refs"], Contact=["name", "email"]), {LIST: 1, BATCH: 1}),
        (selecting(Opportunity=["account_ref"], Account=["name"]), {LIST: 1, BATCH: 1}),
        (selecting(Opportunity=["account_refs", "contact_refs"], Account=["name"], Contact=["name", "title"]), {LIST: 1, BATCH: 1}),
        (selecting(Opportunity=["tags"]), {LIST: 1, BATCH: 1}),
    ],
)
async def test_only_what_is_selected_is_read(selection: Selection, cost: Mapping[str, int]) -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        await first_page(ground)
        calls(ground)
        records = await first_page(ground, selection)
        unread = [record for record in records if UNREAD in (record.account_ref, record.contact_refs)]
        if selection.wants("Opportunity", "account_ref", "account_refs"):
            await client.opportunity_links(unread, selection)
        elif selection.wants("Contact", "email"):
            known = [ref.local_id for record in records if isinstance(record.contact_refs, tuple) for ref in record.contact_refs]
            assert not any(record.contact_refs is UNREAD for record in records)
            assert len(await client.contacts_by_ids(known, selection)) == len(set(known))

        assert dict(calls(ground)) == cost


async def test_a_list_is_asked_for_by_id_and_whole() -> None:
    async with playground("onlyoffice") as ground:
        await first_page(ground, WHOLE_ROWS)

        assert dict(ground.control.calls[-1].query) == {"startIndex": "0", "count": "21", "sortBy": "id", "sortOrder": "ascending"}


async def test_tags_are_unknown_until_they_are_selected() -> None:
    async with playground("onlyoffice") as ground:
        [plain, *_] = await first_page(ground, BOARD)
        [whole, *_] = await first_page(ground, EVERYTHING)

    assert plain.tags is None and not plain.covers(frozenset({"tags"})) and plain.covers(BOARD_OF_OPPORTUNITIES)
    assert whole.tags == ("crane", "tender") and whole.read_fields is None


async def test_opportunities_by_ids_come_in_batches_of_fifty_calls() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        ids = [record.local_id for record in await whole_list(ground.crm, selection=TITLES)]
        calls(ground)

        without_tags = await client.opportunities_by_ids(ids, TITLES)
        assert dict(calls(ground)) == {BATCH: 2, LIST: 1}  # the list for the one whose stage is gone
        with_tags = await client.opportunities_by_ids(ids[:25], EVERYTHING)
        assert dict(calls(ground)) == {BATCH: 1}
        single = await client.opportunities_by_ids(ids[:1], TITLES)
        assert dict(calls(ground)) == {"GET crm/opportunity/{id}": 1}

    assert set(without_tags) == set(ids)
    assert sound(with_tags["101"]).tags == ("crane", "tender")
    assert sound(single["101"]).title == "Quay crane retrofit, berth 4"


async def test_relations_of_an_opportunity_by_id_cost_no_call_where_it_embeds_them() -> None:
    selection = selecting(Opportunity=["account_ref", "contact_refs"], Account=["name"], Contact=["name"])
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        [record] = map(sound, (await client.opportunities_by_ids(["102"], selection)).values())
        calls(ground)

        [link] = map(sound, (await client.opportunity_links([record], selection)).values())

        assert not calls(ground)
    assert (record.account_ref, record.contact_refs) == (UNREAD, UNREAD)
    assert link.seeds is not None
    assert [account.name for account in link.seeds.accounts] == ["Baltic Timber & Freight SIA"]
    assert [contact.name for contact in link.seeds.contacts] == ["Oskars Liepa", "Ilze Krūmiņa"]


async def test_a_portal_without_batch_is_asked_for_it_once_an_hour() -> None:
    now = 1_000.0
    async with playground("onlyoffice", options={"batch": "off"}) as ground, aiohttp.ClientSession() as session:
        client = connected(ground, session, clock=lambda: now)
        for _ in range(2):
            assert set(await client.contacts_by_ids(["41", "42", "999"], EVERYTHING)) == {"41", "42"}
        assert calls(ground) == {LOGIN: 1, BATCH: 1, CONTACT: 6}

        now += 3_601
        await client.contacts_by_ids(["41", "42"], EVERYTHING)

        assert calls(ground) == {BATCH: 1, CONTACT: 2}


# Contacts, companies, people


async def test_a_company_is_no_contact_and_a_person_no_account() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        ids = ["12", "41", "26", "0", "-1", "041", "٤١", "99999999999", "x"]

        assert set(await client.accounts_by_ids(ids, EVERYTHING)) == {"12"}
        assert set(await client.contacts_by_ids(ids, EVERYTHING)) == {"41"}


async def test_somebody_who_has_left_is_found_by_guid_and_kept() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)

        [user] = map(sound, (await client.users_by_ids([TERMINATED], EVERYTHING)).values())
        assert (user.name, user.email, user.is_active) == ("Andris Ozols", "andris.ozols@nordkai.example", False)
        assert calls(ground) == {LOGIN: 1, PEOPLE: 1, "GET people/{user}": 1}

        await client.users_by_ids([TERMINATED], EVERYTHING)
        assert not calls(ground)


async def test_reading_users_by_id_adds_none_to_their_list() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        before = await client.users()

        assert set(await client.users_by_ids([TERMINATED, LOST_USER_ID], EVERYTHING)) == {TERMINATED, LOST_USER_ID}
        assert await client.users() == before


@pytest.mark.parametrize(("option", "email"), [("visible", "ivo.brandt@nordkai.example"), ("hidden", None)])
async def test_an_email_address_that_the_portal_hides_is_null(option: str, email: str | None) -> None:
    async with playground("onlyoffice", options={"people_email": option}) as ground:
        found = await client_of(ground).users_by_ids(["9924256a-739c-462b-af15-e652a3b1b6eb"], BOARD)

    assert [(sound(user).name, sound(user).email) for user in found.values()] == [("Ivo Brandt", email)]


async def test_an_administrator_is_given_everybody_at_once() -> None:
    async with playground("onlyoffice", settings={"username": ADMIN_USERNAME}) as ground:
        assert set(await client_of(ground).users_by_ids([TERMINATED], EVERYTHING)) == {TERMINATED}

        assert calls(ground) == {LOGIN: 1, PEOPLE: 1}


async def test_only_a_guid_is_asked_for_among_people() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        await client.users_by_ids([], EVERYTHING)
        calls(ground)

        found = await client.users_by_ids(["@self", "integration", LOST_USER_ID, "../people"], EVERYTHING)
        assert list(found) == [LOST_USER_ID]  # it stands for all who were removed, and is nobody to be asked for
        assert not calls(ground)


async def test_an_owner_whose_profile_was_removed_is_told_by_the_page() -> None:
    async with playground("onlyoffice") as ground:
        page = await client_of(ground).opportunities_page(PageRequest(size=60, selection=BOARD))

    [record] = [row.record for row in page.rows if row.record.local_id == "132"]
    assert page.seeds is not None
    [user] = [user for user in page.seeds.users if user.ref == record.owner_ref]
    assert (user.name, user.read_fields) == ("Profile has been removed", None)


async def test_the_base_currency_is_a_setting_where_several_are_basic() -> None:
    async with playground("onlyoffice") as ground, playground("onlyoffice", settings={"base_currency": "EUR"}) as told:
        assert await client_of(ground).base_currency() is None
        assert await client_of(told).base_currency() == "EUR"
        assert not calls(told)


# The seed's records through the whole adapter


@pytest.mark.parametrize("offset", ["+03:00", "+00:00", "-05:00"])
async def test_days_are_those_of_the_portal_wherever_it_is(offset: str) -> None:
    async with playground("onlyoffice", options={"portal_offset": offset}) as ground:
        records = {record.local_id: record for record in await whole_list(ground.crm, selection=WHOLE_ROWS)}

    assert str(records["101"].expected_close_date) == "2026-12-15"
    assert str(records["117"].closed_at) == "2026-11-18 10:30:00+00:00"
    assert str(records["164"].actual_close_date) == ("2026-06-26" if offset == "+03:00" else "2026-06-25")


@pytest.mark.parametrize("position", ["not_found", "shown"])
async def test_an_opportunity_whose_stage_is_gone_is_there_by_id_as_in_the_list(position: str) -> None:
    async with playground("onlyoffice", options={"single_missing_stage": position}) as ground:
        listed = {record.local_id: record for record in await whole_list(ground.crm)}
        calls(ground)

        found = await client_of(ground).opportunities_by_ids(["135", "999", "101"], EVERYTHING)

        assert dict(calls(ground)) == {BATCH: 1, LIST: 1}
    record = sound(found["135"])
    assert set(found) == {"135", "101"}
    assert (record.stage_ref, record.status, record.tags) == (None, None, ())
    assert (record.title, record.amount, record.owner_ref) == (listed["135"].title, listed["135"].amount, listed["135"].owner_ref)


async def test_a_list_that_cannot_be_read_fails_for_those_who_are_looked_up_in_it() -> None:
    async with playground("onlyoffice") as ground:
        ground.control.faults.append(Fault(kind="status", status=403, match=LIST))

        found = await client_of(ground).opportunities_by_ids(["135", "101"], TITLES)

    assert {local_id: type(value) for local_id, value in found.items()} == {"135": PermissionDeniedError, "101": Opportunity}


async def test_an_opportunity_that_may_be_an_unreadable_row_of_the_list_is_not_taken_for_deleted() -> None:
    async with playground("onlyoffice") as ground:
        ground.control.faults.append(Fault(kind="bad_row", match=LIST))

        found = await client_of(ground).opportunities_by_ids(["135", "999", "101"], TITLES)

        assert ground.control.count(LIST) == 1
    assert {local_id: type(value) for local_id, value in found.items()} == {
        "135": Opportunity,
        "999": MalformedReplyError,
        "101": Opportunity,
    }


async def test_private_opportunities_have_their_access_list() -> None:
    async with playground("onlyoffice") as ground:
        records = {record.local_id: record for record in await whole_list(ground.crm, selection=WHOLE_ROWS)}

    own = records["131"].extension
    assert isinstance(own, OnlyofficeOpportunityFields)
    assert records["131"].is_private is True and len(own.access_list_refs) == 2
    assert records["101"].is_private is False


async def test_the_custom_date_format_reads_dates_as_the_portal_writes_them() -> None:
    settings = {"custom_date_format": "%m/%d/%Y"}
    async with playground("onlyoffice", options={"date_field_text": "portal"}, settings=settings) as ground:
        [record, *_] = await first_page(ground, WHOLE_ROWS)

    fields = {field.key: (field.value, field.display_value) for field in record.custom_fields or ()}
    assert fields["26"] == ("2027-02-15", "2/15/2027")
    assert fields["25"] == (False, "false")
    assert "23" not in fields


async def test_a_moved_opportunity_is_won() -> None:
    async with playground("onlyoffice") as ground, aiohttp.ClientSession(ground.sandbox.base_url) as session:
        await session.post("/_sandbox/move", data='{"id": 101, "stage": 8}')

        [record] = map(sound, (await client_of(ground).opportunities_by_ids(["101"], TITLES)).values())

    assert (record.status, record.stage_ref) == (OpportunityStatus.WON, Ref("baltic", "8"))


# Logging in


def connected(ground: Playground, session: aiohttp.ClientSession, *, clock: Clock = time.monotonic, **settings: object) -> Client:
    link = Link(crm="baltic", session=session, clock=clock, sleep=brief_sleep, jitter=lambda: 0.5)
    client = VENDOR.connect(link, Settings.model_validate({**ground.sandbox.settings, **settings}))
    assert isinstance(client, Client)
    return client


async def test_a_portal_that_refuses_the_bare_token_gets_bearer_from_then_on() -> None:
    async with playground("onlyoffice", options={"auth_style": "bearer", "token_lifetime": "short"}) as ground:
        for _ in range(15):
            await first_page(ground)

    statuses = [call.status for call in ground.control.calls if call.operation == LIST]
    assert statuses[0] == 401
    assert statuses.count(401) == 2  # the first call, and the end of the first token
    assert statuses.count(200) == 15
    assert ground.control.count(LOGIN) == 2


async def test_a_token_that_ends_early_is_renewed_once() -> None:
    async with playground("onlyoffice", options={"token_lifetime": "short"}) as ground:
        for _ in range(11):
            await first_page(ground)

        assert calls(ground) == {LOGIN: 2, LIST: 12}


async def test_a_token_is_renewed_when_its_time_is_over_without_being_refused_first() -> None:
    now = 1_000.0
    async with playground("onlyoffice") as ground, aiohttp.ClientSession() as session:
        client = connected(ground, session, clock=lambda: now)
        request = PageRequest(size=1, selection=TITLES)
        await client.opportunities_page(request)
        now += 6 * 86_400
        await client.opportunities_page(request)
        assert calls(ground) == {LOGIN: 1, LIST: 2}

        now += 2 * 86_400
        await client.opportunities_page(request)

        assert calls(ground) == {LOGIN: 1, LIST: 1}


@pytest.mark.parametrize("username", [SMS_USERNAME, APP_USERNAME])
async def test_a_user_with_a_second_factor_is_refused_with_the_reason(username: str) -> None:
    async with playground("onlyoffice", settings={"username": username}) as ground:
        with pytest.raises(CredentialsError, match="second factor"):
            await first_page(ground)


async def test_a_wrong_password_is_not_tried_over_and_over() -> None:
    async with playground("onlyoffice") as ground, aiohttp.ClientSession() as session:
        wrong = connect("onlyoffice", ground.sandbox, session, settings={"password": "wrong"})
        assert isinstance(wrong.client, Client)
        for _ in range(3):
            with pytest.raises(CredentialsError):
                await wrong.client.opportunities_page(PageRequest(size=1, selection=TITLES))

        assert calls(ground) == {LOGIN: 1}


async def test_a_login_that_the_portal_cannot_answer_is_no_wrong_password() -> None:
    async with playground("onlyoffice") as ground:
        ground.control.faults.append(Fault(kind="status", status=500, body="<h1>Server error</h1>", match=LOGIN))

        with pytest.raises(UnavailableError):
            await first_page(ground)


async def test_a_portal_address_may_end_with_a_slash_and_have_a_path() -> None:
    async with playground("onlyoffice") as ground, aiohttp.ClientSession() as session:
        client = connected(ground, session, portal_url=ground.sandbox.base_url + "/")

        assert (await client.pipelines())[0].name == "Sales"
