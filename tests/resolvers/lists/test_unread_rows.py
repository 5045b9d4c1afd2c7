"""Rows that an index tells and that cannot be read then."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest

from bench.company import contexts, memory_crm, memory_of
from server.limits import Limits, operation_extensions
from server.schema import build_schema
from vendors.errors import MalformedReplyError, UnavailableError, VendorError
from vendors.registry import Crm

SCHEMA = build_schema(operation_extensions(Limits(), clock=time.monotonic))
SORTED = """query($first: Int!, $after: String, $direction: Boolean!) {
  opportunities(first: $first, after: $after, orderBy: [{field: AMOUNT, currency: "EUR", descending: $direction}]) {
    nodes { id title } pageInfo { endCursor hasNextPage } totalCount sources { status code message rows totalCountOrigin } } }"""
DOWN = UnavailableError("It is down.", crm="left")
ODD = MalformedReplyError("It is odd.", crm="left")


class Rows:
    """A list over two Crms, in an order, of which the left one answers some ids with an error."""

    def __init__(self, *, descending: bool = False) -> None:
        self.left, right = memory_crm("left", opportunities=9), memory_crm("right", opportunities=9)
        self.make = contexts([self.left, right])
        self.descending = descending
        memory_of(self.left).reply = self._reply
        self.failing: Callable[[list[str]], Mapping[str, VendorError]] = lambda _: {}

    async def _reply(self, operation: str, found: dict[str, Any]) -> dict[str, Any]:
        return {**found, **self.failing(list(found))} if operation == "opportunities" else found

    async def page(self, first: int, after: str | None = None) -> Any:
        variables = {"first": first, "after": after, "direction": self.descending}
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


async def test_a_row_that_fails_between_others_is_passed_over_and_told() -> None:
    rows = Rows()
    whole = await rows.rest(None, first=18)
    rows.failing = lambda asked: {asked[1]: DOWN}

    page = await rows.page(18)

    assert (source(page, rows.left)["status"], source(page, rows.left)["code"], source(page, rows.left)["rows"]) == (
        "PARTIAL",
        "UNAVAILABLE",
        8,
    )
    assert len(ids(page)) == 17
    assert [row for row in whole if row in ids(page)] == ids(page)


async def test_rows_that_fail_behind_the_last_one_that_does_not_come_later() -> None:
    rows = Rows()
    whole = await rows.rest(None, first=18)
    rows.failing = lambda asked: dict.fromkeys(asked[3:], DOWN)

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
