"""The query language: a JSON filter becomes a function over rows.

Source: Autotask REST "Basic query calls" and "Advanced query features" (vendor help).
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from vendors.autotask.sandbox.fields import Entity, Field
from vendors.autotask.sandbox.values import UDFS, RefusedError, Row, instant, parse, parse_udf
from vendors.sandbox import OptionValue

Predicate = Callable[[Row], bool]

MAX_RECORDS = 500
MAX_OR_CONDITIONS = 500
_QUERY_KEYS = {"filter", "maxrecords", "includefields"}
_CONDITION_KEYS = {"op", "field", "value", "udf", "items"}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "noteq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_RANGES = {"gt", "gte", "lt", "lte"}
# The zones of the earth that are farthest from UTC.
_HOURS_BEHIND_UTC = {"utc": 0, "west": 12, "east": -14}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "beginsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": operator.contains,
}


@dataclass(slots=True, kw_only=True)
class Query:
    """A query that was understood.

    Args:
        matches: Whether a row is among the answers.
        max_records: Rows of a page.
        include: Names of `IncludeFields` in the entity's own spelling; None for all fields.
        ids: The only ids that can match, when the filter says so at its top.
        after_id: A bound below all ids that can match, when the filter says so at its top.
    """

    matches: Predicate
    max_records: int
    include: tuple[str, ...] | None
    ids: frozenset[int] | None = None
    after_id: int | None = None


class Reader:
    """Reads the queries of one entity.

    Args:
        entity: What is queried.
        udfs: Its user-defined fields by name.
        options: The sandbox's switches.
    """

    def __init__(self, entity: Entity, udfs: Mapping[str, Field], options: Mapping[str, OptionValue]) -> None:
        self._entity = entity
        self._udfs = udfs
        self._options = options
        self._any_case = {name.lower(): field for name, field in entity.fields.items()}
        self._or_conditions = 0
        self._udf_conditions = 0

    def read(self, body: object) -> Query:
        """Understand a query.

        Raises:
            RefusedError: The vendor would not.
        """
        given = _lower_keys(body, _QUERY_KEYS)
        conditions = given.get("filter")
        if not isinstance(conditions, list):
            raise RefusedError("The filter is missing or invalid. A query needs at least one filter condition.")
        filters = cast("list[object]", conditions)
        if not filters and self._options["empty_filter"] == "refused":
            raise RefusedError("The filter is missing or invalid. A query needs at least one filter condition.")
        query = Query(
            matches=_all_of([self._condition(condition, alternatives=False) for condition in filters]),
            max_records=_max_records(given.get("maxrecords")),
            include=self._include(given.get("includefields")),
        )
        if self._or_conditions > MAX_OR_CONDITIONS:
            raise RefusedError(f"Queries are limited to {MAX_OR_CONDITIONS} or fewer 'OR' conditions.")
        if self._udf_conditions > 1:
            raise RefusedError("Queries are limited to 1 user-defined field condition.")
        for condition in filters:
            self._narrow(query, _lower_keys(condition, _CONDITION_KEYS))
        return query

    def _condition(self, raw: object, *, alternatives: bool) -> Predicate:
        condition = _lower_keys(raw, _CONDITION_KEYS)
        op = str(condition.get("op"))
        if op in {"and", "or"}:
            items = condition.get("items")
            if not isinstance(items, list) or not items:
                raise RefusedError(f"The group {op!r} needs items.")
            parts = [self._condition(item, alternatives=op == "or") for item in cast("list[object]", items)]
            return _all_of(parts) if op == "and" else _any_of(parts)
        self._or_conditions += alternatives and op not in {"in", "notIn"}
        if condition.get("udf") is True:
            self._udf_conditions += 1
            field = self._udf(condition.get("field"))
            return self._test(op, field, condition, _udf_reader(field))
        field = self._field(condition.get("field"))
        return self._test(op, field, condition, _reader(field))

    def _test(self, op: str, field: Field, condition: dict[str, object], read: Callable[[Row], Any]) -> Predicate:
        if op in {"exist", "notExist"}:
            return (lambda row: read(row) is not None) if op == "exist" else (lambda row: read(row) is None)
        value = condition.get("value")
        if op in {"in", "notIn"}:
            members = self._members(field, value)
            # Not documented; as in the vendor's database, an unset value is neither equal nor unequal to anything.
            return (lambda row: read(row) in members) if op == "in" else (lambda row: (got := read(row)) is not None and got not in members)
        if op in _TEXT_TESTS:
            if field.type != "string" or not isinstance(value, str):
                raise RefusedError(f"The operator {op} needs text and a field of text; {field.name} is {field.type}.")
            test, text = _TEXT_TESTS[op], value.casefold()
            return lambda row: (got := read(row)) is not None and test(got, text)
        if op not in _COMPARISONS:
            raise RefusedError(f"The operator {op!r} does not exist.")
        compare, bound = _COMPARISONS[op], self._bound(op, field, value)
        return lambda row: (got := read(row)) is not None and compare(got, bound)

    def _bound(self, op: str, field: Field, value: object) -> Any:
        hours = _HOURS_BEHIND_UTC[str(self._options["filter_zone"])]
        if not hours or op not in _RANGES or field.type not in {"date", "datetime"}:
            return _comparable(field, value)
        # Not documented: that a filter is read in UTC, as records are shown; an option of the sandbox.
        kept: str = _comparable(replace(field, type="datetime"), value)
        return instant(datetime.fromisoformat(kept) + timedelta(hours=hours))

    def _members(self, field: Field, value: object) -> frozenset[Any]:
        if not isinstance(value, list) or not value:
            raise RefusedError(f"The operators in and notIn need a list of values for {field.name}.")
        members = cast("list[object]", value)
        self._or_conditions += len(members)
        return frozenset(_comparable(field, member) for member in members)

    def _field(self, name: object) -> Field:
        field = self._entity.fields.get(str(name))
        if field is None and self._options["field_case"] == "any":
            field = self._any_case.get(str(name).lower())
        if field is None:
            raise RefusedError(f"Unable to find {name} in the {self._entity.singular} Entity.")
        return field

    def _udf(self, name: object) -> Field:
        if str(name) not in self._udfs:
            raise RefusedError(f"Unable to find user-defined field {name} in the {self._entity.singular} Entity.")
        return self._udfs[str(name)]

    def _include(self, names: object) -> tuple[str, ...] | None:
        if names is None:
            return None
        if not isinstance(names, list) or not names:
            raise RefusedError("IncludeFields is a list of names.")
        listed = cast("list[object]", names)
        return tuple(str(name) if str(name) in self._udfs else self._field(name).name for name in listed)

    def _narrow(self, query: Query, condition: dict[str, object]) -> None:
        """Use what a condition at the top says about the id, so that keyset pages and reads by id do not walk over all rows."""
        if str(condition.get("field")).lower() != "id" or condition.get("udf") is True:
            return
        field, op, value = self._entity.fields["id"], condition.get("op"), condition.get("value")
        if op in {"in", "eq"}:
            members = cast("list[object]", value if op == "in" else [value])
            listed = frozenset[int](parse(field, member) for member in members)
            query.ids = listed if query.ids is None else query.ids & listed
        elif op in {"gt", "gte"}:
            bound: int = parse(field, value) - (op == "gte")
            query.after_id = bound if query.after_id is None else max(query.after_id, bound)


def _lower_keys(raw: object, known: set[str]) -> dict[str, object]:
    """The keys in lower case: the server takes them in any case in practice."""
    if not isinstance(raw, dict):
        raise RefusedError("The query is not a JSON object.")
    lowered = {key.lower(): value for key, value in cast("dict[str, object]", raw).items()}
    unknown = sorted(lowered.keys() - known)
    if unknown:
        # Not documented; refused, so that a reader never relies on a key that does nothing (there is no sort).
        raise RefusedError(f"Could not find member '{unknown[0]}' on object of type 'QueryModel'.")
    return lowered


def _max_records(value: object) -> int:
    if value is None:
        return MAX_RECORDS
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_RECORDS:
        raise RefusedError(f"MaxRecords must be between 1 and {MAX_RECORDS}.")
    return value


def _comparable(field: Field, value: object) -> Any:
    if field.type == "string" and isinstance(value, str):
        return value.casefold()
    parsed = parse(field, value)
    if parsed is None:
        raise RefusedError(f"A value is needed for {field.name}; use exist and notExist for unset values.")
    return parsed


def _reader(field: Field) -> Callable[[Row], Any]:
    name = field.name
    if field.type != "string":
        return lambda row: row.get(name)
    # Not documented; text is compared without regard to case, as databases of this kind do.
    return lambda row: got.casefold() if (got := row.get(name)) is not None else None


def _udf_reader(field: Field) -> Callable[[Row], Any]:
    name = field.name

    def read(row: Row) -> Any:
        kept: str | None = row.get(UDFS, {}).get(name)
        if kept is None:
            return None
        return parse_udf(field, kept) if field.type != "string" else kept.casefold()

    return read


def _all_of(parts: list[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    return lambda row: all(part(row) for part in parts)


def _any_of(parts: list[Predicate]) -> Predicate:
    return lambda row: any(part(row) for part in parts)
