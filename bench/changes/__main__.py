"""Changes of stage, from the sandbox to the subscriber: `python -m bench.changes`.

Vendor calls are exact; times and memory are this machine's. README.md says what the rows mean.
"""

import asyncio
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import orjson

from bench.changes.plan import Plan
from bench.changes.report import shown
from bench.changes.run import run
from bench.processes import BenchError


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when it could not be done."""
    default = Plan()
    parser = ArgumentParser(prog="python -m bench.changes", description="Changes of stage, from the sandbox to the subscriber.")
    for name, meaning in _MEANINGS.items():
        parser.add_argument(
            f"--{name}", type=_number, default=getattr(default, name.replace("-", "_")), metavar="N", help=f"{meaning} (%(default)s)"
        )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    given = vars(parser.parse_args(arguments))
    file: Path | None = given.pop("json")
    try:
        report = asyncio.run(run(Plan(**given)))
    except (BenchError, KeyboardInterrupt) as error:
        print(f"bench: {str(error) or 'interrupted'}", file=sys.stderr)
        return 1
    print(shown(report))
    if file is not None:
        file.write_bytes(orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2))
    return 0


_MEANINGS: Final[Mapping[str, str]] = {
    "deals": "deals in each sandbox",
    "moves": "moves in each Crm",
    "idle": "idle subscribers",
    "idle-seconds": "how long they are looked at",
    "busy": "subscribers who want every event",
    "events": "events that are replayed",
    "paged-events": "of those, read page by page",
    "nested-events": "of those, replayed with their opportunities",
    "stalled-seconds": "how long a subscriber reads nothing",
}


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise ArgumentTypeError("must be a whole number from 1 to 1000000")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
