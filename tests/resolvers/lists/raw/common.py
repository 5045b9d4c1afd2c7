"""Values that the records of every vendor are made of: few of each, so that ties are frequent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
Row = dict[str, Any]

MOST_ROWS: Final = 30

_TITLES: Final = (
    "crane",
    "Crane",
    "CRÂNE",
    "crâne 2",
    "Straße",
    "STRASSE",
    "İzmir",
    "ﬁnal offer",
    "\N{MATHEMATICAL FRAKTUR CAPITAL U}nicode",
    "日本語",
    "🚢 quay",
    "zebra & <son> 'n' \"co\"",
    "1",
    "10",
    "~",
    f"{'long ' * 25}",
)
_LETTERS: Final = "aáAbBåÅßéΣς 1"
titles: Final = st.one_of(st.sampled_from(_TITLES), st.text(_LETTERS, min_size=1, max_size=4).filter(str.strip)).map(str.strip)

DAYS: Final = tuple(map(date.fromisoformat, ("1970-01-01", "2025-02-28", "2026-02-28", "2026-03-01", "2200-12-31", "8999-12-31")))
_FIRST: Final = datetime(2025, 8, 1, tzinfo=UTC)
MOMENTS: Final = (
    _FIRST,
    _FIRST + timedelta(milliseconds=1),
    _FIRST + timedelta(seconds=1),
    _FIRST + timedelta(days=1),
    _FIRST + timedelta(days=400, milliseconds=999),
    datetime(1999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
)
AMOUNTS: Final = (0.0, 0.01, 10.0, 10.5, 1000.0, 1250.0, 123456789012.34)


def one_of(*values: T) -> st.SearchStrategy[T]:
    return st.sampled_from(values)


def maybe(*values: T) -> st.SearchStrategy[T | None]:
    """One of the values, or none."""
    return st.sampled_from((None, *values))


def numbered(rows: st.SearchStrategy[Row], *, most: int = MOST_ROWS) -> st.SearchStrategy[list[Row]]:
    """Rows with ascending numbers as ids, which have gaps and unequal lengths."""

    def put_ids(drawn: tuple[int, list[tuple[int, Row]]]) -> list[Row]:
        last, found = drawn[0], list[Row]()
        for gap, row in drawn[1]:
            last += gap
            found.append({**row, "id": last})
        return found

    gaps = one_of(1, 2, 95)
    return st.tuples(one_of(5, 95, 99_990), st.lists(st.tuples(gaps, rows), max_size=most)).map(put_ids)


def milliseconds(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Place:
    """A stage as a vendor's own table has it."""

    pipeline: str | None
    pipeline_name: str | None
    name: str | None
    rank: int
    kind: str | None = None


def named(places: Mapping[str, Place], stage: str | None) -> Row:
    """What a deal has from its stage."""
    place = None if stage is None else places.get(stage)
    if place is None:
        return {"stage": stage}
    return {"stage": stage, "stage_name": place.name, "stage_kind": place.kind, "stage_rank": place.rank}


def ranked(keys: Sequence[str]) -> dict[str, int]:
    return {key: rank for rank, key in enumerate(keys)}
