"""What decides about a row of one Crm, and what of it can be asked of the vendor: the parts that filters are put together from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from resolvers.listing.entries import Entry
from resolvers.node_id import decode
from resolvers.types.filters import TextFilter
from vendors.model import Account, Contact, User
from vendors.query import Condition, Field, Operator
from vendors.registry import Crm

_REFERRING: Final = {
    Field.OWNER: ("owner", ("owner",)),
    Field.STAGE: ("stage", ("stage",)),
    Field.PIPELINE: ("pipeline", ("pipeline",)),
    Field.ACCOUNT: ("account", ("account", "accounts")),
    Field.CONTACT: ("contact", ("contacts",)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One part of a filter, in one Crm.

    Args:
        label: Its name in the graph.
        matches: Decides about a row.
        columns: What it looks at in a row.
        conditions: What it means in the vendor's terms; empty where it cannot be put so. Rows that fulfil it fulfil all of them.
        is_trusted: Whether a vendor that evaluates it knows more about it than its rows tell.
    """

    label: str
    matches: Callable[[Any], bool]
    columns: frozenset[str] = frozenset()
    conditions: tuple[Condition, ...] = ()
    is_trusted: bool = False


Criteria = Sequence[Criterion] | None
"""The parts of a filter; None when no row of the Crm can fulfil it."""


def refers_to(field: Field, local_id: str, *, kind: str = "opportunity") -> Criterion:
    """That a row refers to a record of its own Crm."""
    if kind == "contact":
        return reference("account", field, "account_ref", [local_id], is_trusted=True)
    label, columns = _REFERRING[field]
    found = (
        involved(label, field, columns, [local_id])
        if field in {Field.ACCOUNT, Field.CONTACT}
        else any_of(label, field, columns[0], [local_id])
    )
    assert found is not None, "there is an id"
    return found[0]


def any_of(label: str, field: Field, column: str, values: Iterable[Any]) -> list[Criterion] | None:
    wanted = tuple(dict.fromkeys(values))
    if not wanted:
        return None
    allowed = frozenset(wanted)
    condition = Condition(field, Operator.ANY_OF, wanted)
    return [
        Criterion(
            label=label, matches=lambda entry: getattr(entry, column) in allowed, columns=frozenset({column}), conditions=(condition,)
        )
    ]


def involved(label: str, field: Field, columns: tuple[str, ...], ids: Sequence[str]) -> list[Criterion] | None:
    if not ids:
        return None
    wanted = frozenset(ids)

    def matches(entry: Entry) -> bool:
        found = entry.contacts if field is Field.CONTACT else entry.accounts
        return (field is Field.ACCOUNT and entry.account in wanted) or (isinstance(found, tuple) and not wanted.isdisjoint(found))

    return [
        Criterion(label=label, matches=matches, columns=frozenset(columns), conditions=(Condition(field, Operator.ANY_OF, tuple(ids)),))
    ]


def reference(label: str, field: Field, attribute: str, ids: Sequence[str], *, is_trusted: bool = False) -> Criterion:
    wanted = frozenset(ids)

    def matches(record: Account | Contact | User) -> bool:
        ref = getattr(record, attribute)
        return ref is not None and ref.local_id in wanted

    condition = Condition(field, Operator.ANY_OF, tuple(ids))
    return Criterion(label=label, matches=matches, columns=frozenset({attribute}), conditions=(condition,), is_trusted=is_trusted)


def text_criterion(
    label: str, field: Field | None, text_of: Callable[[Any], Any], columns: frozenset[str], wanted: TextFilter
) -> Criterion:
    contains, starts, equals = (None if text is None else text.casefold() for text in (wanted.contains, wanted.starts_with, wanted.equals))

    def matches(row: Any) -> bool:
        text = text_of(row)
        if not isinstance(text, str):
            return False
        folded = text.casefold()
        return (
            (contains is None or contains in folded)
            and (starts is None or folded.startswith(starts))
            and (equals is None or folded == equals)
        )

    # What begins with a text, or is it, also holds it.
    needles = [text for text in (wanted.contains, wanted.starts_with, wanted.equals) if text]
    longest = max(needles, key=len, default=None)
    conditions = () if field is None or longest is None else (Condition(field, Operator.CONTAINS, (longest,)),)
    return Criterion(label=label, matches=matches, columns=columns, conditions=conditions)


def row_criterion(label: str, columns: Iterable[str], matches: Callable[[Any], bool]) -> Criterion:
    return Criterion(label=label, matches=matches, columns=frozenset(columns))


def ids_in(crm: Crm, ids: Iterable[str]) -> list[str]:
    return [node.ref.local_id for node in map(decode, ids) if node.ref.crm == crm.key]


def given_in(filter_: Any) -> dict[str, Any]:
    """What a filter says, without what it leaves open."""
    if filter_ is None:
        return {}
    return {name: value for name in filter_.__dataclass_fields__ if (value := getattr(filter_, name)) is not None}
