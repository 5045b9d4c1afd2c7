"""Answers that come again as they came before: what they were read as is found, within bounds."""

import json
import logging
import time
import tracemalloc
from asyncio import sleep
from collections.abc import Mapping

import aiohttp
import pytest

from vendors.auth import FixedAccess
from vendors.calls import CallRecorder, Warned, recording, warn
from vendors.errors import MalformedReplyError
from vendors.http import Reply, Request, VendorHttp
from vendors.limiting import Limits
from vendors.readings import Readings
from vendors.sharpspring import wire as sharpspring
from vendors.wire import Decoder, Key, Number, WireModel, records_of


class Deal(WireModel):
    id: Key
    amount: Number = None


DEALS = Decoder(list[Deal], row=Deal)
BARE = Decoder(list[Deal], row=Deal).asking(frozenset())
LIST = Request(operation="deals.list", path="deals")


@pytest.fixture
async def way_out() -> VendorHttp:
    async with aiohttp.ClientSession() as session:
        return VendorHttp(
            crm="main",
            session=session,
            auth=FixedAccess("http://127.0.0.1:1", {}),
            limits=Limits(max_concurrent=1),
            clock=time.monotonic,
            sleep=sleep,
            jitter=lambda: 1.0,
        )


def answer(*rows: object) -> Reply:
    return Reply(200, {}, json.dumps(rows).encode())


async def test_an_answer_that_comes_a_third_time_is_not_read_again(way_out: VendorHttp) -> None:
    first, second, third = [DEALS.read(way_out, LIST, answer({"id": "1", "amount": 7})) for _ in range(3)]
    assert first == second == third
    assert third is second


async def test_another_answer_is_read(way_out: VendorHttp) -> None:
    amounts = [DEALS.read(way_out, LIST, answer({"id": "1", "amount": amount})).value[0].amount for amount in [1, 1, 1, 2, 1, 1, 3]]
    assert amounts == [1, 1, 1, 2, 1, 1, 3]


async def test_the_same_answer_to_another_question_or_read_in_another_way_is_read(way_out: VendorHttp) -> None:
    same = answer({"id": "1", "amount": 7})
    *_, whole = [DEALS.read(way_out, LIST, same) for _ in range(3)]
    assert BARE.read(way_out, LIST, same).value[0].amount is None
    assert DEALS.read(way_out, Request(operation="deals.list", path="deals", params=[("page", "2")]), same) is not whole
    assert DEALS.read(way_out, LIST, same) is whole


async def test_an_answer_that_cannot_be_read_is_refused_each_time(way_out: VendorHttp) -> None:
    for _ in range(3):
        with pytest.raises(MalformedReplyError):
            DEALS.read(way_out, LIST, Reply(200, {}, b"<html>"))


async def test_rows_that_are_left_out_are_told_each_time(way_out: VendorHttp, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        answers = [DEALS.read(way_out, LIST, answer({"id": "1"}, {"name": "none"})) for _ in range(3)]
    assert [len(read.dropped) for read in answers] == [1, 1, 1]
    assert caplog.text.count("left out since it does not fit") == 3


def test_what_was_asked_once_is_not_kept() -> None:
    readings = Readings()
    readings.keep("reader", "a", b"1", "one")
    assert readings.find("reader", "a", b"1") is None
    readings.keep("reader", "a", b"1", "one")
    assert readings.find("reader", "a", b"1") == "one"


def test_only_the_last_answer_is_kept_however_many_others_were_asked_for_meanwhile() -> None:
    readings = Readings(most_asked=1)
    for question, gist in [("a", b"1"), ("a", b"1"), ("b", b"1"), ("c", b"1"), ("a", b"2")]:
        readings.keep("reader", question, gist, gist)
    assert (readings.find("reader", "a", b"1"), readings.find("reader", "a", b"2")) == (None, b"2")


class Alike:
    """All of them have one hash."""

    def __hash__(self) -> int:
        return 7


def test_readers_with_one_hash_are_told_apart() -> None:
    readings, one, other = Readings(), Alike(), Alike()
    for _ in range(2):
        readings.keep(one, "a", b"1", "read by one")
    assert readings.find(other, "a", b"1") is None
    assert readings.find(one, "a", b"1") == "read by one"


def test_what_was_of_no_use_for_longest_goes_first() -> None:
    readings = Readings(most_bytes=500_000)
    body = b"x" * 50_000
    for question in "abcabc":
        readings.keep("reader", question, body, question)
    assert readings.find("reader", "a", body) == "a"
    for _ in range(2):
        readings.keep("reader", "d", body, "d")
    assert [readings.find("reader", question, body) for question in "abcd"] == ["a", None, "c", "d"]


@pytest.mark.parametrize(
    ("rest", "is_ascii"),
    [
        ({}, True),
        ({f"custom_{number}": "1" for number in range(100)}, True),
        ({"opportunityName": "a" * 2_000 + "\N{GRINNING FACE}"}, False),
        ({"opportunityName": "a" * 2_000 + "\N{GRINNING FACE}"}, True),
    ],
    ids=["an id", "many members", "wide letters", "escaped wide letters"],
)
def test_what_answers_were_read_as_does_not_take_more_than_it_may(rest: Mapping[str, str], *, is_ascii: bool) -> None:
    """However few the bytes of a row are beside those of its model."""
    readings = Readings(most_bytes=4_000_000)
    reader = sharpspring.OPPORTUNITIES.decoder
    pages = [[{"id": f"{page}00{row}", **rest} for row in range(100)] for page in range(1, 101)]
    answers = [json.dumps({"result": {"opportunity": rows}}, ensure_ascii=is_ascii).encode() for rows in pages]
    tracemalloc.start()
    try:
        for page in range(200):
            gist = answers[page // 2]
            readings.keep(reader, f"page {page // 2}", gist, reader.decode(gist))
        assert tracemalloc.get_traced_memory()[0] < 4_000_000
    finally:
        tracemalloc.stop()
    assert readings.find(reader, "page 99", answers[-1]) is not None
    assert readings.find(reader, "page 0", answers[0]) is None


def test_an_answer_that_is_larger_than_all_may_be_is_not_kept_and_what_was_before_it_is_gone() -> None:
    readings = Readings(most_bytes=100_000)
    for gist in (b"1", b"1", b"x" * 100_001, b"x" * 100_001):
        readings.keep("reader", "a", gist, "read")
    assert readings.find("reader", "a", b"x" * 100_001) is None
    assert readings.find("reader", "a", b"1") is None


def test_questions_are_not_remembered_for_ever() -> None:
    readings = Readings(most_asked=2)
    for question in ("a", "b", "c", "a"):
        readings.keep("reader", question, b"1", "read")
    assert readings.find("reader", "a", b"1") is None
    readings.keep("reader", "a", b"1", "read")
    assert readings.find("reader", "a", b"1") == "read"


async def test_what_was_read_is_in_no_text(way_out: VendorHttp) -> None:
    for _ in range(2):
        DEALS.read(way_out, LIST, answer({"id": "a secret"}))
    assert "secret" not in repr(vars(way_out.readings))


@pytest.mark.parametrize("count", ['"callCount": "{}"', '"callCount":{}'])
def test_a_count_of_calls_does_not_make_another_answer(count: str) -> None:
    bodies = [f'{{"result": {{"opportunity": []}}, "id": "1", {count.format(number)}}}'.encode() for number in (9, 10)]
    decoder = sharpspring.OPPORTUNITIES.decoder
    assert decoder.gist(bodies[0]) == decoder.gist(bodies[1])
    assert decoder.gist(bodies[0]) != decoder.gist(bodies[0].replace(b'"1"', b'"2"'))


@pytest.mark.parametrize(
    "body",
    [
        '{{"title": "\\"callCount\\": {}"}}',
        '{{"result": {{"opportunity": [{{"id": "1", "callCount": {}}}]}}, "id": "1"}}',
        '{{"result": {{"callCount": {}}}, "id": "1"}}',
        '{{"id": "1", "callCount": "{}}}',
        '{{"id": "1", "callCount": {}"}}',
        '{{"id": "1", "callCount": 0{}}}',
    ],
)
def test_what_only_looks_like_a_count_of_calls_makes_another_answer(body: str) -> None:
    gist = sharpspring.OPPORTUNITIES.decoder.gist
    assert gist(body.format(8).encode()) != gist(body.format(9).encode())


def record(crm: str, row: Deal, names: dict[str, str]) -> list[object]:
    if row.amount is None:
        warn(crm, "NO_AMOUNT", "There is none.", local_id=row.id)
    return [crm, row.id, names.get(row.id)]


def bare_record(crm: str, row: Deal, names: dict[str, str]) -> list[object]:  # noqa: ARG001  # the shape of the other
    return [row.id]


def rows(*found: object) -> list[Deal]:
    return DEALS.decode(json.dumps(found)).value


def test_of_the_same_row_the_same_record_is_made_and_told() -> None:
    deals = rows({"id": "1", "amount": 7}, {"id": "2"})
    answers: list[tuple[list[list[object]], list[Warned]]] = []
    for names in ({"1": "one"}, {"1": "one"}):
        with recording(CallRecorder()) as recorder:
            answers.append((records_of(record, "main", deals, names), recorder.warnings))
    (first, odd), (second, odd_again) = answers
    assert first == [["main", "1", "one"], ["main", "2", None]]
    assert [one is other for one, other in zip(first, second, strict=True)] == [True, True]
    assert [warned.local_id for warned in odd] == ["2"]
    assert odd_again == odd


def test_a_record_is_made_anew_where_anything_else_is() -> None:
    deals = rows({"id": "1", "amount": 7})
    (made,) = records_of(record, "main", deals, {"1": "one"})
    (renamed,) = records_of(record, "main", deals, {"1": "uno"})
    (elsewhere,) = records_of(record, "other", deals, {"1": "uno"})
    (of_equal_row,) = records_of(record, "other", rows({"id": "1", "amount": 7}), {"1": "uno"})
    (of_copy,) = records_of(record, "other", [deals[0].model_copy(update={"id": "2"})], {"1": "uno"})
    (otherwise,) = records_of(bare_record, "other", deals, {"1": "uno"})
    assert [made, renamed, elsewhere] == [["main", "1", "one"], ["main", "1", "uno"], ["other", "1", "uno"]]
    assert of_equal_row is not elsewhere
    assert (of_copy, otherwise) == (["other", "2", None], ["1"])


def test_rows_that_were_made_with_different_things_are_told_apart() -> None:
    one, two = rows({"id": "1", "amount": 7}, {"id": "2", "amount": 7})
    records_of(record, "main", [one], {"1": "one"})
    records_of(record, "main", [two], {"2": "zwei"})
    assert records_of(record, "main", [one, two], {"1": "one"}) == [["main", "1", "one"], ["main", "2", None]]


def test_what_two_rows_have_in_common_that_is_odd_is_told_of_each_alone() -> None:
    first, second = rows({"id": "1"}, {"id": "1"})
    for deals, told in [([first, second], 1), ([second], 1), ([first], 1)]:
        with recording(CallRecorder()) as recorder:
            records_of(record, "main", deals, {})
        assert len(recorder.warnings) == told


def test_what_was_made_of_a_row_is_no_part_of_it() -> None:
    (made,), (bare,) = rows({"id": "1", "amount": 7}), rows({"id": "1", "amount": 7})
    records_of(record, "main", [made], {})
    assert made == bare
    assert (hash(made), repr(made), made.model_dump()) == (hash(bare), repr(bare), bare.model_dump())
