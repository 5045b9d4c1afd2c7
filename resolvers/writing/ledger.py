"""What is kept of a write under its idempotency key, so that repeating the request never repeats the write."""

from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class EntryState(StrEnum):
    """How far a write has come.

    STARTED: it is under way, in this process. DONE: it has happened. UNKNOWN: it may or may not have happened: no answer came, or the
    process that made it ended before it could say.
    """

    STARTED = "started"
    DONE = "done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the ledger holds under a key.

    Args:
        digest: What tells its input from others.
        state: How far it has come.
        started_at: When it began, in seconds since 1970; of one that was made again, when it did so for the first time.
        mark: The custom field that it carries the mark of its key in; None when it carries none.
        result: For DONE: what came of it, as JSON.
    """

    digest: str
    state: EntryState
    started_at: float
    mark: str | None = None
    result: dict[str, Any] | None = None


class LedgerError(Exception):
    """The ledger cannot be written, as when the disk is full: nothing of what it was told is kept."""


class WriteLedger(Protocol):
    """Keeps entries durably: what a method has returned from outlives the process. Every method but `turn` may raise LedgerError."""

    def turn(self, of: Hashable) -> AbstractAsyncContextManager[Any]:
        """Wait for those in this process who are at the same: a key, which is a text, or a record, which is none."""
        ...

    async def begin(self, key: str, digest: str, mark: str | None = None) -> Entry | None:
        """Note that a write begins, and give None; or give the entry that is there already.

        It is STARTED only while this process is at it, or when this process could not note how it ended.
        """
        ...

    async def begin_again(self, key: str, digest: str, mark: str | None = None) -> bool:
        """Note that an UNKNOWN write is made again because the client says so; False when it is not UNKNOWN any more.

        It has begun when it did so for the first time, and keeps the mark that it carried before where it carries none now.
        """
        ...

    async def done(self, key: str, result: dict[str, Any]) -> None:
        """Note what came of a write."""
        ...

    async def unknown(self, key: str) -> None:
        """Note that nobody knows whether a write that was begun has happened; what is DONE stays so."""
        ...

    async def withdrawn(self, key: str) -> None:
        """Note that a write has not happened: its key is free again."""
        ...
