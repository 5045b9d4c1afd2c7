"""The wire of the sandbox: routes, authentication, request limits, envelopes."""

import hmac
import json
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

from vendors.apideck.sandbox.answers import (
    SERVICE,
    WARNING,
    Presentation,
    RefusedError,
    cursor_position,
    cursor_token,
    envelope,
    error_body,
    present,
    raw_deal,
    refused_for,
    select,
)
from vendors.apideck.sandbox.board import Board
from vendors.apideck.sandbox.fields import RESOURCES, Record, Resource
from vendors.apideck.sandbox.limits import Limits
from vendors.apideck.sandbox.parameters import DEFAULT_LIMIT, Parameters, list_parameters, one_parameters
from vendors.apideck.sandbox.shapes import Problem
from vendors.apideck.sandbox.store import STORE, DeletedError, DownstreamError, Store
from vendors.apideck.sandbox.webhooks import Signing, Subscriptions, add_webhooks
from vendors.sandbox import Handler, application
from vendors.sandbox_board import enliven

API_KEY = "sk_sandbox_nordkai_americas_3f9c71"
APP_ID = "nordkaiUnifyAppJQ8m2sVd"
CONSUMER_ID = "nordkai-americas"

# The consumer has two connectors, so a request has to name one; the second one's credentials are gone.
_EXPIRED_SERVICE = "pipedrive"
# Source: Apideck CRM API, gotchas of opportunitiesAll, companiesAll and contactsAll for hubspot: the most rows of a search.
_MAX_SEARCH_ROWS = 10_000
# Source: Apideck CRM API, gotchas of opportunitiesAll for hubspot: what a filtered or sorted list leaves out.
_NOT_IN_SEARCH = frozenset({"company_id", "primary_contact_id", "contact_ids", "lead_id", "contact_id"})
_VERBS = {"GET": "One", "PATCH": "Update", "DELETE": "Delete"}

PRESENTATION = web.AppKey("PRESENTATION", Presentation)
BASE_URL = web.AppKey("BASE_URL", str)


def make_application(store: Store, presentation: Presentation, base_url: str, signing: Signing) -> web.Application:
    """The application of one running sandbox."""
    names = "|".join(RESOURCES)
    app = application(
        routes=[
            web.get(f"/crm/{{resource:{names}}}", _list, allow_head=False),
            web.post(f"/crm/{{resource:{names}}}", _add),
            web.get(f"/crm/{{resource:{names}}}/{{id}}", _one, allow_head=False),
            web.patch(f"/crm/{{resource:{names}}}/{{id}}", _update),
            web.delete(f"/crm/{{resource:{names}}}/{{id}}", _delete),
            web.post("/_sandbox/move", _move),
            web.get("/_sandbox/records", _records, allow_head=False),
        ],
        name_operation=_operation,
        middlewares=[_guard],
    )
    app[STORE] = store
    app[PRESENTATION] = presentation
    app[BASE_URL] = base_url
    add_webhooks(app, Subscriptions(store=store, signing=signing, base_url=base_url, consumer=CONSUMER_ID))
    enliven(app, Board(store))
    return app


def _operation(request: web.Request, _body: bytes) -> str:
    """The vendor's operationId, such as `opportunitiesAll`."""
    match request.path.strip("/").split("/"):
        case ["crm", resource] if resource in RESOURCES and request.method in ("GET", "POST"):
            return f"{resource}{'All' if request.method == 'GET' else 'Add'}"
        case ["crm", resource, _] if resource in RESOURCES and request.method in _VERBS:
            return f"{resource}{_VERBS[request.method]}"
        case ["webhook", "webhooks"] if request.method in ("GET", "POST"):
            return f"webhooks{'All' if request.method == 'GET' else 'Add'}"
        case ["webhook", "webhooks", _] if request.method in _VERBS:
            return f"webhooks{_VERBS[request.method]}"
        case _:
            return f"{request.method} {request.path}"


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/_sandbox/"):
        return await handler(request)
    limits = request.app[STORE].limits
    headers = {"Request-Id": str(uuid.uuid4())}
    try:
        _admit(request)
        _spend(limits)
        headers |= limits.headers(refused=False)
        response = await handler(request)
    except RefusedError as refused:
        if refused.status == HTTPStatus.TOO_MANY_REQUESTS:
            headers |= limits.headers(refused=True)
        response = web.json_response(error_body(refused, request.app[PRESENTATION]), status=refused.status)
    except web.HTTPException as raised:
        # Not documented: what a wrong path or method is called.
        unknown = RefusedError(raised.status, "EntityNotFoundError", f"{request.method} {request.path}: {raised.reason}", {})
        response = web.json_response(error_body(unknown, request.app[PRESENTATION]), status=raised.status)
    response.headers.update(headers)
    return response


def _admit(request: web.Request) -> None:
    """Check key, application, consumer and connector. Source: Apideck CRM API, securitySchemes and header parameters.

    The codes of everything but a wrong key are not documented; the choices are the sandbox's own.
    """
    # Compared without leaking where they differ, as a server should.
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {API_KEY}".encode()):
        raise RefusedError(
            401, "UnauthorizedError", "Unauthorized Request", {"type": "unauthorized", "message": "The API key is not valid"}
        )
    # Source: Apideck Webhook API: subscriptions belong to the application, whatever the consumer and the connector.
    is_of_application = request.path.startswith("/webhook/")
    wanted = ("x-apideck-app-id",) if is_of_application else ("x-apideck-app-id", "x-apideck-consumer-id", "x-apideck-service-id")
    missing = [name for name in wanted if not request.headers.get(name)]
    if missing:
        raise refused_for([Problem("missing", name, "required") for name in missing], type_name="RequestHeadersValidationError")
    if request.headers["x-apideck-app-id"] != APP_ID:
        detail = {"type": "unauthorized", "message": "The API key is not one of this application"}
        raise RefusedError(401, "UnauthorizedError", "Unauthorized Request", detail)
    if is_of_application:
        return
    consumer, service = request.headers["x-apideck-consumer-id"], request.headers["x-apideck-service-id"]
    if consumer != CONSUMER_ID:
        raise _not_found("ConnectionNotFoundError", "connection", f"crm+{service} of {consumer}")
    if service == _EXPIRED_SERVICE:
        debug = {"credentials_expire_at_ms": 1_620_172_800_000, "retry_after_ms": 1_620_000_030_000, "cooldown_remaining_ms": 30_000}
        expired = {"type": "refresh_token_connector_error", "message": "Token refresh failed with 401 error", "debug": debug}
        raise RefusedError(401, "ConnectorCredentialsError", "The connection has to be authorized again", expired)
    if service != SERVICE:
        raise _not_found("ConnectorNotFoundError", "connector", service)


def _spend(limits: Limits) -> None:
    if not limits.take_quota():
        raise RefusedError(402, "RequestLimitError", "The calls of the plan are used up", {})
    if not limits.take():
        message = "The connector's rate limit is exceeded"
        raise RefusedError(429, "ConnectorRateLimitError", message, {"context": message, "error": {"service": SERVICE}})


async def _list(request: web.Request) -> web.Response:
    store, presentation = request.app[STORE], request.app[PRESENTATION]
    resource = RESOURCES[request.match_info["resource"]]
    parameters = list_parameters(resource, request.query.items(), presentation)
    rows, next_position, total = _page(store, resource, parameters, presentation)
    current = cursor_token(resource.name, parameters.search, _position(resource, parameters))
    following = None if next_position is None else cursor_token(resource.name, parameters.search, next_position)
    data = [present(resource, row, presentation) for row in rows]
    if resource.name == "opportunities" and not parameters.search.is_plain and presentation.filtered_relations == "omitted":
        data = [{name: value for name, value in row.items() if name not in _NOT_IN_SEARCH} for row in data]
    if parameters.fields:
        data = select(data, parameters.fields)
    answer = envelope(resource.name, "all", data, presentation)
    if following is not None or presentation.last_page == "null_cursor":
        meta: dict[str, Any] = {"items_on_page": len(rows), "cursors": {"previous": None, "current": current, "next": following}}
        # Source: Apideck CRM API, gotchas of pipelinesAll for hubspot: no total count there.
        if presentation.total_count and resource.name != "pipelines":
            meta["total_count"] = total
        base = f"{request.app[BASE_URL]}/crm/{resource.name}?cursor="
        links = {"previous": None, "current": base + current, "next": None if following is None else base + following}
        answer |= {"meta": meta, "links": links}
    if presentation.warnings and resource.name == "opportunities":
        answer.setdefault("meta", {})["warnings"] = [WARNING]
    if parameters.raw:
        answer["_raw"] = {"results": [raw_deal(row) for row in rows]}
    return web.json_response(answer)


def _position(resource: Resource, parameters: Parameters) -> int:
    return cursor_position(parameters.cursor, resource.name, parameters.search) if parameters.cursor else 0


def _page(store: Store, resource: Resource, parameters: Parameters, presentation: Presentation) -> tuple[Sequence[Record], int | None, int]:
    """The rows of a page, the position after it (None at the end), and the number of all rows.

    The position is an id in an unfiltered list, which changes cannot shift, and a row number in a search, as it is downstream.
    """
    limit = parameters.limit or DEFAULT_LIMIT
    size = max(1, limit // 2) if presentation.short_pages else limit
    position = _position(resource, parameters)
    if resource.name == "pipelines":
        if not presentation.pipelines_paged:
            size = len(store.pipelines)
        rows = store.pipelines[position : position + size]
        end = position + len(rows)
        return rows, end if end < len(store.pipelines) else None, len(store.pipelines)
    table = store.tables[resource.name]
    if parameters.search.is_plain:
        rows = table.after(position, size + 1)
        more = len(rows) > size
        rows = rows[:size]
        return rows, int(rows[-1]["id"]) if more else None, len(table)
    ids = table.search(resource.name, parameters.search, store.rules)
    reachable = ids[:_MAX_SEARCH_ROWS]
    keys = reachable[position : position + size]
    end = position + len(keys)
    return [row for key in keys if (row := table.get(key))], end if end < len(reachable) else None, len(ids)


async def _one(request: web.Request) -> web.Response:
    presentation = request.app[PRESENTATION]
    resource = _writable_resource(request)
    parameters = one_parameters(resource, request.query.items(), allow_fields=True)
    record = request.app[STORE].tables[resource.name].get(request.match_info["id"])
    if record is None:
        raise _not_found("EntityNotFoundError", resource.name, request.match_info["id"])
    data = present(resource, record, presentation)
    answer = envelope(resource.name, "one", select(data, parameters.fields) if parameters.fields else data, presentation)
    if presentation.warnings and resource.name == "opportunities":
        answer["meta"] = {"warnings": [WARNING]}
    if parameters.raw:
        answer["_raw"] = raw_deal(record)
    return web.json_response(answer)


async def _add(request: web.Request) -> web.Response:
    resource = _writable_resource(request)
    parameters = one_parameters(resource, request.query.items(), allow_fields=False)
    body = await _body(request, resource)
    if resource.name == "opportunities" and request.app[STORE].rules.needs_primary_contact and body.get("primary_contact_id") is None:
        # Source: Apideck SDK for C#, Opportunity, PrimaryContactId (required), and the connector notes of opportunitiesAdd.
        raise refused_for([Problem("missing", "primary_contact_id", "required")])
    try:
        key = request.app[STORE].create(resource.name, body)
    except DownstreamError as error:
        raise _refused_downstream(error) from error
    return _written(request, resource, "add", key, parameters)


async def _update(request: web.Request) -> web.Response:
    resource, key = _writable_resource(request), request.match_info["id"]
    parameters = one_parameters(resource, request.query.items(), allow_fields=False)
    # The body of an update is checked as that of a create: what is required there is required here.
    body = await _body(request, resource)
    try:
        request.app[STORE].update(resource.name, key, body)
    except KeyError as error:
        raise _not_found("EntityNotFoundError", resource.name, key) from error
    except DeletedError as error:
        raise _deleted(resource, key) from error
    except DownstreamError as error:
        raise _refused_downstream(error) from error
    return _written(request, resource, "update", key, parameters)


async def _delete(request: web.Request) -> web.Response:
    resource, key = _writable_resource(request), request.match_info["id"]
    parameters = one_parameters(resource, request.query.items(), allow_fields=False)
    try:
        request.app[STORE].delete(resource.name, key)
    except KeyError as error:
        raise _not_found("EntityNotFoundError", resource.name, key) from error
    except DeletedError as error:
        raise _deleted(resource, key) from error
    return _written(request, resource, "delete", key, parameters)


def _writable_resource(request: web.Request) -> Resource:
    resource = RESOURCES[request.match_info["resource"]]
    if not resource.writable:
        # Source: Apideck CRM API: these operations are marked as upcoming. How they answer today is not documented.
        message = f"{_operation(request, b'')} is not supported yet"
        raise RefusedError(501, "ConnectorOperationUnsupportedError", message, {"operation": _operation(request, b"")})
    return resource


async def _body(request: web.Request, resource: Resource) -> Record:
    if request.content_type != "application/json":
        problem = Problem("invalid", "content-type", "must be application/json")
        raise refused_for([problem], type_name="RequestHeadersValidationError")
    try:
        body: Record = json.loads(await request.text(), parse_constant=_no_constant)
    except ValueError as error:
        raise refused_for([Problem("invalid", "body", "is not JSON")]) from error
    problems = list(resource.shape.problems("", body))
    if problems:
        raise refused_for(problems)
    return body


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _written(request: web.Request, resource: Resource, operation: str, key: str, parameters: Parameters) -> web.Response:
    answer = envelope(resource.name, operation, {"id": key}, request.app[PRESENTATION])
    if parameters.raw:
        answer["_raw"] = {"id": key}
    return web.json_response(answer, status=201 if operation == "add" else 200)


def _not_found(type_name: str, entity: str, key: str) -> RefusedError:
    return RefusedError(404, type_name, f"{entity} {key!r} was not found", {"not_found": {"entity": entity, "id": key}})


def _deleted(resource: Resource, key: str) -> RefusedError:
    message = f"{resource.name} {key!r} is deleted"
    return RefusedError(422, "InvalidStateError", message, {"error": "Unprocessable", "message": message})


def _refused_downstream(error: DownstreamError) -> RefusedError:
    downstream = {"message": error.message, "detail": error.detail, "code": error.code}
    return RefusedError(400, "ConnectorExecutionError", error.message, {"message": error.detail}, [downstream])


async def _move(request: web.Request) -> web.Response:
    wanted = json.loads(await request.text())
    try:
        return web.json_response(request.app[STORE].move(str(wanted["id"]), str(wanted["stage"])))
    except KeyError:
        return web.json_response({"error": "no such deal"}, status=404)
    except (DeletedError, DownstreamError) as error:
        return web.json_response({"error": str(error) or "the deal is deleted"}, status=409)


async def _records(request: web.Request) -> web.Response:
    return web.json_response(list(request.app[STORE].tables["opportunities"]))
