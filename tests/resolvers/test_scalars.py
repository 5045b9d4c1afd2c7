"""How values are written, and what is taken for one."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest

from resolvers.errors import UserError
from resolvers.scalars import JSON, SCALARS
from tests.playground import playground
from tests.resolvers.graph import Graph, autotask_graph


def written(kind: object, value: object) -> Any:
    serialize = SCALARS[kind].serialize
    assert serialize is not None
    return serialize(value)


def read(kind: object) -> Callable[[object], Any]:
    parse: Callable[[object], Any] | None = SCALARS[kind].parse_value
    assert parse is not None
    return parse


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E+5", "100000"),
        ("1E-7", "0.0000001"),
        ("-2.50", "-2.50"),
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
        ("0", "0"),
    ],
)
def test_a_decimal_is_written_without_an_exponent(value: str, text: str) -> None:
    assert written(Decimal, Decimal(value)) == text


async def test_a_large_amount_of_a_vendor_is_written_without_an_exponent() -> None:
    async with autotask_graph(service=1) as graph:
        graph.table("service", "Opportunities").rows[100_001].update(amount=1e22, status=1, probability=50)

        found = await graph.data("{ opportunities { nodes { amount { amount } expectedRevenue { amount } } } }")

    assert found["opportunities"]["nodes"] == [
        {"amount": {"amount": "10000000000000000000000"}, "expectedRevenue": {"amount": "5000000000000000000000.00"}}
    ]


@pytest.mark.parametrize(
    ("given", "number"),
    [("1250.50", "1250.50"), (7, "7"), ("-0.1", "-0.1"), ("1e3", "1E+3"), (1e22, "1E+22"), (".5", "0.5"), ("5.", "5"), ("+7", "7")],
)
def test_a_decimal_is_read_exactly(given: object, number: str) -> None:
    assert read(Decimal)(given) == Decimal(number)


@pytest.mark.parametrize("given", ["", "many", "NaN", "Infinity", "1,5", None, [], True, "1_000", "١٢", " 5 ", "5\n", "0x1", "1e", "."])
def test_what_is_no_decimal_is_refused(given: object) -> None:
    with pytest.raises(UserError, match="number"):
        read(Decimal)(given)


@pytest.mark.parametrize("given", ["1E+999999999", "1E-999999999", "0E+999999999", "1E+9999999999999999999", "9" * 1_001, "1e1000"])
def test_a_number_that_would_fill_the_memory_is_refused(given: str) -> None:
    with pytest.raises(UserError, match="out of range"):
        read(Decimal)(given)

    assert read(Decimal)("9" * 1_000) == Decimal("9" * 1_000)
    assert read(Decimal)("1e-1000") == Decimal("1e-1000")


def test_a_moment_is_written_in_utc() -> None:
    moment = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=3)))

    assert written(datetime, moment) == "2025-12-31T22:30:00+00:00"


def test_a_moment_is_read_with_its_offset() -> None:
    assert read(datetime)("2026-01-01T01:30:00+03:00") == datetime(2025, 12, 31, 22, 30, tzinfo=UTC)
    assert read(datetime)("2026-01-01T01:30:00Z").tzinfo is UTC


@pytest.mark.parametrize("given", ["2026-01-01T01:30:00", "2026-01-01", "yesterday", "", 5])
def test_what_is_no_moment_is_refused(given: object) -> None:
    with pytest.raises(UserError, match=r"offset|date and time"):
        read(datetime)(given)


async def test_moments_of_a_vendor_without_a_zone_are_shown_in_utc() -> None:
    async with playground("autotask", options={"dates": "no_zone"}) as ground:
        found = await Graph({ground.crm.key: ground}).data("{ opportunities(first: 1) { nodes { createdAt closeDate } } }")

    assert found["opportunities"]["nodes"] == [{"createdAt": "2025-08-04T09:12:44.317000+00:00", "closeDate": "2026-01-12"}]


def test_a_day_is_written_and_read_as_a_day() -> None:
    assert written(date, date(2026, 11, 21)) == "2026-11-21"
    assert read(date)("2026-11-21") == date(2026, 11, 21)


def test_the_day_of_a_moment_is_its_own_and_not_that_of_an_equal_one() -> None:
    moment = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    moments = [moment, moment.astimezone(timezone(timedelta(hours=1)))]
    assert [written(date, of) for of in moments] == ["2026-11-21", "2026-11-22"]


@pytest.mark.parametrize("given", ["21.11.2026", "2026-11-21T00:00:00Z", "2026-13-01", "20261121", "2026-W47-6", ""])
def test_what_is_no_day_is_refused(given: str) -> None:
    with pytest.raises(UserError, match="is no day"):
        read(date)(given)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": [1, None, True, "x"]}, {"a": [1, None, True, "x"]}),
        (Decimal("0.1"), 0.1),
        ((Decimal("12345678901234567890.5"),), ["12345678901234567890.5"]),
        (Decimal("1E+400"), "1" + "0" * 400),
        (2**53 - 1, 2**53 - 1),
        ([2**53], ["9007199254740992"]),
        ({"big": -(10**30)}, {"big": "-1" + "0" * 30}),
    ],
)
def test_a_json_value_keeps_its_digits_and_can_be_written(value: object, shown: object) -> None:
    found = written(JSON, value)

    assert found == shown
    assert orjson.loads(orjson.dumps(found)) == shown
