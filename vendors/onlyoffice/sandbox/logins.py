"""Logging in: accounts, tokens, the forms of the header, the guard against guessing."""

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vendors.onlyoffice.sandbox.faults import server_error
from vendors.onlyoffice.sandbox.records import Employee
from vendors.onlyoffice.sandbox.store import Store

USERNAME = "integration@nordkai.example"
PASSWORD = "pilot-boat-7"  # noqa: S105  # of a sandbox on loopback
ADMIN_USERNAME = "liga.kalnina@nordkai.example"
OUTSIDER_USERNAME = "marta.liepa@nordkai.example"
SMS_USERNAME = "ewa.nowak@nordkai.example"
APP_USERNAME = "ivo.brandt@nordkai.example"

# Two-factor is a setting of the portal; here it is one of the account, so that no option makes an honest login impossible.
_SECOND_FACTORS: Mapping[str, dict[str, Any]] = {
    SMS_USERNAME: {"sms": True, "phoneNoise": "+371 2*** **41"},
    APP_USERNAME: {"tfa": True, "tfaKey": "JBSWY3DPEHPK3PXP"},
}

# Lifetimes are a setting of the portal and not documented; an option of the sandbox.
_LONG_SECONDS = 7 * 86_400.0
_SHORT_SECONDS = 60.0
SHORT_CALLS = 10

# Not documented beyond the message; chosen: the sixth attempt within a minute of five failed ones is refused.
GUESSES = 5
GUESSING_SECONDS = 60.0


@dataclass(slots=True)
class _Token:
    user: Employee
    expires: float
    calls_left: int | None


class Logins:
    """Who is logged in.

    Args:
        store: The portal, for its people and clocks.
        short: Whether a token ends after SHORT_CALLS calls.
        style: Which forms of the header count: `all`, `raw`, `bearer`.
    """

    def __init__(self, store: Store, *, short: bool, style: str) -> None:
        self._store = store
        self._short = short
        self._style = style
        self._by_email = {user.email: user for user in store.employees.values()}
        self._tokens: dict[str, _Token] = {}
        self._failures: dict[str, list[float]] = {}

    def log_in(self, user_name: str, password: str) -> tuple[str | None, float, dict[str, Any]]:
        """Check a password.

        Returns:
            The token (None when a second factor is wanted), its lifetime in seconds, and what else the answer carries.

        Raises:
            ApiError: Wrong credentials, or too many attempts. Source: Community Server, AuthenticationEntryPoint: both are server errors.
        """
        now = self._store.clock()
        failures = [at for at in self._failures.get(user_name, []) if at > now - GUESSING_SECONDS]
        if len(failures) >= GUESSES:
            raise server_error("Login Fail. Too many attempts")
        user = self._checked(user_name, password)
        if user is None:
            self._failures[user_name] = [*failures, now]
            raise server_error("User authentication failed")
        self._failures.pop(user_name, None)
        lifetime = _SHORT_SECONDS if self._short else _LONG_SECONDS
        if user.email in _SECOND_FACTORS:
            return None, lifetime, _SECOND_FACTORS[user.email]
        token = base64.b64encode(secrets.token_bytes(48)).decode()
        self._tokens[token] = _Token(user, now + lifetime, SHORT_CALLS if self._short else None)
        return token, lifetime, {}

    def user_of(self, authorization: str | None, cookie: str | None) -> Employee | None:
        """Who sends this header or cookie; None for nobody. Uses up one call of a short token."""
        if self._style != "bearer" and (user := self._holder(authorization)):
            return user
        if self._style == "all" and (user := self._holder(cookie)):
            return user
        scheme, _, value = (authorization or "").partition(" ")
        if self._style == "all" and scheme.lower() == "basic":
            return self._basic(value.strip())
        if self._style != "raw" and scheme.lower() == "bearer":
            return self._holder(value.strip())
        return None

    def _holder(self, token: str | None) -> Employee | None:
        held = self._tokens.get(token or "")
        if held is None:
            return None
        if self._store.clock() >= held.expires or held.calls_left == 0:
            del self._tokens[token or ""]
            return None
        if held.calls_left is not None:
            held.calls_left -= 1
        return held.user

    def _basic(self, encoded: str) -> Employee | None:
        try:
            user_name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return self._checked(user_name, password)

    def _checked(self, user_name: str, password: str) -> Employee | None:
        user = self._by_email.get(user_name)
        good = secrets.compare_digest(password.encode(), PASSWORD.encode())
        return user if user is not None and good and user.status == 1 else None
