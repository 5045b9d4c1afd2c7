"""Serves one of the two targets of a benchmark, in a process of its own.

    python -m bench.serve ours|stock --config FILE [--paced] [--send-buffer BYTES]

Our server is put together as `crmgraph serve` does it, the stock server runs under uvicorn's own settings. For both, the rate at which
the adapters would spare a vendor is lifted, unless `--paced`: the vendors are sandboxes, and a benchmark would measure the waiting. How
many calls may be under way at once stays as it is. The process ends with its standard input. For each line there it tells how many bytes
are allocated, if tracemalloc runs. `--send-buffer` is what the kernel takes for a client that does not read: loopback gives megabytes, a
network far less.
"""

import gc
import os
import socket
import sys
import tracemalloc
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn

from server.config import Config, load_config
from server.http import GraphServer, listen, request_id, uvicorn_config
from server.observe import configure_logging
from vendors.auth import Auth
from vendors.http import Judge, VendorHttp, no_judgement
from vendors.limiting import Limits
from vendors.registry import Link


class _UnpacedLink(Link):
    """A link whose calls are not spread over time."""

    def http(self, *, auth: Auth, limits: Limits, judge: Judge = no_judgement) -> VendorHttp:
        return super().http(auth=auth, limits=replace(limits, calls_per_second=None), judge=judge)


def unpaced(config: Config) -> Config:
    """The same configuration, whose Crms are called as fast as they answer."""

    def connecting(connect: Callable[[Link, Any], object]) -> Callable[[Link, Any], object]:
        return lambda link, settings: connect(_UnpacedLink(**{field.name: getattr(link, field.name) for field in fields(link)}), settings)

    crms = {key: replace(crm, vendor=replace(crm.vendor, connect=connecting(crm.vendor.connect))) for key, crm in config.crms.items()}
    return replace(config, crms=crms)


def main() -> None:
    """Serve until standard input ends."""
    parser = ArgumentParser(prog="python -m bench.serve")
    parser.add_argument("target", choices=["ours", "stock"])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--paced", action="store_true")
    parser.add_argument("--send-buffer", type=int)
    arguments = parser.parse_args()
    config = load_config(arguments.config, os.environ)
    if not arguments.paced:
        config = unpaced(config)
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        if arguments.send_buffer is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, arguments.send_buffer)
        server = _ours(config, port) if arguments.target == "ours" else _stock(config, port)
        Thread(target=_attend_to_input, args=[server], daemon=True).start()
        print(f"{arguments.target} listens at http://127.0.0.1:{port}, pid {os.getpid()}", flush=True)
        server.run(sockets=[listener])


def _ours(config: Config, port: int) -> uvicorn.Server:
    from server.compose import create_server  # noqa: PLC0415  # a process loads its own target only

    configure_logging(level="warning", form=config.server.log_format, secrets=config.secrets(), request_id=request_id)
    app = create_server(config)
    return GraphServer(uvicorn_config(app, port=port), app.state.on_stop)


def _stock(config: Config, port: int) -> uvicorn.Server:
    from bench.stock import create_stock  # noqa: PLC0415  # a process loads its own target only

    return uvicorn.Server(uvicorn.Config(create_stock(config), port=port, log_level="warning"))


def _attend_to_input(server: uvicorn.Server) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        gc.collect()
        print(tracemalloc.get_traced_memory()[0], flush=True)
    server.should_exit = True


if __name__ == "__main__":
    main()
