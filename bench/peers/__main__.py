"""Our server beside other GraphQL servers on one workload: `python -m bench.peers FOLDER`, where FOLDER holds the workload.

README.md, a folder above, says what is measured and what the columns mean.
"""

import ast
import json
import os
import resource
import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.peers.runner import load
from bench.peers.workload import VARIANTS
from server.commands.terminal import table

ROOT: Final = Path(__file__).parents[2]
# A web server that root starts reads the vendors' files as another user, who may not look into root's home.
_WORK: Final = Path("/var/tmp/peers")  # noqa: S108  # large, and of use to a later run
_PEERS: Final = "strawberry,yoga-jit,tailcall"
_BASES: Final = ("yoga-jit", "tailcall", "strawberry")
# With all in memory there are no calls to share and no answers of vendors to read.
_IN_MEMORY: Final[Mapping[str, Sequence[str]]] = {"ours": (), "ours-executed": ("--executed",)}
_TARGETS: Final[Mapping[str, Sequence[str]]] = {"ours": (), "ours-apart": ("--apart",), "ours-anew": ("--apart", "--anew")}
_FIRST_PORT: Final = 9400
_MOST_FILES: Final = 65_536
_CALLS: Final = "backend calls a request:"
_CALLS_OF_A_BOARD: Final = 30  # a list of each Crm, and five relations of each


class PeersError(Exception):
    """The comparison cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One variant.

    Args:
        variant: Its letter.
        cells: What the runner wrote down, by target, round and clients.
        calls: Vendor calls of a request, by target; empty in variant C.
    """

    variant: str
    cells: Sequence[Mapping[str, Any]]
    calls: Mapping[str, int]

    def of(self, target: str, clients: int, value: str) -> Sequence[float]:
        """The values of one target and load, by round."""
        return [float(cell[value]) for cell in self.cells if (cell["peer"], cell["conc"]) == (target, clients)]

    def ratios(self, target: str, base: str, clients: int, value: str) -> Sequence[float]:
        """Target / base of each round in which both answered."""
        values = [self.of(name, clients, what) for name in (target, base) for what in (value, "requests")]
        return [one / other for one, ones, other, others in zip(*values, strict=False) if ones and others and other]


def measure(given: Namespace, variant: str) -> Measured:
    """Run one variant, telling on the way what the runner tells.

    Raises:
        PeersError: It fails, leaves one of our targets out, or one makes another number of vendor calls than the others.
    """
    known = load(given.folder).PEERS
    peers = [name for name in given.peers.split(",") if variant in known[name][2]]
    targets = _IN_MEMORY if variant == "B" else _TARGETS
    addresses = {target: f"http://127.0.0.1:{_FIRST_PORT + number}/" for number, target in enumerate(targets)}
    out = given.work / "run" / f"ours-{variant}.jsonl"
    out.unlink(missing_ok=True)
    command = [sys.executable, "-m", "bench.peers.runner", str(given.folder), ",".join(addresses.values())]
    command += ["--variant", variant, "--peers", ",".join(peers), "--out", str(out), "--rounds", str(given.rounds)]
    command += ["--seconds", str(given.seconds), "--low-seconds", str(given.low_seconds), "--warm", str(given.warm)]
    for number, (target, options) in enumerate(targets.items()):
        serve = [sys.executable, "-m", "bench.peers.serve", "--port", str(_FIRST_PORT + number), *options]
        command += ["--target-cmd", f"{target}={addresses[target]}graphql={shlex.join(serve)}"]
    calls: Mapping[str, int] = {}
    with subprocess.Popen(command, cwd=ROOT, env=_environment(given), stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # ours
        assert process.stdout is not None, "it is a pipe"
        for line in process.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            if line.startswith(_CALLS):
                calls = ast.literal_eval(line.removeprefix(_CALLS).strip())
    if process.returncode:
        raise PeersError(f"the runner ended with {process.returncode}")
    cells = [json.loads(line) for line in out.read_text("utf-8").splitlines()] if out.exists() else []
    left_out = targets.keys() - {cell["peer"] for cell in cells}
    if left_out:
        raise PeersError(f"{', '.join(sorted(left_out))} did not answer as expected; see {given.work / 'run'}")
    for target in targets:
        if variant == "A" and calls.get(target) != _CALLS_OF_A_BOARD:
            raise PeersError(f"{target} made {calls.get(target)} vendor calls, not {_CALLS_OF_A_BOARD}")
    return Measured(variant=variant, cells=cells, calls=calls)


def shown(variants: Sequence[Measured]) -> str:
    """All variants as a table."""
    bases = [base for base in _BASES if any(cell["peer"] == base for found in variants for cell in found.cells)]
    heading = ["variant", "target", "clients", "p50 ms", "p99 ms", "req/s", "CPU ms", "calls", "errors"]
    heading += [f"{what} / {base}" for base in bases for what in ("req/s", "CPU")]
    return table([heading, *(row for found in variants for row in _rows(found, bases))])


def _rows(found: Measured, bases: Sequence[str]) -> list[list[str]]:
    targets = list(dict.fromkeys(str(cell["peer"]) for cell in found.cells))
    loads = sorted({int(cell["conc"]) for cell in found.cells})
    return [_row(found, target, clients, bases) for clients in loads for target in sorted(targets)]


def _row(found: Measured, target: str, clients: int, bases: Sequence[str]) -> list[str]:
    middle: Callable[[str], float] = lambda value: median(found.of(target, clients, value))  # noqa: E731
    key = [found.variant, target, str(clients)]
    if not all(found.of(target, clients, "requests")):  # the time was too short for a single answer
        return [*key, *["-"] * (6 + 2 * len(bases))]
    return [
        *key,
        f"{middle('p50'):.1f}",
        f"{middle('p99'):.1f}",
        f"{middle('rps'):.1f}",
        f"{middle('cpu_ms'):.2f}",
        str(found.calls.get(target, "-")),
        f"{sum(found.of(target, clients, 'errors')):g}",
        *(_ratio(found.ratios(target, base, clients, value)) for base in bases for value in ("rps", "cpu_ms")),
    ]


def _ratio(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else "-"


def _environment(given: Namespace) -> dict[str, str]:
    return {**os.environ, "PEERS_WORK": str(given.work), "PYTHONPATH": str(ROOT)}


def _arguments(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m bench.peers", description="Our server beside other GraphQL servers on one workload.")
    parser.add_argument("folder", type=Path, help="where the workload and its runner, bench.py, are")
    parser.add_argument("--peers", default=_PEERS, metavar="NAME,...", help="(%(default)s)")
    parser.add_argument("--variants", default="A,B,C", metavar="LETTER,...", help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(%(default)s)")
    parser.add_argument("--seconds", type=int, default=10, metavar="N", help="least seconds of a measurement of many clients (%(default)s)")
    parser.add_argument("--low-seconds", type=int, default=10, metavar="N", help="seconds of one of a single client (%(default)s)")
    parser.add_argument("--warm", type=int, default=10, metavar="N", help="seconds before the first one (%(default)s)")
    parser.add_argument("--work", type=Path, default=_WORK, metavar="FOLDER", help="where peers are installed (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    given = parser.parse_args(arguments)
    given.folder = given.folder.resolve()
    given.variants = given.variants.split(",")
    if not set(given.variants) <= VARIANTS.keys():
        parser.error(f"variants are {', '.join(VARIANTS)}")
    if not (given.folder / "bench.py").is_file():
        parser.error(f"{given.folder} has no runner, bench.py")
    unknown = set(given.peers.split(",")) - load(given.folder).PEERS.keys()
    if unknown:
        parser.error(f"there are no peers {', '.join(sorted(unknown))}")
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Install what is missing, measure and print; 1 when it could not be done."""
    given = _arguments(arguments)
    files, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # every process of the comparison holds a connection for each call under way
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(files, _MOST_FILES), most_files), most_files))
    try:
        subprocess.run(["bash", str(given.folder / "setup.sh")], env=_environment(given), check=True)  # noqa: S603, S607  # the workload's own
        variants = [measure(given, variant) for variant in given.variants]
    except (PeersError, subprocess.CalledProcessError, KeyboardInterrupt) as error:
        print(f"bench.peers: {str(error) or 'interrupted'}", file=sys.stderr)
        return 1
    print(shown(variants))
    if given.json is not None:
        given.json.write_text(json.dumps([cell for found in variants for cell in found.cells], indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
