"""What planning a write looks up: the small tables that are kept, and whether the accounts and contacts that are named exist."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from vendors.capabilities import ById
from vendors.errors import VendorError
from vendors.model import User
from vendors.pipeliner import entities, wire
from vendors.pipeliner.custom_fields import Options, own_fields
from vendors.pipeliner.entities import Entity
from vendors.pipeliner.links import Standing, standing_from_wire
from vendors.pipeliner.mapping import Currencies, Pipelines
from vendors.pipeliner.projection import Ask
from vendors.pipeliner.reader import Reader
from vendors.tables import Table

T = TypeVar("T")
R = TypeVar("R", bound=wire.Row)

_EXISTENCE: Final = Ask(only=frozenset({"id", "is_deleted"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The kept tables that writes are checked against; units are those that can be chosen."""

    pipelines: Table[Pipelines]
    users: Table[Mapping[str, User]]
    currencies: Table[Currencies]
    types: Table[Mapping[str, wire.OpportunityType]]
    units: Table[frozenset[str]]
    options: Table[Options]
    fields: Table[Sequence[wire.Field]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What has to be looked up: ids that are named, and tables that are read as a whole."""

    stages: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    accounts: Sequence[str] = ()
    contacts: Sequence[str] = ()
    currency_codes: frozenset[str] = frozenset()
    pipelines: bool = False
    currencies: bool = False
    types: bool = False
    fields: bool = False
    account_links_of: str | None = None
    contact_links_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was found. Accounts and contacts are ids of those that exist; links stand with the main one first."""

    pipelines: Pipelines = field(default_factory=Pipelines)
    users: Mapping[str, User] = field(default_factory=dict[str, User])
    currencies: Currencies = field(default_factory=Currencies)
    types: Mapping[str, wire.OpportunityType] = field(default_factory=dict[str, wire.OpportunityType])
    units: frozenset[str] = frozenset()
    options: Options = field(default_factory=Options)
    fields: Mapping[str, wire.Field] = field(default_factory=dict[str, wire.Field])
    accounts: frozenset[str] = frozenset()
    contacts: frozenset[str] = frozenset()
    account_links: Sequence[Standing] = ()
    contact_links: Sequence[Standing] = ()


class Lookups:
    """Looks up what writes of one space need."""

    def __init__(self, reader: Reader, tables: Tables) -> None:
        self._reader = reader
        self._tables = tables

    async def find(self, needs: Needs) -> Known:
        """Look everything up at once.

        Raises:
            VendorError: Something of it could not be read.
        """
        tables = self._tables
        (
            (pipelines, users, currencies, types, units),
            (options, fields),
            (accounts, contacts),
            (account_links, contact_links),
        ) = await asyncio.gather(
            asyncio.gather(
                _table(tables.pipelines, Pipelines(), lambda found: needs.stages <= found.stages.keys(), needs.pipelines or needs.stages),
                _table(tables.users, {}, lambda found: needs.users <= found.keys(), needs.users),
                _table(tables.currencies, Currencies(), lambda found: needs.currency_codes <= _codes(found), needs.currencies),
                _table(tables.types, {}, lambda _found: True, needs.types),
                _table(tables.units, frozenset[str](), lambda found: needs.units <= found, needs.units),
            ),
            asyncio.gather(
                _table(tables.options, Options(), lambda _found: True, needs.fields),
                _table(tables.fields, (), lambda _found: True, needs.fields),
            ),
            asyncio.gather(self._existing(entities.ACCOUNTS, needs.accounts), self._existing(entities.CONTACTS, needs.contacts)),
            asyncio.gather(
                self._links("LeadOpptyAccountRelations", wire.ACCOUNT_RELATIONS, needs.account_links_of),
                self._links("LeadOpptyContactRelations", wire.CONTACT_RELATIONS, needs.contact_links_of),
            ),
        )
        return Known(
            pipelines=pipelines,
            users=users,
            currencies=currencies,
            types=types,
            units=units,
            options=options,
            fields=own_fields(fields, "Opportunity"),
            accounts=accounts,
            contacts=contacts,
            account_links=account_links,
            contact_links=contact_links,
        )

    async def _existing(self, entity: Entity[Any], ids: Sequence[str]) -> frozenset[str]:
        found: ById[wire.Row] = await self._reader.by_ids(entity, ids, _EXISTENCE) if ids else {}
        return frozenset(row.id for row in _all_read(found.values()) if not row.is_deleted)

    async def _links(self, entity: str, decoder: Any, opportunity_id: str | None) -> Sequence[Standing]:
        if opportunity_id is None:
            return ()
        found: ById[Sequence[Any]] = await self._reader.linked(entity, decoder, "lead_oppty_id", [opportunity_id], Ask())
        return standing_from_wire([row for rows in _all_read(found.values()) for row in rows])


async def _table(table: Table[T], default: T, has_all: Callable[[T], bool], wanted: object) -> T:
    """The table where it is wanted, read again when something named is not in it."""
    if not wanted:
        return default
    found = await table.get()
    return found if has_all(found) else await table.get_after_miss()


def _codes(currencies: Currencies) -> set[str | None]:
    return {currencies.code(currency_id) for currency_id in currencies.by_id}


def _all_read(found: Iterable[T | VendorError]) -> list[T]:
    """What was read.

    Raises:
        VendorError: Something could not be read.
    """
    read: list[T] = []
    for value in found:
        if isinstance(value, VendorError):
            raise value
        read.append(value)
    return read
