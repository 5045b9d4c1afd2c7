"""Watches one Crm: follows hints at once, asks for changes now and then, and at times reads all opportunities to see what else is true."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from resolvers.changes import ChangeSource, WatchState
from resolvers.context import Context
from resolvers.listing.entries import entries_of
from server.changes.allowance import Allowance
from server.changes.funnel import Funnel, Reading
from server.changes.snapshot import COLUMNS, SELECTION
from server.changes.store import ChangeStore, Hint
from vendors.calls import Deadline, current_deadline, deadline_scope, giving_way, recording
from vendors.capabilities import ListsOpportunities, Page, PageRequest, ReadsOpportunities, supported
from vendors.changes import PollsOpportunities, Watching
from vendors.errors import ErrorCode, UnsupportedError, VendorError
from vendors.model import EVERYTHING, Opportunity, Ref, Selection
from vendors.registry import Crm

log = logging.getLogger(__name__)

_PAGE_ROWS: Final = 1_000
_READ_AT_ONCE: Final = 100
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_KEPT_EVERY_SECONDS: Final = 10.0
_ROUNDS: Final = 3
_LOG_SECONDS: Final = 1.0
_READING_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a Crm is known.

    Args:
        began: When the last poll or sweep began that came to its end, in monotonic seconds.
        whole_at: Since when all is known, deletions too.
        unread: Number of opportunities that the last sweep could not read.
    """

    began: float
    whole_at: datetime
    unread: int


class Watcher:
    """Watches one Crm.

    Args:
        crm: The Crm.
        watching: How it is watched.
        funnel: Takes what is read.
        store: Keeps hints, and how far watching has come.
        make_context: Makes what a page is read with.
        jitter: Gives random numbers from 0 to 1, so that servers do not all ask at once.
        retention_days: How long events are kept.

    Attributes:
        seen: How far the Crm is known; None until all opportunities have been read since the server runs.
    """

    def __init__(
        self,
        crm: Crm,
        watching: Watching,
        funnel: Funnel,
        store: ChangeStore,
        *,
        make_context: Callable[[], Context],
        jitter: Callable[[], float],
        retention_days: float,
    ) -> None:
        self.crm = crm
        self.funnel = funnel
        self.watching = watching
        self.seen: Seen | None = None
        self._store = store
        self._make_context = make_context
        self._jitter = jitter
        self._retention_days = retention_days
        self._watch = store.watch(crm.key)
        self._hinted = asyncio.Event()
        self._has_begun = asyncio.Event()
        self._allowance = Allowance(watching.calls_per_hour, clock=crm.link.clock, sleep=crm.link.sleep)
        self._can_poll = isinstance(crm.client, PollsOpportunities)
        self._errors: dict[str, ErrorCode] = {}
        self._kept_at = -_KEPT_EVERY_SECONDS
        self._noting: set[asyncio.Task[bool]] = set()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_hints())
            tasks.create_task(self._go_round("sweep", self._sweep, self.watching.sweep_seconds))
            tasks.create_task(self._go_round("poll", self._poll, self.watching.poll_seconds))

    def wake(self) -> None:
        """Look at the hints that have come."""
        self._hinted.set()

    async def hand_on(self, ref: Ref) -> tuple[bool, Opportunity | None]:
        """Read a record that was just written; tell whether what is known now includes it, and give the record unless it is gone.

        Whoever waits for the record does not wait for the log, where that takes its time.
        """
        told: asyncio.Future[Opportunity | None] = asyncio.get_running_loop().create_future()
        noting = asyncio.create_task(self._note_own(ref, told))
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)
        first: set[asyncio.Future[Any]] = {noting, told}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({noting}, timeout=_LOG_SECONDS)
        return noting.done() and noting.result(), told.result() if told.done() else None

    async def _note_own(self, ref: Ref, told: "asyncio.Future[Opportunity | None]") -> bool:
        """Read a record of an own write, tell it, and take it in; whether that worked."""
        try:
            try:
                again, _ = await self._read([ref.local_id], EVERYTHING, ChangeSource.MUTATION, told=told)
            except VendorError:
                await self._hint([ref.local_id], ChangeSource.MUTATION)
                return False
            await self._hint(again, ChangeSource.MUTATION)
        except sqlite3.Error as error:
            self._failed("write", error)
            return False
        except Exception:  # the write has happened, whatever goes wrong here
            log.exception("CRM %r: an own write could not be noted; a poll will find it", self.crm.key)
            return False
        self._worked("write")
        return not again

    @property
    def patience_seconds(self) -> float:
        """How long it may take until the next poll or sweep has come to its end; after that something is wrong."""
        return _ROUNDS * (self.watching.poll_seconds if self._can_poll else self.watching.sweep_seconds)

    async def state(self) -> WatchState:
        """How well the Crm is watched."""
        watch = self._watch
        newest = max((moment for moment in (watch.polled_at, watch.swept_at) if moment is not None), default=None)
        now = self._make_context().utc_now()
        return WatchState(
            complete_since=watch.complete_since,
            polled_at=watch.polled_at,
            swept_at=watch.swept_at,
            pending_hints=await self._store.count_hints(self.crm.key),
            lag_seconds=None if newest is None else max(0.0, (now - newest).total_seconds()),
            poll_seconds=self.watching.poll_seconds if self._can_poll else None,
            sweep_seconds=self.watching.sweep_seconds,
            error=next(iter(self._errors.values()), None),
            oldest_event_at=await self._store.oldest_at(self.crm.key),
            retention_days=self._retention_days,
        )

    async def _go_round(self, what: str, work: Callable[[], Awaitable[None]], interval: float) -> None:
        """Do something again and again; what fails is tried again soon, and less and less often."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                with giving_way():
                    await work()
            except (VendorError, sqlite3.Error) as error:
                self._failed(what, error)
                retry_after = error.retry_after_seconds if isinstance(error, VendorError) else None
                wait, pause = max(pause, retry_after or 0.0), min(2 * pause, _LONGEST_PAUSE_SECONDS)
            except Exception:
                log.exception("CRM %r: a %s failed unexpectedly", self.crm.key, what)
                self._errors[what] = ErrorCode.INTERNAL
                wait, pause = pause, min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                self._worked(what)
                wait, pause = interval, _FIRST_PAUSE_SECONDS
            await self.crm.link.sleep(wait * (0.9 + 0.2 * self._jitter()))

    def _failed(self, what: str, error: VendorError | sqlite3.Error) -> None:
        code = error.code if isinstance(error, VendorError) else ErrorCode.INTERNAL
        if self._errors.get(what) is not code:
            text = code.value if isinstance(error, VendorError) else f"the log cannot be written ({error})"
            log.warning("CRM %r: its changes are not seen for now, %s: %s", self.crm.key, what, text)
        self._errors[what] = code

    def _worked(self, what: str) -> None:
        if self._errors.pop(what, None) is not None:
            log.warning("CRM %r: its changes are seen again, %s", self.crm.key, what)  # who was told of the one is told of the other

    async def _follow_hints(self) -> None:
        """Read the opportunities that hints name."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            self._hinted.clear()
            try:
                followed = await self._follow_some()
            except (VendorError, sqlite3.Error) as error:
                self._failed("hint", error)
            except Exception:
                log.exception("CRM %r: hints could not be followed", self.crm.key)
                self._errors["hint"] = ErrorCode.INTERNAL
            else:
                self._worked("hint")
                pause = _FIRST_PAUSE_SECONDS
                if not followed:
                    await self._hinted.wait()
                continue
            with suppress(TimeoutError):  # what fails now waits, and holds up no hint that comes meanwhile
                await asyncio.wait_for(self._hinted.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _follow_some(self) -> bool:
        """Follow the oldest hints, and tell whether there were any."""
        hints = {hint.local_id: hint for hint in await self._store.hints(self.crm.key, _READ_AT_ONCE)}
        if hints:
            await self._read(list(hints), SELECTION, ChangeSource.POLL, followed=hints)
        return bool(hints)

    async def _read(
        self,
        local_ids: Sequence[str],
        selection: Selection,
        source: ChangeSource,
        *,
        followed: Mapping[str, Hint] | None = None,
        told: "asyncio.Future[Opportunity | None] | None" = None,
    ) -> tuple[Sequence[str], Mapping[str, Opportunity]]:
        """Read opportunities by id and take in what was found; give the ids that have to be read once more, and the records.

        Args:
            local_ids: Their ids.
            selection: What to read of them.
            source: What made us look.
            followed: The hints that led here, by id.
            told: Is given the one record, once it is read and before it is taken in.

        Raises:
            VendorError: One of them could not be read; the others were taken in.
        """
        client = supported(self.crm.client, ReadsOpportunities, crm=self.crm.key, what="read opportunities by id")
        with deadline_scope(current_deadline() or self._deadline()), self.funnel.reading() as begun:
            found = await client.opportunities_by_ids(local_ids, selection)
            failed = {local_id: record for local_id, record in found.items() if isinstance(record, VendorError)}
            records = {local_id: record for local_id, record in found.items() if not isinstance(record, VendorError)}
            there = [record for record in records.values() if not record.is_deleted]
            readings = await self._readings(there)
            readings += [Reading(local_id) for local_id in local_ids if local_id not in failed and _is_gone(records.get(local_id))]
            if told is not None and not failed and not told.done():
                told.set_result(records.get(local_ids[0]))
            done = {local_id: hint for local_id, hint in (followed or {}).items() if local_id not in failed}
            again = await self.funnel.observe(begun, readings, source, followed=done)
        if failed:
            if followed is not None:
                await self._store.put_off([followed[local_id] for local_id in failed])
            raise next(iter(failed.values()))
        return again, records

    async def _readings(self, records: Sequence[Opportunity]) -> list[Reading]:
        context = self._make_context()
        try:
            entries = await entries_of(context, self.crm, records, COLUMNS)
        finally:
            context.end()
        return [Reading(record.local_id, entry, record) for record, entry in zip(records, entries, strict=True)]

    async def _poll(self) -> None:
        """Ask for what has changed since the last time, or since the first sweep began."""
        await self._has_begun.wait()
        client, since = self.crm.client, self._watch.polled_to
        if since is None or not self._can_poll or not isinstance(client, PollsOpportunities):
            return
        begun_at = self.crm.link.clock()
        earliest = since - timedelta(seconds=self.watching.overlap_seconds)
        try:
            await self._read_pages(lambda request: client.changed_opportunities(earliest, request), include_deleted=True)
        except UnsupportedError:
            self._can_poll = False
            return
        await self._note_poll(begun_at)

    async def _sweep(self) -> None:
        """Read all opportunities, and look after those that are not among them any more."""
        client = supported(self.crm.client, ListsOpportunities, crm=self.crm.key, what="list opportunities")
        begun_at = self.crm.link.clock()
        could_poll = isinstance(self.crm.client, PollsOpportunities)
        if could_poll and (self._watch.polled_to is None or not self._can_poll):
            await self._note_beginning()
        self._has_begun.set()
        known = [local_id for local_id, snapshot in self.funnel.known.items() if not snapshot.is_deleted]
        seen, unread = await self._read_pages(client.opportunities_page, include_deleted=False)
        if isinstance(self.crm.client, ReadsOpportunities):
            missing = [local_id for local_id in known if local_id not in seen]
            for start in range(0, len(missing), _READ_AT_ONCE):
                await self._allowance.wait()
                with recording() as recorder, suppress(*([VendorError] if unread else [])):  # what could not be read in the list either
                    again, _ = await self._read(missing[start : start + _READ_AT_ONCE], SELECTION, ChangeSource.POLL)
                    await self._hint(again, ChangeSource.POLL)
                self._allowance.spend(len(recorder.calls))
        self.funnel.complete(seen)
        self._can_poll = could_poll  # what could not be asked for before is known now
        await self._note_sweep(begun_at, unread)

    async def _read_pages(
        self, read: Callable[[PageRequest], Awaitable[Page[Opportunity]]], *, include_deleted: bool
    ) -> tuple[Mapping[str, None], int]:
        """Read all pages of a list and take them in; give the ids that were there, in that order, and how many rows could not be read."""
        seen: dict[str, None] = {}
        position: str | None = None
        dropped = 0
        while True:
            await self._allowance.wait()
            request = PageRequest(size=_PAGE_ROWS, position=position, selection=SELECTION, include_deleted=include_deleted)
            with deadline_scope(self._deadline()), recording() as recorder, self.funnel.reading() as begun:
                page = await read(request)
                records = [row.record for row in page.rows]
                seen.update((record.local_id, None) for record in records)
                again = await self.funnel.observe(begun, await self._readings(records), ChangeSource.POLL)
            self._allowance.spend(len(recorder.calls))
            await self._hint(again, ChangeSource.POLL)
            dropped += page.dropped
            is_stuck = page.position is None or page.position == position
            if not page.has_more or is_stuck:
                return seen, dropped + page.has_more  # the vendor says that there is more, and gives no way to it
            position = page.position

    async def _hint(self, local_ids: Iterable[str], source: ChangeSource) -> None:
        """Let opportunities be read once more."""
        local_ids = list(local_ids)
        if local_ids:
            await self._store.add_hints(self.crm.key, local_ids, source, delivery=None, now=0.0)
            self.wake()

    async def _note_beginning(self) -> None:
        """Polls begin where the first sweep does, by the vendor's clock, which the answer to a small question tells."""
        if self.crm.http.vendor_clock.now() is None:
            client = supported(self.crm.client, ListsOpportunities, crm=self.crm.key, what="list opportunities")
            with deadline_scope(self._deadline()):
                await client.opportunities_page(PageRequest(size=1, selection=SELECTION))
        self._watch = replace(self._watch, polled_to=self.crm.http.vendor_clock.now() or self._make_context().utc_now())

    async def _note_poll(self, begun_at: float) -> None:
        """Note that a poll has come to its end: all that the vendor tells to have changed before it began is known."""
        now, elapsed = self._make_context().utc_now(), timedelta(seconds=self.crm.link.clock() - begun_at)
        self._watch = replace(self._watch, polled_at=now, polled_to=(self.crm.http.vendor_clock.now() or now) - elapsed)
        if self.seen is not None and begun_at > self.seen.began:
            whole_at = now - elapsed if self.watching.polls_tell_deletions else self.seen.whole_at
            self.seen = replace(self.seen, began=begun_at, whole_at=whole_at)
        if self.crm.link.clock() - self._kept_at >= _KEPT_EVERY_SECONDS:
            await self._keep()

    async def _note_sweep(self, begun_at: float, unread: int) -> None:
        """Note that a sweep has come to its end: all that there was before it began is known, but for what could not be read."""
        now, elapsed = self._make_context().utc_now(), timedelta(seconds=self.crm.link.clock() - begun_at)
        doubtful_before = self._watch.doubtful_before if self._watch.complete_since is not None else now
        self._watch = replace(
            self._watch,
            swept_at=now,
            complete_since=self._watch.complete_since or now,
            doubtful_before=doubtful_before if unread else None,
        )
        self.funnel.doubtful_before = self._watch.doubtful_before
        began = begun_at if self.seen is None else max(begun_at, self.seen.began)
        self.seen = Seen(began, now - elapsed, unread)
        await self._keep()

    async def _keep(self) -> None:
        self._kept_at = self.crm.link.clock()
        await self._store.keep_watch(self.crm.key, self._watch)

    def _deadline(self) -> Deadline:
        """What takes longer is given up, told as an error, and tried again: the vendor may be well by then."""
        return Deadline(self.crm.link.clock() + _READING_SECONDS, self.crm.link.clock)


def _is_gone(record: Opportunity | None) -> bool:
    return record is None or record.is_deleted
