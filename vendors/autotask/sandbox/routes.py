"""The wire of the sandbox: zones, credentials, queries with pages, reads, writes, metadata, and the shapes of errors."""

import base64
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from email.utils import formatdate
from typing import Any, cast
from urllib.parse import quote

import orjson
from aiohttp import web

from vendors.autotask.sandbox.fields import Entity
from vendors.autotask.sandbox.limits import MAX_THREADS, TIMEFRAME_MINUTES, Limits
from vendors.autotask.sandbox.metadata import entity_information, field_information
from vendors.autotask.sandbox.opportunity_rules import API_LICENSE, check, settle, with_category_defaults
from vendors.autotask.sandbox.paths import Action, Target, target_of
from vendors.autotask.sandbox.query import Query, Reader
from vendors.autotask.sandbox.store import INTEGRATION_CODE, SECRET, USERNAME, Store
from vendors.autotask.sandbox.values import Look, RefusedError, Row
from vendors.autotask.sandbox.writing import Verb, Write, bad_reference, read_write
from vendors.sandbox import Handler

MAX_URL = 2_048
_TARGET = web.RequestKey("TARGET", Target)
_BODY = web.RequestKey("BODY", str)
_ADMITTED = web.RequestKey("ADMITTED", bool)
_OPEN: set[Action] = {"zone", "versions"}
_WRITES: set[Action] = {"create", "patch", "put", "delete"}
_NO_ZONE = "Zone information could not be determined"
_RETRY_AFTER_SECONDS = 30


def zone_origin(base_url: str, options: Mapping[str, Any]) -> str:
    """Origin that the zone's answer names: this sandbox under the name it was reached by, or under another one."""
    return base_url.replace("//127.0.0.1:", "//localhost:") if options["zone_answers"] == "other_name" else base_url


class Api:
    """Answers the vendor's requests from a store."""

    def __init__(self, store: Store, limits: Limits, base_url: str) -> None:
        self.store = store
        self.limits = limits
        self.denied: set[str] = set()
        self._options = store.options
        self._look = Look(store.options)
        self._origin = zone_origin(base_url, store.options)
        self._udf_words = {name: {udf: self._words(name, udf) for udf in udfs} for name, udfs in store.udfs.items()}
        self._actions: dict[Action, Callable[[web.Request, Target], Any]] = {
            "zone": self._zone,
            "versions": lambda _request, _target: {"apiVersions": ["1.0"]},
            "threshold": self._threshold,
            "query": self._query,
            "count": self._count,
            "next": self._next,
            "children": self._children,
            "get": self._get,
            "create": self._create,
            "patch": self._update,
            "put": self._update,
            "delete": self._delete,
            "info": lambda _request, target: {"info": entity_information(target.entity)},
            "fields": self._fields,
            "udfs": self._udf_fields,
        }

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Take a thread from arrival to answer. Stands outside the log, so that added latency holds the thread."""
        target = request[_TARGET] = target_of(request.method, request.path)
        bucket = (request.headers.get("ApiIntegrationCode", ""), target.bucket or "")
        request[_ADMITTED] = target.bucket is None or self.limits.enter(bucket, request)
        try:
            return await handler(request)
        finally:
            self.limits.leave(bucket, request)

    async def serve(self, request: web.Request) -> web.Response:
        target = request[_TARGET]
        try:
            if refusal := await self._refusal(request, target):
                return refusal
            request[_BODY] = await request.text()
            return web.json_response(self._actions[target.action](request, target), dumps=exact_json)
        except RefusedError as refused:
            return self._errors(refused.text, status=refused.status)

    async def _refusal(self, request: web.Request, target: Target) -> web.Response | None:
        """What stands before any answer: the path, the credentials, the limits, the permissions."""
        if refusal := _routing_refusal(request, target):
            return refusal
        if target.action in _OPEN:
            return None
        if refusal := self._authenticate(request):
            return refusal
        if not request[_ADMITTED]:
            return self._throttled(f"The Autotask API thread threshold of {MAX_THREADS} threads has been exceeded.", "thread_refusal")
        if not await self.limits.spend():
            # Not documented: the text; the status is an option of the sandbox.
            return self._throttled(
                f"The Autotask API request threshold of {self.limits.threshold} requests has been exceeded.", "hourly_refusal"
            )
        return self._permission(request, target)

    def _authenticate(self, request: web.Request) -> web.Response | None:
        given = [request.headers.get(name, "") for name in ("UserName", "Secret", "ApiIntegrationCode")]
        if given[0] and given[0].casefold() != USERNAME.casefold():
            return self._errors(_NO_ZONE)
        if not all(given) or given[1] != SECRET:
            # Not documented: the body; an option of the sandbox.
            return web.Response(status=401) if self._options["unauthorized_body"] == "empty" else self._errors("Unauthorized", status=401)
        if given[2] != INTEGRATION_CODE:
            return self._errors("The API integration code is unknown.")
        return None

    def _permission(self, request: web.Request, target: Target) -> web.Response | None:
        impersonated_read = "ImpersonationResourceId" in request.headers and target.action not in _WRITES
        if target.action == "threshold" or (target.entity.name not in self.denied and not impersonated_read):
            return None
        verb = "update" if target.action in _WRITES else "query"
        text = f"The logged in Resource does not have the adequate permissions to {verb} this entity type."
        return self._errors(text, status=int(self._options["permission_status"]))

    def _throttled(self, text: str, option: str) -> web.Response:
        response = self._errors(text, status=int(self._options[option]))
        if self._options["retry_after"] == "seconds":
            response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
        elif self._options["retry_after"] == "date":
            response.headers["Retry-After"] = formatdate(self.store.now().timestamp() + _RETRY_AFTER_SECONDS, usegmt=True)
        return response

    def _errors(self, text: str, *, status: int = 500) -> web.Response:
        item = text if self._options["error_items"] == "text" else {"message": text, "field": ""}
        return web.json_response({"errors": [item]}, status=status)

    def _zone(self, request: web.Request, _target: Target) -> dict[str, Any]:
        if request.query.get("user", "").casefold() != USERNAME.casefold():
            raise RefusedError(_NO_ZONE)
        slash = "/" if self._options["zone_url_slash"] == "with" else ""
        return {"zoneName": "Nordkai sandbox", "url": f"{self._origin}/ATServicesRest{slash}", "webUrl": f"{self._origin}/", "ci": 513558}

    def _threshold(self, _request: web.Request, _target: Target) -> dict[str, Any]:
        return {
            "externalRequestThreshold": self.limits.threshold,
            "requestThresholdTimeframe": TIMEFRAME_MINUTES,
            "currentTimeframeRequestCount": self.limits.used(),
        }

    def _query(self, request: web.Request, target: Target) -> dict[str, Any]:
        query = self._read_query(target.entity, self._query_body(request))
        return self._page(target, query, search=request.query.get("search"))

    def _next(self, request: web.Request, target: Target) -> dict[str, Any]:
        query = self._read_query(target.entity, self._query_body(request))
        return self._page(target, query, search=request.query.get("search"), after=_read_cursor(request.query.get("paging", "")))

    def _count(self, request: web.Request, target: Target) -> dict[str, Any]:
        query = self._read_query(target.entity, self._query_body(request))
        return {"queryCount": self.store.tables[target.entity.name].count(query)}

    def _children(self, _request: web.Request, target: Target) -> dict[str, Any]:
        body = {"filter": [{"op": "eq", "field": target.entity.parent_field, "value": target.parent_id}]}
        return self._page(target, self._read_query(target.entity, body), search=json.dumps(body))

    def _page(self, target: Target, query: Query, *, search: str | None, after: int | None = None) -> dict[str, Any]:
        rows, more = self.store.tables[target.entity.name].select(query, after)
        if more and query.include is not None and "id" not in query.include:
            raise RefusedError("IncludeFields needs id when there are more results than a page holds.")
        details: dict[str, Any] = {"count": len(rows), "requestCount": query.max_records, "prevPageUrl": None}
        if more:
            details["nextPageUrl"] = self._next_url(target, query.max_records, rows[-1]["id"], search)
        elif self._options["next_page"] != "absent":
            details["nextPageUrl"] = "" if self._options["next_page"] == "empty" else None
        return {"items": [self._show(target.entity, row, query.include) for row in rows], "pageDetails": details}

    def _next_url(self, target: Target, page_size: int, last_id: int, search: str | None) -> str:
        cursor = json.dumps({"pageSize": page_size, "previousIds": [-1], "nextIds": [last_id]}, separators=(",", ":"))
        if self._options["paging_cursor"] == "base64":
            cursor = base64.urlsafe_b64encode(cursor.encode()).decode()
        url = f"{self._origin}/ATServicesRest/V1.0/{target.entity.name}/query/next?paging={quote(cursor, safe='')}"
        return url if search is None else f"{url}&search={quote(search, safe='')}"

    def _get(self, _request: web.Request, target: Target) -> dict[str, Any]:
        row = self.store.row(target.entity.name, target.id)
        if row is None or (target.parent_id is not None and row.get(target.entity.parent_field) != target.parent_id):
            return {"item": None}
        return {"item": self._show(target.entity, row, None)}

    def _create(self, request: web.Request, target: Target) -> dict[str, int]:
        write = self._read_write(request, target, "create")
        return {"itemId": self.store.create(target.entity, self._settled(request, target, write))}

    def _update(self, request: web.Request, target: Target) -> dict[str, int]:
        write = self._read_write(request, target, "put" if target.action == "put" else "patch")
        record_id: int = write.before["id"]
        self.store.update(target.entity, record_id, self._settled(request, target, write))
        return {"itemId": record_id}

    def _delete(self, _request: web.Request, target: Target) -> dict[str, int]:
        row = self.store.row(target.entity.name, target.id)
        if row is None or row.get(target.entity.parent_field) != target.parent_id:
            text = "No message. No matching records found. The logged in Resource may not have the required permissions to delete the data."
            raise RefusedError(text)
        self.store.delete(target.entity, target.id)
        return {"itemId": target.id}

    def _fields(self, _request: web.Request, target: Target) -> dict[str, Any]:
        return {"fields": [field_information(self.store, target.entity, field) for field in target.entity.fields.values()]}

    def _udf_fields(self, _request: web.Request, target: Target) -> dict[str, Any]:
        udfs = self.store.udfs.get(target.entity.name, {})
        return {"fields": [field_information(self.store, target.entity, field) for field in udfs.values()]}

    def _read_query(self, entity: Entity, body: object) -> Query:
        return Reader(entity, self.store.udfs.get(entity.name, {}), self._options).read(body)

    def _query_body(self, request: web.Request) -> object:
        if request.method == "POST":
            return _read_body(request)
        return _read_json(request.query.get("search", ""))

    def _read_write(self, request: web.Request, target: Target, verb: Verb) -> Write:
        body = _read_body(request)
        if target.parent_id is None:
            return read_write(self.store, target.entity, verb, body)
        # A child's parent is named by the path; a body that names another one is refused.
        parent = target.entity.parent_field
        write = read_write(
            self.store, target.entity, verb, {parent: target.parent_id} | cast("Row", body) if isinstance(body, dict) else body
        )
        if write.given[parent] != target.parent_id or (verb != "create" and write.before.get(parent) != target.parent_id):
            raise bad_reference(target.entity.fields[parent])
        return write

    def _settled(self, request: web.Request, target: Target, write: Write) -> Row:
        creators = self._creators(request) if write.verb == "create" else {}
        if target.entity.name != "Opportunities":
            return write.given
        if write.verb == "create":
            write = with_category_defaults(self.store, write)
        check(self.store, write)
        return settle(self.store, write) | creators

    def _creators(self, request: web.Request) -> Row:
        """Who created it: the API user, or with impersonation the impersonated resource, and the API user as its impersonator."""
        text = request.headers.get("ImpersonationResourceId")
        if text is None:
            return {"creatorResourceID": self.store.api_user_id}
        resource = self.store.row("Resources", int(text)) if text.isdecimal() else None
        if resource is None or not resource.get("isActive") or resource.get("licenseType") == API_LICENSE:
            raise RefusedError("The impersonated resource does not exist or is invalid.")
        return {"creatorResourceID": resource["id"], "impersonatorCreatorResourceID": self.store.api_user_id}

    def _words(self, entity: str, udf: str) -> dict[str, str]:
        # Not documented: whether a list field carries the label or the value of its entry; an option of the sandbox.
        if self._options["udf_lists"] == "value":
            return {}
        return {listed["value"]: listed["label"] for listed in self.store.picklists[entity].get(udf, [])}

    def _show(self, entity: Entity, row: Row, include: tuple[str, ...] | None) -> dict[str, Any]:
        return self._look.record(entity, row, include, self._udf_words.get(entity.name, {}))


def _routing_refusal(request: web.Request, target: Target) -> web.Response | None:
    if request.method == "GET" and len(str(request.url)) > MAX_URL:
        return web.Response(
            status=404, text="<html><body><h2>404 - File or directory not found.</h2></body></html>", content_type="text/html"
        )
    if target.action == "no_path":
        return _framework_error(404, f"No HTTP resource was found that matches the request URI '{request.path}'.")
    # Source: clients' traces: the link of a query that was posted is posted again, with the same body; a link with `search` is got.
    wrong_link = target.action == "next" and ("search" in request.query) != (request.method == "GET")
    if target.action == "no_verb" or wrong_link:
        return _framework_error(405, f"The requested resource does not support http method '{request.method}'.")
    return None


def _framework_error(status: int, text: str) -> web.Response:
    # Source: clients' reports: the web framework answers routing problems in a shape of its own.
    return web.json_response({"Message": text}, status=status)


def exact_json(data: object) -> str:
    """Write JSON with decimals digit by digit."""
    return orjson.dumps(data, default=_digits).decode()


def _digits(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}")
    raise TypeError


def _read_body(request: web.Request) -> object:
    return _read_json(request[_BODY])


def _read_json(text: str) -> object:
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError:
        raise RefusedError(f"Unexpected character encountered while parsing value: {text[:1]}. Path '', line 0, position 0.") from None


def _read_cursor(text: str) -> int:
    """The last id of the page before."""
    try:
        raw = text if text.startswith("{") else base64.urlsafe_b64decode(text).decode()
        return int(json.loads(raw)["nextIds"][0])
    except (ValueError, KeyError, IndexError, TypeError):
        raise RefusedError("The paging parameter is invalid.") from None
