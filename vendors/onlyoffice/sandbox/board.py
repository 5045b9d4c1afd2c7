"""Opportunities that people move from stage to stage in the vendor's own product."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Literal

from vendors.onlyoffice.sandbox.records import Deal, Employee, Stage
from vendors.onlyoffice.sandbox.store import ChangeKind, Store
from vendors.sandbox_board import DealState

# Source: API page "Create an opportunity", the numbers of StageType; the status of an opportunity is that of its stage.
_STATUSES: Final[tuple[Literal["OPEN", "WON", "LOST"], ...]] = ("OPEN", "WON", "LOST")
_OPEN, _WON, _LOST = range(3)
# How often people do what, of twenty times.
_ON_WEIGHT, _BACK_WEIGHT, _WON_WEIGHT, _LOST_WEIGHT = 12, 2, 3, 3
_REOPENED_WEIGHT = _ON_WEIGHT + _BACK_WEIGHT


class Board:
    """The opportunities that the API shows to one user.

    Args:
        store: The portal.
        user: Who asks the API.
    """

    def __init__(self, store: Store, user: Employee) -> None:
        self._store = store
        self._user = user
        self._shown = [str(deal_id) for deal_id in sorted(store.deals) if store.can_see(user, store.deals[deal_id])]
        self._told: list[Callable[[str], None]] = []
        store.listeners.append(self._note)

    def deals(self) -> Sequence[str]:
        return self._shown

    def state(self, deal: str) -> DealState | None:
        found = self._deal(deal)
        if found is None:
            return None
        stage = self._store.stages.get(found.stage_id)
        return DealState(None, None) if stage is None else DealState(str(stage.id), _STATUSES[stage.stage_type])

    def move(self, deal: str, random: Random) -> None:
        """Move to another stage, as a drag in the list of stages does; nothing happens in a portal that has no other one.

        Raises:
            KeyError: The API does not show that opportunity.
        """
        found = self._deal(deal)
        if found is None:
            raise KeyError(deal)
        ways = [(weight, stages) for weight, stages in self._ways(found.stage_id) if stages]
        if ways:
            [stages] = random.choices([stages for _, stages in ways], [weight for weight, _ in ways])
            self._store.move(found.id, random.choice(stages).id)

    def listen(self, told: Callable[[str], None]) -> None:
        self._told.append(told)

    def _ways(self, stage_id: int) -> list[tuple[int, list[Stage]]]:
        """What can be done with an opportunity of that stage, which may be gone: how often that is done, and where it leads."""
        stages = self._store.ordered_stages()
        at = next((index for index, stage in enumerate(stages) if stage.id == stage_id), -1)
        before, behind = _of_type(stages[: max(at, 0)], _OPEN), _of_type(stages[at + 1 :], _OPEN)
        others = [stage for stage in stages if stage.id != stage_id]
        closing = [(_WON_WEIGHT, _of_type(others, _WON)), (_LOST_WEIGHT, _of_type(others, _LOST))]
        if at >= 0 and stages[at].stage_type != _OPEN:
            return [(_REOPENED_WEIGHT, before + behind), *closing]
        return [(_ON_WEIGHT, behind[:1]), (_BACK_WEIGHT, before[-1:]), *closing]

    def _deal(self, deal: str) -> Deal | None:
        at = self._place(deal) if deal.isdecimal() else len(self._shown)
        return self._store.deals[int(deal)] if deal in self._shown[at : at + 1] else None

    def _place(self, deal: str) -> int:
        return bisect_left(self._shown, int(deal), key=int)

    def _note(self, _kind: ChangeKind, deal_id: int) -> None:
        """Keep the list of what is shown, and tell of whatever is or was in it."""
        deal, found = str(deal_id), self._store.deals.get(deal_id)
        at, is_shown = self._place(deal), found is not None and self._store.can_see(self._user, found)
        was_shown = self._shown[at : at + 1] == [deal]
        if is_shown and not was_shown:
            self._shown.insert(at, deal)
        if was_shown and not is_shown:
            del self._shown[at]
        if is_shown or was_shown:
            for told in self._told:
                told(deal)


def _of_type(stages: Sequence[Stage], stage_type: int) -> list[Stage]:
    return [stage for stage in stages if stage.stage_type == stage_type]
