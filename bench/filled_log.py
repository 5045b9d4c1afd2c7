"""Fills the log of changes with events of opportunities that are known, while no server runs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from resolvers.changes import ChangeEvent, ChangeKind, ChangeSource, Whereabouts, cursor_of
from server.changes.snapshot import Difference, Snapshot, event_id
from server.changes.store import Change, ChangeStore
from server.cursors import SignedCursors
from server.store import kept_cursor_key
from vendors.model import Ref

_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Filled:
    """Events that were appended to a log, and the cursor that they stand behind."""

    event_ids: Sequence[str]
    cursor: str


async def fill(folder: Path, crms: Iterable[str], events: int) -> Filled:
    """Append so many moves, of all Crms in turn, after which everything is known to be where it was before."""
    store = ChangeStore(folder)
    try:
        cursor = cursor_of(SignedCursors(kept_cursor_key(folder)), store, store.head)
        moves = cycle([(crm, _moves(store, crm)) for crm in crms])
        made: list[str] = []
        while len(made) < events:
            crm, of_crm = next(moves)
            batch = list(islice(of_crm, min(_BATCH, events - len(made))))
            made += [event.event_id for event in await store.append(batch, crm=crm)]
    finally:
        store.close()
    return Filled(made, cursor)


def _moves(store: ChangeStore, crm: str) -> Iterator[Change]:
    """Moves without end: each brings an opportunity to where it is known to be, from where another one is."""
    known = {local_id: snapshot for local_id, snapshot in store.snapshots(crm).items() if not snapshot.is_deleted}
    places = [snapshot.whereabouts for snapshot in known.values()]
    for local_id in cycle(list(known)):
        ref, before = Ref(crm, local_id), known[local_id]
        now = known[local_id] = Snapshot(before.entry, before.version + 1)
        came_from = _elsewhere(places, now.whereabouts, now.version)
        found = Difference(snapshot=now, kind=ChangeKind.UPDATED, before=came_from)
        event = ChangeEvent(
            sequence=0,
            event_id=event_id(ref, found),
            kind=ChangeKind.UPDATED,
            ref=ref,
            before=came_from,
            after=now.whereabouts,
            source=ChangeSource.POLL,
            detected_at=datetime.now(UTC),
        )
        yield Change(ref, now, event)


def _elsewhere(places: Sequence[Whereabouts], here: Whereabouts, number: int) -> Whereabouts:
    others = [place for place in places[:50] if (place.stage, place.status) != (here.stage, here.status)]
    return replace(others[number % len(others)], owner=here.owner)
