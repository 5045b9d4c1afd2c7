"""The portal's HTTP: authentication, finding the endpoint, the envelope, several calls in one, and our own control routes."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web

from vendors.onlyoffice.sandbox import contacts, directory, opportunities
from vendors.onlyoffice.sandbox.board import Board
from vendors.onlyoffice.sandbox.call import ApiCall, Endpoint
from vendors.onlyoffice.sandbox.envelope import Answer, wrap, wrap_error, written
from vendors.onlyoffice.sandbox.faults import REASONS, ApiError, bad_request, denied, not_found
from vendors.onlyoffice.sandbox.inputs import Params, pairs_of, zone_of
from vendors.onlyoffice.sandbox.logins import USERNAME, Logins
from vendors.onlyoffice.sandbox.objects import Json, View
from vendors.onlyoffice.sandbox.records import Employee, deal_as_json, load_seed
from vendors.onlyoffice.sandbox.scale import scaled_deals
from vendors.onlyoffice.sandbox.shapes import is_array, is_object
from vendors.onlyoffice.sandbox.store import Store
from vendors.sandbox import OptionValue, SandboxSetup, application
from vendors.sandbox_board import enliven

PREFIX = "/api/2.0/"
FORM = "application/x-www-form-urlencoded"
_JSON_TYPE = "application/json"
_ENDPOINTS = (*directory.ENDPOINTS, *contacts.ENDPOINTS, *opportunities.ENDPOINTS)
_LOGIN = "authentication"
_BATCH = "batch"
_SHORT_LIVED = "short"
_NO_ROUTE = (
    "<!DOCTYPE html><html><head><title>404 - File or directory not found.</title></head>"
    "<body><h2>404 - File or directory not found.</h2></body></html>"
)


@dataclass(frozen=True, slots=True)
class Portal:
    """What the application holds."""

    store: Store
    logins: Logins
    options: Mapping[str, OptionValue]
    base_url: str


PORTAL = web.AppKey("PORTAL", Portal)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    query: str
    content_type: str
    body: str


class NoRouteError(Exception):
    """The path is none of the API's."""


def build(setup: SandboxSetup) -> web.Application:
    """Make a portal with fresh state."""
    zone = zone_of(str(setup.options["portal_offset"]))
    seed = load_seed(zone)
    if setup.scale is not None:
        seed.deals = scaled_deals(seed, setup.scale)
    store = Store(seed, zone=zone, stale_totals=setup.options["total"] == "stale")
    logins = Logins(store, short=setup.options["token_lifetime"] == _SHORT_LIVED, style=str(setup.options["auth_style"]))
    routes = [
        web.post("/_sandbox/move", _move_by_hand),
        web.get("/_sandbox/records", _records),
        web.route("*", PREFIX + "{tail:.*}", _serve),
        web.route("*", "/{tail:.*}", _serve),
    ]
    app = application(routes=routes, name_operation=_operation)
    app[PORTAL] = Portal(store, logins, setup.options, setup.base_url)
    enliven(app, Board(store, next(user for user in store.employees.values() if user.email == USERNAME)))
    return app


def _operation(request: web.Request, _body: bytes) -> str:
    path = _api_path(request.path)
    if path in (_LOGIN, _BATCH):
        return path
    endpoint = next((e for e in _ENDPOINTS if e.method == request.method and e.pattern.fullmatch(path or "")), None)
    return endpoint.name if endpoint else f"{request.method} {request.path}"


def _api_path(path: str) -> str | None:
    """The part after the prefix, without suffix where it would hide a special endpoint; None outside the API."""
    if not path.lower().startswith(PREFIX):
        return None
    rest = path[len(PREFIX) :].rstrip("/")
    bare = rest.removesuffix(".json").lower()
    return bare if bare in (_LOGIN, _BATCH) else rest


async def _serve(request: web.Request) -> web.Response:
    portal = request.app[PORTAL]
    path = _api_path(request.path)
    try:
        if path is None or not _is_routed(path, portal):
            return _no_route()
        authorization = request.headers.get("Authorization")
        user = None
        if path != _LOGIN:
            user = portal.logins.user_of(authorization, request.cookies.get("asc_auth_key"))
            if user is None:
                return _unauthorized(authorization)
        incoming = _Request(
            method=request.method,
            path=path,
            query=request.query_string,
            content_type=request.content_type,
            body=(await request.read()).decode("utf-8", "replace"),
        )
        status, envelope = _answer(portal, user, incoming)
    except NoRouteError:
        return _no_route()
    headers = {"ETag": f'"{secrets.token_hex(8)}"', "Cache-Control": "private, max-age=0"}
    return web.Response(status=status, reason=REASONS.get(status), text=written(envelope), content_type=_JSON_TYPE, headers=headers)


def _is_routed(path: str, portal: Portal) -> bool:
    if path == _BATCH:
        return portal.options["batch"] == "on"
    return path == _LOGIN or any(endpoint.pattern.fullmatch(path) for endpoint in _ENDPOINTS)


def _no_route() -> web.Response:
    return web.Response(status=404, text=_NO_ROUTE, content_type="text/html")


def _unauthorized(authorization: str | None) -> web.Response:
    """Plain text and no envelope. Source: Community Server, ErrorHttpHandler and ApiRouteHandler."""
    headers = {"WWW-Authenticate": 'Basic Realm="host"'} if authorization is not None else {}
    return web.Response(status=401, text="Unauthorized", content_type="text/html", headers=headers)


def _answer(portal: Portal, user: Employee | None, incoming: _Request) -> tuple[int, Json]:
    """Run one call, of the network or of a batch, and give its status and envelope."""
    store, options = portal.store, portal.options
    try:
        bind = options["single_object_array"] == "bound"
        pairs = pairs_of(incoming.query, incoming.content_type, incoming.body, single_objects_bind=bind)
        params = Params(pairs, store.zone)
        answer = _run(portal, user, incoming, params)
        status = 201 if incoming.method == "POST" else 200
        return status, wrap(answer, status, params, store, options)
    except ApiError as error:
        return error.status, wrap_error(error)


def _run(portal: Portal, user: Employee | None, incoming: _Request, params: Params) -> Answer:
    if incoming.path == _LOGIN:
        return _log_in(portal, incoming.method, params)
    if user is None:
        raise denied()
    if incoming.path == _BATCH:
        return _run_batch(portal, user, incoming.method, params)
    endpoint, path = _find(incoming.method, incoming.path)
    if incoming.path.lower().startswith("crm/") and not user.crm:
        raise denied()
    view = View(portal.store, user, portal.options, portal.base_url)
    return endpoint.handler(ApiCall(store=portal.store, view=view, user=user, params=params, path=path, options=portal.options))


def _find(method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
    routed = False
    for endpoint in _ENDPOINTS:
        if match := endpoint.pattern.fullmatch(path):
            if endpoint.method == method:
                return endpoint, match.groupdict()
            routed = True
    if not routed:
        raise NoRouteError
    raise not_found("Method not found")


def _log_in(portal: Portal, method: str, params: Params) -> Json:
    if method != "POST":
        raise not_found("Method not found")
    token, lifetime, extra = portal.logins.log_in(params.text("username") or "", params.text("password") or "")
    view = View(portal.store, next(iter(portal.store.employees.values())), portal.options, portal.base_url)
    return {"token": token, "expires": view.date(portal.store.now() + timedelta(seconds=lifetime)), **extra}


def _run_batch(portal: Portal, user: Employee, method: str, params: Params) -> list[Any]:
    """Run several calls one after another. Source: Community Server, ASC.Api/Batch: one failing fails only itself; `data` is text."""
    if method != "POST":
        raise not_found("Method not found")
    try:
        entries: Any = json.loads(params.text("batch") or "")
    except (ValueError, RecursionError):
        raise bad_request() from None
    if not is_array(entries) or not all(is_object(entry) for entry in entries):
        raise bad_request()
    wanted: list[Json] = [{name.lower(): value for name, value in entry.items()} for entry in entries]
    return [_run_entry(portal, user, entry) for entry in sorted(wanted, key=lambda entry: int(entry.get("order") or 0))]


def _run_entry(portal: Portal, user: Employee, entry: Json) -> Json | None:
    path, _, query = str(entry.get("relativeurl") or "").partition("?")
    incoming = _Request(
        method=str(entry.get("method") or "GET").upper(),
        path=_api_path(path) or "",
        query=query,
        content_type=str(entry.get("bodycontenttype") or FORM).split(";")[0],
        body=str(entry.get("body") or ""),
    )
    if not _is_routed(incoming.path, portal):
        return None
    status, envelope = _answer(portal, user, incoming)
    headers = {"content-Type": f"{_JSON_TYPE}; charset=utf-8"}
    return {"name": entry.get("name"), "status": status, "headers": headers, "data": written(envelope)}


async def _move_by_hand(request: web.Request) -> web.Response:
    """Move an opportunity as a person does it in the vendor's own UI."""
    wanted = json.loads(await request.text())
    store = request.app[PORTAL].store
    try:
        deal = store.move(int(wanted["id"]), int(wanted["stage"]))
    except ApiError as error:
        return web.json_response({"error": error.message}, status=error.status)
    return web.json_response(deal_as_json(deal, store.zone))


async def _records(request: web.Request) -> web.Response:
    """The stored opportunities as they are, hidden ones included."""
    store = request.app[PORTAL].store
    return web.json_response([deal_as_json(deal, store.zone) for deal in store.deals.values()])
