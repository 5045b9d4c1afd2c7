"""How a request proves who it comes from, and where the Crm lives: the two that a vendor may make us ask for first.

Secrets are unwrapped here, when a request is signed, and nowhere else.
"""

import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from pydantic import AfterValidator, SecretStr
from yarl import URL

from vendors.calls import Clock
from vendors.errors import CredentialsError
from vendors.flight import Flights

# Source: RFC 9110, 5.5: visible characters, those of Latin-1 among them, with blanks between them only.
_FIELD_VALUE: Final = re.compile(r"[!-~\xa1-\xff](?:[ -~\xa1-\xff]*[!-~\xa1-\xff])?")


def _fit_for_header(text: str) -> str:
    if not _FIELD_VALUE.fullmatch(text):
        raise ValueError("goes into an HTTP header, which carries Latin letters, digits and signs, and no blank at either end")
    return text


def _secret_fit_for_header(secret: SecretStr) -> SecretStr:
    _fit_for_header(secret.get_secret_value())
    return secret


HeaderText = Annotated[str, AfterValidator(_fit_for_header)]
"""A setting that is sent as a header, as it is."""
HeaderSecret = Annotated[SecretStr, AfterValidator(_secret_fit_for_header)]
"""A secret that is sent as a header, as it is or behind a word such as `Bearer`. One that is encoded first may be any text."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where requests go and the headers that sign them. `base_url` ends with a slash; its repr hides the headers."""

    base_url: URL
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Access(base_url={str(self.base_url)!r}, headers=<hidden>)"


class Auth(Protocol):
    async def access(self) -> Access:
        """Give the access to use now, asking the vendor for it if need be (raises VendorError)."""
        ...

    def refused(self, access: Access) -> bool:
        """Note that the vendor refused this access as unauthenticated. Returns whether a new one is worth one more try."""
        ...


class FixedAccess:
    """Credentials that never change: headers made from the settings once."""

    def __init__(self, base_url: str, headers: Mapping[str, SecretStr | str]) -> None:
        plain = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in headers.items()}
        self._access = Access(directory(base_url), plain)

    async def access(self) -> Access:
        return self._access

    def refused(self, access: Access) -> bool:  # noqa: ARG002  # there is no other access to try
        return False


class ObtainedAccess:
    """An access that has to be asked for (a login, a zone): asked once for everybody, kept for a while, asked again when refused.

    Args:
        obtain: Asks the vendor.
        lifetime_seconds: Age at which it is asked for again.
        clock: Monotonic seconds.
        failure_hold_seconds: How long a refused login is remembered, so that a wrong password is not tried over and over.
    """

    def __init__(
        self, obtain: Callable[[], Awaitable[Access]], *, lifetime_seconds: float, clock: Clock, failure_hold_seconds: float = 5.0
    ) -> None:
        self._obtain = obtain
        self._lifetime_seconds = lifetime_seconds
        self._clock = clock
        self._failure_hold_seconds = failure_hold_seconds
        self._flights: Flights[Access] = Flights()
        self._kept: tuple[Access, float] | None = None
        self._failed: tuple[CredentialsError, float] | None = None

    async def access(self) -> Access:
        now = self._clock()
        if self._kept is not None and now - self._kept[1] < self._lifetime_seconds:
            return self._kept[0]
        if self._failed is not None and now - self._failed[1] < self._failure_hold_seconds:
            raise self._failed[0]
        return await self._flights.run(None, self._ask)

    def refused(self, access: Access) -> bool:
        if self._kept is not None and self._kept[0] is access:
            self._kept = None
        return True

    async def _ask(self) -> Access:
        try:
            access = await self._obtain()
        except CredentialsError as error:
            self._failed = (error, self._clock())
            raise
        self._kept = (access, self._clock())
        self._failed = None
        return access


def basic(username: str, password: SecretStr) -> SecretStr:
    """The value of an `Authorization` header for HTTP Basic, in UTF-8 (RFC 7617)."""
    return SecretStr("Basic " + base64.b64encode(f"{username}:{password.get_secret_value()}".encode()).decode("ascii"))


def bearer(token: SecretStr) -> SecretStr:
    """The value of an `Authorization` header for a bearer token (RFC 6750)."""
    return SecretStr("Bearer " + token.get_secret_value())


def directory(url: str) -> URL:
    """A base URL that relative paths can be joined to: with a slash at its end."""
    return URL(url if url.endswith("/") else url + "/")
