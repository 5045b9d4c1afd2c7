"""Logging in at a portal: a token for a while, and the form of the header that the portal takes it in."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import orjson

from vendors.auth import Access, FixedAccess, ObtainedAccess
from vendors.calls import Clock
from vendors.errors import CredentialsError, VendorError
from vendors.http import Fail, Reply, Request, VendorHttp
from vendors.limiting import Limits
from vendors.onlyoffice import wire
from vendors.onlyoffice.sending import judge_refusal
from vendors.onlyoffice.settings import Settings
from vendors.registry import Link
from vendors.wire import instant

# Source: Community Server, BruteForceLoginManager: attempts are counted, so they go one after another.
_LIMITS: Final = Limits(max_concurrent=1)
_OPERATION: Final = "authentication"


class Login:
    """An `Auth` that asks for a token, sends it bare or as `Bearer`, and asks for another one when it has ended or is refused.

    Source: API page "Authentication" sends the bare token; Community Server also reads `Bearer`. Which of them a portal's proxy lets
    through is found out with the first call, and kept.
    """

    def __init__(self, link: Link, settings: Settings) -> None:
        base_url = settings.portal_url.rstrip("/") + "/api/2.0/"
        self._here = FixedAccess(base_url, {})
        self._http = link.http(auth=self._here, limits=_LIMITS, judge=judge_login)
        self._settings = settings
        self._clock: Clock = link.clock
        self._obtained = ObtainedAccess(self._obtain, lifetime_seconds=math.inf, clock=link.clock)
        self._token = ""
        self._current: Access | None = None
        self._ends_at = math.inf
        self._is_bearer = False
        self._is_proven = False
        self._other_form_next = False

    async def access(self) -> Access:
        if self._current is not None and self._clock() >= self._ends_at:
            self._obtained.refused(self._current)
        return await self._obtained.access()

    def refused(self, access: Access) -> bool:
        if access is self._current:
            if self._is_proven:
                self._is_proven = False
            else:
                self._other_form_next = not self._is_bearer
                self._is_bearer = not self._is_bearer
            self._current = None
        return self._obtained.refused(access)

    def judge(self, reply: Reply, fail: Fail) -> VendorError | None:
        """See that the portal took the header; what an answer means is told by its HTTP status, and a refusal by its text too."""
        self._is_proven = self._is_proven or HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES
        return judge_refusal(reply, fail)

    async def _obtain(self) -> Access:
        if not self._other_form_next:
            await self._log_in()
        self._other_form_next = False
        value = f"Bearer {self._token}" if self._is_bearer else self._token
        self._current = Access((await self._here.access()).base_url, {"Authorization": value})
        return self._current

    async def _log_in(self) -> None:
        request = Request(
            operation=_OPERATION,
            method="POST",
            path="authentication",
            body=orjson.dumps({"userName": self._settings.username, "password": self._settings.password.get_secret_value()}),
            content_type="application/json",
            share_key=_OPERATION,
        )
        reply = await self._http.send(request)
        answer = wire.TOKEN.read(self._http, request, reply).value.response
        if answer.token is None:
            raise CredentialsError(
                f"The CRM {self._http.crm!r} asks for a second factor; configure a user of the portal without one.",
                crm=self._http.crm,
                operation=_OPERATION,
                status=reply.status,
            )
        self._token = answer.token
        self._ends_at = self._clock() + _lifetime_seconds(answer.expires, reply)


def judge_login(reply: Reply, fail: Fail) -> VendorError | None:
    """Read a refused login, which is a server error with an envelope. Source: Community Server, AuthenticationEntryPoint."""
    if reply.status != HTTPStatus.INTERNAL_SERVER_ERROR or not reply.body.lstrip().startswith(b"{"):
        return None
    return fail(CredentialsError)


def _lifetime_seconds(expires: str | None, reply: Reply) -> float:
    """Time until a token ends by the portal's own clock; without end where the answer does not tell it, and then a 401 will."""
    end = instant(expires)
    try:
        now: datetime = parsedate_to_datetime(reply.headers.get("Date", ""))
    except ValueError:
        return math.inf
    return math.inf if end is None else max(0.0, (end - now.astimezone(UTC)).total_seconds())


def http_for(link: Link, settings: Settings, limits: Limits) -> VendorHttp:
    """The way to a portal for everything but logging in."""
    login = Login(link, settings)
    return link.http(auth=login, limits=limits, judge=login.judge)
