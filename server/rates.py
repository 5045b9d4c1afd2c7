"""Exchange rates from a file that is replaced from time to time, as a daily download does."""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Final

from resolvers.rates import RateTable
from server.rates_reading import MAX_BYTES, rate_table
from vendors.calls import Clock
from vendors.errors import ConfigError

CHECK_SECONDS: Final = 60.0

log = logging.getLogger(__name__)


def _in_thread(work: Callable[[], None]) -> None:
    Thread(target=work, name="exchange rates", daemon=True).start()


class RatesFile:
    """Gives the rates of a file. While a new one is read, in a thread of its own, and when it cannot be used, the former rates hold.

    Args:
        path: The file, of a form that `server.rates_reading` knows.
        clock: Monotonic seconds.
        start: Runs the reading of a new file without waiting for it.

    Raises:
        ConfigError: The file cannot be used; the message says what to mend.
    """

    def __init__(self, path: Path, *, clock: Clock = monotonic, start: Callable[[Callable[[], None]], object] = _in_thread) -> None:
        self._path = path
        self._clock = clock
        self._start = start
        self._looked_at = clock()
        self._version = _version(path)
        self._table = _read(path)
        self._is_reading = False

    def __call__(self) -> RateTable:
        """The rates; whether the file is another one is looked at once a minute at most."""
        now = self._clock()
        if now - self._looked_at >= CHECK_SECONDS and not self._is_reading:
            self._looked_at = now
            version = _version(self._path)
            if version != self._version:
                self._version = version
                self._is_reading = True
                self._start(self._read_again)
        return self._table

    def _read_again(self) -> None:
        try:
            self._table = _read(self._path)
        except ConfigError as error:
            log.warning("the exchange rates of %s are kept, because %s now %s", self._table.latest, self._path, error)
        else:
            log.info("the exchange rates are now those of %s", self._table.latest)
        finally:
            self._is_reading = False


def _version(path: Path) -> tuple[int, int, int] | None:
    """What differs when the file is another one; None when it is not there."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # the latter of a path with a zero character
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> RateTable:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})") from None
    except ValueError:
        raise ConfigError("cannot be read (such a path cannot be)") from None
    return rate_table(content)
