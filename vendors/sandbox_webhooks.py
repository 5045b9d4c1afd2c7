"""How a sandbox delivers webhooks: in order and with repetitions as its vendor does, or with the mishaps that it is told to have."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Final

import aiohttp
from aiohttp import web

_OK: Final = range(200, 300)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A delivery as it goes out, signed."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class Mishaps:
    """What befalls deliveries, each as a chance from 0 to 1: to be lost, to come twice, to come behind the next one."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0


@dataclass(slots=True, kw_only=True)
class Delivered:
    """What became of a delivery: the statuses of its tries, 0 where there was no answer."""

    url: str
    body: str
    statuses: list[int] = field(default_factory=list[int])


class Sender:
    """Sends parcels one after the other; one that is refused is tried again later, while others go on.

    Args:
        retry_seconds: Waiting times before further tries.
        seed: Of the chances.
    """

    def __init__(self, *, retry_seconds: Sequence[float] = (1.0, 2.0, 5.0), seed: int = 0) -> None:
        self.mishaps = Mishaps()
        self.log: deque[Delivered] = deque(maxlen=1_000)
        self._retry_seconds = retry_seconds
        self._random = Random(seed)  # noqa: S311  # keeps no secret
        self._parcels: asyncio.Queue[Parcel] = asyncio.Queue()
        self._retries: set[asyncio.Task[None]] = set()
        self._held: Parcel | None = None

    def send(self, parcel: Parcel) -> None:
        """Put a parcel on its way, or let a mishap befall it."""
        if self._random.random() < self.mishaps.drop:
            return
        if self._held is None and self._random.random() < self.mishaps.reorder:
            self._held = parcel
            return
        for _ in range(2 if self._random.random() < self.mishaps.duplicate else 1):
            self._parcels.put_nowait(parcel)
        if self._held is not None:
            self._parcels.put_nowait(self._held)
            self._held = None

    async def run(self, _: web.Application) -> AsyncGenerator[None, None]:
        """Deliver for as long as the application lives; for its `cleanup_ctx`."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            delivering = asyncio.create_task(self._deliver_all(session))
            yield
            for task in (delivering, *self._retries):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _deliver_all(self, session: aiohttp.ClientSession) -> None:
        while True:
            parcel = await self._parcels.get()
            note = Delivered(url=parcel.url, body=parcel.body.decode("utf-8", "replace"))
            self.log.append(note)
            if not await self._try(session, parcel, note):
                task = asyncio.create_task(self._try_again(session, parcel, note))
                self._retries.add(task)
                task.add_done_callback(self._retries.discard)

    async def _try_again(self, session: aiohttp.ClientSession, parcel: Parcel, note: Delivered) -> None:
        for seconds in self._retry_seconds:
            await asyncio.sleep(seconds)
            if await self._try(session, parcel, note):
                return

    async def _try(self, session: aiohttp.ClientSession, parcel: Parcel, note: Delivered) -> bool:
        status = 0
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with session.post(parcel.url, data=parcel.body, headers=parcel.headers, allow_redirects=False) as response:
                status = response.status
        note.statuses.append(status)
        return status in _OK


SENDER = web.AppKey("SENDER", Sender)


def add_sender(app: web.Application, sender: Sender) -> None:
    """Give a sandbox its sender, and the routes that govern it."""
    app[SENDER] = sender
    app.cleanup_ctx.append(sender.run)
    app.add_routes([web.put("/_sandbox/mishaps", _put_mishaps), web.get("/_sandbox/deliveries", _get_deliveries)])


async def _put_mishaps(request: web.Request) -> web.Response:
    request.app[SENDER].mishaps = Mishaps(**await request.json())
    return web.json_response({})


async def _get_deliveries(request: web.Request) -> web.Response:
    return web.json_response([asdict(delivered) for delivered in request.app[SENDER].log])
