"""What Autotask's adapter sends, in how many calls, and what it makes of the vendor's zones, errors and limits."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.playground import Playground, connect, playground
from vendors.autotask.client import Client
from vendors.autotask.extension import AutotaskOpportunityFields
from vendors.autotask.refusals import RefusalError
from vendors.capabilities import Page, PageRequest
from vendors.errors import (
    CredentialsError,
    MalformedReplyError,
    PermissionDeniedError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
)
from vendors.model import EVERYTHING, Opportunity, Selection
from vendors.query import Condition, Field, Operator
from vendors.sandbox import Call, Fault, web_socket

TITLES = Selection({"Opportunity": frozenset({"title"})})
METADATA = ["Opportunities.userDefinedFields", "Companies.userDefinedFields", "Contacts.userDefinedFields"]


@asynccontextmanager
async def ground(**options: Any) -> AsyncGenerator[tuple[Playground, Client], None]:
    async with playground("autotask", **options) as made:
        assert isinstance(made.crm.client, Client)
        yield made, made.crm.client


def sent(calls: Sequence[Call], operation: str) -> list[dict[str, Any]]:
    return [json.loads(call.body) for call in calls if call.operation == operation]


def page_of(size: int, selection: Selection = TITLES, position: str | None = None) -> PageRequest:
    return PageRequest(size=size, position=position, selection=selection)


def of_account(account_id: str) -> tuple[Condition, ...]:
    return (Condition(Field.ACCOUNT, Operator.ANY_OF, (account_id,)),)


def most_at_once(calls: Sequence[Call], entity: str) -> int:
    mine = [call for call in calls if call.operation.startswith(entity)]
    return max(sum(other.started <= call.started < other.ended for other in mine) for call in mine)


def errors(*texts: object) -> str:
    return json.dumps({"errors": texts})


# Zones.


async def test_the_zone_is_asked_for_once_for_many_calls_at_once() -> None:
    async with ground() as (made, client):
        await asyncio.gather(
            client.opportunities_page(page_of(5)),
            client.contacts_by_ids(["30684"], EVERYTHING),
            client.accounts_by_ids(["174"], EVERYTHING),
            client.users_by_ids(["29682885"], EVERYTHING),
            client.pipelines(),
        )
        await client.opportunities_page(page_of(6))

        assert made.control.count("zoneInformation") == 1
        (zone,) = [call for call in made.control.calls if call.operation == "zoneInformation"]
        assert zone.query == [("user", "crmgraph@nordkai-service.example")]


async def test_a_401_asks_for_the_zone_again_once_and_the_call_succeeds() -> None:
    async with ground() as (made, client):
        await client.opportunities_page(page_of(5))
        made.control.faults.append(Fault(kind="status", status=401, match="Opportunities.query", times=1))

        page = await client.opportunities_page(page_of(6))

        assert len(page.rows) == 6
        twice = ["zoneInformation", "Opportunities.query"]
        assert made.control.operations() == [*twice, "Opportunities.query", *twice]


async def test_a_lasting_401_asks_for_the_zone_once_more_and_ends() -> None:
    async with ground() as (made, client):
        made.control.faults.append(Fault(kind="status", status=401, match="Opportunities.query"))

        with pytest.raises(CredentialsError):
            await client.opportunities_page(page_of(5))

        assert made.control.operations() == ["zoneInformation", "Opportunities.query"] * 2


async def test_an_unknown_user_is_wrong_credentials_and_costs_one_call() -> None:
    async with ground(settings={"username": "nobody@nordkai.example"}) as (made, client):
        for _ in range(2):
            with pytest.raises(CredentialsError):
                await client.opportunities_page(page_of(5))

        assert made.control.operations() == ["zoneInformation"]


async def test_an_unknown_integration_code_is_wrong_credentials() -> None:
    async with ground(settings={"integration_code": "UNKNOWN"}) as (_, client):
        with pytest.raises(CredentialsError):
            await client.opportunities_page(page_of(5))


@pytest.mark.parametrize("slash", ["with", "without"])
async def test_a_zone_of_another_origin_is_used_when_the_settings_name_it(slash: str) -> None:
    async with ground(options={"zone_answers": "other_name", "zone_url_slash": slash}) as (made, client):
        assert len((await client.opportunities_page(page_of(5))).rows) == 5

        refusing = {"zone_origins": (made.sandbox.base_url,)}
        made.control.calls.clear()
        async with aiohttp.ClientSession() as session:
            strict = connect("autotask", made.sandbox, session, settings=refusing).client
            assert isinstance(strict, Client)
            with pytest.raises(MalformedReplyError):
                await strict.opportunities_page(page_of(5))

        assert made.control.operations() == ["zoneInformation"]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/ATServicesRest/",
        "https://webservices22.autotask.net.evil.example/ATServicesRest/",
        "https://webservices22.autotask.net@evil.example/ATServicesRest/",
        "https://webservicesx.autotask.net/ATServicesRest/",
        "https://webservices22.autotask.net:8443/ATServicesRest/",
        "http://webservices22.autotask.net/ATServicesRest/",
        "/ATServicesRest/",
        "nonsense",
        "http://[",
        "",
    ],
)
async def test_a_zone_anywhere_else_gets_no_credentials(url: str) -> None:
    async with ground() as (made, client):
        made.control.faults.append(Fault(kind="status", status=200, body=json.dumps({"url": url}), match="zoneInformation"))

        with pytest.raises(MalformedReplyError):
            await client.opportunities_page(page_of(5))

        assert made.control.operations() == ["zoneInformation"]


@pytest.mark.parametrize("zone", ["webservices2", "webservices22", "webservices307"])
async def test_every_zone_of_the_vendor_is_accepted(zone: str) -> None:
    async with ground() as (_, client):
        url = client._zone_url(f"https://{zone}.autotask.net/ATServicesRest/")  # pyright: ignore[reportPrivateUsage]  # no network here

        assert str(url) == f"https://{zone}.autotask.net/ATServicesRest/v1.0/"


# Errors.


@pytest.mark.parametrize(
    ("status", "body", "kind", "calls"),
    [
        (500, errors("The logged in Resource does not have the adequate permissions to query this entity type."), PermissionDeniedError, 1),
        (403, errors({"message": "no PERMISSION", "field": ""}), PermissionDeniedError, 1),
        (403, "", PermissionDeniedError, 1),
        (500, errors("Queries are limited to 500 or fewer 'OR' conditions."), RefusalError, 1),
        (500, errors({"message": "Unexpected character encountered while parsing value: t.", "field": "x"}), RefusalError, 1),
        (500, errors("The Autotask API thread threshold of 3 threads has been exceeded."), RateLimitedError, 3),
        (429, errors("The Autotask API request threshold of 10000 requests has been exceeded."), RateLimitedError, 3),
        (429, "", RateLimitedError, 3),
        (500, errors(), UnavailableError, 3),
        (500, "<html>Runtime Error</html>", UnavailableError, 3),
        (500, json.dumps({"errors": "odd"}), UnavailableError, 3),
        (502, errors("Bad gateway"), UnavailableError, 3),
        (405, json.dumps({"Message": "The requested resource does not support http method 'GET'."}), RejectedRequestError, 1),
        (400, errors("Something else"), RefusalError, 1),
    ],
)
async def test_an_error_is_told_by_its_text_and_status(status: int, body: str, kind: type[VendorError], calls: int) -> None:
    async with ground() as (made, client):
        made.control.faults.append(Fault(kind="status", status=status, body=body, match="Opportunities.query"))

        with pytest.raises(kind) as caught:
            await client.opportunities_page(page_of(5))

        assert type(caught.value) is kind
        assert caught.value.status == status
        assert made.control.count("Opportunities.query") == calls
        assert "threads" not in caught.value.message and "character" not in caught.value.message  # no text of the vendor's


async def test_a_threshold_error_tells_when_to_come_again() -> None:
    async with ground() as (made, client):
        body = errors("The Autotask API thread threshold of 3 threads has been exceeded.")
        made.control.faults.append(Fault(kind="status", status=500, body=body, headers={"Retry-After": "45"}, match="Opportunities.query"))

        with pytest.raises(RateLimitedError) as caught:
            await client.opportunities_page(page_of(5))

        assert caught.value.retry_after_seconds == 45


@pytest.mark.parametrize("status", [500, 403])
async def test_a_denied_entity_takes_nothing_else_away(status: int) -> None:
    async with ground(options={"permission_status": status}) as (made, client), aiohttp.ClientSession() as session:
        await session.put(f"{made.sandbox.base_url}/_sandbox/denied", json=["Contacts"])

        checks = {check.entity: check.error for check in await client.check()}

        assert len(checks) == 5
        assert isinstance(checks.pop("Contacts"), PermissionDeniedError)
        assert set(checks.values()) == {None}
        found = await client.contacts_by_ids(["30684", "30685"], EVERYTHING)
        assert set(map(type, found.values())) == {PermissionDeniedError}


# Reading by ids.


async def test_1100_ids_are_three_calls_of_at_most_500_and_two_at_once() -> None:
    async with ground(scale=1_200) as (made, client):
        made.control.latency_seconds = 0.05
        ids = [str(100_001 + index) for index in range(1_100)]

        found = await client.opportunities_by_ids(ids, TITLES)

        bodies = sent(made.control.calls, "Opportunities.query")
        assert sorted(found) == sorted(ids)
        assert sorted(len(body["filter"][0]["value"]) for body in bodies) == [100, 500, 500]
        assert {body["filter"][0]["op"] for body in bodies} == {"in"}
        assert most_at_once(made.control.calls, "Opportunities") == 2


async def test_one_entitys_limit_does_not_hold_the_others_back() -> None:
    async with ground() as (made, client):
        await client.opportunities_page(page_of(1))
        made.control.calls.clear()
        made.control.latency_seconds = 0.05
        ids = [str(number) for number in range(1_100)]

        await asyncio.gather(
            client.accounts_by_ids(ids, TITLES), client.contacts_by_ids(ids, TITLES), client.opportunities_by_ids(ids, TITLES)
        )

        for entity in ("Companies", "Contacts", "Opportunities"):
            assert made.control.count(f"{entity}.query") == 3
            assert most_at_once(made.control.calls, entity) <= 2
        assert max(call.in_flight for call in made.control.calls) == 6


async def test_a_chunk_that_fails_costs_only_its_own_ids() -> None:
    async with ground(scale=600) as (made, client):
        await client.opportunities_page(page_of(1))
        made.control.faults.append(Fault(kind="status", status=400, match="Opportunities.query", times=1))
        ids = [str(100_001 + index) for index in range(600)]

        found = await client.opportunities_by_ids(ids, TITLES)

        failed = [local_id for local_id, record in found.items() if isinstance(record, VendorError)]
        assert len(found) == 600
        assert len(failed) in {100, 500}


async def test_beside_an_unreadable_row_only_the_ids_of_its_chunk_are_in_doubt() -> None:
    async with ground(scale=600) as (made, client):
        await client.opportunities_page(page_of(1))
        made.control.faults.append(Fault(kind="bad_row", match="Opportunities.query"))
        ids = [str(100_001 + index) for index in range(499)]

        found = await client.opportunities_by_ids([*ids, "1", "2"], TITLES)

        # Nobody has the ids 1 and 2. The second chunk is that of 2 alone, whose answer has no rows.
        assert found.keys() == {*ids, "1"}
        assert {local_id for local_id, record in found.items() if isinstance(record, MalformedReplyError)} == {ids[0], "1"}
        assert made.control.count("Opportunities.query") == 3


async def test_an_unknown_user_is_in_doubt_while_a_row_of_the_table_cannot_be_read() -> None:
    async with ground() as (made, client):
        made.control.faults.append(Fault(kind="bad_row", match="Resources.query", times=1))
        known = [user.local_id for user in await client.users()]

        found = await client.users_by_ids([known[0], "1"], EVERYTHING)

        assert not isinstance(found[known[0]], VendorError)
        assert isinstance(found["1"], MalformedReplyError)
        assert made.control.count("Resources.query") == 1


@pytest.mark.parametrize("odd", ["abc", "", "²", "--5", "1.5", "9" * 19, "9" * 5_000, " 311", "0x1"])
async def test_ids_that_the_vendor_cannot_have_given_are_not_asked_for(odd: str) -> None:
    async with ground() as (made, client):
        found = await client.opportunities_by_ids([odd, "311"], TITLES)
        assert list(found) == ["311"]
        assert [body["filter"] for body in sent(made.control.calls, "Opportunities.query")] == [
            [{"op": "in", "field": "id", "value": [311]}]
        ]

        made.control.calls.clear()
        assert await client.accounts_by_ids([odd], EVERYTHING) == {}
        assert await client.contacts_by_ids([odd], EVERYTHING) == {}
        assert made.control.calls == []


async def test_company_0_is_found_with_its_contacts_and_opportunities() -> None:
    async with ground() as (_, client):
        found = await client.accounts_by_ids(["0"], EVERYTHING)
        deals = await client.opportunities_page(replace(page_of(50, EVERYTHING), where=of_account("0")))

        account = found["0"]
        assert not isinstance(account, VendorError)
        assert account.name == "Nordkai Service Ltd"
        assert deals.rows
        assert {row.record.account_ref for row in deals.rows} == {account.ref}


async def test_a_user_who_does_not_exist_is_not_looked_for_all_the_time() -> None:
    async with ground() as (made, client):
        await client.users_by_ids(["29682885", "1"], EVERYTHING)
        await client.users_by_ids(["29682885", "2"], EVERYTHING)

        assert made.control.count("Resources.query") == 1


# What is asked for.


@pytest.mark.parametrize(
    ("selection", "fields"),
    [
        ({"Opportunity": {"title"}}, ["id", "title"]),
        ({"Opportunity": {"amount", "stage_ref"}}, ["amount", "companyID", "id", "stage"]),
        ({"Opportunity": {"close_date"}}, ["closedDate", "id", "lostDate", "projectedCloseDate", "status"]),
        (
            {"Opportunity": {"title", "extension"}, "AutotaskOpportunityFields": {"barriers", "rating", "creator_resource_ref"}},
            ["barriers", "creatorResourceID", "id", "rating", "title"],
        ),
        ({"Opportunity": {"title", "custom_fields"}}, None),
    ],
)
async def test_a_list_asks_for_the_selected_fields_only(selection: dict[str, set[str]], fields: list[str] | None) -> None:
    chosen = Selection({name: frozenset(attributes) for name, attributes in selection.items()})
    async with ground() as (made, client):
        await client.opportunities_page(page_of(5, chosen))
        await client.opportunities_by_ids(["311"], chosen)
        await client.opportunities_page(replace(page_of(5, chosen), where=of_account("174")))

        bodies = sent(made.control.calls, "Opportunities.query")
        assert [body.get("IncludeFields") for body in bodies] == [fields] * 3
        assert ["IncludeFields" in body for body in bodies] == [fields is not None] * 3
        assert [body["filter"] for body in bodies] == [
            [{"op": "exist", "field": "id"}],
            [{"op": "in", "field": "id", "value": [311]}],
            [{"op": "in", "field": "companyID", "value": [174]}],
        ]


async def test_accounts_and_contacts_ask_for_the_selected_fields_only() -> None:
    selection = Selection({"Account": frozenset({"name", "address", "currency"}), "Contact": frozenset({"name", "email", "account_ref"})})
    async with ground() as (made, client):
        await client.accounts_by_ids(["174"], selection)
        await client.contacts_by_ids(["30684"], selection)
        await client.contacts_page(replace(page_of(5, selection), where=of_account("174")))
        await client.accounts_page(page_of(5, selection))

        address = ["address1", "address2", "city", "companyName", "countryID", "currencyID", "id", "postalCode", "state"]
        person = ["companyID", "emailAddress", "firstName", "id", "lastName"]
        assert [body["IncludeFields"] for body in sent(made.control.calls, "Companies.query")] == [address, address]
        assert [body["IncludeFields"] for body in sent(made.control.calls, "Contacts.query")] == [person, person]


async def test_a_page_goes_on_behind_the_last_id() -> None:
    async with ground() as (made, client):
        first = await client.opportunities_page(page_of(3))
        second = await client.opportunities_page(page_of(3, position=first.position))

        bodies = sent(made.control.calls, "Opportunities.query")
        assert [body["MaxRecords"] for body in bodies] == [3, 3]
        assert bodies[1]["filter"] == [{"op": "gt", "field": "id", "value": int(first.rows[-1].record.local_id)}]
        assert not {row.record.ref for row in first.rows} & {row.record.ref for row in second.rows}


async def all_pages(fetch: Callable[[PageRequest], Awaitable[Page[Any]]], size: int) -> list[Page[Any]]:
    pages: list[Page[Any]] = []
    position: str | None = None
    while True:
        pages.append(await fetch(page_of(size, position=position)))
        if not pages[-1].has_more:
            return pages
        position = pages[-1].position


async def test_a_page_larger_than_the_vendors_is_filled_by_as_few_calls_as_can_be() -> None:
    async with ground(scale=1_900) as (made, client):
        pages = await all_pages(client.opportunities_page, 1_000)
        middling = await client.opportunities_page(page_of(700))

        refs = [row.record.ref for page in pages for row in page.rows]
        assert [len(page.rows) for page in pages] == [1_000, 900]
        assert len(set(refs)) == 1_900
        assert (len(middling.rows), middling.position, middling.has_more) == (700, middling.rows[-1].position, True)
        assert [body["MaxRecords"] for body in sent(made.control.calls, "Opportunities.query")] == [500] * 4 + [500, 200]


async def test_an_accounts_list_larger_than_the_vendors_page_is_whole() -> None:
    async with ground(scale=9_000) as (made, client):
        everything = [row.record for page in await all_pages(client.opportunities_page, 500) for row in page.rows]
        records_of: dict[str, list[Opportunity]] = {}
        full = await client.opportunities_by_ids(
            [record.local_id for record in everything], Selection({"Opportunity": frozenset({"account_ref"})})
        )
        for record in full.values():
            assert not isinstance(record, VendorError)
            assert isinstance(record.account_ref, tuple)
            records_of.setdefault(record.account_ref.local_id, []).append(record)
        busiest = max(sorted(records_of), key=lambda name: len(records_of[name]))
        assert len(records_of[busiest]) > 500
        made.control.calls.clear()

        pages = await all_pages(lambda request: client.opportunities_page(replace(request, where=of_account(busiest))), 5_000)

        assert {row.record.ref for page in pages for row in page.rows} == {record.ref for record in records_of[busiest]}
        assert made.control.count("Opportunities.query") == -(-len(records_of[busiest]) // 500) > len(pages) == 1


async def test_an_accounts_contacts_come_page_by_page() -> None:
    async with ground() as (made, client):
        pages = await all_pages(lambda request: client.contacts_page(replace(request, where=of_account("174"))), 1)

        assert [row.record.local_id for page in pages for row in page.rows][:2] == ["30684", "30685"]
        assert sent(made.control.calls, "Contacts.query")[1]["filter"] == [
            {"op": "in", "field": "companyID", "value": [174]},
            {"op": "gt", "field": "id", "value": 30684},
        ]


async def test_a_page_ends_behind_a_row_that_cannot_be_read() -> None:
    rows = [{"id": 7, "title": "Fine"}, {"id": 8.0, "title": ["odd"]}]
    answer = {"items": rows, "pageDetails": {"nextPageUrl": "https://webservices22.autotask.net/next"}}
    async with ground() as (made, client):
        made.control.faults.append(Fault(kind="status", status=200, body=json.dumps(answer), match="Opportunities.query"))

        page = await client.opportunities_page(page_of(2))

        assert [row.record.local_id for row in page.rows] == ["7"]
        assert (page.dropped, page.position, page.has_more) == (1, "8", True)


# Number of calls.


async def test_a_whole_list_costs_its_tables_once() -> None:
    async with ground() as (made, client):
        await client.opportunities_page(page_of(100, EVERYTHING))
        cold = sorted(made.control.operations())
        made.control.calls.clear()
        await client.opportunities_page(page_of(99, EVERYTHING))
        warm = made.control.operations()

        tables = ["Opportunities.fields", "Currencies.query", *METADATA]
        assert cold == sorted(["zoneInformation", "Opportunities.query", *tables])
        assert warm == ["Opportunities.query"]


async def test_a_list_without_labels_costs_no_table() -> None:
    async with ground() as (made, client):
        await client.opportunities_page(page_of(100))

        assert made.control.operations() == ["zoneInformation", "Opportunities.query"]


async def test_a_list_with_a_status_costs_its_picklists() -> None:
    async with ground() as (made, client):
        await client.opportunities_page(page_of(100, Selection({"Opportunity": frozenset({"status"})})))

        assert sorted(made.control.operations()) == ["Opportunities.fields", "Opportunities.query", "zoneInformation"]


@pytest.mark.parametrize("of", ["opportunities", "accounts", "contacts"])
async def test_records_by_ids_cost_one_call_when_the_tables_are_known(of: str) -> None:
    async with ground() as (made, client):
        read = {"opportunities": client.opportunities_by_ids, "accounts": client.accounts_by_ids, "contacts": client.contacts_by_ids}[of]
        await read(["1"], EVERYTHING)
        made.control.calls.clear()

        await read([str(number) for number in range(400)], EVERYTHING)

        assert made.control.operations() == [{"accounts": "Companies", "contacts": "Contacts"}.get(of, "Opportunities") + ".query"]


async def test_many_users_and_stages_cost_one_call_each() -> None:
    async with ground() as (made, client):
        await asyncio.gather(*(client.users_by_ids(["29682885"], EVERYTHING) for _ in range(5)), *(client.pipelines() for _ in range(5)))

        assert sorted(made.control.operations()) == ["Opportunities.fields", "Resources.query", "zoneInformation"]


# Bodies over real HTTP.


async def test_amounts_of_any_length_survive_the_way_from_the_wire() -> None:
    amounts = ["123456789012.345", "12345678901234567.890"]

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("zoneInformation"):
            return web.json_response({"url": f"http://127.0.0.1:{port}/ATServicesRest/"})
        items = ",".join(f'{{"id":{index},"title":"Deal","amount":{amount}}}' for index, amount in enumerate(amounts))
        return web.Response(text=f'{{"items":[{items}],"pageDetails":{{"nextPageUrl":null}}}}', content_type="application/json")

    sock = web_socket("127.0.0.1", 0)
    port = sock.getsockname()[1]
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    try:
        origin = f"http://127.0.0.1:{port}"
        async with ground(settings={"zone_url": origin, "zone_origins": (origin,)}) as (_, client):
            page = await client.opportunities_page(page_of(5, Selection({"Opportunity": frozenset({"title", "amount"})})))
    finally:
        await runner.cleanup()

    assert [str(row.record.amount.amount) for row in page.rows if row.record.amount] == amounts


async def test_an_inactive_choice_keeps_its_label_and_says_so() -> None:
    async with ground() as (_, client):
        page = await client.opportunities_page(page_of(100, EVERYTHING))
        choices = [
            getattr(row.record.extension, name)
            for row in page.rows
            for name in ("stage", "rating", "lead_source", "opportunity_category_id", "primary_competitor")
            if isinstance(row.record.extension, AutotaskOpportunityFields)
        ]

        inactive = [choice for choice in choices if choice is not None and choice.is_active is False]
        assert inactive
        assert all(choice.label for choice in inactive)
