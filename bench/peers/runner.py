"""The peers' runner, with our targets asked in their own way: `python -m bench.peers.runner FOLDER ADDRESS,... ARGUMENT...`.

The runner asks all targets one question and expects one form of answer. For the targets at these addresses it sends our question instead,
and sees our answers in the form it expects. Nothing in its folder is changed.
"""

import importlib.util
import json
import signal
import sys
from pathlib import Path
from typing import Any, Final

from bench.peers.workload import expected_form, query

_LEAST_SHARE: Final = 0.97  # of the bytes of the first answer; an answer cut short by errors has fewer


def load(folder: Path) -> Any:
    """The runner of that folder as a module; it reads its environment now."""
    spec = importlib.util.spec_from_file_location("peers_runner", folder / "bench.py")
    assert spec is not None, "it is a file of Python"
    assert spec.loader is not None, "it is a file of Python"
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    return runner


def extend(runner: Any, addresses: tuple[str, ...], variant: str) -> None:
    """Let the runner ask the targets at these addresses our question, and go on where nothing was answered in time."""
    their_post, their_wrk = runner.post, runner.wrk
    body = json.dumps({"query": query(variant)}).encode()
    sizes: dict[str, int] = {}

    def post(url: str, their_body: bytes, timeout: float = 20) -> bytes:
        if not url.startswith(addresses):
            return bytes(their_post(url, their_body, timeout))
        answer = their_post(url, body, timeout)
        sizes[url] = len(answer)
        return json.dumps(expected_form(json.loads(answer))).encode()

    def wrk(url: str, body_file: Path, clients: int, seconds: int) -> dict[str, Any]:
        is_ours = url.startswith(addresses)
        file = body_file.with_name("body-ours.json") if is_ours else body_file
        if is_ours:
            file.write_bytes(body)
        result = dict(their_wrk(url, file, clients, seconds))
        if not result["requests"]:
            result["p50"] = 1_000.0 * seconds  # at least that: the runner takes it for how long it has to measure
        elif is_ours and result["bytes"] < _LEAST_SHARE * sizes[url] * result["requests"]:
            result["errors"] += result["requests"]  # wrk only looks at the status, and a partial answer has that of a whole one
        return result

    runner.post, runner.wrk = post, wrk
    runner.table = _no_table


def _no_table(*_: object) -> None:
    """Print nothing: whoever started this makes a table of all variants."""


def _end(*_: object) -> None:
    sys.exit(1)


def main() -> None:
    """Run it with the remaining arguments, and end what it started."""
    folder, addresses, *arguments = sys.argv[1:]
    runner = load(Path(folder))
    extend(runner, tuple(addresses.split(",")), arguments[arguments.index("--variant") + 1])
    signal.signal(signal.SIGTERM, _end)
    sys.argv = ["bench.py", *arguments]
    try:
        runner.main()
    finally:
        runner.stop_all()


if __name__ == "__main__":
    main()
