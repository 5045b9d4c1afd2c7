"""In which order a list comes: by the keys asked for, rows without a value last, and then by Crm and id, so that no two rows are equal."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from resolvers.listing.entries import Entry
from vendors.query import Field, Sort

_COMPARED_CHARACTERS: Final = 200


class OrderField(StrEnum):
    """What opportunities can be ordered by."""

    TITLE = "title"
    AMOUNT = "amount"
    PROBABILITY = "probability"
    EXPECTED_CLOSE_DATE = "expected_close_date"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    STAGE_ORDER = "stage_order"


@dataclass(frozen=True, slots=True)
class OrderBy:
    """One key of an order."""

    field: OrderField
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What the keys of a Crm's rows need besides the rows.

    Args:
        amount: Gives a row's amount in the currency that amounts are compared in; None when there is no rate.
        stage_ranks: Rank of each stage within its pipeline.
    """

    amount: Callable[[Entry], Decimal | None]
    stage_ranks: Mapping[str, int]


COLUMNS: Final[Mapping[OrderField, frozenset[str]]] = {
    OrderField.TITLE: frozenset({"title"}),
    OrderField.AMOUNT: frozenset({"amount", "currency"}),
    OrderField.PROBABILITY: frozenset({"probability"}),
    OrderField.EXPECTED_CLOSE_DATE: frozenset({"expected_close_date"}),
    OrderField.CREATED_AT: frozenset({"created_at"}),
    OrderField.UPDATED_AT: frozenset({"updated_at"}),
    OrderField.STAGE_ORDER: frozenset({"stage"}),
}
_PUSHED: Final = {
    OrderField.TITLE: Field.TITLE,
    OrderField.PROBABILITY: Field.PROBABILITY,
    OrderField.EXPECTED_CLOSE_DATE: Field.EXPECTED_CLOSE_DATE,
    OrderField.CREATED_AT: Field.CREATED_AT,
    OrderField.UPDATED_AT: Field.UPDATED_AT,
}

Values = tuple[Any, ...]
"""The values of a row that an order compares, one for each key."""


class Order:
    """An order with at least one key."""

    def __init__(self, keys: Sequence[OrderBy]) -> None:
        self.keys = tuple(keys)
        self.columns = frozenset[str]().union(*(COLUMNS[key.field] for key in keys))

    @property
    def sort(self) -> Sort | None:
        """The order as a vendor may be asked for it; None where none is asked."""
        first = self.keys[0]
        return Sort(_PUSHED[first.field], first.descending) if len(self.keys) == 1 and first.field in _PUSHED else None

    @property
    def needs_stages(self) -> bool:
        return any(key.field is OrderField.STAGE_ORDER for key in self.keys)

    @property
    def needs_rates(self) -> bool:
        return any(key.field is OrderField.AMOUNT for key in self.keys)

    def values(self, entry: Entry, measures: Measures) -> Values:
        """The values that a row is compared by."""
        return tuple(_value(key.field, entry, measures) for key in self.keys)

    def comparable(self, values: Values) -> tuple[Any, ...]:
        """Something that sorts as this order wants it."""
        return tuple(_part(value, descending=key.descending) for value, key in zip(values, self.keys, strict=True))

    def key(self, values: Values, crm: str, local_id: str) -> tuple[Any, ...]:
        """What sorts a row of these values among all rows."""
        return *self.comparable(values), tie(crm, local_id)

    def packed(self, values: Values) -> list[Any]:
        """The values as JSON."""
        return [value if value is None or isinstance(value, int | float) else str(value) for value in values]

    def unpacked(self, values: Sequence[Any]) -> Values:
        """The values that `packed` made JSON of."""
        return tuple(None if value is None else _read(key.field, value) for value, key in zip(values, self.keys, strict=True))


def tie(crm: str, local_id: str) -> tuple[str, bool, int, str]:
    """What orders rows of equal keys: the Crm, then the id, as a number where it is one."""
    is_number = local_id.isascii() and local_id.isdecimal()
    return crm, not is_number, int(local_id) if is_number else 0, local_id


class _Descending:
    """Turns the order of a value around."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_Descending") -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self.value == other.value)

    __hash__ = None  # type: ignore[assignment]  # compared only


def _part(value: Any, *, descending: bool) -> tuple[Any, ...]:
    if value is None:
        return (True,)
    return (False, _Descending(value) if descending else value)


def _value(field: OrderField, entry: Entry, measures: Measures) -> Any:
    match field:
        case OrderField.TITLE:
            return _folded(entry.title)
        case OrderField.AMOUNT:
            return measures.amount(entry)
        case OrderField.STAGE_ORDER:
            return None if entry.stage is None else measures.stage_ranks.get(entry.stage)
        case _:
            return getattr(entry, field.value)


def _folded(text: str) -> str:
    """Text as it is compared: without case and accents, and not all of a long one."""
    if text.isascii():
        return text.lower()[:_COMPARED_CHARACTERS]
    # Letters that only stand for others, such as those of mathematics, show their case when they are decomposed.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))[:_COMPARED_CHARACTERS]


def _read(field: OrderField, value: Any) -> Any:
    match field:
        case OrderField.AMOUNT:
            return Decimal(value)
        case OrderField.EXPECTED_CLOSE_DATE:
            return date.fromisoformat(value)
        case OrderField.CREATED_AT | OrderField.UPDATED_AT:
            return datetime.fromisoformat(value)
        case _:
            return value
