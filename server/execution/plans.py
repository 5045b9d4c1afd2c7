"""Plans that were made before, and which way operations have gone."""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from server.bounded import BoundedCache
from server.execution.plan import Plan
from server.execution.planner import UnplannableError, conditions_of, plan_of

MAX_OPERATIONS: Final = 1_000
MAX_CHARACTERS: Final = 250_000
MAX_BYTES: Final = 80_000_000
# What plans were measured to take at most, each with its compiled code and with the parsed document, which it holds.
_OF_A_PLAN: Final = 2_000
_OF_A_FIELD: Final = 2_500
_OF_A_CHARACTER: Final = 340


class Way(StrEnum):
    """How an operation, or an event, was executed."""

    QUICK = "quick"  # level by level
    REPEATED = "repeated"  # level by level, and then by graphql-core with what was found
    STOCK = "stock"  # by graphql-core alone


_Text = tuple[str, str | None]  # of a document, and the name of the operation in it


class Plans:
    """Keeps the plans of one schema, bounded by their number, their size and the length of their texts; another schema begins anew.

    Args:
        max_operations: Number of plans.
        max_bytes: Memory of all plans together, estimated from the lengths of their texts, and the numbers of their fields and types.
        max_characters: Length of all texts of which is known what decides their fields.

    Attributes:
        gone: How many operations and events went which way.
    """

    def __init__(self, *, max_operations: int = MAX_OPERATIONS, max_bytes: int = MAX_BYTES, max_characters: int = MAX_CHARACTERS) -> None:
        self.gone: Counter[Way] = Counter()
        self._schema: Any = None
        # The variables that decide which fields an operation has; None when it cannot be planned.
        self._conditions: BoundedCache[_Text, tuple[tuple[str, ...] | None]] = BoundedCache(
            max_items=max_operations, max_weight=max_characters, weigh=lambda text, _: len(text[0])
        )
        self._plans: BoundedCache[tuple[_Text, tuple[bool | None, ...]], tuple[Plan | None]] = BoundedCache(
            max_items=max_operations, max_weight=max_bytes, weigh=lambda key, found: _bytes_of(key[0][0], found[0])
        )

    def __len__(self) -> int:
        return len(self._plans)

    def plan_for(self, executor: Any) -> Plan | None:
        """The plan of the operation of an executor; None when graphql-core has to run it."""
        if executor.schema is not self._schema:
            self._schema = executor.schema
            self._conditions.clear()
            self._plans.clear()
        operation = executor.operation
        if operation.loc is None:
            return None  # it cannot be told from others
        text = operation.loc.source.body, None if operation.name is None else operation.name.value
        known = self._conditions.get(text)
        if known is None:
            known = (_found(lambda: conditions_of(operation, executor.fragment_definitions)),)
            self._conditions.put(text, known)
        conditions = known[0]
        if conditions is None:
            return None
        key = text, tuple([_choice(executor.variable_values.coerced.get(name)) for name in conditions]) if conditions else ()
        planned = self._plans.get(key)
        if planned is None:
            planned = (_found(lambda: plan_of(executor)),)
            self._plans.put(key, planned)
        return planned[0]


def _choice(value: Any) -> bool | None:
    """What a condition is; where nobody has validated the document, it may be anything."""
    return value if value is True or value is False else None


def _bytes_of(text: str, plan: Plan | None) -> int:
    if plan is None:
        return _OF_A_PLAN + 4 * len(text)
    return _OF_A_PLAN + _OF_A_FIELD * (len(plan.steps) + len(plan.objects)) + _OF_A_CHARACTER * len(text)


def _found(find: Callable[[], Any]) -> Any:
    try:
        return find()
    except UnplannableError:
        return None
    except Exception:  # noqa: BLE001  # graphql-core will say what is wrong with the operation
        return None
