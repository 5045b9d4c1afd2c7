"""A cache that cannot outgrow its bounds, whoever chooses the keys."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Forgets what was used least recently.

    Args:
        max_items: Number of values it keeps.
        max_weight: Sum of their weights. What weighs more than an eighth of it is not kept at all: it would drive out too much.
        weigh: Tells the weight of a value, once, when it is put in.
    """

    def __init__(self, *, max_items: int, max_weight: int, weigh: Callable[[K, V], int]) -> None:
        self._items: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._max_items = max_items
        self._max_weight = max_weight
        self._weigh = weigh
        self.weight = 0

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: K) -> V | None:
        found = self._items.get(key)
        if found is None:
            return None
        self._items.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V) -> None:
        weight = self._weigh(key, value)
        self.drop(key)
        if weight > self._max_weight // 8:
            return
        self._items[key] = value, weight
        self.weight += weight
        while len(self._items) > self._max_items or self.weight > self._max_weight:
            _, (_, lost) = self._items.popitem(last=False)
            self.weight -= lost

    def drop(self, key: K) -> None:
        found = self._items.pop(key, None)
        if found is not None:
            self.weight -= found[1]

    def clear(self) -> None:
        self._items.clear()
        self.weight = 0
