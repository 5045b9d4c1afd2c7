"""Many records at once: several calls in one batch, or one by one where the portal has no batch."""

import asyncio
import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlencode

from vendors.calls import Clock
from vendors.capabilities import ById
from vendors.errors import (
    CredentialsError,
    MalformedReplyError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
)
from vendors.http import Reply, Request, VendorHttp
from vendors.onlyoffice import wire
from vendors.paging import in_chunks, one_by_one

T = TypeVar("T")

# Not documented; the server runs the calls of a batch one after another, so that a large one takes long.
MAX_CALLS: Final = 50
# How many single reads are on their way at once; the others wait here and not with a token that may end meanwhile.
_SINGLE_READS: Final = 8
_OFF_SECONDS: Final = 3_600.0
_KIND_OF_STATUS: Final[dict[int, type[VendorError]]] = {401: CredentialsError, 403: PermissionDeniedError}


class Batch:
    """Reads many paths below `api/2.0/`. Where a portal has no batch, that is remembered for an hour."""

    def __init__(self, http: VendorHttp, *, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._off_until: float | None = None
        self._gate = asyncio.Semaphore(_SINGLE_READS)

    async def read(self, paths: Sequence[str]) -> ById[Reply]:
        """Read paths, each as if it had been called alone; what the portal does not have is left out."""
        return await in_chunks(list(dict.fromkeys(paths)), MAX_CALLS, self._chunk)

    def decoded(self, path: str, found: ById[Reply], decoder: wire.PortalDecoder[wire.Envelope[T]]) -> T | VendorError | None:
        """What a read path answered, or the error of just that path; None when the portal does not have it."""
        reply = found.get(path)
        if not isinstance(reply, Reply):
            return reply
        try:
            return decoder.read(self._http, _single(path), reply).value.response
        except MalformedReplyError as error:
            return error

    async def _chunk(self, paths: Sequence[str]) -> ById[Reply]:
        if len(paths) > 1 and (self._off_until is None or self._clock() >= self._off_until):
            try:
                return await self._in_one_call(paths)
            except NotFoundError:
                self._off_until = self._clock() + _OFF_SECONDS
        return await one_by_one(paths, self._alone)

    async def _alone(self, path: str) -> Reply:
        async with self._gate:
            return await self._http.send(_single(path))

    async def _in_one_call(self, paths: Sequence[str]) -> ById[Reply]:
        # Source: API page "Batch request": a form field with JSON; answers come with the names that the calls were given.
        calls = [{"relativeUrl": f"/api/2.0/{path}.json", "method": "GET", "name": path} for path in paths]
        request = Request(
            operation="batch",
            method="POST",
            path="batch",
            body=urlencode({"batch": json.dumps(calls)}).encode(),
            content_type="application/x-www-form-urlencoded",
            by_id=True,  # a portal without this method answers 404, and is then asked singly
        )
        reply = await self._http.send(request)
        entries = {entry.name: entry for entry in wire.BATCH.read(self._http, request, reply).value.response if entry is not None}
        found: dict[str, Reply | VendorError] = {}
        for path in paths:
            entry = entries.get(path)
            if entry is None:
                found[path] = self._http.malformed(request, reply)
            elif entry.status != HTTPStatus.NOT_FOUND:
                found[path] = self._outcome(path, entry)
        return found

    def _outcome(self, path: str, entry: wire.BatchEntry) -> Reply | VendorError:
        status = entry.status or 0
        if status == HTTPStatus.OK:
            return Reply(status, {}, entry.data.encode())
        server = UnavailableError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else RejectedRequestError
        operation = _single(path).operation
        return _KIND_OF_STATUS.get(status, server)(
            f"The CRM {self._http.crm!r} did not give a record of {operation}; look at the user's permissions or try again later.",
            crm=self._http.crm,
            operation=operation,
            status=status,
        )


def _single(path: str) -> Request:
    return Request(operation=path.rpartition("/")[0], path=path, by_id=True)
