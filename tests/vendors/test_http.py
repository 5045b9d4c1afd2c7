"""The way out to a vendor: what it believes, what it tells, and what it holds back, over real HTTP on loopback."""

import asyncio
import gc
import json
import logging
import weakref
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
import pytest
from aiohttp import web
from pydantic import BaseModel

from vendors.auth import Access, Auth, FixedAccess
from vendors.calls import Deadline, deadline_scope, giving_way, recording
from vendors.errors import (
    MalformedReplyError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
    VendorTimeoutError,
)
from vendors.http import Request, VendorHttp
from vendors.limiting import Limits
from vendors.retry import RetryPolicy
from vendors.wire import Decoder, Key, WireModel

LIST = Request(operation="deals.list", path="deals")
SECRET = "s3cret-in-url"
HOUR = {"Retry-After": "3600"}


@dataclass(slots=True)
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: str = "{}"


@dataclass(slots=True)
class Vendor:
    """A vendor that answers as it is told, the last answer again and again, and the way out to it. Time stands still unless moved."""

    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    paths: list[str] = field(default_factory=list[str])
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event | None = None
    now: float = 1_000.0
    slept: list[float] = field(default_factory=list[float])
    ways: list[VendorHttp] = field(default_factory=list[VendorHttp])

    @property
    def http(self) -> VendorHttp:
        return self.ways[0]

    def way_out(self, session: aiohttp.ClientSession, auth: Auth, retry: RetryPolicy | None = None) -> VendorHttp:
        return VendorHttp(
            crm="main",
            session=session,
            auth=auth,
            limits=Limits(max_concurrent=8),
            clock=lambda: self.now,
            sleep=self.sleep,
            jitter=lambda: 1.0,
            retry=retry or RetryPolicy(max_attempts=1),
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def say(self, *answers: Answer) -> None:
        self.answers[:] = answers

    async def ask(self, request: Request = LIST, *, seconds: float = 5.0) -> int:
        with deadline_scope(Deadline(self.now + seconds, lambda: self.now)):
            return (await self.http.send(request)).status

    async def error(self, request: Request = LIST, *, seconds: float = 5.0) -> VendorError:
        with pytest.raises(VendorError) as caught:
            await self.ask(request, seconds=seconds)
        return caught.value


@asynccontextmanager
async def vendor(*, retry: RetryPolicy | None = None, is_there: bool = True) -> AsyncGenerator[Vendor, None]:
    it = Vendor()

    async def handle(request: web.Request) -> web.Response:
        it.paths.append(request.path)
        it.arrived.set()
        if it.release is not None:
            await it.release.wait()
        answer = it.answers.pop(0) if len(it.answers) > 1 else it.answers[0]
        return web.Response(status=answer.status, headers=answer.headers, text=answer.body)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    if not is_there:
        await runner.cleanup()
    try:
        async with aiohttp.ClientSession() as session:
            it.ways.append(it.way_out(session, FixedAccess(f"http://{host}:{port}/{SECRET}/", {}), retry))
            yield it
    finally:
        await runner.cleanup()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.levelname} {record.getMessage()}" for record in caplog.records if record.name.startswith("vendors")]


@pytest.fixture(autouse=True)
def everything_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


CREATE = Request(operation="deals.create", method="POST", path="deals", read=False)


class TestAWriteThatTakesTooLong:
    async def test_has_an_unknown_outcome_once_it_has_left(self) -> None:
        async with vendor() as it:
            it.release = asyncio.Event()
            with pytest.raises(OutcomeUnknownError):
                await it.ask(CREATE, seconds=0.3)
            it.release.set()
            assert it.paths == [f"/{SECRET}/deals"]

    async def test_has_surely_not_happened_while_it_waits_for_its_turn(self) -> None:
        async with vendor() as it:
            it.release = asyncio.Event()
            others = [asyncio.create_task(it.ask(Request(operation="deals.get", path=f"deals/{number}"))) for number in range(8)]
            while len(it.paths) < 8:  # noqa: ASYNC110  # nobody announces it
                await asyncio.sleep(0)
            with pytest.raises(VendorTimeoutError):
                await it.ask(CREATE, seconds=0.1)
            assert it.http.health.error is None, "our own queue is no fault of the vendor's"
            it.release.set()
            await asyncio.gather(*others)
            assert len(it.paths) == 8

    async def test_is_not_even_sent_when_no_time_is_left(self) -> None:
        async with vendor() as it:
            await it.ask()
            with pytest.raises(VendorTimeoutError):
                await it.ask(CREATE, seconds=0.0)
            await asyncio.sleep(0.05)
            assert len(it.paths) == 1


class TestAPauseTheVendorAsksFor:
    async def test_is_believed_for_a_minute_and_no_call_is_made(self) -> None:
        async with vendor() as it:
            it.say(Answer(429, HOUR), Answer())
            first = await it.error()
            it.now += 50
            second = await it.error()

        assert (first.retry_after_seconds, second.retry_after_seconds) == (3600, 10)
        assert isinstance(second, RateLimitedError)
        assert len(it.paths) == 1

    async def test_ends_when_a_call_after_that_minute_is_answered(self) -> None:
        async with vendor() as it:
            it.say(Answer(429, HOUR), Answer())
            await it.error()
            it.now += 60

            assert await it.ask() == 200
            assert await it.ask() == 200

        assert it.http.health.error is None

    async def test_begins_anew_when_that_call_is_refused(self) -> None:
        async with vendor() as it:
            it.say(Answer(429, HOUR))
            await it.error()
            it.now += 60
            await it.error()
            it.now += 50
            await it.error()

            assert len(it.paths) == 2
            it.now += 10
            await it.error()

        assert len(it.paths) == 3

    async def test_is_found_out_about_by_one_call_at_a_time(self) -> None:
        async with vendor() as it:
            it.say(Answer(429, HOUR), Answer())
            await it.error()
            it.now += 60
            it.arrived.clear()
            it.release = asyncio.Event()
            probe = asyncio.create_task(it.ask())
            await asyncio.wait_for(it.arrived.wait(), 60)

            other = await it.error(Request(operation="people.list", path="people"))
            it.release.set()

            assert await probe == 200
            assert isinstance(other, RateLimitedError)
            assert len(it.paths) == 2
            assert await it.ask(Request(operation="people.list", path="people")) == 200

    async def test_can_be_found_out_about_again_after_a_probe_was_cancelled(self) -> None:
        async with vendor() as it:
            it.say(Answer(429, HOUR), Answer())
            await it.error()
            it.now += 60
            it.arrived.clear()
            it.release = asyncio.Event()
            probe = asyncio.create_task(it.ask())
            await asyncio.wait_for(it.arrived.wait(), 60)
            probe.cancel()
            await asyncio.wait([probe])
            it.release.set()

            assert await it.ask() == 200

    async def test_that_is_short_is_waited_for(self) -> None:
        async with vendor(retry=RetryPolicy()) as it:
            it.say(Answer(429, {"Retry-After": "3"}), Answer())

            assert await it.ask() == 200

        assert sum(it.slept) == 3

    async def test_is_over_when_the_vendor_said_and_calls_go_out_at_the_same_time(self) -> None:
        async with vendor() as it:
            it.say(Answer(429, {"Retry-After": "30"}), Answer())
            await it.error()
            it.now += 30
            await asyncio.gather(*(it.ask(Request(operation="deal", path=f"deals/{number}")) for number in range(5)))

        assert len(it.paths) == 6

    async def test_shows_in_the_health_and_twice_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        async with vendor() as it:
            it.say(Answer(429, HOUR), Answer())
            for _ in range(5):
                await it.error()
            error = it.http.health.error
            it.now += 60
            for _ in range(5):
                await it.ask()

        assert isinstance(error, RateLimitedError)
        assert error.message == "The CRM 'main' takes no more calls for now; try again in 60 s."
        assert lines(caplog) == [
            "WARNING CRM 'main' is not usable: RATE_LIMITED (deals.list): it asks for a pause of 3600 s",
            "WARNING CRM 'main' answers again",
        ]


class TestTheLogOfACrm:
    @pytest.mark.parametrize(
        ("status", "line"),
        [
            (401, "CRM 'main' is not usable: UNAUTHENTICATED (deals.list): status 401"),
            (402, "CRM 'main' is not usable: QUOTA_EXCEEDED (deals.list): status 402"),
            (503, "CRM 'main' is not usable: UNAVAILABLE (deals.list): status 503"),
        ],
    )
    async def test_tells_once_that_it_fails_and_once_that_it_is_back(
        self, status: int, line: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with vendor() as it:
            it.say(Answer(status))
            for _ in range(3):
                await it.error()
            it.say(Answer())
            for _ in range(3):
                await it.ask()

        assert lines(caplog) == [f"WARNING {line}", "WARNING CRM 'main' answers again"]

    async def test_tells_once_what_it_refuses_while_the_rest_works(self, caplog: pytest.LogCaptureFixture) -> None:
        people = Request(operation="people.list", path="people")

        async with vendor() as it:
            for _ in range(3):
                it.say(Answer(403))
                assert isinstance(await it.error(people), PermissionDeniedError)
                it.say(Answer())
                await it.ask()
            health = it.http.health.error
            await it.ask(people)

        assert isinstance(health, PermissionDeniedError)
        assert it.http.health.error is None
        assert lines(caplog) == [
            "WARNING CRM 'main' refuses people.list: FORBIDDEN (status 403)",
            "INFO CRM 'main' does people.list again",
        ]

    async def test_says_nothing_of_a_failure_that_a_retry_mends(self, caplog: pytest.LogCaptureFixture) -> None:
        async with vendor(retry=RetryPolicy()) as it:
            it.say(Answer(503), Answer())

            assert await it.ask() == 200

        assert lines(caplog) == []

    async def test_tells_why_the_network_failed_and_no_address(self, caplog: pytest.LogCaptureFixture) -> None:
        async with vendor(is_there=False) as it:
            for _ in range(3):
                assert isinstance(await it.error(), UnavailableError)

        (line,) = lines(caplog)
        assert line.startswith("WARNING CRM 'main' is not usable: UNAVAILABLE (deals.list): ClientConnectorError, ")
        assert SECRET not in caplog.text


class TestAnOpenCircuit:
    async def test_holds_up_nobody_who_comes(self) -> None:
        async with vendor(retry=RetryPolicy()) as it:
            it.say(Answer(503))
            for _ in range(2):  # whose six attempts open it
                await it.error()
            it.slept.clear()

            error = await it.error()

            assert isinstance(error, UnavailableError)
            assert error.retry_after_seconds is not None
            assert it.slept == []


class _HangingLogin:
    """Never lets anybody in; meanwhile time passes."""

    def __init__(self, it: Vendor) -> None:
        self._it = it

    async def access(self) -> Access:
        self._it.now += 1.0
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    def refused(self, access: Access) -> bool:
        del access
        return False


class TestALoginThatHangs:
    @pytest.mark.parametrize("request_", [LIST, CREATE])
    async def test_says_nothing_of_a_write(self, request_: Request) -> None:
        it = Vendor()
        async with aiohttp.ClientSession() as session:
            it.ways.append(it.way_out(session, _HangingLogin(it)))

            error = await it.error(request_, seconds=0.1)

        assert isinstance(error, VendorTimeoutError)
        assert it.http.health.error is (error if request_.read else None)


class TestACallThatIsNotAnswered:
    async def test_counts_once_however_many_wait_for_it(self) -> None:
        async with vendor() as it:
            it.release = asyncio.Event()
            waiting = [asyncio.create_task(it.error(seconds=0.2)) for _ in range(9)]
            await it.arrived.wait()
            it.now += 1.0

            errors = await asyncio.gather(*waiting)
            it.release.set()

            assert [error.code for error in errors] == ["TIMEOUT"] * 9
            assert it.paths == [f"/{SECRET}/deals"]
            assert it.http.health.error in errors
            assert await it.ask(Request(operation="users.list", path="users")) == 200

    async def test_counts_though_somebody_with_little_time_gave_up_before(self) -> None:
        async with vendor() as it:
            it.release = asyncio.Event()
            patient = asyncio.create_task(it.error(seconds=0.4))
            await it.arrived.wait()
            it.now += 0.5
            await it.error(seconds=0.1)
            assert it.http.health.error is None
            it.now += 0.5

            error = await patient

            assert it.http.health.error is error
            it.release.set()

    async def test_counts_also_when_who_has_made_it_is_gone(self) -> None:
        async with vendor() as it:
            it.release = asyncio.Event()
            first = asyncio.create_task(it.ask())
            await it.arrived.wait()
            second = asyncio.create_task(it.error(seconds=0.2))
            await asyncio.sleep(0)
            first.cancel()
            it.now += 1.0

            error = await second

            assert it.http.health.error is error
            it.release.set()

    async def test_says_nothing_of_those_that_wait_behind_it(self) -> None:
        async with vendor() as it:
            it.release = asyncio.Event()
            asked = [asyncio.create_task(it.ask(Request(operation="deals.get", path=f"deals/{number}"))) for number in range(8)]
            async with asyncio.timeout(5):
                while len(it.paths) < 8:  # noqa: ASYNC110  # nobody announces it
                    await asyncio.sleep(0.001)
            behind = [
                asyncio.create_task(it.error(Request(operation="deals.get", path=f"deals/{number}"), seconds=0.2))
                for number in range(8, 16)
            ]
            await asyncio.sleep(0.02)
            it.now += 1.0

            assert {error.code for error in await asyncio.gather(*behind)} == {"TIMEOUT"}
            assert it.http.health.error is None
            it.release.set()
            assert await asyncio.gather(*asked) == [200] * 8
            assert await it.ask() == 200


class TestAReadThatGivesWay:
    async def test_is_not_joined_by_who_does_not(self) -> None:
        async with vendor() as it:
            it.release = asyncio.Event()
            with giving_way():
                patient = asyncio.create_task(it.ask())
            hurried = asyncio.create_task(it.ask())
            async with asyncio.timeout(5):
                while len(it.paths) < 2:  # noqa: ASYNC110  # nobody announces it
                    await asyncio.sleep(0.001)
            it.release.set()
            assert (await patient, await hurried) == (200, 200)


class TestAFailure:
    async def test_is_let_go_of_when_the_vendor_answers_again(self) -> None:
        async with vendor() as it:
            it.say(Answer(503))
            failure = weakref.ref(await it.error())
            gc.collect()
            assert failure() is not None, "an open circuit would tell it"

            it.say(Answer())
            await it.ask()

            gc.collect()
            assert failure() is None


class TestARequestThatCannotBeMade:
    @pytest.mark.parametrize("value", ["a\r\nX-More: 1", "a\0b"])
    async def test_is_our_defect_and_not_an_outage(self, value: str, caplog: pytest.LogCaptureFixture) -> None:
        request = Request(operation="deals.list", path="deals", headers={"X-Key": value})

        async with vendor() as it:
            with recording() as recorder:
                for _ in range(6):
                    with pytest.raises(ValueError, match="header"):
                        await it.ask(request)

            assert await it.ask() == 200

        assert recorder.calls == []
        assert it.http.health.error is None
        assert lines(caplog) == []


class TestA404:
    async def test_of_a_record_means_that_there_is_none(self) -> None:
        async with vendor() as it:
            it.say(Answer(404))
            error = await it.error(Request(operation="deals.get", path="deals/7", by_id=True))

        assert isinstance(error, NotFoundError)
        assert error.message == "The CRM 'main' has no such record."
        assert it.http.health.error is None

    async def test_of_a_list_means_a_wrong_address(self, caplog: pytest.LogCaptureFixture) -> None:
        async with vendor() as it:
            it.say(Answer(404))
            error = await it.error()
            await it.error()

        assert isinstance(error, RejectedRequestError)
        assert error.status == HTTPStatus.NOT_FOUND
        assert error.message == (
            "The CRM 'main' answered deals.list with 404: there is nothing at that address. "
            "Mend the CRM's URL, space or version in the configuration."
        )
        assert it.http.health.error is not None
        assert lines(caplog) == ["WARNING CRM 'main' refuses deals.list: REJECTED (status 404)"]


class Deal(WireModel):
    id: Key
    title: str


class Rows(BaseModel):
    data: list[Deal]


ROWS = Decoder(Rows, rows=["data"], row=Deal)


class TestRowsThatDoNotFit:
    async def read(self, it: Vendor, rows: Sequence[object]) -> int:
        it.say(Answer(body=json.dumps({"data": rows})))
        return len(ROWS.read(it.http, LIST, await it.http.send(LIST)).value.data)

    async def test_are_named_in_the_log_by_crm_operation_and_id(self, caplog: pytest.LogCaptureFixture) -> None:
        async with vendor() as it:
            found = await self.read(it, [{"id": "7", "title": None}, {"title": "x"}, "no row", {"id": 8, "title": "good"}])

        assert found == 1
        assert lines(caplog) == [
            "WARNING CRM 'main' answered deals.list with the row with id '7', left out since it does not fit: title: string_type",
            "WARNING CRM 'main' answered deals.list with a row without a readable id, left out since it does not fit: id: missing",
            "WARNING CRM 'main' answered deals.list with a row without a readable id, left out since it does not fit: model_type",
        ]

    async def test_are_logged_a_few_times_a_minute(self, caplog: pytest.LogCaptureFixture) -> None:
        async with vendor() as it:
            await self.read(it, [{"id": number, "title": None} for number in range(500)])
            first = len(lines(caplog))
            last = lines(caplog)[-1]
            it.now += 60
            await self.read(it, [{"id": number, "title": None} for number in range(500)])

        assert first == 3
        assert last.endswith("title: string_type; more like it are not logged for a minute")
        assert len(lines(caplog)) == 6

    async def test_a_body_that_is_none_at_all_is_malformed(self) -> None:
        async with vendor() as it:
            it.say(Answer(body="<html>"))
            with pytest.raises(MalformedReplyError):
                ROWS.read(it.http, LIST, await it.http.send(LIST))
