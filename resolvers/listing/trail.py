"""How far a list has come in every Crm, row by row, as its cursors tell it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from resolvers.listing.feed import Candidate, Feed, IndexFeed, PagesFeed, Place
from resolvers.listing.index import Index
from resolvers.listing.money import Converter
from resolvers.listing.order import Measures, Order, Values
from resolvers.listing.plan import Plan
from resolvers.listing.source import Source
from vendors.model import Record

R = TypeVar("R", bound=Record)


Step = tuple[Feed[R], Candidate[R]]
"""A row that was taken, and from where; its record is None when it has vanished or changed meanwhile, and is passed over."""


@dataclass(slots=True)
class Part(Generic[R]):
    """One Crm's part of the page."""

    source: Source
    place: Place
    plan: Plan | None = None
    measures: Measures | None = None
    feed: Feed[R] | None = None
    index: Index | None = None
    converter: Converter | None = None


class Trail(Generic[R]):
    """How far the list has come in every Crm after each of the rows that were taken."""

    def __init__(self, parts: Mapping[str, Part[R]], steps: Sequence[Step[R]], order: Order | None, *, is_backward: bool) -> None:
        self._parts = parts
        self._steps = steps
        self._order = order
        self._is_backward = is_backward
        self._base = {
            key: part.feed.base
            if is_backward and order is None and isinstance(part.feed, IndexFeed) and (part.feed.owed or not part.feed.has_failed)
            else part.place
            for key, part in parts.items()
        }

    def row(self, count: int) -> tuple[str, str] | None:
        """The last of that many rows."""
        if not count:
            return None
        feed, candidate = self._steps[count - 1]
        return feed.plan.crm.key, candidate.entry.local_id

    def values(self, count: int) -> Values | None:
        """What the last of that many rows is compared by."""
        return self._steps[count - 1][1].values if count and self._order is not None else None

    def places(self, count: int, *, is_end: bool) -> dict[str, Place]:
        """The places after that many rows; at the end of a page that reading stopped for, behind what was looked at."""
        places = dict(self._base)
        for feed, candidate in self._steps[:count]:
            key = feed.plan.crm.key
            places[key] = Place(
                count=places[key].count + 1,
                position=candidate.position,
                last_id=candidate.entry.local_id,
                values=candidate.values if self._order is not None else None,
                last_crm=key if self._order is not None else None,
            )
        later = {feed.plan.crm.key for feed, _ in self._steps[count:]}
        for key, part in self._parts.items():
            places[key] = self._settled(part, places[key], count, is_last=key not in later, is_end=is_end)
        return places

    def _settled(self, part: Part[R], place: Place, count: int, *, is_last: bool, is_end: bool) -> Place:
        feed = part.feed
        is_failed = part.source.error is not None and (feed is None or feed.has_failed)
        if is_end and isinstance(feed, PagesFeed) and not feed.buffer:
            place = replace(place, position=feed.resumes_at)
        row, values = self.row(count), self.values(count)
        if self._order is not None:
            # What comes before the last row has been given, by whichever Crm; one that failed still owes its rows.
            if row is None or values is None or (is_failed and not self._is_backward):
                return place
            here, base = Place(values=values, last_crm=row[0], last_id=row[1]), self._base[part.source.crm.key]
            return self._owing(base, part, self._order, place, here) if is_failed else self._furthest(place, base, self._order, here)
        if self._is_backward:
            return place  # that nothing precedes says nothing of what follows; one that failed is still at the end
        is_over = feed is None or not (feed.is_alive or feed.has_stopped)
        return replace(place, is_done=place.is_done or (is_over and is_last and not is_failed and part.plan is not None))

    def _furthest(self, place: Place, base: Place, order: Order, here: Place) -> Place:
        """A place that has come as far as a row; where the page gives what a Crm owed, the others had come further before."""
        passed, now = base.key(order), here.key(order)
        assert now is not None, "it is the place of a row"
        is_beyond = passed is not None and (passed < now if self._is_backward else passed > now)
        last = base if is_beyond else here
        return replace(place, values=last.values, last_crm=last.last_crm, last_id=last.last_id, is_done=False)

    def _owing(self, base: Place, part: Part[R], order: Order, place: Place, here: Place) -> Place:
        """For a list that is read backwards: where a Crm that failed goes on. Unless it gave rows of the page, it has not moved."""
        given = next((candidate for feed, candidate in self._steps if feed is part.feed), None)
        if given is None:
            return base
        mine = Place(values=given.values, last_crm=part.source.crm.key, last_id=given.entry.local_id)
        far, now, own = base.key(order), here.key(order), mine.key(order)
        assert now is not None, "it is the place of a row"
        assert own is not None, "so is that"
        row, key = (base, far) if far is not None and far < now else (here, now)
        last = mine if own > key else row
        return replace(place, values=last.values, last_crm=last.last_crm, last_id=last.last_id, is_done=False)
