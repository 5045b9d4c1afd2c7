"""Answers that come again as they came before: what they were read as is found, within bounds."""

import json
import logging
import time
import tracemalloc
from asyncio import sleep

import aiohttp
import pytest

from vendors.auth import FixedAccess
from vendors.errors import MalformedReplyError
from vendors.http import Reply, Request, VendorHttp
from vendors.limiting import Limits
from vendors.readings import Readings
from vendors.sharpspring import wire as sharpspring
from vendors.wire import Decoder, Key, Number, WireModel


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


def test_what_was_of_no_use_for_longest_goes_first() -> None:
    readings = Readings(most_bytes=400_000)
    body = b"x" * 50_000
    for question in "abcabc":
        readings.keep("reader", question, body, question)
    assert readings.find("reader", "a", body) == "a"
    for _ in range(2):
        readings.keep("reader", "d", body, "d")
    assert [readings.find("reader", question, body) for question in "abcd"] == ["a", None, "c", "d"]


def test_what_small_answers_were_read_as_does_not_take_more_than_it_may() -> None:
    """The bytes of a row with an id and no more are few, and those of its model many."""
    readings = Readings(most_bytes=2_000_000)
    reader = sharpspring.OPPORTUNITIES.decoder
    answers = [json.dumps({"result": {"opportunity": [{"id": f"{page}00{row}"} for row in range(100)]}}).encode() for page in range(1, 101)]
    tracemalloc.start()
    try:
        for page in range(200):
            gist = answers[page // 2]
            readings.keep(reader, f"page {page // 2}", gist, reader.decode(gist))
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
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
