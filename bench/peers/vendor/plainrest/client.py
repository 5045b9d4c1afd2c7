"""Reads the files. One is answered whole: it has no pages, and a server of plain files may ignore which rows it was asked for."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from vendors.auth import FixedAccess
from vendors.capabilities import ById, EntityCheck, Page, PageRequest, Row
from vendors.errors import VendorError
from vendors.http import Request
from vendors.limiting import Limits
from vendors.model import Account, Contact, Opportunity, Pipeline, Record, Selection, User
from vendors.query import NOTHING, Condition, Pushdown, Sort
from vendors.registry import Link
from vendors.tables import Table
from vendors.wire import Decoded, Decoder, records_of

from . import mapping, wire
from .settings import Settings

E = TypeVar("E")
W = TypeVar("W", bound=wire.Row)
R = TypeVar("R", bound=Record)

# No limit is documented. The calls of 64 boards at once, five for each, go out unhindered.
_LIMITS: Final = Limits(max_concurrent=1_024)


class Client:
    """Rows are read anew for everybody, but for pipelines and stages, which are kept for the table time like any vendor's."""

    def __init__(self, link: Link, settings: Settings) -> None:
        self._crm = link.crm
        self._http = link.http(auth=FixedAccess(settings.base_url, {}), limits=_LIMITS)
        self._pipelines = Table(self.read_pipelines, crm=link.crm, ttl_seconds=link.table_ttl_seconds, clock=link.clock)

    def opportunities_pushdown(self, conditions: Sequence[Condition], sort: Sort | None) -> Pushdown:  # noqa: ARG002  # it evaluates nothing
        return NOTHING

    async def opportunities_page(self, request: PageRequest) -> Page[Opportunity]:
        fields = mapping.opportunity_fields(request.selection)
        read_fields = None if fields is None else request.selection.of("Opportunity")
        answer = await self._read("opportunities", wire.OPPORTUNITIES.asking(fields))
        start = _place(request.position, answer.value)
        shown = answer.value[start : start + request.size]
        records = records_of(mapping.opportunity_from_wire, self._crm, shown, read_fields)
        rows = [Row(record, f"{number} {record.local_id}") for number, record in enumerate(records, start + 1)]
        return Page(
            rows=rows,
            has_more=start + len(rows) < len(answer.value),
            position=rows[-1].position if rows else request.position,
            dropped=len(answer.dropped),
            total=None if answer.dropped else len(answer.value),
        )

    async def opportunities_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Opportunity]:  # noqa: ARG002  # rows are whole
        return await self._by_ids(ids, "opportunities", wire.OPPORTUNITIES, mapping.opportunity_from_wire)

    async def pipelines(self) -> Sequence[Pipeline]:
        return await self._pipelines.get()

    async def read_pipelines(self) -> Sequence[Pipeline]:
        """Read pipelines and stages, whatever is kept."""
        pipelines, stages = await asyncio.gather(self._read("pipelines", wire.PIPELINES), self._read("stages", wire.STAGES))
        made: tuple[object, Sequence[Pipeline]] | None = pipelines.made.get(mapping.pipelines_from_wire)
        if made is None or made[0] is not stages:
            made = stages, tuple(mapping.pipelines_from_wire(self._crm, pipelines.value, stages.value))
            pipelines.made[mapping.pipelines_from_wire] = made
        return made[1]

    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]:  # noqa: ARG002  # rows are whole
        return await self._by_ids(ids, "users", wire.USERS, mapping.user_from_wire)

    async def accounts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Account]:  # noqa: ARG002  # rows are whole
        return await self._by_ids(ids, "accounts", wire.ACCOUNTS, mapping.account_from_wire)

    async def contacts_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[Contact]:  # noqa: ARG002  # rows are whole
        return await self._by_ids(ids, "contacts", wire.CONTACTS, mapping.contact_from_wire)

    async def check(self) -> Sequence[EntityCheck]:
        checks = await asyncio.gather(
            self._checked("opportunities", wire.OPPORTUNITIES),
            self._checked("pipelines", wire.PIPELINES),
            self._checked("stages", wire.STAGES),
            self._checked("users", wire.USERS),
            self._checked("accounts", wire.ACCOUNTS),
            self._checked("contacts", wire.CONTACTS),
        )
        errors = [check.error for check in checks if check.error is not None]
        if len(errors) == len(checks):
            raise errors[0]
        return checks

    async def _checked(self, name: str, decoder: Decoder[E]) -> EntityCheck:
        try:
            await self._read(name, decoder)
        except VendorError as error:
            return EntityCheck(entity=name, error=error)
        return EntityCheck(entity=name, error=None)

    async def _by_ids(self, ids: Sequence[str], name: str, decoder: Decoder[list[W]], make: Callable[[str, W], R]) -> ById[R]:
        answer = await self._read(name, decoder, ("ids", ",".join(ids)))
        records: Mapping[str, R] | None = answer.made.get(make)
        if records is None:
            records = answer.made[make] = {row.id: make(self._crm, row) for row in answer.value}
        return {local_id: records[local_id] for local_id in ids if local_id in records}

    async def _read(self, name: str, decoder: Decoder[E], *params: tuple[str, str]) -> Decoded[E]:
        request = Request(operation=name, path=f"{name}.json", params=params)
        return decoder.read(self._http, request, await self._http.send(request))


def _place(position: str | None, rows: Sequence[wire.Opportunity]) -> int:
    """Number of rows before a position: it is the number and id of the row before it, and the number counts only where the id is gone."""
    if position is None:
        return 0
    number, _, last_id = position.partition(" ")
    start = int(number)
    if start <= len(rows) and rows[start - 1].id == last_id:
        return start
    return next((at for at, row in enumerate(rows, 1) if row.id == last_id), start)
