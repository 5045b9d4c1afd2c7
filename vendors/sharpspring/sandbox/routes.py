"""The sandbox on the wire: one URL a version, credentials, limits, and the routes that play a person in the product."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from vendors.sandbox import SandboxSetup, application
from vendors.sandbox_board import enliven
from vendors.sharpspring.sandbox.answers import Answers
from vendors.sharpspring.sandbox.board import Board
from vendors.sharpspring.sandbox.errors import RefusedError
from vendors.sharpspring.sandbox.limits import Limits
from vendors.sharpspring.sandbox.methods import BrokenPageError, Methods
from vendors.sharpspring.sandbox.store import Store, utc_now
from vendors.sharpspring.sandbox.values import integer, is_list, is_object

ACCOUNT_ID = "3_7A1C90E4B25D8F6637NORDIC0C11E2D4"
SECRET_KEY = "9F0B6C3D71E8452AA4NORDIC7723C5E0"  # noqa: S105 the sandbox's own, good for loopback only

STORE = web.AppKey("STORE", Store)
LIMITS = web.AppKey("LIMITS", Limits)

_VERSIONS = ("v1", "v1.2")
_ENDPOINTS = tuple(path for version in _VERSIONS for path in (f"/pubapi/{version}", f"/pubapi/{version}/"))

# Sent outside the envelope. Source: reports of clients' authors on large requests; observed answers to unknown credentials.
_BROKEN_PAGE = "Service temporarily unavailable, try again in a few minutes"
_NO_CLUSTER = "Could not determine clusterID from the given accountID/secretKey."


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request's body. `problem` is the code of what is wrong with it, or None."""

    method: str
    params: dict[str, Any]
    request_id: Any
    problem: int | None


def build(setup: SandboxSetup, *, clock: Callable[[], float] | None = None, now: Callable[[], datetime] = utc_now) -> web.Application:
    """Make a fresh account.

    Args:
        setup: Options and scale.
        clock: What the limit per second goes by, instead of the setup's.
        now: What modification times and the limit per day go by.
    """
    store = Store(setup.options, scale=setup.scale, now=now)
    limits = Limits(clock=clock or setup.clock, now=now, per_second=setup.options["rate_limit"] == "on")
    # Source: Lead Gen & CRM Open API, overview article: v1 speaks the time zone of the Company Profile, v1.2 UTC.
    zones = {"v1": store.zone, "v1.2": ZoneInfo("UTC")}
    handlers = {version: _endpoint(store, limits, zone) for version, zone in zones.items()}
    app = application(
        routes=[
            *(web.post(f"/pubapi/{version}{slash}", handlers[version]) for version in _VERSIONS for slash in ("", "/")),
            web.post("/_sandbox/move", _move),
            web.get("/_sandbox/records", _records),
            web.get("/login", _login),
            web.route("*", "/{anywhere:.*}", _to_login),
        ],
        name_operation=_operation,
    )
    app[STORE] = store
    app[LIMITS] = limits
    enliven(app, Board(store))
    return app


def _endpoint(store: Store, limits: Limits, zone: ZoneInfo) -> Callable[[web.Request], Awaitable[web.Response]]:
    options = store.options
    answers = Answers(store.tables, options, zone)
    methods = Methods(store, options)

    async def answer(request: web.Request) -> web.Response:
        asked = _asked(await request.read())
        code = _credentials_problem(request)
        if code is not None and options["auth_failure"] == "401":
            anonymous = not _given_credentials(request)
            headers = {"WWW-Authenticate": 'Basic realm="SharpSpring"'} if anonymous else {}
            return web.Response(status=401, text=_NO_CLUSTER, headers=headers)
        try:
            _admit(asked, code, limits, _cost(asked) if options["rate_unit"] == "objects" else 1)
            body = answers.success(methods.run(asked.method, asked.params, zone), asked.request_id, limits.calls_today)
        except RefusedError as refused:
            body = answers.failure(refused, asked.request_id, limits.calls_today)
        except BrokenPageError:
            return web.Response(text=_BROKEN_PAGE)
        return web.json_response(body)

    return answer


def _admit(asked: _Asked, credentials_problem: int | None, limits: Limits, cost: int) -> None:
    """Let a request through to the methods, or refuse it; wrong credentials are not counted as calls."""
    if credentials_problem is not None:
        raise RefusedError(credentials_problem)
    limits.charge(cost)
    if asked.problem is not None:
        raise RefusedError(asked.problem)


def _asked(body: bytes) -> _Asked:
    """Read a request's body. Its content type does not matter: clients send several, or none."""
    try:
        decoded = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        decoded = None
    if not is_object(decoded):
        return _Asked("", {}, None, 101)
    method, request_id = decoded.get("method"), decoded.get("id")
    params: Any = decoded.get("params")
    if params == []:  # as PHP writes an empty map
        params = {}
    problem: int | None = None
    if not decoded.keys() <= {"method", "params", "id"} or not isinstance(request_id, str | int | None):
        # Not documented what other members do; refused, so that a misspelt one cannot pass.
        problem = 101
    elif request_id is None:
        problem = 102
    elif not isinstance(method, str) or not method:
        problem = 201
    elif not is_object(params):
        problem = 202
    return _Asked(method if isinstance(method, str) else "", params if is_object(params) else {}, request_id, problem)


def _given_credentials(request: web.Request) -> dict[str, str]:
    """Return the credentials of a request; those in the query string win over those in the headers."""
    in_query = {name: request.query[name] for name in ("accountID", "secretKey") if name in request.query}
    if in_query:
        return in_query
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    in_headers = {"accountID": request.headers.get("X-Account-Id", ""), "secretKey": secret if scheme.lower() == "bearer" else ""}
    return {name: value for name, value in in_headers.items() if value}


def _credentials_problem(request: web.Request) -> int | None:
    given = _given_credentials(request)
    if not given.get("accountID"):
        return 103
    if not given.get("secretKey"):
        return 104
    return None if given == {"accountID": ACCOUNT_ID, "secretKey": SECRET_KEY} else 105


def _cost(asked: _Asked) -> int:
    objects = asked.params.get("objects")
    return max(1, len(objects)) if is_list(objects) else 1


def _operation(request: web.Request, body: bytes) -> str:
    method = _asked(body).method if request.method == "POST" and request.path in _ENDPOINTS else ""
    return method or f"{request.method} {request.path}"


async def _to_login(request: web.Request) -> web.Response:
    """Send whoever asks for an unknown path to the login page, as the vendor's host does."""
    return web.Response(status=303 if request.method in ("GET", "HEAD") else 307, headers={"Location": "/login"})


async def _login(_: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>Log in</title><form method=post></form>", content_type="text/html")


async def _move(request: web.Request) -> web.Response:
    """Move a deal (`id`) to a stage (`stage`) as a person does in the product."""
    given = json.loads(await request.read())
    try:
        row = request.app[STORE].edit(integer(given["id"]) or 0, {"dealStageID": integer(given["stage"]) or 0})
    except RefusedError as refused:
        return web.json_response({"error": refused.message}, status=404)
    return web.json_response(row)


async def _records(request: web.Request) -> web.Response:
    """Return the opportunities as they are stored, inactive ones too."""
    return web.json_response(list(request.app[STORE].tables["opportunity"].rows.values()))
