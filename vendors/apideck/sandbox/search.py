"""Filtering and sorting of records, as a connector's search does it. Pure: records in, ids out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from vendors.apideck.sandbox.fields import FilterRule, Record, Resource

TextFilter = Literal["contains", "equals"]


@dataclass(frozen=True, slots=True)
class Search:
    """What a list request asks for beyond paging. Hashable, so that one search over unchanged records runs once."""

    filters: tuple[tuple[str, str], ...] = ()
    sort_by: str | None = None
    descending: bool = False

    @property
    def is_plain(self) -> bool:
        return not self.filters and self.sort_by is None


def found(
    resource: Resource, records: Iterable[Record], search: Search, *, text_filter: TextFilter, nulls_first: bool = False
) -> list[str]:
    """The ids of the records that match, in the order asked for; equal ones stay in id order, those without the sort key are at an end."""
    tests: list[tuple[str, FilterRule, str]] = [(key, resource.filters[key], wanted) for key, wanted in search.filters]
    rows = [record for record in records if all(_matches(record, key, rule, wanted, text_filter) for key, rule, wanted in tests)]
    if search.sort_by is not None:
        rows = _sorted(rows, search.sort_by, descending=search.descending, nulls_first=nulls_first)
    return [row["id"] for row in rows]


def _matches(record: Record, key: str, rule: FilterRule, wanted: str, text_filter: TextFilter) -> bool:
    match rule:
        case "exact":
            return record.get(key) == wanted
        case "text":
            # Not documented: whether a text matches whole or in part is the connector's affair; an option of the sandbox.
            text = str(record.get(key) or "").casefold()
            return text == wanted.casefold() if text_filter == "equals" else wanted.casefold() in text
        case "number":
            value = record.get(key)
            return value is not None and float(value) == float(wanted)
        case "since":
            stamp = record.get(key.replace("_since", "_at"))
            return stamp is not None and datetime.fromisoformat(stamp) >= datetime.fromisoformat(wanted)
        case "email":
            return any(str(email.get("email") or "").casefold() == wanted.casefold() for email in record.get("emails", []))
        case "phone":
            return any(_digits(phone["number"]) == _digits(wanted) for phone in record.get("phone_numbers", []))


def _sorted(rows: list[Record], sort_by: str, *, descending: bool, nulls_first: bool) -> list[Record]:
    keyed = [(_sort_value(row, sort_by), row) for row in rows]
    with_value = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=descending)
    without = [row for value, row in keyed if value is None]
    rest = [row for _, row in with_value]
    return without + rest if nulls_first else rest + without


def _sort_value(row: Record, sort_by: str) -> Any:
    value = next((email.get("email") for email in row.get("emails", [])), None) if sort_by == "email" else row.get(sort_by)
    if value is not None and sort_by.endswith("_at"):
        return datetime.fromisoformat(value)
    return value.casefold() if isinstance(value, str) else value


def _digits(number: str) -> str:
    return "".join(character for character in number if character.isdigit())
