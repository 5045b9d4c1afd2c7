"""The parameters of a list request, read and applied: filter, order, cursors, pages.

Source: Pipeliner "Create Opportunity", query parameters of the list calls, and the vendor's pages "API parameters" and "Pagination".
"""

import base64
import binascii
import functools
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from vendors.pipeliner.sandbox.entities import SORTABLE, Entity, Field
from vendors.pipeliner.sandbox.errors import invalid
from vendors.pipeliner.sandbox.store import Row, Store, Table, parse_date, parse_datetime

Tree: TypeAlias = dict[str, "Tree"]
"""Dotted names as a tree: `step.pipeline,owner` is `{"step": {"pipeline": {}}, "owner": {}}`."""

DEFAULT_FIRST, MAX_FIRST = 30, 100
_CACHED_RESULTS = 64
_BRACKETED = re.compile(r"(filter|filter-op)\[([^\[\]]+)\](\[\])?")
_PLAIN = {"first", "last", "before", "after", "limit", "offset", "expand", "load-only", "order-by", "include-deleted", "include_deleted"}
_NO_VALUE = {"null", "not-null", "empty", "not-empty"}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda mine, asked: asked in mine,
    "starts": lambda mine, asked: mine.startswith(asked),
    "ends": lambda mine, asked: mine.endswith(asked),
    "icontains": lambda mine, asked: asked.casefold() in mine.casefold(),
    "istarts": lambda mine, asked: mine.casefold().startswith(asked.casefold()),
    "iends": lambda mine, asked: mine.casefold().endswith(asked.casefold()),
}
_PATTERN_TESTS: dict[str, Callable[[str, str], bool]] = {
    "icontains": lambda mine, asked: _is_like(mine, f"%{asked}%"),
    "istarts": lambda mine, asked: _is_like(mine, f"{asked}%"),
    "iends": lambda mine, asked: _is_like(mine, f"%{asked}"),
}
_ORDER_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda mine, asked: mine > asked,
    "gte": lambda mine, asked: mine >= asked,
    "lt": lambda mine, asked: mine < asked,
    "lte": lambda mine, asked: mine <= asked,
}
_OPERATORS = {"eq", "ieq", "not-eq", "not-ieq", "between", *_NO_VALUE, *_TEXT_TESTS, *_ORDER_TESTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the vendor's pages leave open about filters: options of the sandbox.

    Args:
        multi_value: How several values reach one filter: `none`, `repeat`, `comma` or `brackets`.
        reject_large_first: Refuse a page above the maximum instead of cutting it.
        by_pattern: Compare texts without regard to case as a pattern of SQL, in which only ASCII letters have a case.
        whole_seconds: Leave fractions of seconds out when instants are compared.
    """

    multi_value: str = "none"
    reject_large_first: bool = False
    by_pattern: bool = False
    whole_seconds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One `filter[field]` with its `filter-op[field]`."""

    field: Field
    operator: str
    values: tuple[Any, ...]
    rules: Rules

    def holds(self, mine: Any) -> bool:  # noqa: PLR0911  # a table of operators
        match self.operator:
            case "null":
                return mine is None
            case "not-null":
                return mine is not None
            case "empty":
                return mine in (None, "")
            case "not-empty":
                return mine not in (None, "")
            case "eq":
                return mine in self.values
            case "not-eq":
                return mine not in self.values
            case "ieq":
                return _folded(mine) in map(_folded, self.values)
            case "not-ieq":
                return _folded(mine) not in map(_folded, self.values)
            case "between":
                return mine is not None and self.values[0] <= mine <= self.values[1]
            case _:
                return mine is not None and self._compares(self._rounded(mine))

    def _compares(self, mine: Any) -> bool:
        test = (self.rules.by_pattern and _PATTERN_TESTS.get(self.operator)) or _TEXT_TESTS.get(self.operator)
        return any((test or _ORDER_TESTS[self.operator])(mine, self._rounded(asked)) for asked in self.values)

    def _rounded(self, value: Any) -> Any:
        return value.replace(microsecond=0) if self.rules.whole_seconds and isinstance(value, datetime) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A list request."""

    conditions: tuple[Condition, ...]
    order: tuple[tuple[Field, bool], ...]
    include_deleted: bool
    expand: Tree
    only: Tree | None
    first: int | None
    last: int | None
    before: str | None
    after: str | None
    limit: int | None
    offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of rows. `cursors` are those of its first and last row; none when it is empty."""

    rows: list[Row]
    total: int
    cursors: tuple[str, str] | None
    has_previous: bool
    has_next: bool


def parse_query(entity: Entity, pairs: Iterable[tuple[str, str]], rules: Rules) -> Query:
    """Read the query string of a list, whose names and values are decoded.

    Raises:
        RefusedError: A parameter, field, operator or value is not one the vendor knows.
    """
    filters: dict[str, list[str]] = {}
    operators: dict[str, str] = {}
    plain: dict[str, str] = {}
    for name, value in pairs:
        bracketed = _BRACKETED.fullmatch(name)
        if bracketed is None:
            if name not in _PLAIN:
                raise invalid(f"Unknown parameter '{name}'.")
            plain[name] = value
        elif bracketed[1] == "filter-op":
            operators[bracketed[2]] = value
        elif bracketed[3] and rules.multi_value != "brackets":
            raise invalid(f"Invalid parameter '{name}'.")
        elif bracketed[3] or rules.multi_value == "repeat" or bracketed[2] not in filters:
            filters.setdefault(bracketed[2], []).append(value)
    conditions = tuple(
        _condition(entity, key, operators.get(key, "eq"), filters.get(key, []), rules) for key in sorted({*filters, *operators})
    )
    order = tuple(_order_field(entity, key.strip()) for key in plain.get("order-by", "").split(",") if key.strip())
    first = _number(plain, "first")
    if first is not None and first > MAX_FIRST:
        if rules.reject_large_first:
            raise invalid(f"Parameter 'first' must not exceed {MAX_FIRST}.")
        first = MAX_FIRST
    return Query(
        conditions=conditions,
        order=order,
        include_deleted=parse_flag(plain.get("include-deleted", plain.get("include_deleted", "false"))),
        expand=parse_tree(plain.get("expand", "")),
        only=parse_tree(plain["load-only"]) if "load-only" in plain else None,
        first=first,
        last=_number(plain, "last"),
        before=plain.get("before"),
        after=plain.get("after"),
        limit=_number(plain, "limit"),
        offset=_number(plain, "offset"),
    )


def parse_tree(names: str) -> Tree:
    """Read a comma list of dotted names."""
    tree: Tree = {}
    for name in names.split(","):
        node = tree
        for part in name.strip().split("."):
            if part:
                node = node.setdefault(part, {})
    return tree


def parse_flag(text: str) -> bool:
    """Read a boolean parameter.

    Raises:
        RefusedError: It is neither true nor false.
    """
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise invalid(f"'{text}' is not a boolean.")
    return known[text.lower()]


class Lists:
    """Answers lists, and remembers the ordered ids of recent ones so that the next page costs only its own rows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._results: OrderedDict[tuple[object, ...], list[str]] = OrderedDict()

    def page(self, path: str, query: Query) -> Page:
        """Cut the asked page out of the matching rows.

        Raises:
            RefusedError: A cursor is not one of this order.
        """
        table = self._store.tables[path]
        ids = self._matching(table, query)
        if query.limit is not None or query.offset is not None:
            start = query.offset or 0
            stop = start + min(query.limit if query.limit is not None else DEFAULT_FIRST, MAX_FIRST)
        else:
            start, stop = self._window(table, ids, query)
        rows = [table.rows[row_id] for row_id in ids[start:stop]]
        cursors = (_cursor(table, rows[0], query.order), _cursor(table, rows[-1], query.order)) if rows else None
        return Page(
            rows=rows, total=len(ids), cursors=cursors, has_previous=bool(rows) and start > 0, has_next=bool(rows) and stop < len(ids)
        )

    def _window(self, table: Table, ids: Sequence[str], query: Query) -> tuple[int, int]:
        start = 0 if not query.after else _position(table, ids, query.order, query.after, after=True)
        stop = len(ids) if not query.before else _position(table, ids, query.order, query.before, after=False)
        stop = max(start, stop)
        first = DEFAULT_FIRST if query.first is None and query.last is None else query.first
        if first is not None:
            stop = min(stop, start + first)
        if query.last is not None:
            start = max(start, stop - min(query.last, MAX_FIRST))
        return start, stop

    def _matching(self, table: Table, query: Query) -> list[str]:
        key = (table.entity.path, query.conditions, query.order, query.include_deleted)
        found = self._results.get((table.version, *key))
        if found is None:
            found = _sorted(table, _filtered(table, query), query.order)
            self._results[(table.version, *key)] = found
            if len(self._results) > _CACHED_RESULTS:
                self._results.popitem(last=False)
        return found


def _filtered(table: Table, query: Query) -> list[str]:
    tests = list(query.conditions)
    hidden = not query.include_deleted
    exact = [one for one in tests if one.operator == "eq"]
    if exact:
        narrow = min(exact, key=lambda one: sum(len(table.by(one.field.name, value)) for value in one.values))
        tests.remove(narrow)
        ids: Iterable[str] = sorted({row_id for value in narrow.values for row_id in table.by(narrow.field.name, value)})
    else:
        ids = table.by("is_deleted", value=False) if hidden else table.ids
    rows = table.rows
    if exact and hidden:
        ids = [row_id for row_id in ids if not rows[row_id].get("is_deleted")]
    for one in tests:
        name, default = one.field.name, one.field.default
        ids = [row_id for row_id in ids if one.holds(rows[row_id].get(name, default))]
    return list(ids)


def _sorted(table: Table, ids: list[str], order: Sequence[tuple[Field, bool]]) -> list[str]:
    # Every order has the id as its last key: the vendor's cursors hold it.
    for one, descending in reversed(order):
        name, default = one.name, one.default
        keys = {row_id: _null_last(table.rows[row_id].get(name, default)) for row_id in ids}
        ids = sorted(ids, key=keys.__getitem__, reverse=descending)  # stable also in reverse, so ties stay in ascending order
    return ids


def _null_last(value: Any) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)


def _cursor(table: Table, row: Row, order: Sequence[tuple[Field, bool]]) -> str:
    parts = [None if (value := table.value(row, one.name)) is None else _as_text(value) for one, _ in order]
    return base64.b64encode(json.dumps([*parts, row["id"]]).encode()).decode()


def _position(table: Table, ids: Sequence[str], order: Sequence[tuple[Field, bool]], cursor: str, *, after: bool) -> int:
    """Index of the first row behind the cursor (`after`), or of the first one that is not before it."""
    try:
        parts: Any = json.loads(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError) as error:
        raise invalid(f"Invalid cursor '{cursor}'.") from error
    texts: list[Any] = parts if isinstance(parts, list) else []  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
    if len(texts) != len(order) + 1 or not isinstance(texts[-1], str):
        raise invalid(f"Invalid cursor '{cursor}'.")
    marks = [_null_last(None if text is None else _value(one, str(text))) for (one, _), text in zip(order, texts, strict=False)]
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        distance = _compare(table, ids[middle], order, marks, texts[-1])
        if distance < 0 or (after and distance == 0):
            low = middle + 1
        else:
            high = middle
    return low


def _compare(table: Table, row_id: str, order: Sequence[tuple[Field, bool]], marks: Sequence[Any], mark_id: str) -> int:
    row = table.rows[row_id]
    for (one, descending), mark in zip(order, marks, strict=True):
        mine = _null_last(table.value(row, one.name))
        if mine != mark:
            return 1 if (mine > mark) is not descending else -1
    return (row_id > mark_id) - (row_id < mark_id)


def _condition(entity: Entity, key: str, operator: str, given: Sequence[str], rules: Rules) -> Condition:
    one = entity.by_key.get(key)
    if one is None or one.name != key or one.kind not in SORTABLE:
        raise invalid(f"Unknown filter field '{key}' of entity {entity.name}.")
    if operator not in _OPERATORS:
        raise invalid(f"Unknown filter operator '{operator}'.")
    if operator in _NO_VALUE:
        return Condition(field=one, operator=operator, values=(), rules=rules)
    if not given:
        raise invalid(f"Filter operator '{operator}' of field '{key}' needs a value.")
    if operator == "between":
        # The encoding of a range is not documented; two values with a comma between them.
        bounds = tuple(_value(one, part) for part in given[0].split(","))
        if len(bounds) != 2:  # noqa: PLR2004
            raise invalid(f"Filter operator 'between' of field '{key}' needs two values.")
        return Condition(field=one, operator=operator, values=bounds, rules=rules)
    if operator in _TEXT_TESTS and one.kind != "text":
        raise invalid(f"Filter operator '{operator}' does not fit field '{key}'.")
    asked = given[0].split(",") if rules.multi_value == "comma" and one.kind != "text" else given
    values = tuple(_value(one, text) for text in asked)
    return Condition(field=one, operator=operator, values=values, rules=rules)


def _order_field(entity: Entity, key: str) -> tuple[Field, bool]:
    descending = key.startswith("-")
    one = entity.by_key.get(key.removeprefix("-"))
    if one is None or one.name != key.removeprefix("-") or one.kind not in SORTABLE:
        raise invalid(f"Unknown order field '{key}' of entity {entity.name}.")
    return one, descending


def _value(one: Field, text: str) -> Any:
    try:
        match one.kind:
            case "int":
                return int(text)
            case "decimal":
                return Decimal(text)
            case "bool":
                return parse_flag(text)
            case "date":
                return parse_date(text)
            case "datetime":
                return parse_datetime(text)
            case _:
                return text
    except (ValueError, InvalidOperation) as error:
        raise invalid(f"'{text}' is not a value of field '{one.name}'.") from error


def _as_text(value: Any) -> str:
    return value.isoformat(sep=" ") if hasattr(value, "hour") else str(value)


def _is_like(text: str, pattern: str) -> bool:
    return _regex(pattern).fullmatch(text) is not None


@functools.lru_cache(maxsize=64)
def _regex(pattern: str) -> re.Pattern[str]:
    parts: list[str] = re.findall(r"\\.|.", pattern, re.DOTALL)
    regex = "".join({"%": ".*", "_": "."}.get(part) or re.escape(part.removeprefix("\\") or part) for part in parts)
    return re.compile(regex, re.ASCII | re.IGNORECASE | re.DOTALL)


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _number(plain: Mapping[str, str], name: str) -> int | None:
    if name not in plain:
        return None
    if not plain[name].isdecimal():
        raise invalid(f"Parameter '{name}' must be a number.")
    return int(plain[name])
