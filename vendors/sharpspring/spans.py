"""Reading what was changed since a moment from a vendor that tells it by spans of time, and at most so many rows of each."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Generic

from vendors.sharpspring.offsets import T

# How far the end lies ahead of the vendor's now, and how far it has to, as time goes on: its database and its answers may go by different
# clocks.
_AHEAD_SECONDS: Final = 600
_ENOUGH_SECONDS: Final = 300
_LONG_SECONDS: Final = 366 * 86_400
# Not documented whether the ends belong to a span; each is put a second outside, so that neither case misses a row.
_OUTSIDE_SECONDS: Final = 1
_SHORTEST_SECONDS: Final = 1
# More than any change of clocks puts them forward or back.
_CHANGE_OF_CLOCKS: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time, and how far it was read.

    Args:
        start: Its first second, since 1970.
        seconds: How long it is; None for as long as there is time.
        last_id: The rows up to this id have been given.
    """

    start: int
    seconds: int | None = None
    last_id: str = ""

    def __str__(self) -> str:
        return f"{self.start}~{'' if self.seconds is None else self.seconds}~{self.last_id}"


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """All the vendor told of a span.

    Args:
        span: The span, maybe shorter than the one asked for.
        rows: Its rows, None for one that cannot be read.
        following: The span behind it; None when there is none.
    """

    span: Span
    rows: Sequence[T | None]
    following: Span | None

    @property
    def dropped(self) -> int:
        """The number of rows that cannot be read, where none of the span have been given yet."""
        return 0 if self.span.last_id else sum(row is None for row in self.rows)

    def first(self, count: int) -> tuple[list[tuple[T, Span]], Span | None]:
        """The rows that come next, by ascending id, each with the place behind it; and the place behind them, None at the end of time."""
        last = int(self.span.last_id or -1)
        left = {row.id: row for row in self.rows if row is not None and int(row.id) > last}
        ids = sorted(left, key=int)
        placed = [(left[row_id], replace(self.span, last_id=row_id)) for row_id in ids[:count]]
        if len(placed) < len(ids):
            return placed, placed[-1][1]
        if placed and self.following is not None:
            placed[-1] = placed[-1][0], self.following
        return placed, self.following


class Spans(Generic[T]):
    """Reads spans, the oldest first: a row that is changed meanwhile only ever goes to a later one, and so is never passed by.

    Args:
        read: Reads the rows between two times, written as the vendor does; None when there may be more than it tells.
        zone: The time zone that it writes them in.
    """

    def __init__(self, read: Callable[[str, str], Awaitable[Sequence[T | None] | None]], zone: tzinfo) -> None:
        self._read = read
        self._zone = zone

    async def read(self, span: Span, now: datetime | None) -> Told[T] | None:
        """Read a span, or as much of its beginning as the vendor tells in one answer; None when even the shortest is too much.

        Args:
            span: The span.
            now: The vendor's time, if it is known.
        """
        latest = span.start + _LONG_SECONDS if now is None else int(now.timestamp())
        horizon = max(latest + _AHEAD_SECONDS, span.start + _SHORTEST_SECONDS)
        while True:
            end = horizon if span.seconds is None else min(span.start + span.seconds, horizon)
            rows = await self._read(
                time_text(span.start - _OUTSIDE_SECONDS, self._zone, toward=-1), time_text(end + _OUTSIDE_SECONDS, self._zone, toward=1)
            )
            seconds = end - span.start
            if rows is not None:
                # After one that was short enough, twice as long is tried, so that few calls pass over a quiet stretch.
                is_last = end >= min(latest + _ENOUGH_SECONDS, horizon)
                return Told(span, rows, None if is_last else Span(start=end, seconds=2 * seconds))
            if seconds <= _SHORTEST_SECONDS:
                return None
            span = replace(span, seconds=max(_SHORTEST_SECONDS, seconds // 2))


def span_since(moment: datetime) -> Span:
    return Span(start=max(0, int(moment.timestamp())))


def span_from(position: str) -> Span:
    """Read the text of a span."""
    start, seconds, last_id = position.split("~")
    return Span(start=int(start), seconds=int(seconds) if seconds else None, last_id=last_id)


def time_text(second: int, zone: tzinfo, *, toward: int) -> str:
    """Write a second since 1970 in a time zone, to the past (-1) or the future (1) of it where clocks change and its text is ambiguous."""
    moment = datetime.fromtimestamp(second, UTC)
    before, after = ((moment + by).astimezone(zone).utcoffset() for by in (-_CHANGE_OF_CLOCKS, _CHANGE_OF_CLOCKS))
    clear = moment if before == after else moment + toward * _CHANGE_OF_CLOCKS
    # Source: the DateRange methods take `YYYY-MM-DD HH:MM:SS`, without a zone.
    return clear.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
