"""The deals as people move them in the product: by its wizards, which take the status along, or in the form, where it stands for itself."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Literal

from vendors.autotask.sandbox.fields import ENTITIES
from vendors.autotask.sandbox.opportunity_rules import settle
from vendors.autotask.sandbox.store import ACTIVE, CLOSED, IMPLEMENTED, LOST, Change, Store
from vendors.autotask.sandbox.values import Row, instant
from vendors.autotask.sandbox.writing import Write
from vendors.sandbox_board import DealState

_ENTITY = ENTITIES["Opportunities"]
# Source: a public sync service that calls these system values static; every other one is open.
_CLOSINGS: Mapping[int, Literal["WON", "LOST"]] = {LOST: "LOST", CLOSED: "WON", IMPLEMENTED: "WON"}
_IN_FORM = 0.1


class OpportunityBoard:
    """The opportunities of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table = store.tables[_ENTITY.name]
        listed = sorted(store.picklists[_ENTITY.name]["stage"], key=lambda stage: int(stage["sortOrder"]))
        stages = [int(stage["value"]) for stage in listed if stage["isActive"]]
        self._open_stages = [stage for stage in stages if stage not in {store.won_stage, store.lost_stage}]
        self._ids: list[int] = []
        self._deals: tuple[str, ...] = ()

    def deals(self) -> Sequence[str]:
        if self._ids != self._table.ids:
            self._ids = list(self._table.ids)
            self._deals = tuple(map(str, self._ids))
        return self._deals

    def state(self, deal: str) -> DealState | None:
        row = self._row(deal)
        if row is None:
            return None
        stage, status = row.get("stage"), row.get("status")
        return DealState(stage=None if stage is None else str(stage), status=None if status is None else _CLOSINGS.get(status, "OPEN"))

    def move(self, deal: str, random: Random) -> None:
        """Move a deal that is listed.

        Raises:
            KeyError: It is not.
        """
        row = self._row(deal)
        if row is None:
            raise KeyError(deal)
        ways: Mapping[Callable[[Row, Random], None], int]
        if row.get("status") in _CLOSINGS:
            ways = {self._reopen: 90, self._overturn: 10}
        else:
            ways = {self._go_on: 65, self._go_back: 10, self._win: 10, self._lose: 15}
        (way,) = random.choices(list(ways), list(ways.values()))
        way(row, random)

    def delete(self, deal: str) -> None:
        """Delete a deal as people can in the product; the API cannot, and does not tell of it.

        Raises:
            KeyError: There is none.
        """
        self._store.delete(_ENTITY, int(deal))

    def listen(self, told: Callable[[str], None]) -> None:
        def tell(change: Change) -> None:
            if change.entity == _ENTITY.name:
                told(str(change.id))

        self._store.listeners.append(tell)

    def _row(self, deal: str) -> Row | None:
        return self._store.row(_ENTITY.name, int(deal)) if deal.isdecimal() else None

    def _go_on(self, row: Row, _: Random) -> None:
        self._store.move(row["id"], [*self._open_stages, self._store.won_stage][self._place(row) + 1])

    def _go_back(self, row: Row, random: Random) -> None:
        if self._place(row) > 0:
            self._store.move(row["id"], self._open_stages[self._place(row) - 1])
        else:
            self._go_on(row, random)

    def _win(self, row: Row, random: Random) -> None:
        if random.random() < _IN_FORM:
            self._fill_in(row, {"status": CLOSED, "closedDate": f"{instant(self._store.now())[:10]}T00:00:00.000Z"})
        else:
            self._store.move(row["id"], self._store.won_stage)

    def _lose(self, row: Row, random: Random) -> None:
        if random.random() < _IN_FORM:
            self._fill_in(row, {"status": LOST, "closedDate": None})
        else:
            self._store.move(row["id"], self._store.lost_stage)

    def _reopen(self, row: Row, random: Random) -> None:
        if random.random() < _IN_FORM:
            self._fill_in(row, {"status": ACTIVE, "closedDate": None})
        else:
            self._store.move(row["id"], random.choice(self._open_stages))

    def _overturn(self, row: Row, random: Random) -> None:
        (self._win if row["status"] == LOST else self._lose)(row, random)

    def _place(self, row: Row) -> int:
        """Where a deal is among the open stages; -1 for another stage."""
        stage = row.get("stage")
        return self._open_stages.index(stage) if stage in self._open_stages else -1

    def _fill_in(self, row: Row, given: Row) -> None:
        self._store.update(_ENTITY, row["id"], settle(self._store, Write(verb="patch", before=row, given=given)))
