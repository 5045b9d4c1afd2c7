"""The vendor's day, as the `Date` of its answers tells it: nobody else's clock is asked."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

from vendors.calls import Clock


class Today:
    """Remembers when the last answer was written.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted: tuple[datetime, float] | None = None

    def note(self, headers: Mapping[str, str]) -> None:
        """Look at an answer's headers. Source: RFC 9110, 6.6.1."""
        try:
            self._noted = parsedate_to_datetime(headers["Date"]).astimezone(UTC), self._clock()
        except (KeyError, ValueError, OverflowError):
            return

    def get(self) -> date | None:
        """The day it is now in UTC, the vendor's time zone; None when no answer has told it yet."""
        if self._noted is None:
            return None
        moment, noted_at = self._noted
        return (moment + timedelta(seconds=self._clock() - noted_at)).date()
