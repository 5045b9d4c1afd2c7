"""How Apideck's adapter reads records by their ids, of which the vendor takes one a call."""

from collections import Counter

import pytest
from aiohttp import web

from tests.playground import Playground
from tests.vendors.apideck.scripted_vendor import Json, numbered, refusal, rows, scripted
from vendors.apideck.client import Client
from vendors.capabilities import PageRequest
from vendors.errors import (
    RejectedRequestError,
    VendorError,
)
from vendors.model import EVERYTHING, Selection
from vendors.query import Condition, Field, Operator

NAMES = Selection({"Account": frozenset({"name"}), "Contact": frozenset({"name"}), "Opportunity": frozenset({"title"})})


def client_of(ground: Playground) -> Client:
    assert isinstance(ground.crm.client, Client)
    return ground.crm.client


@pytest.mark.parametrize("local_id", ["", ".", ".."])
async def test_ids_that_would_name_another_resource_do_not_exist(local_id: str) -> None:
    async with scripted(lambda _path, _query: rows([{"id": "1"}])) as (made, client):
        assert await client.opportunities_by_ids([local_id], NAMES) == {}
        assert await client.accounts_by_ids([local_id], NAMES) == {}
        assert await client.contacts_by_ids([local_id], NAMES) == {}
        assert await client.users_by_ids([local_id], NAMES) == {}

    assert made.paths() == ["users"]


@pytest.mark.parametrize(
    ("local_id", "segment"),
    [("../users/1", "..%2Fusers%2F1"), ("a b?c#d%2F", "a%20b%3Fc%23d%252F"), ("ü", "%C3%BC"), ("%2e%2e", "%252e%252e")],
)
async def test_any_other_id_is_one_segment_of_the_path(local_id: str, segment: str) -> None:
    async with scripted(lambda _path, _query: {"data": {"id": local_id, "name": "N"}}) as (made, client):
        found = await client.accounts_by_ids([local_id], NAMES)

    assert list(found) == [local_id]
    assert made.paths() == [f"companies/{segment}"]


async def test_few_ids_are_read_singly_and_more_from_the_list() -> None:
    ids = [f"c{number}" for number in range(150)]

    def answer(path: str, query: dict[str, str]) -> Json | web.Response:
        wanted = path.partition("/")[2]
        return {"data": {"id": wanted}} if wanted in ids else refusal(404, "EntityNotFoundError") if wanted else numbered(ids, query)

    async with scripted(answer) as (made, client):
        assert set(await client.contacts_by_ids(["c3", "c4", "c3"], NAMES)) == {"c3", "c4"}
        assert sorted(made.paths()) == ["contacts/c3", "contacts/c4"]
        made.asked.clear()

        assert set(await client.contacts_by_ids(["c3", "c4", "gone"], NAMES)) == {"c3", "c4"}
        assert made.paths() == ["contacts"]


@pytest.mark.parametrize("total", [True, False])
async def test_a_list_is_paged_only_as_long_as_that_saves_calls(*, total: bool) -> None:
    ids = [f"c{number}" for number in range(1_000)]
    wanted = ["c1", "c2", "c250", "c900", "c901", "c902", "c903", "c904"]

    def answer(path: str, query: dict[str, str]) -> Json:
        if "/" in path:
            return {"data": {"id": path.partition("/")[2]}}
        body = numbered(ids, query)
        return {**body, "meta": {**body["meta"], **({"total_count": len(ids)} if total else {})}}

    async with scripted(answer) as (made, client):
        assert set(await client.contacts_by_ids(wanted, NAMES)) == set(wanted)
        first = Counter(path.partition("/")[0] + "/" * ("/" in path) for path in made.paths())
        made.asked.clear()
        assert set(await client.contacts_by_ids(["c1", "c2", "c3", "c4", "c5"], NAMES)) == {"c1", "c2", "c3", "c4", "c5"}
        second = Counter("/" in path for path in made.paths())

    assert first == ({"contacts": 5} if total else {"contacts": 1, "contacts/": 6})
    assert second == ({True: 5} if total else {False: 1})


async def test_the_number_of_a_companys_rows_is_not_taken_for_that_of_all() -> None:
    def answer(path: str, query: dict[str, str]) -> Json:
        if "/" in path:
            return {"data": {"id": path.partition("/")[2]}}
        return rows(
            [{"id": "c1"}], None if "filter[company_id]" in query else "more", total_count=1 if "filter[company_id]" in query else 999
        )

    async with scripted(answer) as (made, client):
        await client.contacts_by_ids(["c1", "c2", "c3"], NAMES)
        await client.contacts_page(PageRequest(size=5, selection=NAMES, where=(Condition(Field.ACCOUNT, Operator.ANY_OF, ("co",)),)))
        made.asked.clear()
        await client.contacts_by_ids(["c1", "c2", "c3"], NAMES)

    assert sorted(made.paths()) == ["contacts/c1", "contacts/c2", "contacts/c3"]


async def test_one_id_that_fails_costs_only_itself() -> None:
    def answer(path: str, _: dict[str, str]) -> Json | web.Response:
        return {"data": {"id": "a"}} if path.endswith("/a") else refusal(422, "InvalidStateError")

    async with scripted(answer) as (_, client):
        found = await client.opportunities_by_ids(["a", "b"], NAMES)

    assert isinstance(found["b"], RejectedRequestError)
    assert not isinstance(found["a"], VendorError)


async def test_what_a_list_could_not_read_is_read_singly() -> None:
    def answer(path: str, _: dict[str, str]) -> Json:
        return {"data": {"id": "b"}} if "/" in path else rows([{"id": "a"}, {"id": {}}, {"id": "c"}])

    async with scripted(answer) as (made, client):
        found = await client.contacts_by_ids(["a", "b", "c"], NAMES)

    assert set(found) == {"a", "b", "c"}
    assert made.paths() == ["contacts", "contacts/b"]


async def test_users_who_are_not_listed_are_read_once_and_whoever_does_not_exist_is_asked_for_once() -> None:
    def answer(path: str, _: dict[str, str]) -> Json | web.Response:
        match path:
            case "users":
                return rows([{"id": "u1", "name": "Ann", "emails": []}])
            case "users/u2":
                return {"data": {"id": "u2", "name": "Bo", "emails": []}}
            case "users/u4":
                return refusal(422, "InvalidStateError")
            case _:
                return refusal(404, "EntityNotFoundError")

    async with scripted(answer) as (made, client):
        for _ in range(2):
            found = await client.users_by_ids(["u1", "u2", "u3"], EVERYTHING)
            assert {key: getattr(user, "name", None) for key, user in found.items()} == {"u1": "Ann", "u2": "Bo"}
        assert sorted(made.paths()) == ["users", "users/u2", "users/u3"]
        assert {query["fields"] for query in made.queries()} == {"emails,first_name,id,last_name,name,status"}

        failed = await client.users_by_ids(["u4"], EVERYTHING)
        assert isinstance(failed["u4"], RejectedRequestError)


async def test_users_are_read_singly_where_they_cannot_be_listed() -> None:
    def answer(path: str, _: dict[str, str]) -> Json | web.Response:
        return refusal(501, "ConnectorOperationUnsupportedError") if path == "users" else {"data": {"id": "u1", "name": "Ann"}}

    async with scripted(answer) as (made, client):
        await client.users_by_ids(["u1"], EVERYTHING)
        found = await client.users_by_ids(["u1"], EVERYTHING)

    assert getattr(found["u1"], "name", None) == "Ann"
    assert made.paths() == ["users", "users/u1"]
