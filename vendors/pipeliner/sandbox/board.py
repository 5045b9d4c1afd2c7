"""People at work in the pipelines of the sandbox: they move deals on and back, win and lose them, and open them again."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Literal

from vendors.pipeliner.sandbox.store import LOST, OPEN, WON, Change, Row, Store
from vendors.sandbox_board import DealState

_STATUSES: Mapping[int, Literal["OPEN", "WON", "LOST"]] = {OPEN: "OPEN", WON: "WON", LOST: "LOST"}
_MOVES = ("on", "back", "win", "lose")
_WEIGHTS = (70, 10, 10, 10)
_OPENED: Row = {"is_archived": False, "won_date": None, "lost_date": None}


class OpportunityBoard:
    """The opportunities of a space, moved as the vendor's pipeline view does it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table = store.tables["Opportunities"]
        shown = [row for row in self._table.rows.values() if not row.get("is_deleted")]
        self._deals: list[str] = [row["id"] for row in sorted(shown, key=lambda row: (row["created"], row["id"]))]
        self._shown = {*self._deals}
        self._people = [row["id"] for row in store.tables["Clients"].rows.values() if not row.get("is_deleted")]
        store.subscribe(self._keep)

    def deals(self) -> Sequence[str]:
        return self._deals

    def state(self, deal: str) -> DealState | None:
        if deal not in self._shown:
            return None
        row = self._table.rows[deal]
        return DealState(row.get("step_id"), _STATUSES.get(self._table.value(row, "status")))

    def move(self, deal: str, random: Random) -> None:
        """Move a deal.

        Raises:
            KeyError: The API shows no such deal.
        """
        if deal not in self._shown:
            raise KeyError(deal)
        values = self._move(self._table.rows[deal], random)
        self._store.change("Opportunities", deal, values, by=random.choice(self._people))

    def listen(self, told: Callable[[str], None]) -> None:
        self._store.subscribe(lambda change: told(change.id) if _is_of_a_deal(change) else None)

    def _keep(self, change: Change) -> None:
        """Keep the list of deals up to date."""
        if not _is_of_a_deal(change):
            return
        row = self._store.row("Opportunities", change.id)
        is_shown = row is not None and not row.get("is_deleted")
        if is_shown and change.id not in self._shown:
            self._deals.append(change.id)
            self._shown.add(change.id)
        elif not is_shown and change.id in self._shown:
            self._deals.remove(change.id)
            self._shown.remove(change.id)

    def _move(self, row: Row, random: Random) -> Row:
        """The values of a move; what follows from them is up to the store."""
        here, steps = row.get("step_id"), self._steps(row)
        usable = [step["id"] for step in steps if step.get("percent") not in {0, 100}]
        won = [step["id"] for step in steps if step.get("percent") == 100]  # noqa: PLR2004
        lost = [step["id"] for step in steps if step.get("percent") == 0]
        if self._table.value(row, "status") != OPEN:
            back = [here] if here in usable and row.get("is_archived") else [step_id for step_id in usable if step_id != here]
            return {"step_id": random.choice(back), **_OPENED}
        at = usable.index(here) if here in usable else -1
        move = random.choices(_MOVES, _WEIGHTS)[0]
        if move == "back" and at > 0:
            return {"step_id": usable[at - 1]}
        if move in {"on", "back"} and at + 1 < len(usable):
            return {"step_id": usable[at + 1]}
        if move != "lose" and won:
            return {"step_id": won[-1], "won_date": self._store.now(), "lost_date": None}
        # Not documented: what loses a deal. People put it into the archive, or into a step for lost ones with the date.
        if lost and here not in lost and random.random() < 0.5:  # noqa: PLR2004
            return {"step_id": lost[-1], "lost_date": self._store.now(), "won_date": None}
        return {"is_archived": True}

    def _steps(self, row: Row) -> Sequence[Row]:
        """The steps in use of a deal's pipeline; of another one, when nobody uses its own any more."""
        pipelines = self._store.tables["Pipelines"]
        step = self._store.row("Steps", row.get("step_id")) or {}
        own = [pipeline_id for pipeline_id in pipelines.ids if pipeline_id == step.get("pipeline_id")]
        in_use = [pipeline_id for pipeline_id in (*own, *pipelines.ids) if not pipelines.rows[pipeline_id].get("is_deleted")]
        return self._store.linked(pipelines.entity.by_key["steps"], in_use[0])


def _is_of_a_deal(change: Change) -> bool:
    return change.entity.path == "Opportunities" or "Lead.BackToLead" in change.events
