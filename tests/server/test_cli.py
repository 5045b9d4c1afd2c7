"""The command line as people use it: real processes, their output and exit status."""

import asyncio
import importlib
import re
import signal
import socket
import tomllib
from collections.abc import Generator, Sequence
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import pytest

from server.cli import main
from server.commands.toml import toml_lines
from server.config import load_config, parse_config
from server.config_secrets import secret_fields
from server.crms import connect_crms, open_session
from tests.server.command_line import crmgraph, lines_until, running
from vendors.changes import PollsOpportunities
from vendors.errors import ConfigError
from vendors.registry import all_sandboxes, all_vendors

SANDBOX_TOML = """
[crms.service]
vendor = "autotask"
zone_url = "http://127.0.0.1:9"
username = "u"
integration_code = "c"
secret = "s"
"""


WATCHED = {"poll_seconds", "sweep_seconds", "watch_calls_per_hour"}


def uncommented(file: Path) -> dict[str, Any]:
    """A configuration of `init` with all of its settings."""
    lines = file.read_text().splitlines()
    settings = [line[2:] if line.startswith("# ") and (" = " in line or line.endswith("]")) else line for line in lines]
    return tomllib.loads("\n".join(settings))


@pytest.fixture
def busy_port() -> Generator[int, None, None]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    "arguments", [(), ("nonsense",), ("serve", "--port", "65536"), ("sandbox", "--scale", "0"), ("demo", "--port", "-1")]
)
def test_wrong_usage_is_status_2(tmp_path: Path, arguments: Sequence[str]) -> None:
    answer = crmgraph(*arguments, folder=tmp_path)

    assert answer.returncode == 2
    assert "usage: crmgraph" in answer.stderr


def test_the_version_is_told(tmp_path: Path) -> None:
    answer = crmgraph("--version", folder=tmp_path)

    assert answer.stdout.startswith("crmgraph 0")


@pytest.mark.parametrize(("command", "status"), [("serve", 0), ("demo", 0), ("sandbox", 0), ("check", 1)])
def test_an_interrupt_while_a_command_is_still_imported_ends_it_quietly(command: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)

    try:
        found = main([command])
    except KeyboardInterrupt:  # would end all tests
        found = None

    assert found == status


@pytest.mark.parametrize("command", ["init", "serve", "demo", "sandbox", "check", "changes", "webhooks", "schema"])
def test_a_crm_has_one_name_in_what_people_read(command: str, tmp_path: Path) -> None:
    answer = crmgraph(command, "--help", folder=tmp_path)

    assert "Crm" not in answer.stdout
    assert answer.returncode == 0


class TestInit:
    def test_it_writes_a_configuration_that_needs_but_a_crm(self, tmp_path: Path) -> None:
        written = crmgraph("init", folder=tmp_path)
        served = crmgraph("serve", folder=tmp_path)

        assert written.returncode == 0
        assert "Crm" not in written.stdout + (tmp_path / "crms.toml").read_text()
        assert served.stderr == "crmgraph: crms.toml has mistakes:\ncrms: configure at least one CRM, as a table [crms.<key>]\n"

    def test_what_it_writes_says_that_a_key_stays(self, tmp_path: Path) -> None:
        crmgraph("init", folder=tmp_path)

        head, _, crms = (
            (tmp_path / "crms.toml").read_text().partition("# The key of a CRM is part of the ids of all its records, and of cursors")
        )

        assert "vendor = " not in head
        assert crms.count("vendor = ") == len(all_vendors())

    def test_it_never_overwrites(self, tmp_path: Path) -> None:
        (tmp_path / "mine.toml").write_text("mine")

        answer = crmgraph("init", "--output", "mine.toml", folder=tmp_path)

        assert answer.returncode == 2
        assert "mine.toml: exists already" in answer.stderr
        assert (tmp_path / "mine.toml").read_text() == "mine"

    def test_what_it_writes_has_every_setting_of_every_vendor(self, tmp_path: Path) -> None:
        crmgraph("init", folder=tmp_path)

        data = uncommented(tmp_path / "crms.toml")

        assert set(data["crms"]) == set(all_vendors())
        for key, vendor in all_vendors().items():
            names = {name.removesuffix("_env") if name.endswith("_env") else name for name in data["crms"][key]}
            assert set(vendor.settings.model_fields) <= names

    def test_what_it_writes_says_of_every_setting_what_it_is_about(self, tmp_path: Path) -> None:
        crmgraph("init", folder=tmp_path)

        lines = (tmp_path / "crms.toml").read_text().splitlines()
        unsaid = [
            line
            for before, line in pairwise(lines)
            if re.match(r"# \w+ = ", line) and not before.startswith("#   ") and not line.startswith(("# vendor = ", '# USD = "'))
        ]

        assert "# max_cost = 100000" in lines
        assert unsaid == []

    def test_what_it_writes_has_each_number_in_one_way(self, tmp_path: Path) -> None:
        crmgraph("init", folder=tmp_path)

        tables = uncommented(tmp_path / "crms.toml")["crms"].values()

        for name in WATCHED:
            assert {type(table[name]) for table in tables if name in table} == {float}, name

    async def test_what_it_writes_are_the_defaults_of_each_vendor_and_what_is_empty_says_so(self, tmp_path: Path) -> None:
        crmgraph("init", folder=tmp_path)
        tables = uncommented(tmp_path / "crms.toml")["crms"]
        env = {value: str(UUID(int=7)) for table in tables.values() for name, value in table.items() if name.endswith("_env")}
        env["CRM_PROXY"] = "http://127.0.0.1:9"

        with pytest.raises(ConfigError) as caught:
            parse_config({"crms": tables}, env, folder=tmp_path)
        empty = {f"crms.{key}.{name}": name for key, table in tables.items() for name, value in table.items() if value == ""}
        assert {line.partition(": is empty; ")[0] for line in str(caught.value).splitlines()} == empty.keys()
        for key, vendor in all_vendors().items():
            given = {
                name: "https://crm.example" if name.endswith("url") else "x"
                for name, field in vendor.settings.model_fields.items()
                if field.is_required() and name not in secret_fields(vendor.settings)
            }
            tables[key] = {name: value for name, value in tables[key].items() if value != ""} | given
        config = parse_config({"crms": tables}, env, folder=tmp_path)
        bare = {key: {name: value for name, value in table.items() if name not in WATCHED} for key, table in tables.items()}
        async with open_session() as session:
            crms, by_default = (
                connect_crms(each, session, clock=monotonic, sleep=asyncio.sleep, jitter=lambda: 0.5)
                for each in (config, parse_config({"crms": bare}, env, folder=tmp_path))
            )

            assert {key: crm.watching for key, crm in crms.items()} == {key: crm.watching for key, crm in by_default.items()}
            polled = {key for key, table in tables.items() if "poll_seconds" in table}
            assert polled == {key for key, crm in crms.items() if isinstance(crm.client, PollsOpportunities)} != set(all_vendors())
            assert {key: crm.label for key, crm in crms.items()} == {key: vendor.label for key, vendor in all_vendors().items()}


class TestServe:
    def test_a_wrong_configuration_is_status_2_and_says_what_to_mend(self, tmp_path: Path) -> None:
        (tmp_path / "crms.toml").write_text(SANDBOX_TOML.replace("secret", "secret_env") + 'usernam = "x"\n')

        answer = crmgraph("serve", folder=tmp_path)

        assert answer.returncode == 2
        assert answer.stdout == ""
        assert answer.stderr.splitlines() == [
            "crmgraph: crms.toml has mistakes:",
            "crms.service.usernam: unknown; did you mean username?",
            "crms.service.secret_env: set the environment variable that it names, which is not set",
        ]

    def test_a_missing_configuration_is_status_2(self, tmp_path: Path) -> None:
        answer = crmgraph("serve", "--config", "other.toml", folder=tmp_path)

        assert answer.returncode == 2
        assert answer.stderr == "crmgraph: other.toml: there is no such file; `crmgraph init` writes one to start from\n"

    def test_a_port_in_use_is_status_2_and_names_the_setting(self, tmp_path: Path, busy_port: int) -> None:
        (tmp_path / "crms.toml").write_text(f"[server]\nport = {busy_port}\n{SANDBOX_TOML}")

        answer = crmgraph("serve", folder=tmp_path)

        assert answer.returncode == 2
        assert f"server.host, server.port: Cannot listen on 127.0.0.1:{busy_port}: the port is in use" in answer.stderr
        assert "Traceback" not in answer.stderr

    def test_a_port_in_use_that_was_given_is_told_with_its_option(self, tmp_path: Path, busy_port: int) -> None:
        (tmp_path / "crms.toml").write_text(SANDBOX_TOML)

        answers = [crmgraph(command, "--port", busy_port, folder=tmp_path) for command in ("serve", "demo")]

        assert [answer.returncode for answer in answers] == [2, 2]
        assert all("the port is in use" in answer.stderr and "choose another --port." in answer.stderr for answer in answers)

    @pytest.mark.parametrize("host", ["no such host", "203.0.113.1"], ids=["unknown", "of another machine"])
    def test_a_host_that_cannot_be_listened_at_is_told_as_the_host(self, host: str, tmp_path: Path) -> None:
        (tmp_path / "crms.toml").write_text(f'[server]\nhost = "{host}"\nallow_public = true\n{SANDBOX_TOML}')

        configured = crmgraph("serve", "--port", "0", folder=tmp_path)
        given = crmgraph("serve", "--port", "0", "--host", host, folder=tmp_path)

        assert configured.stderr.startswith(f"crmgraph: server.host: Cannot listen on {host}:0: ")
        assert given.stderr.startswith(f"crmgraph: --host: Cannot listen on {host}:0: ")
        assert (configured.returncode, given.returncode) == (2, 2)

    @pytest.mark.parametrize(
        "settings",
        ['store_dir = "file/store"', 'store_dir = "file/store"\nworkers = 2', "workers = 7"],
        ids=["store", "store of several processes", "workers"],
    )
    def test_an_address_is_told_only_where_somebody_will_answer(self, settings: str, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        (tmp_path / "crms.toml").write_text(f"[server]\nport = 0\n{settings}\n[changes]\nenabled = false\n{SANDBOX_TOML}")

        answer = crmgraph("serve", folder=tmp_path)

        assert answer.returncode == 2
        assert answer.stderr.startswith("crmgraph: server.")
        assert "http://" not in answer.stderr

    def test_a_public_address_is_refused_on_the_command_line_too(self, tmp_path: Path) -> None:
        (tmp_path / "crms.toml").write_text(SANDBOX_TOML)

        answer = crmgraph("serve", "--host", "0.0.0.0", folder=tmp_path)  # noqa: S104  # to be refused

        assert answer.returncode == 2
        assert "server.host: other machines may reach this address" in answer.stderr

    def test_it_starts_without_calling_a_vendor_and_ends_by_interrupt(self, tmp_path: Path) -> None:
        (tmp_path / "crms.toml").write_text(SANDBOX_TOML)  # nobody listens at that Crm's address

        with running("serve", "--port", "0", folder=tmp_path) as process:
            told = lines_until(process, "Application startup complete")
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=60)[0]

        assert process.returncode == 0
        assert sum("the graph of service is at http://127.0.0.1:" in line for line in told) == 1
        assert "Traceback" not in rest

    @pytest.mark.parametrize("workers", [1, 2])
    def test_credentials_that_would_travel_in_clear_text_are_warned_of_once(self, workers: int, tmp_path: Path) -> None:
        far = SANDBOX_TOML.replace("http://127.0.0.1:9", "http://crm.example").replace('secret = "s"', 'secret_env = "SECRET"')
        far = far.replace('integration_code = "c"', 'integration_code_env = "CODE"')
        near = SANDBOX_TOML.replace("service", "near")
        (tmp_path / "crms.toml").write_text(f"[server]\nworkers = {workers}\n[changes]\nenabled = false\n{far}{near}")

        with running("serve", "--port", "0", folder=tmp_path, env={"SECRET": "hunter2", "CODE": "hunter3"}) as process:
            told = lines_until(process, "Application startup complete")
            process.send_signal(signal.SIGINT)
            told += process.communicate(timeout=60)[0].splitlines()

        (line,) = [line for line in told if "clear text" in line]
        assert "WARNING" in line
        assert "crms.service: credentials travel to crm.example in clear text" in line
        assert "use https://, or put a proxy near the CRM that terminates TLS" in line
        assert "hunter" not in "".join(told)

    @pytest.mark.parametrize(("settings", "is_tuned"), [("", True), ('[server]\ngc = "default"\n', False)])
    def test_its_garbage_collector_is_tuned_unless_it_is_told_not_to(self, settings: str, is_tuned: bool, tmp_path: Path) -> None:  # noqa: FBT001
        (tmp_path / "crms.toml").write_text(settings + SANDBOX_TOML)

        with running("serve", "--port", "0", folder=tmp_path) as process:
            told = lines_until(process, "Application startup complete")
            process.send_signal(signal.SIGINT)
            told += process.communicate(timeout=60)[0].splitlines()

        assert any("the garbage collector leaves" in line for line in told) == is_tuned


class TestSandbox:
    def test_one_runs_alone_on_a_port_and_ends_by_signal(self, tmp_path: Path) -> None:
        with running("sandbox", "autotask", folder=tmp_path) as process:
            (line,) = lines_until(process, "listens at")
            process.terminate()
            process.wait(timeout=60)

        assert f"pid {process.pid}" in line
        assert process.returncode == 0

    def test_it_ends_with_its_input_when_asked_to(self, tmp_path: Path) -> None:
        with running("sandbox", "autotask", "--end-with-input", folder=tmp_path) as process:
            lines_until(process, "listens at")
            process.communicate(timeout=60)  # closes its input

        assert process.returncode == 0

    def test_all_write_a_configuration_that_serve_takes(self, tmp_path: Path) -> None:
        file = tmp_path / "crms.toml"

        with running("sandbox", "--write-config", file, "--scale", "30", folder=tmp_path) as process:
            for _ in all_sandboxes():
                lines_until(process, "listens at")
            data = tomllib.loads(file.read_text())
            ready = {key: table for key, table in data["crms"].items() if table["vendor"] in all_vendors()}
            file.write_text("".join(f"[crms.{key}]\n" + "\n".join(toml_lines(table)) + "\n" for key, table in ready.items()))
            config = load_config(file, {})

        assert {table["vendor"] for table in data["crms"].values()} == set(all_sandboxes())
        assert set(config.crms) == set(ready)

    def test_a_configuration_that_it_did_not_write_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "crms.toml").write_text(SANDBOX_TOML)

        answer = crmgraph("sandbox", "--write-config", "crms.toml", folder=tmp_path)

        assert answer.returncode == 2
        assert "crms.toml: was not written by `crmgraph sandbox`" in answer.stderr
        assert (tmp_path / "crms.toml").read_text() == SANDBOX_TOML

    def test_a_port_in_use_is_status_2(self, tmp_path: Path, busy_port: int) -> None:
        one = crmgraph("sandbox", "autotask", "--port", busy_port, folder=tmp_path)
        all_of_them = crmgraph("sandbox", "--port-base", busy_port, folder=tmp_path)
        of_a_demo = crmgraph("demo", "--port", "0", "--sandbox-port-base", busy_port, folder=tmp_path)

        assert [answer.returncode for answer in (one, all_of_them, of_a_demo)] == [2, 2, 2]
        assert f"the sandbox of autotask cannot listen at 127.0.0.1:{busy_port}" in one.stderr
        assert one.stderr.endswith("; choose another --port\n")
        assert all_of_them.stderr.endswith("; choose another --port-base\n")
        assert " --port" not in of_a_demo.stderr
        assert "--sandbox-port-base chooses other ports" in of_a_demo.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("nobody",), "there is no sandbox of that vendor; there are"),
            (("autotask", "--option", "x=1"), "sandbox 'autotask' has no option 'x'"),
            (("autotask", "--option", "ints=many"), "option 'ints' of sandbox 'autotask' must be one of 'int' or 'float'\n"),
            (
                ("autotask", "--option", "permission_status=1"),
                "option 'permission_status' of sandbox 'autotask' must be one of 500 or 403\n",
            ),
            (
                ("autotask", "--option", "dates=x"),
                "option 'dates' of sandbox 'autotask' must be one of 'seconds', 'fraction' or 'no_zone'\n",
            ),
            (("autotask", "--option", "ints"), "write an option as --option NAME=VALUE"),
            (("--option", "ints=int"), "write an option as --option VENDOR.NAME=VALUE"),
            (("--port", "8101"), "--port is for one sandbox"),
            (("--port-base", "65534"), "the ports end at 65535"),
        ],
    )
    def test_wrong_arguments_are_status_2(self, tmp_path: Path, arguments: Sequence[str], message: str) -> None:
        answer = crmgraph("sandbox", *arguments, folder=tmp_path)

        assert answer.returncode == 2
        assert message in answer.stderr

    def test_its_switches_are_listed(self, tmp_path: Path) -> None:
        answer = crmgraph("sandbox", "autotask", "--list-options", folder=tmp_path)

        assert answer.returncode == 0
        assert all(f"--option {name}=" in answer.stdout for name in all_sandboxes()["autotask"].options)
