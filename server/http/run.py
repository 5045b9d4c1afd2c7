"""How the server is run: uvicorn on uvloop and httptools, on a socket that is opened before anything else starts."""

import errno
import gc
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn import Config

from server.http.protocol import PatientProtocol, PatientSocket
from vendors.errors import ConfigError

logger = logging.getLogger(__name__)

StopHook = Callable[[], Awaitable[None]]
"""Called once, when the server has been told to stop and before it waits for open connections; ends what would go on for ever."""

_BACKLOG = 1024
# How long what the system has buffered for a client may go untaken: of little data it buffers all, and nobody above would notice.
_TAKEN_WITHIN_MILLISECONDS = 60_000
_LARGEST_PORT = 65535
_WEBSOCKET_MESSAGE_BYTES = 1024 * 1024
# Sixteen boards of 100 rows that are answered at once hold 100,000 objects. An operation leaves none that refer to each other, so that
# hardly any have to be searched for; a search among objects that live costs a microsecond each.
_GC_THRESHOLDS = (200_000, 50, 100)


def listen(host: str, port: int, *, port_name: str = "`port`") -> socket.socket:
    """Open the socket to serve on.

    Args:
        host: Address or name to bind, such as `127.0.0.1` or `::1`.
        port: TCP port; 0 lets the system choose.
        port_name: What the port is chosen with, for messages.

    Raises:
        ConfigError: The address cannot be had; the message says why and what to change.
    """
    if not 0 <= port <= _LARGEST_PORT:
        raise ConfigError(f"Cannot listen on {host}:{port}: a {port_name} is a number from 0 to {_LARGEST_PORT}.")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"Cannot listen on {host}:{port}: the host is unknown. Please change `host`.") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # on Windows it would share the port instead
        listener.bind(address)
        listener.listen(_BACKLOG)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; sockets that are accepted have it too
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _TAKEN_WITHIN_MILLISECONDS)
    except OSError as error:
        listener.close()
        raise ConfigError(f"Cannot listen on {host}:{port}: {_reason(error, port_name)}") from error
    listener.setblocking(False)
    return listener


def uvicorn_config(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 8000, log_config: dict[str, Any] | None = None) -> Config:
    """Configure uvicorn; serve with `GraphServer(config, app.state.on_stop).serve(sockets=[listen(host, port)])`.

    Args:
        app: What to serve.
        host: Shown in uvicorn's messages.
        port: Shown in uvicorn's messages.
        log_config: For `logging.config.dictConfig`; None leaves logging as the process has set it up. There is no access log.
    """
    return Config(
        app,
        host=host,
        port=port,
        loop="uvloop" if os.name == "posix" else "asyncio",
        http=PatientProtocol,
        ws=PatientSocket,
        ws_max_size=_WEBSOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # it would double what an idle subscriber holds, for messages that are small
        ws_ping_interval=None,  # the protocol of the socket has pings of its own
        lifespan="on",
        log_config=log_config,
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=15,
        backlog=_BACKLOG,
    )


class GraphServer(uvicorn.Server):
    """A uvicorn that ends streams when it is told to stop, instead of waiting for them in vain.

    Args:
        config: From `uvicorn_config`.
        on_stop: What to call first; the application of `create_app` has its own in `app.state.on_stop`.
        tunes_gc: Whether the garbage collector of the process is set for serving, see `tune_gc`.
    """

    def __init__(self, config: Config, on_stop: Sequence[StopHook] = (), *, tunes_gc: bool = False) -> None:
        super().__init__(config)
        self._on_stop = on_stop
        self._tunes_gc = tunes_gc

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._tunes_gc and self.started:
            tune_gc()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for hook in self._on_stop:
            try:
                await hook()
            except Exception:
                logger.exception("Something that runs when the server stops has failed")
        await super().shutdown(sockets)


def tune_gc() -> None:
    """Let the garbage collector leave alone what the server is made of, and look less often at what requests make.

    Modules and the schema are some 140,000 objects that stay; it would go through all of them again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    logger.info("the garbage collector leaves %d objects alone", gc.get_freeze_count())


def _reason(error: OSError, port_name: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"the port is in use. Please stop the program that uses it, or choose another {port_name}."
        case errno.EACCES:
            return f"the system does not permit it. Please choose a {port_name} above 1023."
        case errno.EADDRNOTAVAIL:
            return "this machine does not have the address. Please change `host`."
        case _:
            return f"{error.strerror or 'the system refuses'}. Please change `host` or {port_name}."
