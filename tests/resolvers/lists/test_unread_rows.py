"""Rows that an index tells and that cannot be read then."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from bench.company import contexts, memory_crm, memory_of
from resolvers.node_id import decode
from server.limits import Limits, operation_extensions
from server.schema import build_schema
from vendors.cache import MemoryCache
from vendors.errors import (
    CredentialsError,
    MalformedReplyError,
    QuotaExceededError,
    RateLimitedError,
    UnavailableError,
    VendorError,
    VendorTimeoutError,
)
from vendors.registry import Crm

SCHEMA = build_schema(operation_extensions(Limits(), clock=time.monotonic))
SORTED = """query($first: Int!, $after: String, $direction: Boolean!, $age: Int!) {
  opportunities(first: $first, after: $after, maxAge: $age, orderBy: [{field: AMOUNT, currency: "EUR", descending: $direction}]) {
    nodes { id title } pageInfo { endCursor hasNextPage } totalCount sources { status code message rows totalCountOrigin } } }"""
DOWN = UnavailableError("It is down.", crm="left")
ODD = MalformedReplyError("It is odd.", crm="left")


class Rows:
    """A list over two Crms, in an order, of which the left one answers some ids with an error."""

    def __init__(self, *, descending: bool = False, others: int = 9) -> None:
        self.left, right = memory_crm("left", opportunities=9), memory_crm("right", opportunities=others)
        self.make = contexts([self.left, right])
        self.descending = descending
        self.age = 0
        memory_of(self.left).reply = self._reply
        self.failing: Callable[[list[str]], Mapping[str, VendorError | None]] = lambda _: {}

    async def _reply(self, operation: str, found: dict[str, Any]) -> dict[str, Any]:
        if operation != "opportunities":
            return found
        return {local_id: of for local_id, of in {**found, **self.failing(list(found))}.items() if of is not None}

    async def page(self, first: int, after: str | None = None) -> Any:
        variables = {"first": first, "after": after, "direction": self.descending, "age": self.age}
        result: Any = await SCHEMA.execute(SORTED, context_value=self.make(), variable_values=variables)
        assert result.errors is None, result.errors
        return result.data["opportunities"]

    async def rest(self, after: str | None, *, first: int = 4) -> list[str]:
        """The ids of all rows behind a cursor."""
        found: list[str] = []
        while True:
            page = await self.page(first, after)
            found += ids(page)
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return found


def ids(page: Any) -> list[str]:
    return [node["id"] for node in page["nodes"]]


def all_of(error: VendorError) -> Callable[[Collection[str]], Mapping[str, VendorError]]:
    return lambda asked: dict.fromkeys(asked, error)


def source(page: Any, crm: Crm) -> Any:
    return page["sources"][["left", "right"].index(crm.key)]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("first", [1, 4, 9])
async def test_rows_of_a_crm_that_was_down_come_later(first: int, *, descending: bool) -> None:
    rows = Rows(descending=descending)
    whole = await rows.rest(None, first=18)
    rows.failing = all_of(DOWN)

    page = await rows.page(first)
    rows.failing = lambda _: {}
    rest = await rows.rest(page["pageInfo"]["endCursor"])

    assert source(page, rows.left) == {
        "status": "FAILED",
        "code": "UNAVAILABLE",
        "message": "It is down.",
        "rows": 0,
        "totalCountOrigin": "UNKNOWN",
    }
    assert page["totalCount"] is None
    assert sorted(ids(page) + rest) == sorted(whole)
    assert len(whole) == 18


@pytest.mark.parametrize(("first", "bad"), [(1, [4]), (2, [4]), (18, [4]), (2, [4, 5]), (18, [4, 5])])
async def test_rows_that_fail_before_others_that_do_not_are_passed_over_and_told(first: int, bad: Sequence[int]) -> None:
    rows = Rows()
    whole = await rows.rest(None, first=18)
    left = [row for row in whole if decode(row).ref.crm == "left"]
    wrong = {decode(left[number]).ref.local_id for number in bad}
    rows.failing = lambda asked: dict.fromkeys(wrong.intersection(asked), DOWN)

    page = await rows.page(18)
    rest = await rows.rest(None, first=first)

    assert (source(page, rows.left)["status"], source(page, rows.left)["code"]) == ("PARTIAL", "UNAVAILABLE")
    assert ids(page) == rest == [row for row in whole if decode(row).ref.local_id not in wrong or decode(row).ref.crm == "right"]


@pytest.mark.parametrize("gone", [(), (8,)])
@pytest.mark.parametrize("odd", [(), (8,), (7, 8)])
async def test_rows_that_fail_behind_the_last_one_that_does_not_come_later(gone: Sequence[int], odd: Sequence[int]) -> None:
    rows = Rows()
    whole = await rows.rest(None, first=18)

    def failing(asked: list[str]) -> Mapping[str, VendorError | None]:
        errors: dict[str, VendorError | None] = dict.fromkeys(asked[3:], DOWN)
        errors |= {asked[number]: ODD for number in odd if len(asked) > number}
        return errors | {asked[number]: None for number in gone if len(asked) > number}

    rows.failing = failing
    page = await rows.page(18)
    rows.failing = lambda _: {}
    rest = await rows.rest(page["pageInfo"]["endCursor"])

    assert (source(page, rows.left)["status"], source(page, rows.left)["rows"]) == ("PARTIAL", 3)
    assert len(ids(page)) == 3 + 9
    assert sorted(ids(page) + rest) == sorted(whole)


@pytest.mark.parametrize("fails", [slice(None), slice(8, None)])
async def test_rows_that_are_odd_themselves_hold_up_nothing(fails: slice) -> None:
    rows = Rows()
    whole = await rows.rest(None, first=18)
    rows.failing = lambda asked: dict.fromkeys(asked[fails], ODD)

    page = await rows.page(18)

    assert source(page, rows.left)["status"] == "PARTIAL"
    assert source(page, rows.left)["code"] == "MALFORMED"
    assert not page["pageInfo"]["hasNextPage"]
    assert [row for row in whole if row in ids(page)] == ids(page)


@pytest.mark.parametrize("error", [RateLimitedError, QuotaExceededError, CredentialsError, VendorTimeoutError])
async def test_what_no_record_is_at_fault_for_holds_up_all_behind_it_and_is_not_asked_again(error: type[VendorError]) -> None:
    rows = Rows()
    whole = await rows.rest(None, first=18)
    rows.failing = lambda asked: dict.fromkeys(asked[3:5], error("Not now.", crm="left"))

    page = await rows.page(18)
    reads = [asked for operation, asked in memory_of(rows.left).calls if operation == "opportunities"]
    rows.failing = lambda _: {}
    rest = await rows.rest(page["pageInfo"]["endCursor"])

    assert (source(page, rows.left)["status"], source(page, rows.left)["rows"]) == ("PARTIAL", 3)
    assert len(reads) == 2, "once before, and once for the page"
    assert sorted(ids(page) + rest) == sorted(whole)


@pytest.mark.parametrize(("first", "gone", "bad"), [(1, [3], [4]), (3, [3, 4, 5], [6]), (2, [], [2, 4])])
async def test_rows_that_are_gone_before_one_that_fails_by_itself_stop_nothing(first: int, gone: Sequence[int], bad: Sequence[int]) -> None:
    rows = Rows(others=0)
    whole = await rows.rest(None, first=18)
    left = [decode(row).ref.local_id for row in whole if decode(row).ref.crm == "left"]
    missing: dict[str, VendorError | None] = {**{left[number]: None for number in gone}, **{left[number]: DOWN for number in bad}}
    rows.failing = lambda asked: {key: missing[key] for key in asked if key in missing}

    found = await rows.rest(None, first=first)

    assert found == [row for row in whole if decode(row).ref.crm == "right" or decode(row).ref.local_id not in missing]


@pytest.mark.parametrize("kept", [3, 4])
async def test_a_row_that_is_kept_is_no_sign_of_life(kept: int) -> None:
    crm = replace(memory_crm("left", opportunities=9), cache=MemoryCache(ttl_seconds=900, clock=time.monotonic))
    make, is_down = contexts([crm]), False
    query = """query($first: Int!, $after: String, $age: Int!) {
        opportunities(first: $first, after: $after, maxAge: $age, orderBy: [{field: TITLE}]) { nodes { id } pageInfo { endCursor } } }"""

    async def reply(operation: str, found: dict[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(found, DOWN) if is_down and operation == "opportunities" else found

    async def page(first: int, after: str | None = None, age: int = 600) -> Any:
        variables = {"first": first, "after": after, "age": age}
        result: Any = await SCHEMA.execute(query, context_value=make(), variable_values=variables)
        return result.data["opportunities"]

    memory_of(crm).reply = reply
    whole = ids(await page(9, age=0))
    await page(1, (await page(kept, age=0))["pageInfo"]["endCursor"])
    is_down = True
    got = await page(4)
    is_down = False
    rest = await page(9, got["pageInfo"]["endCursor"])

    assert ids(got) + ids(rest) == whole


async def test_a_row_that_fails_by_itself_hides_none_behind_it_also_where_an_age_is_allowed() -> None:
    rows = Rows(others=0)
    whole = await rows.rest(None, first=9)
    rows.left = replace(rows.left, cache=MemoryCache(ttl_seconds=900, clock=time.monotonic))
    rows.make, rows.age = contexts([rows.left]), 600
    bad = decode(whole[4]).ref.local_id
    rows.failing = lambda asked: {key: DOWN for key in asked if key == bad}

    assert await rows.rest(None, first=9) == await rows.rest(None, first=2) == whole[:4] + whole[5:]


async def test_a_crm_that_had_come_further_back_than_others_does_not_begin_anew_when_it_fails() -> None:
    crms = [memory_crm("left", opportunities=2), memory_crm("right", opportunities=9)]
    make, down = contexts(crms), set[str]()
    query = """query($last: Int!, $before: String) {
        opportunities(last: $last, before: $before, orderBy: [{field: TITLE, descending: true}]) {
            nodes { id } pageInfo { startCursor } } }"""

    def reply(crm: Crm) -> Any:
        async def answer(operation: str, found: dict[str, Any]) -> dict[str, Any]:
            return dict.fromkeys(found, DOWN) if operation == "opportunities" and crm.key in down else found

        return answer

    async def page(last: int, before: str | None) -> Any:
        result: Any = await SCHEMA.execute(query, context_value=make(), variable_values={"last": last, "before": before})
        return result.data["opportunities"]

    for crm in crms:
        memory_of(crm).reply = reply(crm)
    whole = ids(await page(100, None))
    down.add("left")
    first = await page(6, None)
    down.symmetric_difference_update({"left", "right"})
    second = await page(3, first["pageInfo"]["startCursor"])
    down.clear()
    third = await page(100, second["pageInfo"]["startCursor"])

    assert sorted(ids(first) + ids(second) + ids(third)) == sorted(whole)


ORDERS = ["", 'orderBy: [{field: AMOUNT, currency: "EUR"}]', "orderBy: [{field: TITLE, descending: true}]"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("is_backward", [False, True])
@pytest.mark.parametrize("seed", range(8))
async def test_pages_over_crms_that_come_and_go_hold_every_row_once(order: str, seed: int, *, is_backward: bool) -> None:
    chance = Random(seed)  # noqa: S311  # keeps no secret
    crms = [memory_crm(key, opportunities=chance.randrange(14)) for key in ("left", "middle", "right")]
    readable: dict[str, int] = {}

    def reply(crm: Crm) -> Any:
        async def answer(operation: str, found: dict[str, Any]) -> dict[str, Any]:
            if operation != "opportunities" or crm.key not in readable:
                return found
            asked, left = list(found), max(0, readable[crm.key])  # it goes down after so many rows
            readable[crm.key] -= len(asked)
            return {**found, **dict.fromkeys(asked[left:], DOWN)}

        return answer

    for crm in crms:
        memory_of(crm).reply = reply(crm)
    make = contexts(crms)
    window = "last: $size, before: $cursor" if is_backward else "first: $size, after: $cursor"
    query = f"""query($size: Int!, $cursor: String) {{ opportunities({window} {order}) {{
        nodes {{ id }} pageInfo {{ startCursor endCursor hasPreviousPage hasNextPage }} sources {{ code }} }} }}"""

    async def page(size: int, cursor: str | None) -> Any:
        result: Any = await SCHEMA.execute(query, context_value=make(), variable_values={"size": size, "cursor": cursor})
        assert result.errors is None, result.errors
        return result.data["opportunities"]

    whole = ids(await page(100, None))
    found: list[str] = []
    cursor: str | None = None
    for turn in range(100):
        readable.clear()
        readable.update({crm.key: chance.randrange(6) for crm in crms if turn < 8 and chance.random() < 0.5})
        got = await page(chance.randrange(1, 8), cursor)
        found += ids(got)
        cursor = got["pageInfo"]["startCursor" if is_backward else "endCursor"] or cursor
        is_over = not got["pageInfo"]["hasPreviousPage" if is_backward else "hasNextPage"]
        if is_over and all(of["code"] is None for of in got["sources"]):
            break

    assert len(set(found)) == len(found)
    assert sorted(found) == sorted(whole)
