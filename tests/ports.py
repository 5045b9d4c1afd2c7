"""Ports of servers that end and begin again."""

import socket
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def held_port(port: int = 0) -> Generator[int]:
    """Keep a port of loopback, or a free one, from everybody who takes any port, while servers that name it come and go.

    It is bound and never listens: what connects meanwhile is refused, and no connection of another program begins at it.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        yield holder.getsockname()[1]
