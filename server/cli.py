"""The command `crmgraph`: arguments here, each command's work in `server/commands/` and `server/demo.py`.

A command is imported when it is called, so that a sandbox starts without the graph. Exit status: 0 for success, 1 when a check failed or
something that ran broke down, 2 for wrong usage or a wrong configuration, told on standard error.
"""

import importlib
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

from server.version import product_version
from vendors.errors import ConfigError

_PORTS = 65_535
_EPILOG = "Exit status: 0 success, 1 a check failed, 2 wrong usage or configuration."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status."""
    given = _parser().parse_args(arguments)
    try:
        command = importlib.import_module(given.module)
        status = int(command.run(given))
        sys.stdout.flush()
    except ConfigError as error:
        print(f"crmgraph: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0 if given.ends_by_interrupt else 1
    except BrokenPipeError:  # the reader of a pipe has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    else:
        return status


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="crmgraph", description="Several CRMs, one GraphQL graph.", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"crmgraph {product_version()}")
    commands = parser.add_subparsers(metavar="command", required=True)

    def command(name: str, module: str, summary: str, *, ends_by_interrupt: bool = False) -> ArgumentParser:
        made = commands.add_parser(name, help=summary, description=summary, epilog=_EPILOG, formatter_class=RawDescriptionHelpFormatter)
        made.set_defaults(module=module, ends_by_interrupt=ends_by_interrupt)
        return made

    init = command("init", "server.commands.init", "Write a commented configuration to start from.")
    init.add_argument("--output", type=Path, default=Path("crms.toml"), metavar="FILE", help="crms.toml by default; is never overwritten")

    serve = command("serve", "server.commands.serve", "Serve the graph of the configured CRMs.", ends_by_interrupt=True)
    _add_config(serve)
    serve.add_argument("--host", help="address to listen at, instead of the configuration's")
    serve.add_argument("--port", type=_port, help="port to listen at, instead of the configuration's; 0 takes a free one")

    demo = command("demo", "server.demo", "Serve the graph of five CRM sandboxes on this machine.", ends_by_interrupt=True)
    demo.add_argument("--port", type=_port, default=8000, help="port of the graph (8000); 0 takes a free one")
    demo.add_argument(
        "--sandbox-port-base", type=_port, default=8101, metavar="PORT", help="first port of the sandboxes (8101); 0 takes free ones"
    )
    demo.add_argument(
        "--pace", type=_pace, default=4.0, metavar="SECONDS", help="move a deal of each sandbox every so many seconds (4); 0 for none"
    )
    _add_scale(demo)

    sandbox = command("sandbox", "server.commands.sandbox", "Run the sandbox of one vendor, or of all.", ends_by_interrupt=True)
    sandbox.add_argument("vendor", nargs="?", help="all vendors by default")
    sandbox.add_argument("--port", type=_port, help="port of the one sandbox; a free one by default")
    sandbox.add_argument("--port-base", type=_port, metavar="PORT", help="port of the first sandbox, the others on those after it")
    sandbox.add_argument("--write-config", type=Path, metavar="FILE", help="write a configuration whose CRMs are these sandboxes")
    sandbox.add_argument(
        "--option",
        action="append",
        default=[],
        dest="options",
        metavar="NAME=VALUE",
        help="turn a switch of the sandbox, when all run as VENDOR.NAME=VALUE; may be repeated",
    )
    sandbox.add_argument("--list-options", action="store_true", help="show the switches, and what is not simulated, and end")
    sandbox.add_argument("--end-with-input", action="store_true", help="end when standard input ends, as it does with the parent process")
    sandbox.add_argument("--pace", type=_pace, default=0.0, metavar="SECONDS", help="move a deal at random every so many seconds")
    _add_scale(sandbox)

    check = command("check", "server.commands.check", "Connect to every configured CRM and show what works.")
    _add_config(check)
    check.add_argument("--timeout", type=_seconds, default=15.0, metavar="SECONDS", help="time for each CRM (15)")

    changes = command(
        "changes", "server.commands.changes", "Show the changes of stage that a running server has seen.", ends_by_interrupt=True
    )
    changes.add_argument("--follow", action="store_true", help="go on with what happens from now on, until interrupted")
    changes.add_argument(
        "--url", default="http://127.0.0.1:8000/graphql", help="address of the graph (http://127.0.0.1:8000/graphql)", metavar="URL"
    )
    changes.add_argument("--after", metavar="CURSOR", help="begin behind this cursor instead of at the oldest change that is kept")
    changes.add_argument("--crm", action="append", dest="crms", metavar="KEY", help="only changes in this CRM; may be repeated")
    changes.add_argument("--json", action="store_true", help="one JSON object a line")

    webhooks = command("webhooks", "server.commands.webhooks", "Show, register or remove the webhooks of a CRM at its vendor.")
    webhooks.add_argument("action", choices=["list", "register", "remove"])
    _add_config(webhooks)
    webhooks.add_argument("--crm", required=True, metavar="KEY", help="the CRM")
    webhooks.add_argument(
        "--url", metavar="URL", help="where the vendor reaches this server, such as https://crm.example.com; /webhooks/KEY is added"
    )
    webhooks.add_argument("--id", metavar="ID", help="for remove: the webhook's id, instead of --url")

    schema = command("schema", "server.commands.schema", "Print the graph's schema.")
    schema.add_argument("--check", action="store_true", help="compare it with the file instead, and show the difference")
    schema.add_argument("--file", type=Path, help="file to compare with; schema.graphql of the source folder by default")
    return parser


def _add_config(parser: ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=Path("crms.toml"), metavar="FILE", help="configuration (crms.toml)")


def _add_scale(parser: ArgumentParser) -> None:
    parser.add_argument("--scale", type=_count, metavar="N", help="generate N opportunities per CRM instead of the story's own")


def _port(text: str) -> int:
    return _number(text, 0, _PORTS, "a port from 0 to 65535")


def _count(text: str) -> int:
    return _number(text, 1, 10_000_000, "a number from 1 to 10,000,000")


def _seconds(text: str) -> float:
    return float(_number(text, 1, 600, "a number of seconds from 1 to 600"))


def _pace(text: str) -> float:
    return float(_number(text, 0, 3_600, "a number of seconds from 0 to 3600"))


def _number(text: str, lowest: int, highest: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(highest)) and lowest <= int(text) <= highest):
        raise ArgumentTypeError(f"must be {what}")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
