"""What Apideck's adapter sends, in how many calls, and what of it reaches the frontend."""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from server.context import ContextMaker
from server.cursors import SignedCursors
from server.schema import build_schema
from tests.contract.reading import whole_list
from tests.playground import Playground, connect, playground
from tests.vendors.apideck import openapi
from vendors.apideck.client import Client
from vendors.apideck.extension import ApideckOpportunityFields
from vendors.apideck.sandbox import SANDBOX
from vendors.capabilities import PageRequest
from vendors.model import EVERYTHING, Selection
from vendors.query import Condition, Field, Operator, Sort
from vendors.sandbox import Fault, Handler, OptionValue, SandboxSetup, start

POSITIONS = SANDBOX.positions()
NAMES = Selection({"Account": frozenset({"name"}), "Contact": frozenset({"name"}), "Opportunity": frozenset({"title"})})
BOARD = Selection(
    {
        "Opportunity": frozenset({"title", "amount", "status", "pipeline_ref", "stage_ref", "owner_ref", "account_ref", "contact_refs"}),
        "ApideckOpportunityFields": frozenset(),
        "User": frozenset({"name", "email"}),
        "Account": frozenset({"name"}),
        "Contact": frozenset({"name", "email"}),
    }
)


def client_of(ground: Playground) -> Client:
    assert isinstance(ground.crm.client, Client)
    return ground.crm.client


def _name(options: Mapping[str, OptionValue]) -> str:
    return "hardest" if len(options) > 1 else ",".join(f"{name}={value}" for name, value in options.items()) or "defaults"


# What is sent.


@pytest.mark.parametrize("options", POSITIONS, ids=_name)
async def test_reading_a_board_takes_a_call_for_each_kind_of_record(options: Mapping[str, OptionValue]) -> None:
    async with playground("apideck", options=options) as made:
        client = client_of(made)
        page = await client.opportunities_page(PageRequest(size=20, selection=BOARD))
        records = [row.record for row in page.rows]
        owners = sorted({record.owner_ref.local_id for record in records if record.owner_ref})
        companies = sorted({record.account_ref[1] for record in records if isinstance(record.account_ref, tuple)})
        people = sorted({ref[1] for record in records if isinstance(record.contact_refs, tuple) for ref in record.contact_refs})
        cold: Counter[str] = Counter()
        for kept in (False, True):
            made.control.calls.clear()
            await client.opportunities_page(PageRequest(size=20, selection=BOARD))
            await client.users_by_ids(owners, BOARD)
            await client.accounts_by_ids(companies, BOARD)
            await client.contacts_by_ids(people, BOARD)
            await client.pipelines()
            cold = cold if kept else Counter(made.control.operations())

    assert cold == Counter(["opportunitiesAll", "usersAll", "companiesAll", "contactsAll", "pipelinesAll"])
    assert Counter(made.control.operations()) == Counter(["opportunitiesAll", "companiesAll", "contactsAll"])


async def test_only_what_is_read_is_asked_for_and_everything_where_custom_fields_are() -> None:
    async with playground("apideck") as made:
        client = client_of(made)
        await client.opportunities_page(PageRequest(size=5, selection=BOARD))
        await client.opportunities_page(PageRequest(size=5, selection=EVERYTHING))
        await client.accounts_by_ids(["6214407301"], NAMES)
        await client.contacts_by_ids(["101"], BOARD)
        queries = [dict(call.query) for call in made.control.calls]

    reasons = "loss_reason,loss_reason_id"
    assert queries == [
        {
            "limit": "5",
            "fields": f"company_id,contact_id,contact_ids,currency,deleted,id,{reasons},monetary_amount,owner_id,pipeline_id,"
            "pipeline_stage_id,primary_contact_id,status,title,win_probability,won_reason,won_reason_id",
        },
        {"limit": "5"},
        {"fields": "id,name"},
        {"fields": "emails,first_name,id,last_name,name"},
    ]


@dataclass(frozen=True)
class Seen:
    """A request as the vendor got it, and its answer."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    sent: str
    status: int
    body: Any


@asynccontextmanager
async def observed(options: Mapping[str, OptionValue]) -> AsyncGenerator[tuple[Client, list[Seen]], None]:
    """A client of a sandbox whose traffic is written down whole."""
    seen: list[Seen] = []

    @web.middleware
    async def write_down(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        assert isinstance(answer, web.Response)
        query, sent = list(request.query.items()), await request.text()
        seen.append(Seen(request.method, request.path, query, request.headers, sent, answer.status, json.loads(answer.text or "null")))
        return answer

    def build(setup: SandboxSetup) -> web.Application:
        app = SANDBOX.build(setup)
        app.middlewares.insert(0, write_down)  # around the sandbox's own, which make the errors' answers
        return app

    sandbox = await start(replace(SANDBOX, build=build), options=options)
    try:
        async with aiohttp.ClientSession() as session:
            client = connect("apideck", sandbox, session).client
            assert isinstance(client, Client)
            yield client, seen
    finally:
        await sandbox.stop()


ACCOUNT = Condition(Field.ACCOUNT, Operator.ANY_OF, ("6214407301",))
OWNER = Condition(Field.OWNER, Operator.ANY_OF, ("71004012",))


async def list_everything(client: Client, selection: Selection) -> None:
    """Ask for every list with every condition and order that the client can push."""
    for where in ((), (ACCOUNT,), (OWNER,), (ACCOUNT, OWNER)):
        for count in (False, True):
            request = PageRequest(size=5, selection=selection, where=where, count=count, include_deleted=count)
            for sort in (None, Sort(Field.CREATED_AT), Sort(Field.UPDATED_AT, descending=True)):
                await client.opportunities_page(replace(request, sort=sort))
            await client.contacts_page(request)
            await client.accounts_page(replace(request, where=()))
    await client.users()


async def session_of(client: Client) -> None:
    """Call everything the client can do, in every form that makes another request of it."""
    for selection in (EVERYTHING, BOARD, NAMES):
        page = await client.opportunities_page(PageRequest(size=20, selection=selection))
        await client.opportunities_page(PageRequest(size=20, position=page.position, selection=selection))
        for ids in (["9017442101", "1", ".."], [row.record.local_id for row in page.rows]):
            await client.opportunities_by_ids(ids, selection)
        await list_everything(client, selection)
        await client.accounts_by_ids(["6214407301", "1"], selection)
        await client.accounts_by_ids([f"62144073{number:02}" for number in range(1, 12)], selection)
        await client.contacts_by_ids(["101", "1"], selection)
        await client.contacts_by_ids(["101", "102", "151", "201"], selection)
    await client.users_by_ids(["71004011", "71009999"], EVERYTHING)
    await client.pipelines()
    await client.base_currency()
    await client.check()


@pytest.mark.skipif(openapi.unavailable() is not None, reason=str(openapi.unavailable()))
@pytest.mark.parametrize("options", [{}, {name: option.hardest for name, option in SANDBOX.options.items()}], ids=_name)
async def test_every_request_and_answer_of_a_session_is_one_that_the_vendor_documents(options: Mapping[str, OptionValue]) -> None:
    async with observed(options) as (client, seen):
        await session_of(client)

    kinds = {(call.path.split("/")[2], call.path.count("/") > 2, call.status) for call in seen}
    singles = ["opportunities", "users", "companies", "contacts"]
    assert kinds >= {(name, False, 200) for name in [*singles, "pipelines"]}
    assert kinds >= {(name, True, 404) for name in singles} | {(name, True, 200) for name in singles if name != "users"}
    for call in seen:
        body = json.loads(call.sent) if call.sent else None
        assert openapi.request_violations(call.method, call.path, call.query, call.headers, body) == [], call
        partial = any(name == "fields" for name, _ in call.query)
        assert openapi.violations(call.method, call.path, status=call.status, body=call.body, partial=partial) == [], call


async def test_every_request_names_the_connection_and_carries_the_key_in_a_header() -> None:
    async with observed({}) as (client, seen):
        await session_of(client)

    wanted = {"x-apideck-app-id": "nordkaiUnifyAppJQ8m2sVd", "x-apideck-consumer-id": "nordkai-americas", "x-apideck-service-id": "hubspot"}
    for call in seen:
        assert call.method == "GET"
        assert {name: call.headers[name] for name in wanted} == wanted
        assert call.headers["Authorization"] == "Bearer sk_sandbox_nordkai_americas_3f9c71"


async def test_the_base_currency_is_the_settings() -> None:
    async with playground("apideck", settings={"base_currency": "CAD"}) as made:
        assert await client_of(made).base_currency() == "CAD"
        assert made.control.count() == 0


async def test_the_connector_is_told_with_every_deal() -> None:
    async with playground("apideck") as made:
        records = await whole_list(made.crm)

    assert {record.extension.service for record in records if isinstance(record.extension, ApideckOpportunityFields)} == {"hubspot"}


# Through the graph.


QUERY = """{ opportunities(first: 1) { nodes {
    amount { amount } expectedRevenue { amount }
    customFields { key value apideck { description } }
    apideck { interactionCount customMappings }
} } }"""


async def ask(made: Playground, query: str) -> Any:
    make = ContextMaker({made.crm.key: made.crm}, SignedCursors(b"k" * 32))
    result = await build_schema().execute(query, context_value=make())
    assert result.errors is None
    assert result.data is not None
    return result.data


async def test_numbers_of_more_digits_than_a_float_holds_reach_the_frontend_whole() -> None:
    deal = """{"data": [{"id": "1", "title": "t", "monetary_amount": 12345678901234567890.25, "expected_revenue": 0.1,
        "interaction_count": 7,
        "custom_fields": [{"id": "flat", "description": "d", "value": 12345678901234567.25}, {"id": "short", "value": 38.5},
            {"id": "deep", "value": {"list": [0.12345678901234567, {"n": 98765432109876543210, "f": 2.5}]}}],
        "custom_mappings": {"m": [12345678901234567.25, 1]}}]}"""
    async with playground("apideck") as made:
        made.control.faults.append(Fault(kind="status", status=200, body=deal, match="opportunitiesAll"))

        (node,) = (await ask(made, QUERY))["opportunities"]["nodes"]

    assert json.loads(json.dumps(node)) == {
        "amount": {"amount": "12345678901234567890.25"},
        "expectedRevenue": {"amount": "0.1"},
        "customFields": [
            {"key": "flat", "value": "12345678901234567.25", "apideck": {"description": "d"}},
            {"key": "short", "value": 38.5, "apideck": {"description": None}},
            {
                "key": "deep",
                "value": {"list": ["0.12345678901234567", {"n": "98765432109876543210", "f": 2.5}]},
                "apideck": {"description": None},
            },
        ],
        "apideck": {"interactionCount": 7.0, "customMappings": {"m": ["12345678901234567.25", 1]}},
    }


async def test_a_deal_without_custom_mappings_has_null_there() -> None:
    async with playground("apideck") as made:
        made.control.faults.append(Fault(kind="status", status=200, body='{"data": [{"id": "1"}]}', match="opportunitiesAll"))

        (node,) = (await ask(made, QUERY))["opportunities"]["nodes"]

    assert node["apideck"] == {"interactionCount": None, "customMappings": None}
