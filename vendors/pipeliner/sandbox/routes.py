"""The wire of the sandbox: paths, credentials, the space, lists with cursors, reads, writes, and the shapes of errors."""

import base64
import json
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, cast

from aiohttp import web

from vendors.pipeliner.sandbox.entities import Entity
from vendors.pipeliner.sandbox.errors import RefusedError, envelope, invalid, not_routed, space_not_found, unknown_type, url_not_found
from vendors.pipeliner.sandbox.presenting import Presenter, View
from vendors.pipeliner.sandbox.query import Lists, Page, Rules, parse_flag, parse_query, parse_tree
from vendors.pipeliner.sandbox.store import Row, Store
from vendors.pipeliner.sandbox.writing import Write, Writer
from vendors.sandbox import OptionValue

# Source: Pipeliner "Authentication": both are generated for an application of the space.
SPACE_ID = "de_Nordkai_AG"
USERNAME = "de_Nordkai_AG_4JX2R8TQWM"
PASSWORD = "hQ7-Landungsbruecken-30"  # noqa: S105 - of the sandbox alone

# Not documented; an option of the sandbox.
CALLS_PER_MINUTE = 300
_WINDOW_SECONDS = 60.0
_RETRY_AFTER_SECONDS = 7
_MAX_BATCH = 100
_PATH = re.compile(r"/api/v100/rest/spaces/(?P<space>[^/]+)/entities/(?P<entity>[^/]+)(?:/(?P<rest>[^/]+))?/?")
_BATCHES = {"batch-modify", "batch-delete"}
_READ_PARAMETERS = {"expand", "include-deleted", "include_deleted"}
_WRITE_PARAMETERS = {"validation-level"}


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose path, credentials and space are good."""

    request: web.Request
    entity: Entity
    rest: str


def operation_of(request: web.Request, _body: bytes) -> str:
    """The name of a request in the log: verb and path below `entities`, with `{id}` for an id."""
    found = _PATH.fullmatch(request.path)
    if found is None:
        return f"{request.method} {request.path}"
    rest = found["rest"]
    tail = "" if rest is None else f"/{rest}" if rest in _BATCHES and request.method == "POST" else "/{id}"
    return f"{request.method} {found['entity']}{tail}"


class Api:
    """Answers the vendor's requests from a store."""

    def __init__(self, store: Store, options: Mapping[str, OptionValue], clock: Callable[[], float]) -> None:
        self.store = store
        self._options = options
        self._clock = clock
        self._recent: deque[float] = deque()
        self._lists = Lists(store)
        self._rules = Rules(
            multi_value=str(options["multi_value"]),
            reject_large_first=options["large_first"] == "reject",
            by_pattern=options["text_match"] == "pattern",
            whole_seconds=options["filter_instants"] == "seconds",
        )
        self._presenter = Presenter(store, options, SPACE_ID)
        self._writer = Writer(store, replaces_links=options["relation_lists"] == "replace")

    async def serve(self, request: web.Request) -> web.Response:
        try:
            return await self._serve(request)
        except RefusedError as refused:
            return web.json_response(refused.body, status=refused.http_status)

    async def _serve(self, request: web.Request) -> web.Response:
        found = _PATH.fullmatch(request.path)
        if found is None:
            raise url_not_found()
        if not _knows(request.headers.get("Authorization", "")):
            return self._unauthorized()
        if self._is_throttled():
            return self._throttled()
        if found["space"] != SPACE_ID:
            raise space_not_found()
        table = self.store.tables.get(found["entity"])
        if table is None:
            raise unknown_type(found["entity"])
        call = Call(request, table.entity, found["rest"] or "")
        answer = await self._handler(call)(call)
        status = 201 if request.method == "POST" and not call.rest else 200
        return web.json_response(answer, status=status)

    def _handler(self, call: Call) -> Callable[[Call], Any]:
        kind = "list" if not call.rest else call.rest if call.rest in _BATCHES and call.request.method == "POST" else "record"
        handlers: Mapping[tuple[str, str], Callable[[Call], Any]] = {
            ("GET", "list"): self._list,
            ("GET", "record"): self._read,
            ("POST", "list"): self._create,
            ("PATCH", "record"): self._update,
            ("DELETE", "record"): self._delete,
            ("POST", "batch-modify"): self._batch_modify,
            ("POST", "batch-delete"): self._batch_delete,
        }
        handler = handlers.get((call.request.method, kind))
        if handler is None or (call.request.method != "GET" and not call.entity.writable):
            raise not_routed(405, "The method is not allowed for the requested URL.")
        return handler

    async def _list(self, call: Call) -> dict[str, Any]:
        query = parse_query(call.entity, call.request.query.items(), self._rules)
        view = View(query.expand, query.only or {})
        self._presenter.check(call.entity, view)
        page = self._lists.page(call.entity.path, query)
        answer: dict[str, Any] = {"success": True}
        if self._options["total"] == "present":
            answer["total"] = page.total
        if query.limit is None and query.offset is None:
            answer["page_info"] = self._page_info(page)
        answer["data"] = [self._presenter.record(call.entity, row, view) for row in page.rows]
        return self._with_extra(answer)

    def _page_info(self, page: Page) -> dict[str, Any]:
        start, end = page.cursors or (None, None)
        # Source: tests of a public client: the last page may still carry a cursor.
        ends = not page.has_next and self._options["last_page_cursor"] == "null"
        return {
            "start_cursor": start,
            "end_cursor": None if ends else end,
            "has_previous_page": page.has_previous,
            "has_next_page": page.has_next,
        }

    async def _read(self, call: Call) -> dict[str, Any]:
        given = _parameters(call, _READ_PARAMETERS)
        view = View(parse_tree(given.get("expand", "")), {})
        self._presenter.check(call.entity, view)
        with_deleted = parse_flag(given.get("include-deleted", given.get("include_deleted", "false")))
        # Not documented: a deleted record by its id; an option of the sandbox.
        with_deleted = with_deleted or self._options["deleted_by_id"] == "shown"
        return self._with_extra(
            {"success": True, "data": self._presenter.record(call.entity, self._row(call, with_deleted=with_deleted), view)}
        )

    async def _create(self, call: Call) -> dict[str, Any]:
        row = self._writer.create(self._write(call), await _read_object(call))
        return self._with_extra({"success": True, "data": self._presenter.record(call.entity, row, View({}, {}))})

    async def _update(self, call: Call) -> dict[str, Any]:
        body = await _read_object(call)
        row = self._writer.update(self._write(call), self._row(call)["id"], body)
        return self._with_extra({"success": True, "data": self._presenter.record(call.entity, row, View({}, {}))})

    async def _delete(self, call: Call) -> dict[str, Any]:
        _parameters(call, set())
        row_id = self._row(call)["id"]
        self._writer.delete(self._write(call), row_id)
        return {"success": True, "data": row_id}

    async def _batch_modify(self, call: Call) -> dict[str, Any]:
        return await self._batch(call, lambda write, item: self._modify_one(call, write, item))

    async def _batch_delete(self, call: Call) -> dict[str, Any]:
        return await self._batch(call, lambda write, item: self._delete_one(call, write, item))

    def _modify_one(self, call: Call, write: Write, item: Any) -> str:
        if not isinstance(item, dict):
            raise invalid("Every element of the body must be an object.")
        body = cast("dict[str, Any]", item)
        if body.get("id") is None:
            return str(self._writer.create(write, {key: value for key, value in body.items() if key != "id"})["id"])
        return str(self._writer.update(write, self._existing(call, body["id"])["id"], body)["id"])

    def _delete_one(self, call: Call, write: Write, item: Any) -> str:
        row_id: str = self._existing(call, item)["id"]
        self._writer.delete(write, row_id)
        return row_id

    async def _batch(self, call: Call, apply: Callable[[Write, Any], str]) -> dict[str, Any]:
        """Apply all elements or none; with `rollback-method` 1 each for itself."""
        given = _parameters(call, {*_WRITE_PARAMETERS, "rollback-method"})
        rollback = given.get("rollback-method", "0")
        if rollback not in {"0", "1"}:
            raise invalid("Parameter 'rollback-method' must be 0 or 1.")
        write, items = self._write(call, given), await _read_list(call)
        if rollback == "0":
            with self.store.transaction():
                return {"success": True, "data": [_at(index, apply, write, item) for index, item in enumerate(items)]}
        results: list[Any] = []
        for index, item in enumerate(items):
            try:
                with self.store.transaction():
                    results.append(_at(index, apply, write, item))
            except RefusedError as refused:
                results.append(refused.body)
        return {"success": True, "data": results}

    def _write(self, call: Call, given: Mapping[str, str] | None = None) -> Write:
        given = _parameters(call, _WRITE_PARAMETERS) if given is None else given
        level = given.get("validation-level", "0")
        if not level.isdecimal():
            raise invalid("Parameter 'validation-level' must be a number.")
        return Write(call.entity, int(level), call.request.headers.get("Webhook-Skip-Key"))

    def _row(self, call: Call, *, with_deleted: bool = False) -> Row:
        return self._existing(call, call.rest, with_deleted=with_deleted)

    def _existing(self, call: Call, row_id: object, *, with_deleted: bool = False) -> Row:
        row = self.store.row(call.entity.path, row_id) if isinstance(row_id, str) else None
        if row is not None and (with_deleted or not row.get("is_deleted")):
            return row
        # Not documented: the body for a record that is not there; an option of the sandbox.
        if self._options["record_not_found"] == "framework":
            raise url_not_found()
        raise envelope(404, 404, "ERROR_NOT_FOUND", "Entity not found.")

    def _unauthorized(self) -> web.Response:
        # Not documented: the body of a 401; an option of the sandbox.
        headers = {"WWW-Authenticate": 'Basic realm="Pipeliner"'}
        if self._options["unauthorized_body"] == "text":
            return web.Response(status=401, text="Unauthorized Access", headers=headers)
        body = {"code": 401, "name": "ERROR_UNAUTHORIZED", "message": "Invalid credentials.", "http_status": 401, "success": False}
        return web.json_response(body, status=401, headers=headers)

    def _is_throttled(self) -> bool:
        if self._options["rate_limit"] == "off":
            return False
        now = self._clock()
        while self._recent and self._recent[0] <= now - _WINDOW_SECONDS:
            self._recent.popleft()
        if len(self._recent) >= CALLS_PER_MINUTE:
            return True
        self._recent.append(now)
        return False

    def _throttled(self) -> web.Response:
        # Not documented: limits are not published; an option of the sandbox.
        body = {"code": 429, "name": "ERROR_TOO_MANY_REQUESTS", "message": "Too many requests.", "http_status": 429, "success": False}
        response = web.json_response(body, status=429)
        if self._options["rate_limit"] == "seconds":
            response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
        elif self._options["rate_limit"] == "date":
            response.headers["Retry-After"] = format_datetime(self.store.now() + timedelta(seconds=_RETRY_AFTER_SECONDS), usegmt=True)
        return response

    def _with_extra(self, answer: dict[str, Any]) -> dict[str, Any]:
        return answer if self._options["extra_keys"] == "off" else {**answer, "request_info": {"took": 12}}


def _at(index: int, apply: Callable[[Write, Any], str], write: Write, item: Any) -> str:
    try:
        return apply(write, item)
    except RefusedError as refused:
        raise refused.at(index) from refused


def _knows(header: str) -> bool:
    scheme, _, encoded = header.partition(" ")
    try:
        return scheme.lower() == "basic" and base64.b64decode(encoded, validate=True) == f"{USERNAME}:{PASSWORD}".encode()
    except ValueError:
        return False


def _parameters(call: Call, known: set[str]) -> dict[str, str]:
    for name in call.request.query:
        if name not in known:
            raise invalid(f"Unknown parameter '{name}'.")
    return dict(call.request.query)


async def _read_json(call: Call) -> Any:
    try:
        return json.loads(await call.request.read(), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise invalid("Failed to decode the body as JSON.") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


async def _read_object(call: Call) -> dict[str, Any]:
    body = await _read_json(call)
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    return cast("dict[str, Any]", body)


async def _read_list(call: Call) -> Sequence[Any]:
    body = await _read_json(call)
    if not isinstance(body, list):
        raise invalid("The body must be a JSON array.")
    # Not documented: how many elements a batch may have.
    items: list[Any] = body  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
    if len(items) > _MAX_BATCH:
        raise invalid(f"A batch must not have more than {_MAX_BATCH} elements.")
    return items
