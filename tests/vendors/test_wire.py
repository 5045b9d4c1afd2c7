"""Reading bodies: which values mean what, and decoders that read no more of a row than is asked for."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Generic, TypeVar

import pytest
from pydantic import ValidationError

from vendors.wire import Decoder, Flag, Id, Instant, Key, Number, Text, WireModel, only

R = TypeVar("R")


class Tag(WireModel):
    name: Text = None


class Deal(WireModel):
    id: Key
    title: Text = None
    account: Id = None
    amount: Number = None
    is_open: Flag = None
    seen: Instant = None
    tags: Sequence[Tag] = ()

    def shout(self) -> str:
        return (self.title or "?").upper()


class Envelope(WireModel, Generic[R]):
    data: list[R]
    count: int = 0


DEALS = Decoder(list[Deal], row=Deal)
WRAPPED = Decoder(Envelope[Deal], rows=("data",), row=Deal)
WHOLE = {"id": "1", "title": "One", "account": "7", "amount": 3.5, "is_open": True, "tags": [{"name": "hot"}]}


def deal(**fields: Any) -> Deal:
    (found,) = DEALS.decode(json.dumps([{"id": "1", **fields}])).value
    return found


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("One", "One"),
        (" One ", " One "),
        ("", None),
        (" \t\n", None),
        ("\u2003", None),
        ("\x1f", None),
        (None, None),
        (12, "12"),
        (1.5, "1.5"),
    ],
)
def test_a_text_that_is_blank_means_nothing(sent: object, read: str | None) -> None:
    assert deal(title=sent).title == read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("7", "7"),
        ("a.b", "a.b"),
        (" 7", " 7"),
        (7, "7"),
        (7.0, "7"),
        (1e3, "1000"),
        (7.5, "7.5"),
        ("7.0", "7.0"),
        ("", None),
        (" ", None),
        (None, None),
    ],
)
def test_an_id_is_the_same_text_however_its_number_is_written(sent: object, read: str | None) -> None:
    assert deal(account=sent).account == read
    if read is None:
        assert DEALS.decode(json.dumps([{"id": sent}])).value == []
    else:
        assert deal(id=sent).id == read


@pytest.mark.parametrize("text", ["1e5", "1E5", "100000.0", "100000", "-0.0", "-7.0", "5.0", "1e16", "7.5"])
def test_a_number_is_the_same_text_whatever_else_is_in_the_body(text: str) -> None:
    alone, beside = (
        DEALS.decode(f'[{{"id": {text}, "title": {text}, "account": {text}}}, {{"id": "{neighbour}"}}]').value[0]
        for neighbour in ("2", "1234567890123456")
    )
    assert (alone.id, alone.account) == (beside.id, beside.account)


def test_a_whole_number_is_an_id_without_sign_or_fraction() -> None:
    assert [deal(account=sent).account for sent in (1e5, -0.0, 7.0)] == ["100000", "0", "7"]
    assert deal(title=5.0).title == "5.0"


@pytest.mark.parametrize("sent", [{}, [], True, {"a": 1}])
def test_what_is_no_text_costs_its_row_and_is_named(sent: object) -> None:
    for field in ("id", "title", "account"):
        rows = [{**WHOLE, "id": "2"}, {**WHOLE, field: sent}]
        decoded = DEALS.decode(json.dumps(rows))
        assert [row.id for row in decoded.value] == ["2"]
        assert decoded.misfits == [[f"{field}: string_type"]]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("12345678901234567.25", "12345678901234567.25"),
        ("-0.12345678901234567890", "-0.12345678901234567890"),
        ("3.5", "3.5"),
        ("12", "12"),
        ('"12.50"', "12.50"),
        ("0.0", "0.0"),
        ("1e49", "1E+49"),
    ],
)
def test_a_number_is_exact(sent: str, read: str) -> None:
    (found,) = DEALS.decode(f'[{{"id": "1", "amount": {sent}}}]').value
    assert found.amount is not None
    assert found.amount == Decimal(read)
    assert "." not in read or str(found.amount) == read


@pytest.mark.parametrize("sent", ["1e50", "-1e50", "1e-51", '"1e999999999"', '"NaN"', "true", "null", '""', '"a lot"', "{}"])
def test_what_is_no_number_that_means_anything_is_none(sent: str) -> None:
    (found,) = DEALS.decode(f'[{{"id": "1", "amount": {sent}}}]').value
    assert found.amount is None


def test_half_a_surrogate_pair_is_part_of_a_text_and_of_no_id() -> None:
    decoded = DEALS.decode(r'[{"id": "1", "title": "a\ud800b"}, {"id": "2\ud800"}]')
    assert [(row.id, row.title) for row in decoded.value] == [("1", "a\ud800b")]
    assert decoded.misfits == [["id: string_type"]]


def test_long_digits_within_a_text_change_nothing() -> None:
    found = deal(title="order 1234567890123456789012", amount=3.5)
    assert (found.title, found.amount) == ("order 1234567890123456789012", Decimal("3.5"))


class TestAskedFields:
    def test_are_read_and_no_others(self) -> None:
        (found,) = DEALS.asking(frozenset({"title"})).decode(json.dumps([WHOLE])).value
        assert (found.id, found.title) == ("1", "One")
        assert (found.account, found.amount, found.is_open, found.tags) == (None, None, None, ())
        assert found.shout() == "ONE"

    def test_of_all_are_the_whole(self) -> None:
        assert DEALS.asking(None) is DEALS

    def test_are_read_within_an_envelope(self) -> None:
        body = {"data": [WHOLE, {"title": "no id"}], "count": 2}
        decoded = WRAPPED.asking(frozenset({"amount"})).decode(json.dumps(body))
        assert decoded.value.count == 2
        assert [(row.id, row.amount, row.title) for row in decoded.value.data] == [("1", Decimal("3.5"), None)]
        assert decoded.misfits == [["id: missing"]]

    def test_that_do_not_fit_cost_no_row_where_they_are_not_asked_for(self) -> None:
        body = json.dumps([{**WHOLE, "title": {}}])
        assert DEALS.decode(body).value == []
        assert [row.id for row in DEALS.asking(frozenset({"amount"})).decode(body).value] == ["1"]

    def test_leave_the_model_itself_whole(self) -> None:
        part = only(Deal, {"title"})
        assert set(Deal.model_validate(WHOLE).model_dump()) == set(Deal.model_fields)
        with pytest.raises(ValidationError):
            part.model_validate({"title": "no id"})
