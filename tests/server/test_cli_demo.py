"""`crmgraph demo`: every sandbox a process of its own, one graph over them, and nothing left behind."""

import json
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.examples import BOARD_QUERY
from tests.ports import held_port
from tests.server.command_line import crmgraph, lines_until, running
from vendors.registry import all_sandboxes, all_vendors

VENDOR_BY_CRM = {kind.crm_key: vendor for vendor, kind in all_sandboxes().items() if vendor in all_vendors()}


@dataclass
class Demo:
    """A demo as what it prints describes it."""

    process: "subprocess.Popen[str]"
    text: str

    @property
    def url(self) -> str:
        found = re.search(r"GraphiQL: (http://127\.0\.0\.1:\d+/graphql)", self.text)
        assert found is not None
        return found[1]

    @property
    def rows(self) -> Mapping[str, tuple[int, int]]:
        """Port and pid by crm."""
        found = re.findall(r"^(\w+) +\w+ +(\d+) +(\d+) +kill \3$", self.text, re.MULTILINE)
        return {crm: (int(port), int(pid)) for crm, port, pid in found}

    def board(self) -> Any:
        body = json.dumps({"query": BOARD_QUERY}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310  # loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # loopback
            return json.load(answer)

    def said_until_end(self) -> str:
        """What it says from now on. Its sandboxes write where it does, so this ends when the last of them has."""
        return self.process.communicate(timeout=60)[0]


@contextmanager
def demo(folder: Path) -> Generator[Demo, None, None]:
    with running("demo", "--port", "0", "--sandbox-port-base", "0", folder=folder) as process:
        yield Demo(process, "\n".join(lines_until(process, "Ctrl-C ends everything")))


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True


def test_the_query_that_it_prints_is_answered_by_every_crm(tmp_path: Path) -> None:
    with demo(tmp_path) as it:
        answer = it.board()

    assert BOARD_QUERY in it.text
    assert set(it.rows) == set(VENDOR_BY_CRM)
    assert "errors" not in answer
    assert {source["crm"]["key"]: source["status"] for source in answer["data"]["opportunities"]["sources"]} == dict.fromkeys(
        VENDOR_BY_CRM, "OK"
    )
    assert {node["crm"]["key"] for node in answer["data"]["opportunities"]["nodes"]} == set(VENDOR_BY_CRM)


def test_a_sandbox_that_is_stopped_is_told_once_and_missing_and_can_be_started_again(tmp_path: Path) -> None:
    with demo(tmp_path) as it:
        port, pid = it.rows["service"]
        subprocess.run(["kill", str(pid)], check=True)  # noqa: S603, S607  # the command that it prints
        told = lines_until(it.process, "-m server.cli sandbox autotask")
        without = it.board()
        with held_port(port), running("sandbox", "autotask", "--port", port, folder=tmp_path) as again:
            lines_until(again, "listens at")
            it.process.send_signal(signal.SIGINT)
            rest = it.said_until_end()

    told = [line for line in told if " WARNING " not in line]  # it is watched, so that its end is noticed in other ways too
    assert told[0].startswith("The sandbox of autotask (crm service) has stopped.")
    assert told[1].endswith(f"sandbox autotask --pace 4 --port {port}")
    sources = {source["crm"]["key"]: source for source in without["data"]["opportunities"]["sources"]}
    assert {crm for crm, source in sources.items() if source["status"] != "OK"} == {"service"}
    assert sources["service"]["code"] == "UNAVAILABLE"
    assert "has stopped" not in rest


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_sandboxes_end_with_it_however_it_ends(tmp_path: Path, end: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where its store is meanwhile
    with demo(tmp_path) as it:
        it.process.send_signal(end)
        rest = it.said_until_end()

    assert not any(is_listening(port) for port, _ in it.rows.values())
    assert "Traceback" not in rest
    assert it.process.returncode == (0 if end is signal.SIGINT else -end)
    assert end is signal.SIGKILL or not list(tmp_path.glob("crmgraph-demo-*"))


def test_it_may_be_ended_while_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running("demo", "--port", "0", "--sandbox-port-base", "0", folder=tmp_path) as process:
        lines_until(process, "Starting the sandboxes")
        while not list(tmp_path.glob("crmgraph-demo-*")):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=60)[0]

    assert "Traceback" not in rest
    assert process.returncode == -signal.SIGTERM
    assert not list(tmp_path.glob("crmgraph-demo-*"))


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        graph = crmgraph("demo", "--port", port, "--sandbox-port-base", "0", folder=tmp_path)

    assert graph.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{port}: the port is in use" in graph.stderr
    assert "Traceback" not in graph.stderr


def test_all_ports_of_sandboxes_that_are_in_use_are_told_at_once_with_the_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy, ExitStack() as others:
        port = busy.getsockname()[1]
        for further in (port + 1, port + 3):
            with suppress(OSError):  # in use anyway
                others.enter_context(socket.create_server(("127.0.0.1", further)))
        answer = crmgraph("demo", "--port", "0", "--sandbox-port-base", port, folder=tmp_path)

    (line,) = answer.stderr.splitlines()
    assert (answer.returncode, answer.stdout) == (2, "")
    assert line.startswith(f"crmgraph: the sandboxes cannot listen at 127.0.0.1:{port}, {port + 1}, ")
    assert f", {port + 3}" in line
    assert line.endswith("; --sandbox-port-base chooses other ports, and with 0 free ones")


def test_ports_of_sandboxes_that_there_are_not_are_told_with_the_option(tmp_path: Path) -> None:
    answer = crmgraph("demo", "--port", "0", "--sandbox-port-base", "65534", folder=tmp_path)

    assert (answer.returncode, answer.stderr) == (2, "crmgraph: the ports end at 65535; choose a lower --sandbox-port-base\n")
