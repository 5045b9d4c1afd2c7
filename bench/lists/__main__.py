"""Lists over Crms of many sizes, by what they cost: `python -m bench.lists`.

Calls are exact and depend on the size alone; times and memory are this machine's. README.md says what the columns mean.
"""

import asyncio
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from bench.lists.report import shown
from bench.lists.run import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when it could not be done."""
    parser = ArgumentParser(prog="python -m bench.lists", description="Lists over Crms of many sizes, by what they cost.")
    parser.add_argument(
        "--sizes",
        type=_count,
        nargs="+",
        default=[1_000, 10_000, 100_000],
        metavar="N",
        help="opportunities in each Crm (1000 10000 100000)",
    )
    parser.add_argument(
        "--walk-up-to", type=_count, default=10_000, metavar="N", help="page through everything up to this size, for memory (10000)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    given = parser.parse_args(arguments)
    try:
        report = asyncio.run(run(given.sizes, walk_up_to=given.walk_up_to))
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 1
    if report.steps:
        print(shown(report))
    if given.json is not None:
        given.json.write_bytes(orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2))
    if report.failure is not None:
        print(f"bench: {report.failure}", file=sys.stderr)
    return 0 if report.failure is None else 1


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 1_000_000:  # a sandbox keeps them in memory
        raise ArgumentTypeError("must be a whole number from 1 to 1000000")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
