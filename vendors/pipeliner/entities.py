"""The entities that are listed, and those whose rows link them to what a condition names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from vendors.pipeliner import wire
from vendors.query import Field
from vendors.wire import Decoder

L = TypeVar("L", bound=wire.Row)
R = TypeVar("R", bound=wire.Row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links(Generic[L, R]):
    """An entity of links.

    Args:
        name: Name of the entity.
        rows: Reads its rows.
        of: Its field with the id that a condition names.
        relation: Its relation to the listed record.
        key: Its field with that record's id.
        record: What the relation of a row leads to.
    """

    name: str
    rows: Decoder[wire.Rows[L]]
    of: str
    relation: str
    key: str
    record: Callable[[L], R | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity(Generic[R]):
    """An entity that is listed.

    Args:
        name: Name of the entity.
        rows: Reads its lists.
        one: Reads its records by id.
        links: How its records are found by what they are only linked to.
    """

    name: str
    rows: Decoder[wire.Rows[R]]
    one: Decoder[wire.One[R]]
    links: Mapping[Field, Links[Any, R]] = field(default_factory=dict[Field, Links[Any, R]])


# Source: Pipeliner API reference, the entities' pages. Leads and opportunities share ids and links.
OPPORTUNITIES: Final = Entity(
    name="Opportunities",
    rows=wire.OPPORTUNITIES,
    one=wire.OPPORTUNITY,
    links={
        Field.ACCOUNT: Links(
            name="LeadOpptyAccountRelations",
            rows=wire.ACCOUNT_RELATIONS,
            of="account_id",
            relation="oppty",
            key="lead_oppty_id",
            record=lambda link: link.oppty,
        ),
        Field.CONTACT: Links(
            name="LeadOpptyContactRelations",
            rows=wire.CONTACT_RELATIONS,
            of="contact_id",
            relation="oppty",
            key="lead_oppty_id",
            record=lambda link: link.oppty,
        ),
    },
)
ACCOUNTS: Final = Entity(name="Accounts", rows=wire.ACCOUNTS, one=wire.ACCOUNT)
CONTACTS: Final = Entity(
    name="Contacts",
    rows=wire.CONTACTS,
    one=wire.CONTACT,
    links={
        Field.ACCOUNT: Links(
            name="ContactAccountRelations",
            rows=wire.CONTACT_ACCOUNT_RELATIONS,
            of="account_id",
            relation="contact",
            key="contact_id",
            record=lambda link: link.contact,
        )
    },
)
