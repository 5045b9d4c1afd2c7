"""A vendor's wall clock, as its answers tell it: who closes a deal without naming a day means now, by that clock."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

from vendors.calls import Clock


class VendorClock:
    """Remembers the time of the last answer, and how long ago that was.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._text: str | None = None
        self._told: tuple[datetime, float] | None = None

    def note(self, headers: Mapping[str, str]) -> None:
        """Read an answer's `Date` (RFC 9110, 6.6.1); one that is none is passed over, and so is one that was read before."""
        text = headers.get("Date", "")
        if text == self._text:
            return
        try:
            told = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return
        self._text = text
        self._told = (told if told.tzinfo is not None else told.replace(tzinfo=UTC), self._clock())

    def today(self) -> date | None:
        """The vendor's day in UTC; None as long as no answer told it."""
        now = self.now()
        return None if now is None else now.astimezone(UTC).date()

    def now(self) -> datetime | None:
        """The vendor's time, to the second; None as long as no answer told it."""
        if self._told is None:
            return None
        told, at = self._told
        return told + timedelta(seconds=int(self._clock() - at))
