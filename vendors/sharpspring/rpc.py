"""Calls of the one URL: the envelope, its errors, and pages of rows. What the rows mean is no business of this file."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from http import HTTPStatus
from typing import Final, Generic, TypeVar

import orjson

from vendors.errors import (
    ConflictError,
    CredentialsError,
    MalformedReplyError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
)
from vendors.http import Fail, Judge, Reply, Request, VendorHttp
from vendors.limiting import Limits
from vendors.paging import LoopGuard
from vendors.sharpspring import wire

log = logging.getLogger(__name__)

T = TypeVar("T")

# Source: Lead Gen & CRM Open API, overview article: 10 calls a second and 50,000 a day for an account. Not documented whether writes count
# once or by object; 8 calls a second leave room for other clients of the account. Nothing is said of concurrency.
LIMITS: Final = Limits(max_concurrent=8, calls_per_second=8.0, burst=8)
# Source: one client's page size after pages of 500 failed.
SAFE_PAGE_SIZE: Final = 200
# Source: "Exceeded per second method call limit" (error codes of the Open API); there is no Retry-After.
_HOLD_SECONDS: Final = 1.0
_LINES_A_MINUTE: Final = 3

# Source: Lead Gen & CRM Open API, "Error codes" (vendor help, article 360034119232). Any other code is a refusal of the request.
KIND_OF_CODE: Final[Mapping[str, type[VendorError]]] = {
    "103": CredentialsError,
    "104": CredentialsError,
    "105": CredentialsError,
    "106": QuotaExceededError,
    "107": RateLimitedError,
    "209": RateLimitedError,
    "211": PermissionDeniedError,
    "212": PermissionDeniedError,
    "222": RateLimitedError,
    "301": ConflictError,
    "304": PermissionDeniedError,
    "305": PermissionDeniedError,
    "306": PermissionDeniedError,
    "307": PermissionDeniedError,
    "404": NotFoundError,
    "999": UnavailableError,
}
NO_ROWS_AFFECTED: Final = "302"
# Source: range calls are cut at 500 rows (observed for leads); not documented for opportunities.
RANGE_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """Rows of a page in their places, None for one that cannot be read, and whether more are behind them."""

    rows: Sequence[T | None]
    has_more: bool

    def readable(self) -> list[T]:
        return [row for row in self.rows if row is not None]


@dataclass(frozen=True, slots=True)
class Stretch(Generic[T]):
    """Rows of several pages.

    Args:
        rows: Those that can be read.
        unread: Number of those that cannot.
        behind: The offset to go on at; None when there are no more.
    """

    rows: Sequence[T] = ()
    unread: int = 0
    behind: int | None = None


class Rpc:
    """Reads rows by the vendor's methods.

    Args:
        http: The way out.
        page_size: Rows asked for at once; a client that sees larger pages fail goes down to a safe number for good.
    """

    def __init__(self, http: VendorHttp, *, page_size: int) -> None:
        self._http = http
        self._page_size = page_size

    @property
    def crm(self) -> str:
        return self._http.crm

    @property
    def page_size(self) -> int:
        return self._page_size

    async def page(
        self, method: wire.Method[T], where: Mapping[str, object], *, limit: int, offset: int = 0, fields: Sequence[str] | None = None
    ) -> Answer[T]:
        """Read one page; `limit` is cut to the page size."""
        rows = min(limit, self._page_size)
        try:
            return await self._list(method, where, limit=rows, offset=offset, fields=fields)
        except MalformedReplyError:
            if rows <= SAFE_PAGE_SIZE:
                raise
            answer = await self._list(method, where, limit=SAFE_PAGE_SIZE, offset=offset, fields=fields)
            self._page_size = SAFE_PAGE_SIZE
            log.info("CRM %r fails to answer pages of %d rows; it is asked for %d", self._http.crm, rows, SAFE_PAGE_SIZE)
            return answer

    async def all(self, method: wire.Method[T], where: Mapping[str, object]) -> Sequence[T]:
        """Read all rows, page by page."""
        return (await self.first_pages(method, where)).rows

    async def first_pages(
        self,
        method: wire.Method[T],
        where: Mapping[str, object],
        *,
        most: int | None = None,
        offset: int = 0,
        fields: Sequence[str] | None = None,
    ) -> Stretch[T]:
        """Read page by page, at most so many."""
        guard = LoopGuard(crm=self._http.crm, operation=method.name)
        rows: list[T] = []
        unread = pages = 0
        while most is None or pages < most:
            guard.step(offset)
            answer = await self.page(method, where, limit=self._page_size, offset=offset, fields=fields)
            found = answer.readable()
            if len(found) < len(answer.rows) and self._http.notices.count(method.name) <= _LINES_A_MINUTE:
                log.warning("CRM %r: %s gave %d rows that do not fit", self._http.crm, method.name, len(answer.rows) - len(found))
            rows += found
            unread += len(answer.rows) - len(found)
            offset += len(answer.rows)
            pages += 1
            if not answer.has_more:
                return Stretch(rows, unread)
        return Stretch(rows, unread, offset)

    async def changed(self, method: wire.Method[T], start: str, end: str) -> Sequence[T | None] | None:
        """Read the rows that were changed between two times, in the form of the vendor; None when there may be more than it tells."""
        try:
            answer = await self._ask(method, {"startDate": start, "endDate": end, "timestamp": "update"}, full=RANGE_ROWS)
        except MalformedReplyError:
            # Large answers may fail (see SAFE_PAGE_SIZE); so may a vendor that is unwell, which a small one tells.
            await self.page(wire.DEAL_STAGES, {}, limit=1)
            return None
        return None if answer.has_more or len(answer.rows) >= RANGE_ROWS else answer.rows

    async def vendor_time(self) -> datetime | None:
        """What time it is by the vendor's clock (`Date`, RFC 9110, 6.6.1); None when it does not say."""
        request, _ = request_of(wire.DEAL_STAGES.name, {"where": {}, "limit": 1, "offset": 0})
        if self._http.vendor_clock.now() is None:
            await self._http.send(request)
        return self._http.vendor_clock.now()

    async def _list(
        self, method: wire.Method[T], where: Mapping[str, object], *, limit: int, offset: int, fields: Sequence[str] | None
    ) -> Answer[T]:
        params: dict[str, object] = {"where": where, "limit": limit, "offset": offset}
        if fields is not None:
            params["fields"] = fields
        return await self._ask(method, params, full=limit)

    async def _ask(self, method: wire.Method[T], params: Mapping[str, object], *, full: int) -> Answer[T]:
        """Call a method; `full` is the number of rows that a page with more behind it has."""
        request, request_id = request_of(method.name, params)
        reply = await self._http.send(request)
        envelope = method.decoder.read(self._http, request, reply).value
        if envelope.id != request_id:
            log.warning("CRM %r answered %s with the id of another request", self._http.crm, method.name)
            raise self._http.malformed(request, reply)
        rows = envelope.rows(method.keys)
        if rows is None:
            log.warning("CRM %r answered %s without a list of rows", self._http.crm, method.name)
            raise self._http.malformed(request, reply)
        # Source: the end is a page with fewer rows than asked for; `hasMore` is observed on some methods and accounts only.
        has_more = bool(rows) and (len(rows) >= full if envelope.hasMore is None else envelope.hasMore)
        return Answer(rows, has_more)


def judge(jitter: Callable[[], float]) -> Judge:
    """Make the reading of answers: nearly all errors come with HTTP 200.

    Args:
        jitter: Gives random numbers from 0 to 1, so that throttled clients do not come back all at once.
    """

    def read(reply: Reply, fail: Fail) -> VendorError | None:
        # Every failure that has a code says so; most answers need not be read twice.
        if reply.status >= HTTPStatus.MULTIPLE_CHOICES or b'"code"' not in reply.body:
            return None
        try:
            code = wire.FAILURE.decode(reply.body).value.code()
        except (ValueError, RecursionError):
            return None
        if code is None or code == NO_ROWS_AFFECTED:
            return None
        kind = KIND_OF_CODE.get(code, RejectedRequestError)
        pause = _HOLD_SECONDS + jitter() if kind is RateLimitedError else None
        return fail(kind, retry_after_seconds=pause, vendor_code=code)

    return read


def request_of(name: str, params: Mapping[str, object], *, read: bool = True) -> tuple[Request, str]:
    """Make the request of a method, and tell its id, which the answer has to repeat.

    The id is made of what is asked: identical reads are one call, and an answer to another question is noticed. It has 15 digits at most,
    so that it stays the same when the vendor takes it for a number. Decimals are written digit by digit.
    """
    digest = blake2b(orjson.dumps([name, params], default=_digits), digest_size=6).digest()
    request_id = str(int.from_bytes(digest))
    body = orjson.dumps({"method": name, "params": params, "id": request_id}, default=_digits)
    return Request(operation=name, method="POST", body=body, content_type="application/json", read=read), request_id


def _digits(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError
