"""An adapter's defect is not kept: it shows with its Crm alone, each time alike, and no longer than the vendor sends what is odd."""

import time
from dataclasses import replace
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from bench.company import Found, contexts, memory_crm, memory_of
from resolvers.node_id import encode
from server.schema import build_schema
from vendors.cache import MemoryCache
from vendors.model import Ref
from vendors.registry import Crm

SCHEMA = build_schema()
SOURCES = "sources { crm { key } status }"


def keeping_crms(*keys: str) -> list[Crm]:
    return [replace(memory_crm(key, opportunities=3), cache=MemoryCache(ttl_seconds=300, clock=time.monotonic)) for key in keys]


async def asked(crms: list[Crm], query: str) -> ExecutionResult:
    result = await SCHEMA.execute(query, context_value=contexts(crms)())
    assert isinstance(result, ExecutionResult)
    return result


def spoil(crm: Crm, operation_begins: str, change: dict[str, Any] | None) -> None:
    """Let one record come with these attributes, or as something else than a record."""

    async def reply(operation: str, found: Found) -> Found:
        if operation.startswith(operation_begins):
            return {**found, "1": object() if change is None else replace(found["1"], **change)}
        return found

    memory_of(crm).reply = reply


def mend(crm: Crm) -> None:
    async def reply(operation: str, found: Found) -> Found:
        del operation
        return found

    memory_of(crm).reply = reply


@pytest.mark.parametrize("change", [None, {"ref": None}, {"read_fields": 7}], ids=["no record", "no id", "no fields"])
@pytest.mark.parametrize("filtered", ["", "filter: { status: [OPEN, WON, LOST] }"], ids=["plain", "filtered"])
async def test_a_row_that_is_no_record_takes_away_its_crm_alone_until_the_vendor_is_mended(
    filtered: str, change: dict[str, Any] | None
) -> None:
    left, right = crms = keeping_crms("left", "right")
    query = f"{{ opportunities(first: 6, maxAge: 60 {filtered}) {{ nodes {{ title crm {{ key }} }} {SOURCES} }} }}"
    spoil(right, "list", change)

    for _ in range(3):
        found = await asked(crms, query)
        assert found.errors is None
        assert found.data is not None
        assert {node["crm"]["key"] for node in found.data["opportunities"]["nodes"]} == {left.key}
        assert [source["status"] for source in found.data["opportunities"]["sources"]] == ["OK", "FAILED"]
    mend(right)

    mended = await asked(crms, query)
    assert mended.errors is None
    assert mended.data is not None
    assert [source["status"] for source in mended.data["opportunities"]["sources"]] == ["OK", "OK"]


@pytest.mark.parametrize("change", [{"amount": 7}, {"custom_fields": 7}], ids=str)
@pytest.mark.parametrize("filtered", ["status: [OPEN, WON, LOST]", "overdue: true", 'tags: ["a"]'])
async def test_a_row_that_a_filter_cannot_look_at_takes_away_its_crm_alone_until_the_vendor_is_mended(
    filtered: str, change: dict[str, Any]
) -> None:
    crms = keeping_crms("left", "right")
    query = f"{{ opportunities(first: 6, maxAge: 60, filter: {{ {filtered} }}) {{ nodes {{ id title }} {SOURCES} }} }}"
    expected = (await asked(keeping_crms("left", "right"), query)).data
    await asked(crms, "{ opportunities(first: 1, maxAge: 60) { nodes { id } } }")
    spoil(crms[1], "list", change)

    answers = [await asked(crms, query) for _ in range(3)]
    mend(crms[1])

    assert [(answer.data, answer.errors) for answer in answers] == [(answers[0].data, None)] * 3
    assert [source["status"] for source in (answers[0].data or {})["opportunities"]["sources"]] == ["OK", "FAILED"]
    assert (await asked(crms, query)).data == expected


async def test_a_page_that_was_kept_before_a_filter_could_not_look_at_it_is_read_again() -> None:
    crms = keeping_crms("left", "right")
    rows = "opportunities(first: 50, maxAge: 60 %s) { nodes { id title amount { amount } status tags } sources { status } }"
    plain, filtered = f"{{ {rows % ''} }}", f"{{ {rows % 'filter: { overdue: true }'} }}"
    spoil(crms[1], "list", {"expected_close_date": "x", "tags": 7})
    await asked(crms, plain)

    answers = [await asked(crms, filtered) for _ in range(2)]

    assert all(answer.data and answer.data["opportunities"] for answer in answers)
    assert answers[0].data == answers[1].data


async def test_what_is_no_record_is_not_kept_by_its_id() -> None:
    (crm,) = crms = keeping_crms("left")
    query = f'{{ account(id: "{encode("Account", Ref("left", "1"))}", maxAge: 60) {{ name }} }}'
    spoil(crm, "accounts", None)
    assert (await asked(crms, query)).errors
    mend(crm)

    assert (await asked(crms, query)).data == {"account": {"name": "Account 1"}}
