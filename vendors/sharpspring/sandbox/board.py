"""The deals as people move them in the product: along the stages of a pipeline, closed as won or lost, and opened again."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from vendors.sandbox_board import DealState
from vendors.sharpspring.sandbox.store import Change, Store
from vendors.sharpspring.sandbox.table import Row

_SHARE_ON, _SHARE_BACK, _SHARE_WON = 0.65, 0.15, 0.1  # the rest is lost
_SHARE_REOPENED = 0.8  # of the closed ones; the rest was closed by mistake, as won or as lost
_OPEN, _WON, _LOST = ({"isClosed": is_closed, "isWon": is_won} for is_closed, is_won in ((False, False), (True, True), (True, False)))


class Board:
    """The deals of an account. One with isActive 0 is none: the vendor's lists hide it, and what is deleted becomes so (an option)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = store.tables["opportunity"].rows
        # Kept by what the store tells: sorting all rows for every move would be slow.
        self._ids = sorted(row_id for row_id, row in self._rows.items() if row["isActive"])
        self._deals = list(map(str, self._ids))
        store.listeners.append(self._note)

    def deals(self) -> Sequence[str]:
        return self._deals

    def state(self, deal: str) -> DealState | None:
        row = self._rows.get(int(deal)) if deal.isdecimal() else None
        if row is None or not row["isActive"]:
            return None
        stage = row["dealStageID"]
        # Source: Lead Gen & CRM Open API Schema: Opportunities (vendor help, article 50887), isClosed and isWon.
        # Not documented whether a deal can be won without being closed; it counts as won.
        return DealState(str(stage) if stage else None, "WON" if row["isWon"] else "LOST" if row["isClosed"] else "OPEN")

    def move(self, deal: str, random: Random) -> None:
        """See `vendors.sandbox_board.Board.move`.

        Raises:
            KeyError: There is no such deal.
        """
        before = self.state(deal)
        if before is None:
            raise KeyError(deal)
        row = self._rows[int(deal)]
        wishes = self._wishes_of_open(row, random) if before.status == "OPEN" else self._wishes_of_closed(row, random)
        # The first wish that is one: there is no stage behind the last one.
        self._store.edit(row["id"], next(wish for wish in wishes if wish is not None))

    def listen(self, told: Callable[[str], None]) -> None:
        def tell(change: Change) -> None:
            row = change.after or change.before
            if change.table == "opportunity" and row is not None:
                told(str(row["id"]))

        self._store.listeners.append(tell)

    def _wishes_of_open(self, row: Row, random: Random) -> list[Row | None]:
        on, back = self._beside(row)
        won, lost = self._closed(_WON), self._closed(_LOST)
        share = random.random()
        if share < _SHARE_ON:
            return [on, won]
        if share < _SHARE_ON + _SHARE_BACK:
            return [back, on, lost]
        return [won] if share < _SHARE_ON + _SHARE_BACK + _SHARE_WON else [lost]

    def _wishes_of_closed(self, row: Row, random: Random) -> list[Row | None]:
        stages = self._open_stages(row)
        opened = {**_OPEN, "dealStageID": random.choice(stages)["id"]} if stages else _OPEN
        return [opened if random.random() < _SHARE_REOPENED else self._closed(_LOST if row["isWon"] else _WON)]

    def _beside(self, row: Row) -> tuple[Row | None, Row | None]:
        """The moves of an open deal to the stage behind its own and to the one before it; from no open stage it goes on to the first."""
        ids = [stage["id"] for stage in self._open_stages(row)]
        place = ids.index(row["dealStageID"]) if row["dealStageID"] in ids else -1
        on = {"dealStageID": ids[place + 1]} if place + 1 < len(ids) else None
        return on, {"dealStageID": ids[place - 1]} if place > 0 else None

    def _closed(self, flags: Row) -> Row:
        """The closing of a deal, which also brings it to the stage for it, where there is one."""
        closing = [
            stage for stage in self._stages() if not stage["isEditable"] and (stage["defaultProbability"] == "100") == flags["isWon"]
        ]
        return {**flags, "dealStageID": closing[0]["id"]} if closing else flags

    def _open_stages(self, row: Row) -> list[Row]:
        """The open stages of the pipeline that a deal is in, or of the first one where that has a single stage."""
        stages = [stage for stage in self._stages() if stage["isEditable"]]
        own = self._store.tables["dealStage"].rows.get(row["dealStageID"], {}).get("pipelineID")
        beside = [stage for stage in stages if stage.get("pipelineID") == own]
        return beside if len(beside) > 1 else [stage for stage in stages if stage.get("pipelineID") == stages[0].get("pipelineID")]

    def _stages(self) -> list[Row]:
        def rank(stage: Row) -> tuple[Any, ...]:
            return stage["weight"] is None, stage["weight"] or 0, stage["id"]

        # Source: article 50887, DealStage: weight orders the funnel, the lowest first.
        return sorted(self._store.tables["dealStage"].rows.values(), key=rank)

    def _note(self, change: Change) -> None:
        if change.table != "opportunity":
            return
        was, is_one = (row is not None and bool(row["isActive"]) for row in (change.before, change.after))
        row = change.after or change.before
        if was == is_one or row is None:
            return
        place = bisect_left(self._ids, row["id"])
        if is_one:
            self._ids.insert(place, row["id"])
            self._deals.insert(place, str(row["id"]))
        else:
            del self._ids[place], self._deals[place]
