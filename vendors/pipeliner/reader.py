"""How entities of the Pipeliner REST API are read: a page behind a position, a whole table, many by id, and links by their owner."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar

from vendors.capabilities import ById, PageRequest
from vendors.errors import (
    CredentialsError,
    MalformedReplyError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
)
from vendors.http import Fail, Reply, Request, VendorHttp
from vendors.paging import LoopGuard, all_pages
from vendors.pipeliner import query, wire
from vendors.pipeliner.batches import Batches, Params
from vendors.pipeliner.entities import Entity, Links
from vendors.pipeliner.places import Place, Slice, Spot, cut
from vendors.pipeliner.projection import Ask
from vendors.wire import Decoded, Decoder

R = TypeVar("R", bound=wire.Row)

# Source: Pipeliner "Create Opportunity", parameter `first`: at most 100 rows a page.
_MAX_ROWS: Final = 100
_DELETED_TOO: Final = ("include-deleted", "true")
_FAILURE: Final = re.compile(rb'"success"\s*:\s*false')
_BODY_DECIDES: Final = frozenset({HTTPStatus.OK, HTTPStatus.NOT_FOUND})
# Source: Pipeliner, recorded answers: 422 for a record that breaks rules, 400 for a body or parameter that does.
_REFUSES: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_SERVER_ERROR: Final = 500
_KIND_OF_STATUS: Final[Mapping[int, type[VendorError]]] = {
    HTTPStatus.UNAUTHORIZED: CredentialsError,
    HTTPStatus.FORBIDDEN: PermissionDeniedError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimitedError,
}


class RefusedRequestError(RejectedRequestError):
    """The vendor refused the request and said why."""

    refusal: wire.Refusal


class Reader:
    """Reads the entities of one space."""

    def __init__(self, http: VendorHttp) -> None:
        self._http = http
        self._crm = http.crm
        self._batches = Batches()

    async def slice(self, entity: Entity[R], request: PageRequest, ask: Ask) -> Slice[R]:
        """Read a page of the records that fulfil the request's conditions, in its order."""
        link = next((condition for condition in request.where if condition.field in entity.links), None)
        if link is not None:
            return await self._linked_slice(entity, entity.links[link.field], link.values[0], request, ask)
        sort = request.sort
        name = None if sort is None else query.SORTS[sort.field]
        asked = (ask if name is None else ask.including(name)).params()
        place, answer = await self._page(entity.name, entity.rows, request, [*query.params_of(request.where, sort), *asked])
        spots = [
            Spot(row, index, None if name is None else _comparable(getattr(row, name)))
            for index, row in enumerate(answer.value.data)
            if request.include_deleted or not row.is_deleted
        ]
        found = cut(answer, spots, place, request.size, descending=sort is not None and sort.descending)
        return replace(found, total=answer.value.total)

    async def _linked_slice(self, entity: Entity[R], links: Links[Any, R], of_id: str, request: PageRequest, ask: Ask) -> Slice[R]:
        """Read a page of the records that are linked to another one, in the order of their ids; several links show a record once."""
        asked = ask.below(links.relation, ("id", "is_deleted", links.key)).params()
        order = ("order-by", links.key)
        place, answer = await self._page(links.name, links.rows, request, [(f"filter[{links.of}]", of_id), order, *asked])
        targets = [links.record(link) for link in answer.value.data]
        unexpanded = dict.fromkeys(found for target in targets if isinstance(target, str) and (found := wire.id_in(target)) is not None)
        read = await self.by_ids(entity, list(unexpanded), ask)
        spots: dict[str, Spot[R]] = {}
        for index, (link, target) in enumerate(zip(answer.value.data, targets, strict=True)):
            record: R | VendorError | None = read.get(wire.id_in(target) or "") if isinstance(target, str) else target
            if isinstance(record, VendorError):
                raise record
            # The link of a lead has no opportunity. A link that is deleted while its record is not was taken away.
            if record is not None and (request.include_deleted if record.is_deleted else not link.is_deleted):
                spots.setdefault(record.id, Spot(record, index))
        return cut(answer, list(spots.values()), place, request.size, repeats=True)

    async def _page(
        self, name: str, decoder: Decoder[wire.Rows[R]], request: PageRequest, params: Sequence[tuple[str, str]]
    ) -> tuple[Place, Decoded[wire.Rows[R]]]:
        """Read the page that a position lies in, from its start."""
        place = Place.at(request.position)
        size = min(_MAX_ROWS, place.seen + request.size)
        deleted = [_DELETED_TOO] if request.include_deleted else []
        answer = await self._list(name, decoder, [*_paging(place.cursor, size), *deleted, *params])
        guard = LoopGuard(crm=self._crm, operation=f"{name}.list")
        for cursor in filter(None, (place.cursor, wire.next_cursor(answer))):
            guard.step(cursor)
        return place, answer

    async def by_ids(self, entity: Entity[R], ids: Sequence[str], ask: Ask) -> ById[R]:
        async def listed(filters: Params) -> tuple[Mapping[str, R], bool]:
            answer = await self._list(entity.name, entity.rows, [*_paging(None, _MAX_ROWS), _DELETED_TOO, *filters, *ask.params()])
            return {row.id: row for row in answer.value.data}, not answer.dropped

        async def single(local_id: str) -> R:
            # Not documented: whether fields can be selected here. Relations can be expanded (Pipeliner "API parameters").
            params = [_DELETED_TOO, *Ask(ask.expand).params()]
            path = f"{entity.name}/{local_id}"
            request = Request(operation=f"{entity.name}.get", path=path, params=params, entity=entity.name, by_id=True)
            return entity.one.read(self._http, request, await self._http.send(request)).value.data

        return await self._batches.read("id", [local_id for local_id in ids if wire.is_id(local_id)], listed, single)

    async def linked(self, entity: str, decoder: Decoder[wire.Rows[R]], name: str, ids: Sequence[str], ask: Ask) -> ById[Sequence[R]]:
        """Read the rows of a link entity that belong to these records."""

        async def listed(filters: Params) -> tuple[Mapping[str, Sequence[R]], bool]:
            whole = True
            found: defaultdict[str, list[R]] = defaultdict(list)

            async def page(after: str | None) -> tuple[Sequence[R], str | None]:
                nonlocal whole
                answer = await self._list(entity, decoder, [*_paging(after, _MAX_ROWS), *filters, *ask.params()])
                whole = whole and not answer.dropped
                return answer.value.data, wire.next_cursor(answer)

            for row in await all_pages(page, LoopGuard(crm=self._crm, operation=f"{entity}.list")):
                found[getattr(row, name)].append(row)
            return (found if whole else {}), whole  # nobody knows whose link a row was that cannot be read

        async def single(local_id: str) -> Sequence[R] | None:
            found, whole = await listed([(f"filter[{name}]", local_id)])
            if not whole:
                raise MalformedReplyError(
                    f"The CRM {self._crm!r} answered {entity}.list with a link that cannot be read.",
                    crm=self._crm,
                    operation=f"{entity}.list",
                )
            return found.get(local_id)

        return await self._batches.read(name, [local_id for local_id in ids if wire.is_id(local_id)], listed, single)

    async def all(self, entity: str, decoder: Decoder[wire.Rows[R]], *params: tuple[str, str]) -> list[R]:
        """Read a whole table; filters and the choice of fields are sent with every page."""
        rows, _ = await self.all_told(entity, decoder, *params)
        return rows

    async def all_told(self, entity: str, decoder: Decoder[wire.Rows[R]], *params: tuple[str, str]) -> tuple[list[R], int]:
        """Read a whole table, and tell how many of its rows could not be read."""
        unread = 0

        async def page(after: str | None) -> tuple[Sequence[R], str | None]:
            nonlocal unread
            answer = await self._list(entity, decoder, [*_paging(after, _MAX_ROWS), _DELETED_TOO, *params])
            unread += len(answer.dropped)
            return answer.value.data, wire.next_cursor(answer)

        return await all_pages(page, LoopGuard(crm=self._crm, operation=f"{entity}.list")), unread

    async def probe(self, entity: str) -> None:
        """Read as little of an entity as possible (raises VendorError)."""
        await self._list(entity, wire.ROWS, [("first", "1"), ("load-only", "id")])

    async def _list(self, entity: str, decoder: Decoder[wire.Rows[R]], params: Sequence[tuple[str, str]]) -> Decoded[wire.Rows[R]]:
        request = _list_request(entity, params)
        return decoder.read(self._http, request, await self._http.send(request))


def judge(reply: Reply, fail: Fail) -> VendorError | None:
    """Read the vendor's error bodies: a failure may come with HTTP 200, and a space that does not exist is a 404 as any other."""
    if reply.status in _REFUSES:
        return _failed(reply.status, reply, fail)
    if reply.status not in _BODY_DECIDES or (reply.status == HTTPStatus.OK and _FAILURE.search(reply.body) is None):
        return None
    try:
        failure = wire.FAILURE.decode(reply.body).value
    except (ValueError, RecursionError):
        return None
    if reply.status == HTTPStatus.NOT_FOUND:
        # Source: a public client of the vendor, answer to an unknown space; matched loosely and never passed on.
        known = "space not found" not in (failure.message or "").lower()
        return None if known else fail(RejectedRequestError, "The vendor knows no such space; mend `space_id` or `service_url`.")
    if failure.success is not False:
        return None
    return _failed(failure.http_status or 0, reply, fail)


def _failed(status: int, reply: Reply, fail: Fail) -> VendorError:
    if status in _REFUSES:
        return _refused(reply, fail)
    return fail(UnavailableError if status >= _SERVER_ERROR else _KIND_OF_STATUS.get(status, RejectedRequestError))


def _refused(reply: Reply, fail: Fail) -> RefusedRequestError:
    plain = fail(RejectedRequestError)
    try:
        refusal = wire.REFUSAL.decode(reply.body).value
    except (ValueError, RecursionError):
        refusal = wire.Refusal()
    error = RefusedRequestError(
        plain.message,
        crm=plain.crm,
        operation=plain.operation,
        status=plain.status,
        vendor_code=None if refusal.code is None else str(refusal.code),
    )
    error.refusal = refusal
    return error


def _list_request(entity: str, params: Sequence[tuple[str, str]]) -> Request:
    return Request(operation=f"{entity}.list", path=entity, params=params, entity=entity)


def _paging(cursor: str | None, size: int) -> list[tuple[str, str]]:
    return [("first", str(size)), *([] if cursor is None else [("after", cursor)])]


def _comparable(value: date | None) -> str | None:
    """A day or an instant as text that sorts as it does."""
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else None if value is None else value.isoformat()
