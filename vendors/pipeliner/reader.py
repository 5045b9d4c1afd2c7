"""How entities of the Pipeliner REST API are read: a page behind a position, a whole table, many by id, and links by their owner."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeVar

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
from vendors.pipeliner import wire
from vendors.pipeliner.batches import Batches, Params
from vendors.pipeliner.places import Place, Slice, cut
from vendors.pipeliner.projection import Ask
from vendors.wire import Decoded, Decoder

R = TypeVar("R", bound=wire.Row)

# Source: Pipeliner "Create Opportunity", parameter `first`: at most 100 rows a page.
_MAX_ROWS: Final = 100
_DELETED_TOO: Final = ("include-deleted", "true")
# Source: Pipeliner "Create Opportunity": every id is a UUID in text, some of them synthetic. Anything else exists nowhere.
_ID: Final = re.compile(r"[0-9A-Fa-f-]{36}")
_FAILURE: Final = re.compile(rb'"success"\s*:\s*false')
_BODY_DECIDES: Final = frozenset({HTTPStatus.OK, HTTPStatus.NOT_FOUND})
_SERVER_ERROR: Final = 500
_KIND_OF_STATUS: Final[Mapping[int, type[VendorError]]] = {
    HTTPStatus.UNAUTHORIZED: CredentialsError,
    HTTPStatus.FORBIDDEN: PermissionDeniedError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimitedError,
}


class Reader:
    """Reads the entities of one space."""

    def __init__(self, http: VendorHttp) -> None:
        self._http = http
        self._crm = http.crm
        self._batches = Batches()

    async def slice(self, entity: str, decoder: Decoder[wire.Rows[R]], request: PageRequest, params: Sequence[tuple[str, str]]) -> Slice[R]:
        """Read the page that a position lies in, from its start, and take what is behind the position."""
        place = Place.at(request.position)
        size = min(_MAX_ROWS, place.seen + request.size)
        deleted = [_DELETED_TOO] if request.include_deleted else []
        answer = await self._list(entity, decoder, [*_paging(place.cursor, size), *deleted, *params])
        guard = LoopGuard(crm=self._crm, operation=f"{entity}.list")
        for cursor in filter(None, (place.cursor, wire.next_cursor(answer))):
            guard.step(cursor)
        return cut(answer, place, request.size)

    async def by_ids(self, entity: str, lists: Decoder[wire.Rows[R]], ones: Decoder[wire.One[R]], ids: Sequence[str], ask: Ask) -> ById[R]:
        async def listed(filters: Params) -> tuple[Mapping[str, R], bool]:
            answer = await self._list(entity, lists, [*_paging(None, _MAX_ROWS), _DELETED_TOO, *filters, *ask.params()])
            return {row.id: row for row in answer.value.data}, not answer.dropped

        async def single(local_id: str) -> R:
            # Not documented: whether fields can be selected here. Relations can be expanded (Pipeliner "API parameters").
            request = Request(
                operation=f"{entity}.get", path=f"{entity}/{local_id}", params=[_DELETED_TOO, *Ask(ask.expand).params()], entity=entity
            )
            return ones.read(self._http, request, await self._http.send(request)).value.data

        return await self._batches.read("id", [local_id for local_id in ids if is_id(local_id)], listed, single)

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

        return await self._batches.read(name, [local_id for local_id in ids if is_id(local_id)], listed, single)

    async def all(self, entity: str, decoder: Decoder[wire.Rows[R]], *params: tuple[str, str]) -> list[R]:
        """Read a whole table; filters and the choice of fields are sent with every page."""

        async def page(after: str | None) -> tuple[Sequence[R], str | None]:
            answer = await self._list(entity, decoder, [*_paging(after, _MAX_ROWS), _DELETED_TOO, *params])
            return answer.value.data, wire.next_cursor(answer)

        return await all_pages(page, LoopGuard(crm=self._crm, operation=f"{entity}.list"))

    async def probe(self, entity: str) -> None:
        """Read as little of an entity as possible (raises VendorError)."""
        await self._http.send(_list_request(entity, [("first", "1"), ("load-only", "id")]))

    async def _list(self, entity: str, decoder: Decoder[wire.Rows[R]], params: Sequence[tuple[str, str]]) -> Decoded[wire.Rows[R]]:
        request = _list_request(entity, params)
        return decoder.read(self._http, request, await self._http.send(request))


def judge(reply: Reply, fail: Fail) -> VendorError | None:
    """Read the vendor's error bodies: a failure may come with HTTP 200, and a space that does not exist is a 404 as any other."""
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
    status = failure.http_status or 0
    return fail(UnavailableError if status >= _SERVER_ERROR else _KIND_OF_STATUS.get(status, RejectedRequestError))


def _list_request(entity: str, params: Sequence[tuple[str, str]]) -> Request:
    return Request(operation=f"{entity}.list", path=entity, params=params, entity=entity)


def _paging(cursor: str | None, size: int) -> list[tuple[str, str]]:
    return [("first", str(size)), *([] if cursor is None else [("after", cursor)])]


def is_id(text: str) -> bool:
    """Whether the vendor could have given this id."""
    return _ID.fullmatch(text) is not None
