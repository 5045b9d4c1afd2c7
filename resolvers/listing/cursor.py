"""Cursors: sealed, and holding a place in every Crm, the list they belong to, and the day that it takes as today."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from resolvers.errors import UserError
from resolvers.listing.feed import END, Place
from resolvers.listing.order import Order, Values
from vendors.errors import ErrorCode

if TYPE_CHECKING:
    from resolvers.context import Context

_VERSION: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in a list: behind a row, or before it.

    Args:
        today: The day that the list began on, which its rates are of.
        row: The Crm and id of the row; None behind rows that do not belong to the list.
        values: For a list in an order: what the row is compared by.
        places: How far the list has come in each Crm, that row included.
    """

    today: date
    row: tuple[str, str] | None
    values: Values | None
    places: Mapping[str, Place]


def digest_of(name: str, arguments: object) -> str:
    """What tells a list from others: its name and all its arguments but the page."""
    return hashlib.sha256(orjson.dumps([name, arguments], default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def sealed(context: "Context", cursor: Cursor, digest: str, order: Order | None) -> str:
    """The text of a cursor."""
    places = {key: _packed(place, cursor, order) for key, place in cursor.places.items()}
    values = None if cursor.values is None or order is None else order.packed(cursor.values)
    content = {"v": _VERSION, "of": digest, "on": cursor.today.isoformat(), "row": cursor.row, "is": values, "at": places}
    return context.cursors.seal(orjson.dumps(content))


def opened(context: "Context", text: str, digest: str, order: Order | None, argument: str) -> Cursor:
    """Read a cursor.

    Raises:
        UserError: It is none of ours, or one of another list, filter or order (INVALID_CURSOR).
    """
    state = _held(context.cursors.open(text))
    if state.get("v") != _VERSION:
        raise UserError(
            ErrorCode.INVALID_CURSOR,
            f"`{argument}` is no cursor of this graph; take it from `pageInfo` or an edge's `cursor`.",
        )
    if state["of"] != digest:
        raise UserError(
            ErrorCode.INVALID_CURSOR,
            f"`{argument}` belongs to a list with other arguments; repeat the filter and the order of the page it came from.",
        )
    row = None if state["row"] is None else (state["row"][0], state["row"][1])
    values = None if state["is"] is None or order is None else order.unpacked(state["is"])
    places = {key: _unpacked(packed, row, values, order) for key, packed in state["at"].items()}
    return Cursor(today=date.fromisoformat(state["on"]), row=row, values=values, places=places)


def _held(content: bytes | None) -> dict[str, Any]:
    """What a cursor holds; nothing where it is none of a list, but such as the log of changes has."""
    held: Any = None if content is None else orjson.loads(content)
    return cast("dict[str, Any]", held) if isinstance(held, dict) else {}


def _packed(place: Place, cursor: Cursor, order: Order | None) -> list[Any]:
    if order is None:
        return [place.count, place.position, place.last_id, place.is_done]
    if place.is_end:
        return []
    if place.values == cursor.values and (place.last_crm, place.last_id) == cursor.row:
        return [place.position]
    return [place.position, None if place.values is None else order.packed(place.values), place.last_crm, place.last_id]


def _unpacked(packed: list[Any], row: tuple[str, str] | None, values: Values | None, order: Order | None) -> Place:
    if order is None:
        count, position, last_id, is_done = packed
        return Place(count=count, position=position, last_id=last_id, is_done=is_done)
    if not packed:
        return END
    if len(packed) == 1:
        assert row is not None, "an order has cursors of rows only"
        return Place(position=packed[0], values=values, last_crm=row[0], last_id=row[1])
    position, own, last_crm, last_id = packed
    return Place(position=position, values=None if own is None else order.unpacked(own), last_crm=last_crm, last_id=last_id)
