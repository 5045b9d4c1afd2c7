"""Refuses a filter that cannot be meant, before any Crm is asked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from resolvers.errors import bad_input
from resolvers.listing.criteria import given_in
from resolvers.listing.money import comparison_currency
from resolvers.node_id import decode
from resolvers.types.filters import AmountRange

if TYPE_CHECKING:
    from resolvers.context import Context

_MOST_VALUES: Final = 200
_TYPES: Final = {"pipeline_ids": "Pipeline", "stage_ids": "Stage", "owner_ids": "User", "account_ids": "Account", "contact_ids": "Contact"}


def checked_filter(filter_: object, context: "Context") -> None:
    """Refuse a filter that cannot be meant, whatever the Crms hold.

    Raises:
        UserError: A range is empty or a list too long (BAD_USER_INPUT), an id is malformed or of another type (INVALID_ID) or of a Crm that
            is not there (UNKNOWN_CRM).
    """
    for name, value in given_in(filter_).items():
        if isinstance(value, list):
            _check_list(name, cast("Sequence[Any]", value), context)
        elif name == "not_":
            checked_filter(value, context)
        elif hasattr(value, "gte"):
            _check_range(name, value)
            if isinstance(value, AmountRange):
                comparison_currency(context, value.currency)


def _check_list(name: str, values: Sequence[Any], context: "Context") -> None:
    if len(values) > _MOST_VALUES:
        raise bad_input(f"`{_graph_name(name)}` may hold at most {_MOST_VALUES} values, not {len(values)}; ask in several queries.")
    if name == "crms":
        for key in values:
            context.crm(key)
    elif name in _TYPES:
        for text in values:
            context.crm(decode(text, _TYPES[name]).ref.crm)


def _check_range(name: str, wanted: Any) -> None:
    bounds = given_in(wanted)
    lower = [(bounds[key], key) for key in ("gte", "gt") if key in bounds]
    upper = [(bounds[key], key) for key in ("lte", "lt") if key in bounds]
    for low, low_key in lower:
        for high, high_key in upper:
            if low > high or (low == high and (low_key, high_key) != ("gte", "lte")):
                relation = "is" if low == high else "is above"
                raise bad_input(f"Nothing can be in the range of `{_graph_name(name)}`: its `{low_key}` {relation} its `{high_key}`.")
    if any(isinstance(bound, float) and bound != bound for bound in bounds.values()):  # noqa: PLR0124  # not a number
        raise bad_input(f"A bound of `{_graph_name(name)}` is not a number.")


def _graph_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
