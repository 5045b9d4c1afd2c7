"""Which list is wanted, and which page of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from resolvers.errors import bad_input
from resolvers.listing.criteria import Criteria
from resolvers.listing.kinds import Kind
from resolvers.listing.moment import Moment
from resolvers.listing.order import Order
from vendors.model import Record
from vendors.query import Field
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context

R = TypeVar("R", bound=Record)

MAX_FIRST: Final = 100
DEFAULT_FIRST: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which page of a list is wanted: so many rows behind a cursor, or before one."""

    size: int
    cursor: str | None
    is_backward: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[R]):
    """A list, and the page of it that is wanted.

    Args:
        context: The operation.
        kind: The kind of its records.
        crms: The Crms to ask, in the order of their keys.
        criteria: Finds what its filter means in a Crm.
        window: The page.
        identity: What its cursors belong to, as JSON.
        path: Where it stands in the answer.
        order: Its order; None for the native one.
        currency: The currency that amounts are compared in, where the order does.
        include_deleted: Whether rows that a vendor keeps as deleted belong to it.
        is_counted: Whether the number of all its rows is wanted.
        max_age: How old its rows may be, in seconds.
        needs_tables: Whether the filter can only be understood with tables of the Crm.
        refers: For a list of what refers to a record: the field that does, and the record's id.
    """

    context: "Context"
    kind: Kind[R]
    crms: Sequence[Crm]
    criteria: Callable[[Crm, Moment], Awaitable[Criteria]]
    window: Window
    identity: Sequence[object]
    path: Sequence[str | int]
    order: Order | None = None
    currency: str | None = None
    include_deleted: bool = False
    is_counted: bool = False
    max_age: float = 0.0
    needs_tables: bool = False
    refers: tuple[Field, str] | None = None


def window_of(first: int | None, after: str | None, last: int | None, before: str | None) -> Window:
    """The page that these arguments mean.

    Raises:
        UserError: They contradict each other, or a size is not permitted (BAD_USER_INPUT).
    """
    if (first is not None or after is not None) and (last is not None or before is not None):
        raise bad_input("Page forwards with `first` and `after`, or backwards with `last` and `before`, not both at once.")
    is_backward = last is not None or before is not None
    size = (last if is_backward else first) if (last if is_backward else first) is not None else DEFAULT_FIRST
    assert size is not None, "the default stands in"
    if not 1 <= size <= MAX_FIRST:
        names = ("last", "before") if is_backward else ("first", "after")
        more = f"; use `{names[1]}` for more" if size > MAX_FIRST else ""
        raise bad_input(f"`{names[0]}` must be from 1 to {MAX_FIRST}, not {size}{more}.")
    return Window(size=size, cursor=before if is_backward else after, is_backward=is_backward)
