"""The life of a sandbox: deals that are moved as people move them in the vendor's own product, and the true history of their states."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, Protocol

from aiohttp import web


@dataclass(frozen=True, slots=True)
class DealState:
    """Where a deal is: the vendor's id of its stage, and what the vendor's own facts say that its status means."""

    stage: str | None
    status: Literal["OPEN", "WON", "LOST"] | None


class Board(Protocol):
    """The deals of one running sandbox. What it does goes through the sandbox's store, as the vendor's API does."""

    def deals(self) -> Sequence[str]:
        """The ids of the deals that the API shows, oldest first."""
        ...

    def state(self, deal: str) -> DealState | None:
        """Where a deal is; None when the API shows no such deal."""
        ...

    def move(self, deal: str, random: Random) -> None:
        """Bring a deal into another state, as a person would: mostly a stage on, at times won, lost, back or open again."""
        ...

    def listen(self, told: Callable[[str], None]) -> None:
        """Tell a deal's id after every change of it, whoever made it."""
        ...


class Life:
    """Moves deals at random, and writes down every state that a deal has been in, in order."""

    def __init__(self, board: Board, *, seed: int = 0) -> None:
        self.board = board
        self.history: dict[str, list[DealState | None]] = {deal: [board.state(deal)] for deal in board.deals()}
        self._random = Random(seed)  # noqa: S311  # keeps no secret
        self._pace: asyncio.Task[None] | None = None
        board.listen(self._note)

    def move(self, count: int, *, leave: AbstractSet[str] = frozenset()) -> None:
        """Move that many deals, one after the other, and none of those to leave alone."""
        for _ in range(count):
            deals = self.board.deals()
            self.board.move(self._random.choice([deal for deal in deals if deal not in leave] if leave else deals), self._random)

    def set_pace(self, seconds: float | None, *, leave: AbstractSet[str] = frozenset()) -> None:
        """Move a deal every so many seconds from now on, and none of those to leave alone; None ends it."""
        self.end()
        if seconds is not None:
            self._pace = asyncio.create_task(self._go_on(seconds, leave))

    def end(self) -> None:
        if self._pace is not None:
            self._pace.cancel()
            self._pace = None

    async def _go_on(self, seconds: float, leave: AbstractSet[str]) -> None:
        while True:
            await asyncio.sleep(seconds)
            self.move(1, leave=leave)

    def _note(self, deal: str) -> None:
        states = self.history.setdefault(deal, [])
        state = self.board.state(deal)
        if not states or states[-1] != state:
            states.append(state)


LIFE = web.AppKey("LIFE", Life)


def enliven(app: web.Application, board: Board) -> None:
    """Give a sandbox its life, and the routes that govern it."""
    life = app[LIFE] = Life(board)
    app.add_routes(
        [
            web.post("/_sandbox/moves", _post_moves),
            web.put("/_sandbox/pace", _put_pace),
            web.get("/_sandbox/history", _get_history),
        ]
    )

    async def lifetime(_: web.Application) -> AsyncGenerator[None, None]:
        yield
        life.end()

    app.cleanup_ctx.append(lifetime)


async def _post_moves(request: web.Request) -> web.Response:
    asked: dict[str, Any] = await request.json()
    life = request.app[LIFE]
    if "deal" in asked:
        with suppress(KeyError):
            life.board.move(asked["deal"], Random(asked.get("seed", 0)))  # noqa: S311  # keeps no secret
    else:
        life.move(asked.get("count", 1))
    return web.json_response({})


async def _put_pace(request: web.Request) -> web.Response:
    request.app[LIFE].set_pace(await request.json())
    return web.json_response({})


async def _get_history(request: web.Request) -> web.Response:
    history = request.app[LIFE].history
    return web.json_response(
        {deal: [None if state is None else [state.stage, state.status] for state in states] for deal, states in history.items()}
    )
