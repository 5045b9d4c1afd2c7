"""`crmgraph serve`: the graph of the configured Crms."""

import errno
import logging
import os
import socket
from argparse import Namespace

from server.app import ENDPOINT
from server.compose import create_server
from server.config import load_config
from server.config_clear_text import clear_text_warning
from server.http import GraphServer, listen, request_id, uvicorn_config
from server.observe import configure_logging
from server.workers import serve_in_workers
from vendors.errors import ConfigError

log = logging.getLogger(__name__)


def run(arguments: Namespace) -> int:
    """Serve until interrupted."""
    config = load_config(arguments.config, os.environ, host=arguments.host, port=arguments.port)
    server = config.server
    configure_logging(level=server.log_level, form=server.log_format, secrets=config.secrets(), request_id=request_id)
    try:
        listener = listen(server.host, server.port, port_name="`port`" if arguments.port is None else "--port")
    except ConfigError as error:
        raise ConfigError(f"{_at_fault(error, arguments)}: {error}") from None
    with listener:
        for crm in config.crms.values():
            if (warning := clear_text_warning(crm.settings)) is not None:
                log.warning("crms.%s: %s", crm.key, warning)
        port = listener.getsockname()[1]
        host = f"[{server.host}]" if ":" in server.host else server.host
        address = f"http://{host}:{port}{ENDPOINT}"
        if server.workers > 1:
            return serve_in_workers(config, listener, address)
        app = create_server(config)
        log.info("the graph of %s is at %s", ", ".join(config.crms), address)
        uvicorn = uvicorn_config(app, host=server.host, port=port)
        GraphServer(uvicorn, app.state.on_stop, tunes_gc=server.gc == "tuned").run(sockets=[listener])
    return 0


def _at_fault(error: ConfigError, arguments: Namespace) -> str:
    """The settings to mend where an address cannot be had: the host alone when another port would not help."""
    host = "server.host" if arguments.host is None else "--host"
    cause = error.__cause__
    if isinstance(cause, socket.gaierror | UnicodeError) or (isinstance(cause, OSError) and cause.errno == errno.EADDRNOTAVAIL):
        return host
    return f"{host}, server.port" if arguments.port is None else "--port"
