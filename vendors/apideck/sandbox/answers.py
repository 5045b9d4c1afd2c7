"""Envelopes and error bodies of the API, and how a record looks inside them."""

import base64
import binascii
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, cast

from vendors.apideck.sandbox.fields import Record, Resource
from vendors.apideck.sandbox.search import Search
from vendors.apideck.sandbox.shapes import Problem

SERVICE = "hubspot"


@dataclass(frozen=True, slots=True)
class Presentation:
    """How answers look where the vendor's document leaves it open (options of the sandbox)."""

    nulls: Literal["null", "absent"] = "null"
    total_count: bool = True
    error_detail: Literal["string", "object"] = "object"
    body_status: Literal["line", "examples"] = "line"
    last_page: Literal["null_cursor", "no_meta"] = "null_cursor"
    short_pages: bool = False
    warnings: bool = False
    filtered_relations: Literal["omitted", "present"] = "omitted"
    filters_supported: bool = True
    sorts_supported: bool = True
    pipelines_paged: bool = True
    unsupported_status: int = 400


class RefusedError(Exception):
    """A request is answered with an error.

    Args:
        status: HTTP status.
        type_name: The vendor's name of the error.
        message: What is wrong, for a person.
        detail: The same for a machine.
        downstream: What the connected CRM said, when it was the one to refuse.
    """

    def __init__(
        self, status: int, type_name: str, message: str, detail: Mapping[str, Any], downstream: Sequence[Mapping[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type_name = type_name
        self.message = message
        self.detail = detail
        self.downstream = downstream


def refused_for(problems: Sequence[Problem], *, type_name: str = "RequestValidationError") -> RefusedError:
    """The refusal of a request in which something is missing or invalid."""
    detail: dict[str, list[dict[str, str]]] = {}
    for problem in problems:
        detail.setdefault(problem.kind, []).append({problem.path: problem.rule})
    return RefusedError(400, type_name, "; ".join(f"{problem.path}: {problem.rule}" for problem in problems), detail)


def error_body(refused: RefusedError, presentation: Presentation) -> dict[str, Any]:
    """The common error body. Source: Apideck CRM API, schemas BadRequest, Unauthorized, PaymentRequired, NotFound, TooManyRequests."""
    # A 402 has a text as detail and a 429 an object; elsewhere either is documented.
    as_object = refused.status == HTTPStatus.TOO_MANY_REQUESTS or (
        presentation.error_detail == "object" and refused.status != HTTPStatus.PAYMENT_REQUIRED
    )
    body: dict[str, Any] = {
        # Source: Apideck CRM API, examples: bodies repeat a status that is not always the line's.
        "status_code": refused.status if presentation.body_status == "line" else 400,
        "error": HTTPStatus(refused.status).phrase,
        "type_name": refused.type_name,
        "message": refused.message,
        "detail": refused.detail if as_object else refused.message,
        "ref": f"https://developers.apideck.com/errors#{refused.type_name.lower()}",
    }
    if refused.downstream:
        body["downstream_errors"] = list(refused.downstream)
    return body


def envelope(resource: str, operation: str, data: Any, presentation: Presentation) -> dict[str, Any]:
    """The frame of a successful answer."""
    status_code = 201 if operation == "add" else 200
    if presentation.body_status == "examples":
        # Source: Apideck CRM API, examples of CreateOpportunityResponse, UpdateOpportunityResponse and DeleteOpportunityResponse.
        status_code = 200
        resource = "companies" if resource == "opportunities" and operation in ("update", "delete") else resource
    return {
        "status_code": status_code,
        "status": "Created" if status_code == HTTPStatus.CREATED else "OK",
        "service": SERVICE,
        "resource": resource,
        "operation": operation,
        "data": data,
    }


# Source: Apideck CRM API, schema WorkflowWarning: a 200 whose optional sub-step failed.
WARNING = {
    "type": "warning",
    "status_code": 403,
    "error": "Forbidden",
    "operation": "associationsOne",
    "message": "The associations of some deals could not be read; contact_ids may be incomplete.",
}


def present(resource: Resource, record: Record, presentation: Presentation) -> Record:
    """A record as an answer carries it: what is not known is null, or not there at all."""
    if presentation.nulls == "absent":
        return {name: value for name, value in record.items() if value is not None or name in resource.shape.required}
    return {**dict.fromkeys(resource.shape.nullable_names()), **record}


def raw_deal(record: Record) -> dict[str, Any]:
    """The downstream object behind a record, as `_raw` shows it."""
    renamed = {"title": "dealname", "monetary_amount": "amount", "pipeline_id": "pipeline", "pipeline_stage_id": "dealstage"}
    properties = {name: record[key] for key, name in renamed.items() if record.get(key) is not None}
    return {"id": record.get("id"), "properties": properties or {"name": record.get("name")}}


def select(value: object, paths: Sequence[Sequence[str]]) -> Any:
    """Keep only the paths of a `fields` parameter; arrays are looked through."""
    if isinstance(value, list):
        return [select(item, paths) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    wanted: dict[str, list[Sequence[str]]] = {}
    for path in paths:
        wanted.setdefault(path[0], []).append(path[1:])
    return {
        name: entry if any(not rest for rest in wanted[name]) else select(entry, wanted[name])
        for name, entry in cast("Record", value).items()
        if name in wanted
    }


def cursor_token(resource: str, search: Search, position: int) -> str:
    """A place in a list: opaque on the wire, and only good for the connector, the resource and the search it was made for."""
    return base64.urlsafe_b64encode(f"{_list_mark(resource, search)}::{position}".encode()).decode()


def cursor_position(token: str, resource: str, search: Search) -> int:
    """The place that a token names.

    Raises:
        RefusedError: The token is not one of this list.
    """
    try:
        mark, _, position = base64.urlsafe_b64decode(token.encode()).decode().rpartition("::")
        if mark == _list_mark(resource, search):
            return int(position)
    except (ValueError, binascii.Error):
        pass
    message = "The cursor was not issued for this list"
    raise RefusedError(400, "InvalidCursorError", message, {"invalid": [{"cursor": message}]})


def _list_mark(resource: str, search: Search) -> str:
    return f"{SERVICE}::{resource}::{zlib.crc32(repr(search).encode()):x}"
