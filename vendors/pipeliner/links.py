"""Links of an opportunity to accounts and contacts: from what is wanted and what stands to the links to write and to delete. Pure.

A list of links that is not empty has exactly one main link. What a list in an update does to links that it does not name is not documented,
so one that is sent names them all, and what is taken out is deleted as a record of its own.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vendors.pipeliner import wire
from vendors.pipeliner.bodies import Draft, Path, shown
from vendors.writes import UNSET, Maybe, RuleCode, Unset


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkKind:
    """Links to accounts or to contacts.

    Args:
        entity: The vendor's entity of the links.
        field: The opportunity's field that lists them.
        key: The link's field with the id that it leads to.
        noun: What it leads to.
        main: Attribute that names the main one.
        all: Attribute that names them all.
        add: Attribute that adds some.
        remove: Attribute that takes some out.
    """

    entity: str
    field: str
    key: str
    noun: str
    main: str
    all: str
    add: str = ""
    remove: str = ""


# Source: Pipeliner "Create Opportunity", 2. Create Opportunity; entities LeadOpptyAccountRelations and LeadOpptyContactRelations.
ACCOUNTS: Final = LinkKind(
    entity="LeadOpptyAccountRelations", field="account_relations", key="account_id", noun="account", main="account_id", all="account_ids"
)
CONTACTS: Final = LinkKind(
    entity="LeadOpptyContactRelations",
    field="contact_relations",
    key="contact_id",
    noun="contact",
    main="primary_contact_id",
    all="contact_ids",
    add="add_contact_ids",
    remove="remove_contact_ids",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of the links of one kind, as `OpportunityValues` has it."""

    main: Maybe[str] = UNSET
    all: Maybe[tuple[str, ...]] = UNSET
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self.main is UNSET and self.all is UNSET and not self.add and not self.remove

    @property
    def named(self) -> tuple[str, ...]:
        """The ids that are to be linked, each once."""
        main = (self.main,) if isinstance(self.main, str) else ()
        every = () if isinstance(self.all, Unset) or self.all is None else self.all
        return tuple(dict.fromkeys((*main, *every, *self.add)))


@dataclass(frozen=True, slots=True)
class Standing:
    """A link that stands."""

    id: str
    target: str
    is_main: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """A link to delete, and the attribute that asks for it."""

    entity: str
    link_id: str
    path: Path


def standing_from_wire(rows: Sequence[wire.AccountRelation | wire.ContactRelation]) -> list[Standing]:
    """The links that stand, the main one first."""
    found: list[Standing] = []
    for row in rows:
        target = (
            row.account_id or wire.id_in(row.account)
            if isinstance(row, wire.AccountRelation)
            else row.contact_id or wire.id_in(row.contact)
        )
        if target is not None and not row.is_deleted:
            found.append(Standing(row.id, target, row.is_primary or False))
    return sorted(found, key=lambda link: not link.is_main)


def put_links(draft: Draft, kind: LinkKind, wish: Wish, *, standing: Sequence[Standing], known: Collection[str]) -> list[Removal]:
    """Put the list of links into a body, where one has to be sent, and tell which links to delete afterwards.

    Args:
        draft: The body.
        kind: Which links.
        wish: What is wanted.
        standing: The links there are, the main one first.
        known: Ids of records that exist, among those that are wanted.
    """
    if wish.is_empty:
        return []
    before = len(draft.violations)
    present = list(dict.fromkeys(link.target for link in standing))
    _check(draft, kind, wish, present=present, known=known)
    if len(draft.violations) > before:
        return []
    wanted = _wanted(wish, present)
    main = _main(draft, kind, wish, wanted, present)
    if len(draft.violations) > before:
        return []
    path = _path(kind, wish)
    _put_list(draft, kind, wanted, main, standing=standing, path=path)
    gone = [link for link in standing if link.target not in wanted]
    return [Removal(kind.entity, link.id, path) for link in sorted(gone, key=lambda link: link.is_main)]  # the main link may only go last


def _check(draft: Draft, kind: LinkKind, wish: Wish, *, present: Sequence[str], known: Collection[str]) -> None:
    if not isinstance(wish.all, Unset) and (wish.add or wish.remove):
        draft.refuse((kind.all,), RuleCode.CONTRADICTION, f"Give either all {kind.noun}s, or those to add and to remove.")
    if {*wish.add} & {*wish.remove}:
        draft.refuse((kind.remove,), RuleCode.CONTRADICTION, f"Do not add and remove the same {kind.noun}.")
    if isinstance(wish.main, str):
        if not isinstance(wish.all, Unset) and wish.main not in (wish.all or ()):
            draft.refuse((kind.main,), RuleCode.CONTRADICTION, f"Name the main {kind.noun} among all {kind.noun}s as well.")
        if wish.main in wish.remove:
            draft.refuse((kind.main,), RuleCode.CONTRADICTION, f"Do not remove the {kind.noun} that shall be the main one.")
    attributes = dict.fromkeys(wish.add, kind.add) | dict.fromkeys(wish.all if isinstance(wish.all, tuple) else (), kind.all)
    if isinstance(wish.main, str):
        attributes[wish.main] = kind.main
    for one, attribute in attributes.items():
        if one not in present and one not in known:
            draft.refuse((attribute,), RuleCode.INVALID_REFERENCE, f"There is no {kind.noun} {shown(one)}; choose one that exists.")


def _wanted(wish: Wish, present: Sequence[str]) -> list[str]:
    if not isinstance(wish.all, Unset):
        return list(dict.fromkeys(wish.all or ()))
    wanted = [one for one in dict.fromkeys((*present, *wish.add)) if one not in wish.remove]
    if isinstance(wish.main, str) and wish.main not in wanted:
        wanted.append(wish.main)
    if wish.main is None and wanted == list(present[:1]):
        return []  # the only one was the main one
    return wanted


def _main(draft: Draft, kind: LinkKind, wish: Wish, wanted: Sequence[str], present: Sequence[str]) -> str | None:
    """Whose link is the main one.

    Source: Pipeliner "Create Opportunity", Possible problems: exactly one 'is_primary' item must be set.
    """
    if not wanted:
        return None
    if wish.main is None:
        draft.refuse((kind.main,), RuleCode.CONTRADICTION, f"Name the main {kind.noun}: while any is linked, one has to be the main one.")
        return None
    if isinstance(wish.main, str):
        return wish.main
    if isinstance(wish.all, Unset) and present and present[0] in wanted:
        return present[0]
    return wanted[0]


def _put_list(draft: Draft, kind: LinkKind, wanted: Sequence[str], main: str | None, *, standing: Sequence[Standing], path: Path) -> None:
    chosen = next((link.id for link in standing if link.target == main), None)
    is_settled = main is None or [link.id for link in standing if link.is_main] == [chosen]
    new = [one for one in wanted if all(link.target != one for link in standing)]
    if is_settled and not new:
        return
    items: list[dict[str, Any]] = [{"id": link.id, "is_primary": link.id == chosen} for link in standing]
    draft.put(kind.field, [*items, *({kind.key: one, "is_primary": one == main} for one in new)], path)


def _path(kind: LinkKind, wish: Wish) -> Path:
    """The attribute that asks for the most."""
    if not isinstance(wish.all, Unset):
        return (kind.all,)
    return (kind.add,) if wish.add else (kind.remove,) if wish.remove else (kind.main,)
