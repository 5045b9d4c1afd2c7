"""`server.workers`: several processes answer on one socket. They read only, and divide among them what each Crm may be asked.

What would have to be one for all of them is left out, and not done several times: writes with their ledger, and watching for changes.
"""

import asyncio
import logging
import os
import random
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from types import FrameType

import uvicorn
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from server.compose import create_server
from server.config import Config
from server.crms import connect_crms, open_session
from server.http import GraphServer, StopHook, uvicorn_config
from server.store import kept_cursor_key, opened_store
from vendors.errors import ErrorCode

logger = logging.getLogger(__name__)


class ReadsOnly(SchemaExtension):
    """Refuses mutations; put it behind what validates."""

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        if not context.pre_execution_errors and context.operation_type is OperationType.MUTATION:
            message = (
                "This server runs in several processes (`server.workers`) and does not write. Please ask one that runs in a single one."
            )
            context.pre_execution_errors = [GraphQLError(message, extensions={"code": ErrorCode.FORBIDDEN})]
        yield


def serve_in_workers(config: Config, listener: socket.socket, address: str) -> int:
    """Serve at the address until told to stop, and give the exit status: 1 when a process has ended by itself, with which all of them end.

    Raises:
        ConfigError: The store cannot be used, or a Crm allows too few calls at once to divide them.
    """
    given = config.server.cursor_key
    with closing(opened_store(config.server.store_dir)) as store:
        key = kept_cursor_key(store.path) if given is None else given.get_secret_value().encode()
        asyncio.run(_connect(config))
        logger.info("the graph of %s is at %s", ", ".join(config.crms), address)
        held, end_of_parent = os.pipe()  # it is at its end when this process is, however it ends
        workers: set[int] = set()
        for _ in range(config.server.workers):
            worker = os.fork()
            if not worker:
                os.close(end_of_parent)
                os._exit(_work(config, listener, key, held))
            workers.add(worker)
        os.close(held)
        logger.info("%d processes answer: %s", len(workers), ", ".join(map(str, sorted(workers))))
        return _supervise(workers)


def _supervise(workers: set[int]) -> int:
    is_stopping = False

    def stop(*_: int | FrameType | None) -> None:
        nonlocal is_stopping
        is_stopping = True
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGTERM)

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    has_failed = False
    while workers:
        ended, status = os.wait()
        workers.discard(ended)
        if not is_stopping:
            logger.error("the process %d has ended by itself, with %d; the others are stopped", ended, os.waitstatus_to_exitcode(status))
            has_failed = True
            stop()
    return int(has_failed)


def _work(config: Config, listener: socket.socket, cursor_key: bytes, held: int) -> int:
    try:
        app = create_server(config, cursor_key=cursor_key, extensions=[ReadsOnly])
        settings = uvicorn_config(app, host=config.server.host, port=listener.getsockname()[1])
        _Worker(settings, app.state.on_stop, tunes_gc=config.server.gc == "tuned", held=held).run(sockets=[listener])
    except BaseException:
        logger.exception("a process of the server failed")
        return 1
    return 0


class _Worker(GraphServer):
    """Stops when the process that has started it is gone."""

    def __init__(self, config: uvicorn.Config, on_stop: Sequence[StopHook], *, tunes_gc: bool, held: int) -> None:
        super().__init__(config, on_stop, tunes_gc=tunes_gc)
        self._held = held

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().add_reader(self._held, self._stop)
        await super().startup(sockets)

    def _stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._held)
        self.should_exit = True


async def _connect(config: Config) -> None:
    """See whether the Crms can be connected, without calling anybody."""
    async with open_session() as session:
        connect_crms(config, session, clock=time.monotonic, sleep=asyncio.sleep, jitter=random.random)
