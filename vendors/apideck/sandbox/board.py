"""The deals as people move them in the connected CRM: along the stages of a pipeline, closed as won or lost, and opened again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Literal

from vendors.apideck.sandbox.fields import Record
from vendors.apideck.sandbox.store import Change, Store, stage_key, status_of
from vendors.sandbox_board import DealState

_SHARE_ON, _SHARE_BACK, _SHARE_WON = 0.65, 0.1, 0.13  # the rest is lost
_SHARE_REOPENED = 0.75  # of the closed ones; the rest was closed in the wrong way
_SHARE_STAYING = 0.3  # of those that are closed or opened where the status does not follow the stage: their stage stays

Status = Literal["OPEN", "WON", "LOST"]
_WORDS: Final[Mapping[Status, str]] = {"OPEN": "open", "WON": "closedwon", "LOST": "closedlost"}
_STATUSES: Final[Mapping[str, Status]] = {word: status for status, word in _WORDS.items()}
# Not documented: the status is the connector's own text. What these words mean is plain; a reason tells it where the text does not.
_WON: Final = ("won",)
_LOST: Final = ("lost", "dead", "abandon", "disqualif")
_OPEN: Final = frozenset({"open", "active", "in progress", "new", "pending"})
_CLOSED: Final = ("closed", "completed")
_BY_CHANCE: Final[Mapping[float | None, Status]] = {100: "WON", 0: "LOST"}


@dataclass(frozen=True, slots=True)
class _Place:
    """A stage of a pipeline, and the status of deals in it where that follows the stage."""

    pipeline: str
    stage: str
    status: Status


class Board:
    """The deals of the connected CRM. One that is marked as deleted is none."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table = store.tables["opportunities"]
        self._people = [str(user["id"]) for user in store.tables["users"] if user.get("emails")]
        self._shown: Sequence[str] | None = None
        store.listeners.append(self._note)

    def deals(self) -> Sequence[str]:
        # Ids are given in order. Deals come and go seldom; moves, which are many, leave the list as it is.
        if self._shown is None:
            self._shown = tuple(str(record["id"]) for record in self._table if not record.get("deleted"))
        return self._shown

    def state(self, deal: str) -> DealState | None:
        record = self._table.get(deal)
        if record is None or record.get("deleted"):
            return None
        stage = record.get("pipeline_stage_id")
        if record.get("pipeline_id") is None and stage is not None and len(self._holders(stage)) != 1:
            stage = None  # a stage is one only in its pipeline
        return DealState(stage, _status(record))

    def move(self, deal: str, random: Random) -> None:
        """See `vendors.sandbox_board.Board.move`.

        Raises:
            KeyError: There is no such deal.
        """
        before, record = self.state(deal), self._table.get(deal)
        if before is None or record is None:
            raise KeyError(deal)
        places = self._places(record)
        wish = self._wish_of_open(places, before, random) if before.status == "OPEN" else self._wish_of_closed(places, before, random)
        changes = self._changes(wish, before, random)
        self._store.update("opportunities", deal, changes, by=random.choice(self._people))

    def listen(self, told: Callable[[str], None]) -> None:
        def tell(change: Change) -> None:
            if change.resource == "opportunities":
                told(change.id)

        self._store.listeners.append(tell)

    def _wish_of_open(self, places: Sequence[_Place], before: DealState, random: Random) -> _Place | Status:
        on = [place for place in places if place.status == "OPEN"]
        at = next((index for index, place in enumerate(on) if place.stage == before.stage), -1)
        share = random.random()
        if share < _SHARE_ON and at + 1 < len(on):
            return on[at + 1]
        if _SHARE_ON <= share < _SHARE_ON + _SHARE_BACK and at > 0:
            return on[at - 1]
        status: Status = "WON" if share < _SHARE_ON + _SHARE_BACK + _SHARE_WON else "LOST"
        closing = [place for place in places if place.status == status]
        return closing[0] if closing else status

    def _wish_of_closed(self, places: Sequence[_Place], before: DealState, random: Random) -> _Place | Status:
        others: dict[Status | None, Status] = {"WON": "LOST", "LOST": "WON"}
        status = "OPEN" if random.random() < _SHARE_REOPENED else others.get(before.status, "WON")
        found = [place for place in places if place.status == status]
        return random.choice(found) if found else status

    def _changes(self, wish: _Place | Status, before: DealState, random: Random) -> Record:
        """What a person changes, so that the vendor's own rules bring about what is wished."""
        if not isinstance(wish, _Place):
            return {"status": _WORDS[wish]}
        moved: Record = {"pipeline_id": wish.pipeline, "pipeline_stage_id": wish.stage}
        if self._store.rules.status_follows_stage and wish.stage != before.stage:
            return moved
        if wish.status == before.status:
            return moved
        status: Record = {"status": _WORDS[wish.status]}
        return status if random.random() < _SHARE_STAYING or wish.stage == before.stage else moved | status

    def _places(self, record: Record) -> list[_Place]:
        """The stages of a deal's pipeline in their order; of the first pipeline for a deal that is in none."""
        pipelines = [pipeline for pipeline in self._store.pipelines if pipeline["id"] == record.get("pipeline_id")]
        if record.get("pipeline_id") is None:
            pipelines = self._holders(record.get("pipeline_stage_id")) or self._store.pipelines
        stages: list[Mapping[str, Any]] = pipelines[0]["stages"] if pipelines else []
        ordered = sorted(stages, key=lambda stage: (stage["display_order"] is None, stage["display_order"] or 0))
        return [_Place(pipelines[0]["id"], stage_key(stage), _STATUSES[status_of(stage)]) for stage in ordered]

    def _holders(self, stage: str | None) -> list[Record]:
        return [pipeline for pipeline in self._store.pipelines if stage in [stage_key(each) for each in pipeline["stages"]]]

    def _note(self, change: Change) -> None:
        if change.resource == "opportunities" and change.verb != "updated":
            self._shown = None


def _status(record: Record) -> Status | None:
    text = str(record.get("status") or "").strip().lower()
    is_closed = any(word in text for word in _CLOSED)
    signs: list[tuple[bool, Status | None]] = [
        (any(word in text for word in _WON), "WON"),
        (any(word in text for word in _LOST), "LOST"),
        (text in _OPEN, "OPEN"),
        (bool(record.get("won_reason") or record.get("won_reason_id")), "WON"),
        (bool(record.get("loss_reason") or record.get("loss_reason_id")), "LOST"),
        # A chance of all or nothing tells how it was closed.
        (is_closed, _BY_CHANCE.get(record.get("win_probability"))),
        (True, "OPEN"),
    ]
    return next(status for is_shown, status in signs if is_shown)
