"""`crmgraph schema`: the graph in GraphQL's schema language."""

import sys
from argparse import Namespace
from difflib import unified_diff
from pathlib import Path

from server.commands.terminal import say
from server.schema import SCHEMA_FILE, printed_schema
from vendors.errors import ConfigError


def run(arguments: Namespace) -> int:
    """Print the schema, or compare it with a file: 1 when they differ."""
    built = printed_schema()
    if not arguments.check:
        sys.stdout.write(built)
        return 0
    file: Path = arguments.file or SCHEMA_FILE
    try:
        committed = file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or 'no text'})") from None
    difference = list(unified_diff(committed.splitlines(), built.splitlines(), str(file), "the code", lineterm=""))
    if not difference:
        return 0
    say("\n".join(difference))
    say(f"{file.name} is not what the code says; `crmgraph schema > {file.name}` renews it.")
    return 1
