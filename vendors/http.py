"""The one way out to a vendor: every request of a Crm goes through its `VendorHttp`.

It signs, keeps the Crm's limits, shares identical reads under way, retries what is safe, gives up at the deadline or the size cap, and
translates every failure into a `VendorError`. It knows no vendor: a vendor's own reading of an answer is handed in as `judge`.
"""

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import field
from functools import lru_cache, partial
from http import HTTPStatus
from ssl import SSLContext
from typing import Final, Protocol, TypeVar

import aiohttp
from yarl import URL

from vendors.auth import Access, Auth
from vendors.calls import Clock, Deadline, VendorCall, current_deadline, gives_way, record_call
from vendors.errors import (
    CredentialsError,
    MalformedReplyError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
    VendorTimeoutError,
)
from vendors.exchange import Exchanges, Sending, TooLargeError
from vendors.flight import Flights, FlightTimeoutError
from vendors.health import Health, behind
from vendors.limiting import Budget, Circuit, Limits, Notices, Pause, Sleep
from vendors.meanings import KIND_OF_STATUS, MESSAGES, retry_after_seconds
from vendors.readings import Readings
from vendors.retry import RetryPolicy
from vendors.values import dataclass
from vendors.vendor_clock import VendorClock

E = TypeVar("E", bound=VendorError)

DEFAULT_TIMEOUT_SECONDS: Final = 30.0
_HOLD_AFTER_429_SECONDS: Final = 1.0
_SUCCESS: Final = range(200, 300)
_SERVER_ERROR: Final = 500
# A Crm that was given less time than that is not ill because it did not answer.
_TELLING_TIMEOUT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call to a vendor.

    Args:
        operation: Our stable name of it, in the vendor's words; no ids, no secrets.
        method: HTTP verb.
        path: Path relative to the Crm's base URL, or an absolute URL (a link found in a reply), which must have the Crm's origin.
        params: Query parameters, in order; a name may occur more than once.
        body: Encoded body.
        content_type: Media type of the body.
        headers: Further headers.
        entity: The vendor's entity, for limits that hold per entity.
        read: Whether it changes nothing at the vendor. Only reads are shared and retried.
        by_id: Whether it names one record by its id, so that a 404 means that there is none; of any other request, a 404 means that it
            went to a wrong address.
        share_key: What makes two reads the same; by default everything that is sent.
    """

    operation: str
    method: str = "GET"
    path: str = ""
    params: Sequence[tuple[str, str]] = ()
    body: bytes | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    entity: str | None = None
    read: bool = True
    by_id: bool = False
    share_key: Hashable | None = None

    def key(self) -> Hashable:
        return self.share_key or (self.method, self.path, tuple(self.params), self.body, tuple(self.headers.items()))


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. Header names are as `CIMultiDict`: case does not matter."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fail(Protocol):
    def __call__(
        self, kind: type[E], message: str | None = None, *, retry_after_seconds: float | None = None, vendor_code: str | None = None
    ) -> E:
        """Make an error of the call under way: Crm, operation and status are filled in; without a message the kind's own is taken."""
        ...


Judge = Callable[[Reply, Fail], VendorError | None]
"""A vendor's own reading of an answer: an error, or None to let the HTTP status decide."""


def no_judgement(reply: Reply, fail: Fail) -> VendorError | None:  # noqa: ARG001  # the shape of a Judge
    """For a vendor whose HTTP status says it all."""
    return None


class VendorHttp:
    """Sends the requests of one Crm.

    Args:
        crm: The Crm's key.
        session: The process's aiohttp session.
        auth: Where and as whom.
        limits: What the vendor permits.
        judge: The vendor's own reading of answers.
        clock: Monotonic seconds.
        sleep: Waits.
        jitter: Gives random numbers from 0 to 1.
        retry: When to try again.
        proxy: URL of an HTTP proxy.
        ssl: A TLS context with the operator's own CA, or True for the system's.
    """

    def __init__(
        self,
        *,
        crm: str,
        session: aiohttp.ClientSession,
        auth: Auth,
        limits: Limits,
        judge: Judge = no_judgement,
        clock: Clock,
        sleep: Sleep,
        jitter: Callable[[], float],
        retry: RetryPolicy | None = None,
        proxy: str | None = None,
        ssl: SSLContext | bool = True,
    ) -> None:
        self.crm = crm
        self.health = Health(crm, clock=clock)
        self.circuit = Circuit(clock=clock)
        self.notices = Notices(clock=clock)
        self.readings = Readings()
        self._auth = auth
        self._limits = limits
        self._judge = judge
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._retry = retry or RetryPolicy()
        self._exchanges = Exchanges(session, proxy=proxy, ssl=ssl, most_bytes=limits.max_reply_bytes)
        self._budget = Budget(limits, clock=clock, sleep=sleep)
        self._flights: Flights[Reply] = Flights()
        self._pause = Pause(clock=clock)
        self._last_failure: VendorError | None = None  # what opens the circuit is told by whoever finds it open
        self.epoch = 0  # begins anew with every change: what was read in an earlier one may not show it
        self.vendor_clock = VendorClock(clock)

    async def send(self, request: Request) -> Reply:
        """Send a request and give its successful answer.

        Raises:
            VendorError: Anything else.
        """
        seconds = _remaining(current_deadline())
        sending = Sending()
        try:
            if seconds <= 0:
                raise TimeoutError  # noqa: TRY301  # a connection that is at hand would take it nonetheless
            if request.read:
                # A read that began before a change would not show it, and one that gives way would hold up who does not.
                key = self.epoch, gives_way(), request.key()
                return await self._flights.run(key, partial(self._attempts, request, sending), seconds=seconds, about=sending)
            try:
                async with asyncio.timeout(seconds):
                    return await self._attempts(request, sending)
            finally:
                self.epoch += 1
        except TimeoutError as cause:
            if isinstance(cause, FlightTimeoutError) and isinstance(cause.about, Sending):
                sending = cause.about  # of whoever began it
            # A write that was still waiting for its turn, or for a connection, has not happened.
            error = self._fail(request, None)(OutcomeUnknownError if sending.is_sent and not request.read else VendorTimeoutError)
            # What waited for its turn says nothing about the vendor, and what several waited for says it once.
            since = sending.asking_since
            if since is not None and self._clock() - since >= _TELLING_TIMEOUT_SECONDS:
                sending.asking_since = None
                self.circuit.failed()
                self._last_failure = error
                self.health.failed(error)
            raise error from cause

    async def _attempts(self, request: Request, sending: Sending) -> Reply:
        attempt, renewed = 1, False
        while True:
            sending.asking_since = self._clock() if request.read else None  # a login that hangs says nothing of a write
            try:
                access = await self._auth.access()
            except VendorError as error:
                self.health.failed(error)
                raise
            sending.asking_since = None
            try:
                reply = await self._attempt(request, access, sending)
            except CredentialsError as error:
                # Writes are sent again too: whoever is not let in has had nothing done (RFC 9110, 15.5.2).
                if renewed or not self._auth.refused(access):
                    self.health.failed(error)
                    raise
                renewed = True
            except VendorError as error:
                if behind(error) is not error:  # nobody was asked, and to wait until somebody is would only hold up who asks
                    self.health.failed(error)
                    raise
                self._last_failure = error
                delay = self._delay_seconds(request, error, attempt)
                if delay is None:
                    self.health.failed(error)
                    raise
                attempt += 1
                sending.asking_since = None
                await self._sleep(delay)
            else:
                self.health.answered(request.operation)
                self._last_failure = None  # it holds the frames that it came through
                return reply

    def _delay_seconds(self, request: Request, error: VendorError, attempt: int) -> float | None:
        if not request.read:
            return None
        return self._retry.delay_seconds(error, attempt=attempt, remaining_seconds=_remaining(current_deadline()), jitter=self._jitter())

    async def _attempt(self, request: Request, access: Access, sending: Sending) -> Reply:
        slot = self._budget.slot(request.entity)
        if not slot.take_now():
            await slot.take()
        try:
            is_probe = self._pause.was_asked_for and await self._wait_for_pause(request)
            try:
                reply = await self._ask(request, access, sending)
            except VendorError as error:
                if isinstance(error, RateLimitedError):
                    self._pause.begin(error.retry_after_seconds or _HOLD_AFTER_429_SECONDS * self._jitter(), is_probe=is_probe)
                elif is_probe and error.status is not None:
                    self._pause.end()
                raise
            finally:
                if is_probe:
                    self._pause.leave_probe()
            if is_probe:
                self._pause.end()
            return reply
        finally:
            slot.leave()

    async def _wait_for_pause(self, request: Request) -> bool:
        """Wait while the vendor wants to be left alone, or give up when the deadline comes first. Whether the call is to find out."""
        wait = self._pause.wait_seconds()
        if wait > 0:
            if wait >= _remaining(current_deadline()):
                raise self._fail(request, None)(RateLimitedError, retry_after_seconds=wait)
            await self._sleep(wait)
        if not self._pause.is_doubted():
            return False
        if not self._pause.take_probe():
            raise self._fail(request, None)(RateLimitedError)
        return True

    async def _ask(self, request: Request, access: Access, sending: Sending) -> Reply:
        """Make the call, and judge its answer."""
        url, headers = self._url(request, access), {**access.headers, **request.headers}
        if request.content_type is not None:
            headers["Content-Type"] = request.content_type
        if not self.circuit.admits():
            retry_after_seconds = self.circuit.retry_after_seconds()
            raise self._fail(request, None)(UnavailableError, retry_after_seconds=retry_after_seconds) from self._last_failure
        started, status, is_made = self._clock(), None, True
        sending.asking_since, sending.is_sent = started, False  # what was refused for its credentials has not happened
        try:
            answer = await self._exchanges.run(request.method, url, headers, request.body, once=not request.read, sending=sending)
            reply = Reply(*answer)
            status = reply.status
            self.vendor_clock.note(reply.headers)
        except (aiohttp.ClientError, ConnectionError) as cause:  # one of a certificate is a ValueError, too
            self.circuit.failed()
            is_unknown = sending.is_sent and not request.read
            raise self._fail(request, None)(OutcomeUnknownError if is_unknown else UnavailableError) from cause
        except ValueError:  # the request could not even be made, which is our defect and not the vendor's
            is_made = False
            self.circuit.abandoned()
            raise
        except TooLargeError as cause:
            self.circuit.failed()
            raise self._fail(request, None)(MalformedReplyError if request.read else OutcomeUnknownError) from cause
        except asyncio.CancelledError:
            self.circuit.abandoned()
            raise
        finally:
            if is_made:
                record_call(VendorCall(crm=self.crm, operation=request.operation, status=status, seconds=self._clock() - started))
        error = self._judged(request, reply)
        if error is not None:
            raise error
        return reply

    def _judged(self, request: Request, reply: Reply) -> VendorError | None:
        """What is wrong with an answer."""
        error = self._judge(reply, self._fail(request, reply)) or self._by_status(request, reply)
        if isinstance(error, UnavailableError):
            self.circuit.failed()
        else:
            self.circuit.succeeded()
        if request.read or error is None:
            return error
        is_given_up = reply.status == HTTPStatus.REQUEST_TIMEOUT  # maybe by a proxy that has handed it on
        if is_given_up or isinstance(error, UnavailableError | MalformedReplyError):
            return self._fail(request, reply)(OutcomeUnknownError)  # whoever fails so may have done it before
        return error

    def _url(self, request: Request, access: Access) -> URL:
        url = _address(access.base_url, request.path, tuple(request.params))
        if url is None:
            raise self._fail(request, None)(
                MalformedReplyError, f"The CRM {self.crm!r} answered with a link to another host, which is not followed."
            )
        return url

    def _by_status(self, request: Request, reply: Reply) -> VendorError | None:
        if reply.status in _SUCCESS:
            return None
        fail = self._fail(request, reply)
        if reply.status >= _SERVER_ERROR:
            return fail(UnavailableError, retry_after_seconds=retry_after_seconds(reply.headers))
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            return fail(RateLimitedError, retry_after_seconds=retry_after_seconds(reply.headers))
        if reply.status == HTTPStatus.NOT_FOUND and not request.by_id:
            return fail(
                RejectedRequestError,
                f"The CRM {self.crm!r} answered {request.operation} with 404: there is nothing at that address. "
                "Mend the CRM's URL, space or version in the configuration.",
            )
        return fail(
            KIND_OF_STATUS.get(reply.status, MalformedReplyError if reply.status < HTTPStatus.BAD_REQUEST else RejectedRequestError)
        )

    def _fail(self, request: Request, reply: Reply | None) -> Fail:
        def fail(
            kind: type[E], message: str | None = None, *, retry_after_seconds: float | None = None, vendor_code: str | None = None
        ) -> E:
            if message is None and issubclass(kind, RateLimitedError) and retry_after_seconds:
                message = f"The CRM {self.crm!r} takes no more calls for now; try again in {retry_after_seconds:.0f} s."
            return kind(
                message or MESSAGES[kind].format(crm=self.crm, operation=request.operation),
                crm=self.crm,
                operation=request.operation,
                status=None if reply is None else reply.status,
                retry_after_seconds=retry_after_seconds,
                vendor_code=vendor_code,
            )

        return fail

    def malformed(self, request: Request, reply: Reply) -> MalformedReplyError:
        """The error of an answer that cannot be read, which is noted."""
        error = self._fail(request, reply)(MalformedReplyError)
        self.health.failed(error)
        return error


@lru_cache(maxsize=1_024)
def _address(base_url: URL, path: str, params: tuple[tuple[str, str], ...]) -> URL | None:
    """The address of a path, or of a link, with its query; None when it is at another origin."""
    url = base_url.join(URL(path)) if path else base_url
    if url.origin() != base_url.origin():
        return None
    return url.extend_query(params) if params else url


def _remaining(deadline: Deadline | None) -> float:
    return DEFAULT_TIMEOUT_SECONDS if deadline is None else deadline.remaining()
