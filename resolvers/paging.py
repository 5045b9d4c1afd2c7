"""One page over several Crms: rows by (rank in the Crm's native order, crm key), and cursors that hold a place in every Crm."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

import orjson

from resolvers.context import Context
from resolvers.errors import UserError, bad_input, contained
from resolvers.types.enums import Consistency, SourceState
from vendors.calls import Deadline, current_deadline, deadline_scope, recording
from vendors.capabilities import Page, Row
from vendors.errors import ErrorCode, MalformedReplyError, VendorError
from vendors.model import Record
from vendors.registry import Crm

R = TypeVar("R", bound=Record)

MAX_FIRST: Final = 100
DEFAULT_FIRST: Final = 25
_VERSION: Final = 1
_MAX_ROUNDS: Final = 50
# A round of reading gets this share of the time that is left: the rest is for making up for a Crm that took all of it, and for relations.
_SHARE_OF_DEADLINE: Final = 0.7

Fetch = Callable[[Crm, int, str | None], Awaitable[Page[R]]]
"""Reads up to a number of rows of one Crm behind a position."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a list has come in one Crm."""

    count: int = 0
    position: str | None = None
    is_done: bool = False


@dataclass(slots=True, kw_only=True)
class Source:
    """How one Crm contributed to a page."""

    crm: Crm
    status: SourceState = SourceState.OK
    error: VendorError | None = None
    consistency: Consistency = Consistency.STRICT
    fetched_at: datetime | None = None
    vendor_calls: int = 0
    rows: int = 0
    pushed_down: Sequence[str] = ()
    evaluated_here: Sequence[str] = ()


@dataclass(slots=True)
class _Feed(Generic[R]):
    """One Crm while a page is being put together."""

    source: Source
    place: Place
    buffer: list[Row[R]] = field(default_factory=list[Any])
    position: str | None = None
    has_more: bool = True
    has_failed: bool = False

    @property
    def is_alive(self) -> bool:
        return bool(self.buffer) or (self.has_more and not self.has_failed)

    def fail(self, error: VendorError) -> None:
        self.has_failed = True
        self.source.error = error
        self.source.status = SourceState.PARTIAL if self.source.rows else SourceState.FAILED


@dataclass(frozen=True, slots=True)
class _Pick:
    crm: str
    position: str


@dataclass(slots=True)
class Connection(Generic[R]):
    """A page as the graph shows it."""

    records: list[R]
    sources: list[Source]
    has_next_page: bool
    has_previous_page: bool
    start: Mapping[str, Place]
    picks: list[_Pick]
    done: frozenset[str]
    seal: Callable[[Mapping[str, Place]], str]

    def cursor(self, index: int) -> str:
        """The cursor of the row at that index: the place behind it in every Crm."""
        places = dict(self.start)
        for pick in self.picks[: index + 1]:
            places[pick.crm] = Place(places[pick.crm].count + 1, pick.position)
        later = {pick.crm for pick in self.picks[index + 1 :]}
        return self.seal(
            {key: replace(place, is_done=place.is_done or (key in self.done and key not in later)) for key, place in places.items()}
        )


def checked_first(first: int) -> int:
    """A page size that is permitted.

    Raises:
        UserError: It is not (BAD_USER_INPUT).
    """
    if not 1 <= first <= MAX_FIRST:
        raise bad_input(f"`first` must be from 1 to {MAX_FIRST}, not {first}; use `after` for more.")
    return first


async def interleaved(
    context: Context,
    crms: Sequence[Crm],
    fetch: Fetch[R],
    *,
    first: int,
    after: str | None,
    list_name: str,
    arguments: Iterable[object],
    path: Sequence[str | int],
) -> Connection[R]:
    """Put a page together.

    Args:
        context: The operation.
        crms: The Crms to ask, in the order of their keys.
        fetch: Reads from one of them.
        first: Number of rows wanted.
        after: Cursor of the row before the page.
        list_name: Name of the list, which its cursors belong to.
        arguments: What else the cursors belong to: with other arguments they are refused.
        path: Where the list stands in the answer, for warnings.

    Raises:
        UserError: The cursor is none of ours, or one of another list (INVALID_CURSOR).
    """
    digest = hashlib.sha256(orjson.dumps([list_name, *map(str, arguments)])).hexdigest()[:16]
    places = _opened(context, after, digest)
    start = {crm.key: places.get(crm.key, Place()) for crm in crms}
    feeds = {crm.key: _feed(crm, start[crm.key]) for crm in crms}
    picks: list[_Pick] = []
    records: list[R] = []
    for _ in range(_MAX_ROUNDS):
        _merge(feeds, first, picks, records)
        hungry = [feed for feed in feeds.values() if feed.is_alive and not feed.buffer]
        if len(records) >= first or not hungry:
            break
        size = -(-(first - len(records)) // sum(feed.is_alive for feed in feeds.values()))
        with deadline_scope(_deadline_of_round()):
            await asyncio.gather(*(_fill(context, feed, fetch, size, path) for feed in hungry))
    else:
        for feed in feeds.values():
            feed.source.status = SourceState.PARTIAL if feed.is_alive else feed.source.status
    return Connection(
        records=records,
        sources=[feed.source for feed in feeds.values()],
        has_next_page=any(feed.is_alive for feed in feeds.values()),
        has_previous_page=after is not None,
        start=start,
        picks=picks,
        done=frozenset(key for key, feed in feeds.items() if not feed.is_alive and not feed.has_failed),
        seal=lambda state: _sealed(context, state, digest),
    )


def _deadline_of_round() -> Deadline | None:
    whole = current_deadline()
    return None if whole is None else Deadline(whole.clock() + whole.remaining() * _SHARE_OF_DEADLINE, whole.clock)


def _feed(crm: Crm, place: Place) -> "_Feed[Any]":
    source = Source(crm=crm, status=SourceState.SKIPPED if place.is_done else SourceState.OK)
    return _Feed(source, place, position=place.position, has_more=not place.is_done)


def _merge(feeds: Mapping[str, _Feed[R]], first: int, picks: list[_Pick], records: list[R]) -> None:
    """Take rows while it is certain which comes next: the Crm with the fewest rows given so far, first by key."""
    while len(records) < first:
        alive = [feed for feed in feeds.values() if feed.is_alive]
        if not alive:
            return
        feed = min(alive, key=lambda feed: (feed.place.count, feed.source.crm.key))
        if not feed.buffer:
            return
        row = feed.buffer.pop(0)
        feed.place = Place(feed.place.count + 1, row.position)
        feed.source.rows += 1
        picks.append(_Pick(feed.source.crm.key, row.position))
        records.append(row.record)


async def _fill(context: Context, feed: _Feed[R], fetch: Fetch[R], size: int, path: Sequence[str | int]) -> None:
    with recording() as recorder:
        try:
            page = await fetch(feed.source.crm, size, feed.position)
        except VendorError as error:
            feed.fail(error)
            return
        except Exception as defect:  # noqa: BLE001  # whatever happens in one Crm takes nothing away from the others
            feed.fail(contained(defect, crm=feed.source.crm.key))
            return
        finally:
            context.place_warnings(recorder.warnings, path)
            feed.source.vendor_calls += len(recorder.calls)
            feed.source.fetched_at = datetime.fromtimestamp(context.clocks.utc_timestamp(), UTC)
    context.loaders.seed(page.seeds)
    feed.buffer.extend(page.rows)
    stuck = page.position is None or page.position == feed.position
    feed.has_more = page.has_more and not stuck
    feed.position = page.position or feed.position
    if page.dropped or (page.has_more and stuck):
        key = feed.source.crm.key
        feed.source.status = SourceState.PARTIAL
        feed.source.error = MalformedReplyError(f"Rows of the CRM {key!r} cannot be read and are left out.", crm=key)


def _sealed(context: Context, places: Mapping[str, Place], digest: str) -> str:
    state = {key: [place.count, place.position, place.is_done] for key, place in places.items()}
    return context.cursors.seal(orjson.dumps({"v": _VERSION, "of": digest, "at": state}))


def _opened(context: Context, cursor: str | None, digest: str) -> dict[str, Place]:
    if cursor is None:
        return {}
    content = context.cursors.open(cursor)
    state: dict[str, Any] = {} if content is None else orjson.loads(content)
    if state.get("v") != _VERSION:
        raise UserError(
            ErrorCode.INVALID_CURSOR, "`after` is no cursor of this graph; take it from `pageInfo.endCursor` or an edge's `cursor`."
        )
    if state["of"] != digest:
        raise UserError(
            ErrorCode.INVALID_CURSOR, "`after` belongs to a list with other arguments; repeat the arguments of the page it came from."
        )
    at: dict[str, tuple[int, str | None, bool]] = state["at"]
    return {key: Place(*place) for key, place in at.items()}
