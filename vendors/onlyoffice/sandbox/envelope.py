"""The envelope around every answer, and how it is written: paging echo, field selection, key spelling, escaped slashes."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from vendors.onlyoffice.sandbox.faults import ApiError
from vendors.onlyoffice.sandbox.inputs import Params, parse_date
from vendors.onlyoffice.sandbox.objects import Json
from vendors.onlyoffice.sandbox.shapes import is_array, is_object
from vendors.onlyoffice.sandbox.store import Store
from vendors.sandbox import OptionValue

# Source: Community Server, web.autofac.config (maxPage): default and cap of `count`.
MAX_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows that the endpoint has already cut to a page. `total` only where the endpoint sets it."""

    rows: list[Json]
    more: bool
    total: int | None = None


Answer = Json | list[Any] | float | str | Page | None


def page_bounds(params: Params) -> tuple[int, int]:
    """`startIndex` and `count` of a request, within the portal's limits."""
    count = params.integer("count")
    return max(0, params.integer("startindex")), min(count, MAX_PAGE) if count > 0 else MAX_PAGE


def wrap(answer: Answer, status: int, params: Params, store: Store, options: Mapping[str, OptionValue]) -> Json:
    """Put an answer into its envelope."""
    start, count = page_bounds(params)
    envelope: Json = {}
    if isinstance(answer, list):
        answer = Page(rows=answer[start : start + count], more=len(answer) > start + count)
    if isinstance(answer, Page):
        rows = _since(answer.rows, params, store)
        envelope = {"count": len(rows), "startIndex": start}
        # Source: ApiHttpHandlerBase.PostProcessResponse, read and never run: one too far. An option of the sandbox.
        if answer.more and options["next_index"] != "absent":
            envelope["nextIndex"] = start + len(rows) + (1 if options["next_index"] == "off_by_one" else 0)
        if answer.total is not None and options["total"] != "absent":
            envelope["total"] = answer.total
        response: Any = [_selected(row, params, options) for row in rows]
    else:
        envelope = {"count": 0 if answer is None else 1, "startIndex": 0}
        response = {} if answer is None else _selected(answer, params, options)
    if options["defaults"] == "omitted":
        envelope = {name: value for name, value in envelope.items() if value or name == "total"}
    spelled = _pascal(response) if options["names"] == "pascal" else response
    return {**envelope, "status": 0, "statusCode": status, "response": spelled}


def wrap_error(error: ApiError) -> Json:
    """The error envelope of a release build. The number is an example, as the portal's vary."""
    return {"status": 1, "statusCode": error.status, "error": {"message": error.message, "hresult": -2147467259, "data": {}}}


def written(envelope: Json) -> str:
    """JSON with `/` escaped, decimals with all their digits. Source: Community Server, ASC.Api/Impl/Serializers."""
    return orjson.dumps(envelope, default=_literal).decode().replace("/", "\\/")


def _literal(value: object) -> orjson.Fragment:
    assert isinstance(value, Decimal), value
    return orjson.Fragment(format(value, "f"))


def _since(rows: list[Any], params: Params, store: Store) -> list[Any]:
    """Keep the rows of this page that were created since `updatedSince`. Source: ApiContext, generic filter on `updated` or `created`."""
    since = params.date("updatedsince")
    if since is None:
        return rows
    return [row for row in rows if "created" not in row or (created := parse_date(row["created"], store.zone)) is None or created >= since]


def _selected(value: Any, params: Params, options: Mapping[str, OptionValue]) -> Any:
    names = frozenset(name.strip().lower() for text in params.texts("fields") for name in text.split(",") if name.strip())
    if not names:
        return value
    return _picked(value, names, deep=options["fields"] == "every_level")


def _picked(value: Any, names: frozenset[str], *, deep: bool) -> Any:
    if is_array(value):
        return [_picked(item, names, deep=deep) for item in value]
    if not is_object(value):
        return value
    return {name: _picked(item, names, deep=True) if deep else item for name, item in value.items() if name.lower() in names}


def _pascal(value: Any) -> Any:
    """Spell keys as the API pages print them: `ID` for records, `Id` for people, a capital otherwise."""
    if is_array(value):
        return [_pascal(item) for item in value]
    if not is_object(value):
        return value
    own_id = "Id" if "avatarSmall" in value else "ID"
    return {own_id if name == "id" else name[:1].upper() + name[1:]: _pascal(item) for name, item in value.items()}
