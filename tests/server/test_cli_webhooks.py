"""`crmgraph webhooks`: what it registers at real sandboxes, and what it says."""

import asyncio
import os
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from server.commands.sandbox import configuration
from server.commands.webhooks import carry_out, webhook_url
from server.config import load_config
from tests.ports import held_port
from tests.server.command_line import COMMAND, ROOT
from vendors.errors import ConfigError
from vendors.registry import all_sandboxes
from vendors.sandbox import RunningSandbox, start

PUBLIC = "https://crm.example.com"
URL = f"{PUBLIC}/webhooks/dach"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int | None
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Desk:
    """A configuration of some sandboxes, and the command that reads it."""

    config: Path
    sandboxes: Mapping[str, RunningSandbox]
    output: pytest.CaptureFixture[str]

    async def webhooks(self, action: str, *, public: str | None = None, local_id: str | None = None) -> Answer:
        """What the command does once it has read its arguments."""
        url = None if public is None else webhook_url(public, "dach")
        status = await carry_out(load_config(self.config, {}), "dach", action, url=url, local_id=local_id)
        said = self.output.readouterr()
        return Answer(status, said.out, said.err)

    async def command(self, *arguments: str) -> Answer:
        """The command as a process of its own."""
        async with asyncio.timeout(60):
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                "webhooks",
                *arguments,
                "--config",
                str(self.config),
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=PIPE,
                stderr=PIPE,
            )
            out, err = await process.communicate()
        assert b"Traceback" not in err
        return Answer(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def desk_of(folder: Path, output: pytest.CaptureFixture[str], *vendors: str) -> AsyncGenerator[Desk, None]:
    async with AsyncExitStack() as stack:
        sandboxes: dict[str, RunningSandbox] = {}
        for vendor in vendors:
            sandbox = await start(all_sandboxes()[vendor])
            stack.push_async_callback(sandbox.stop)
            sandboxes[sandbox.kind.crm_key] = sandbox
        config = folder / "crms.toml"
        config.write_text(configuration(list(sandboxes.values())))
        yield Desk(config, sandboxes, output)


@pytest.fixture
async def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncGenerator[Desk, None]:
    async with desk_of(tmp_path, capsys, "pipeliner", "autotask") as desk:
        yield desk


async def test_a_webhook_is_registered_once_listed_and_removed(desk: Desk) -> None:
    none = await desk.webhooks("list")
    registered = await desk.webhooks("register", public=f"{PUBLIC}/")
    again = await desk.webhooks("register", public=PUBLIC)
    listed = await desk.webhooks("list")
    removed = await desk.webhooks("remove", public=PUBLIC)
    empty = await desk.webhooks("list")
    gone = await desk.webhooks("remove", public=PUBLIC)

    assert none == empty == Answer(0, "The vendor of 'dach' has no webhooks registered.\n", "")
    assert registered.status == again.status == listed.status == removed.status == 0
    assert registered.out.startswith("It is registered.\n")
    assert again.out.startswith("It is registered already.\n")
    assert listed.out.count(URL) == 1
    assert "Opportunity.*" in listed.out
    assert f"for {URL} is removed" in removed.out
    assert gone == Answer(1, "", f"crmgraph: no webhook is registered with the URL {URL}\n")


async def test_a_webhook_is_removed_by_its_id(desk: Desk) -> None:
    registered = await desk.command("register", "--crm", "dach", "--url", PUBLIC)
    local_id = (await desk.webhooks("list")).out.splitlines()[1].split()[0]

    wrong = await desk.webhooks("remove", local_id="nonsense")
    removed = await desk.webhooks("remove", local_id=local_id)

    assert (registered.status, registered.err) == (0, "")
    assert (wrong.status, wrong.err) == (1, "crmgraph: no webhook is registered with the id 'nonsense'\n")
    assert removed == Answer(0, f"The webhook {local_id} for {URL} is removed.\n", "")


async def test_registering_tells_which_settings_the_server_lacks_for_deliveries_to_arrive(desk: Desk) -> None:
    strange = await desk.webhooks("register", public=PUBLIC)
    text = desk.config.read_text()
    desk.config.write_text(f'[server]\nallowed_hosts = ["crm.example.com"]\n[changes]\nenabled = false\n{text}')
    unwatched = await desk.webhooks("register", public=PUBLIC)
    desk.config.write_text(f'[server]\nallowed_hosts = ["other.example.com"]\n{text}')
    further = await desk.webhooks("register", public=PUBLIC)
    loopback = await desk.webhooks("register", public="http://127.0.0.1:8000")

    assert 'allowed_hosts = ["crm.example.com"]' in strange.out
    assert "enabled = true in [changes]" in unwatched.out
    assert "allowed_hosts" not in unwatched.out
    assert 'allowed_hosts = ["other.example.com", "crm.example.com"]' in further.out
    assert loopback.status == 0
    assert "allowed_hosts" not in loopback.out


async def test_what_cannot_be_done_is_told(desk: Desk) -> None:
    without = await desk.command("list", "--crm", "service")
    unknown = await desk.command("list", "--crm", "nowhere")
    open_to_all = await desk.command("register", "--crm", "dach", "--url", "http://crm.example.com")
    nowhere = await desk.command("register", "--crm", "dach")
    unnamed = await desk.command("remove", "--crm", "dach")
    kept = [text for text in desk.config.read_text().splitlines() if not text.startswith("webhook_signature")]
    desk.config.write_text("\n".join(kept))
    unsigned = await desk.command("register", "--crm", "dach", "--url", PUBLIC)
    stopped = desk.sandboxes["dach"]
    await stopped.stop()
    with held_port(urlsplit(stopped.base_url).port or 0):
        away = await desk.command("list", "--crm", "dach")

    assert without.status == 1
    assert "crms.service: " in without.err
    assert "the CRM 'service' is watched without webhooks. (NOT_SUPPORTED)" in without.err
    assert unknown.status == 2
    assert "has no CRM 'nowhere'; it has dach, service" in unknown.err
    assert open_to_all.status == 2
    assert "--url: must begin with https://" in open_to_all.err
    assert (nowhere.status, unnamed.status) == (2, 2)
    assert "--url: say where the vendor reaches this server" in nowhere.err
    assert "or --id" in unnamed.err
    assert unsigned.status == 1
    assert "`webhook_signature`" in unsigned.err
    assert away.status == 1
    assert "crms.dach: " in away.err
    assert "(UNAVAILABLE)" in away.err


@pytest.mark.parametrize(
    ("public", "url"),
    [
        ("https://crm.example.com", URL),
        ("https://crm.example.com/", URL),
        (URL, URL),
        ("https://crm.example.com:8443/graph/", "https://crm.example.com:8443/graph/webhooks/dach"),
        ("http://localhost:8000", "http://localhost:8000/webhooks/dach"),
        ("http://[::1]:8000", "http://[::1]:8000/webhooks/dach"),
    ],
)
def test_the_address_of_a_crm_is_below_the_servers(public: str, url: str) -> None:
    assert webhook_url(public, "dach") == url


@pytest.mark.parametrize(
    "public",
    [
        "crm.example.com",
        "ftp://crm.example.com",
        "https://",
        "https://crm.example.com?x=1",
        "https://crm.example.com#x",
        "https://me:secret@crm.example.com",
        "https://crm.example.com:port",
        "https://[::1",
        "http://crm.example.com",
        "http://192.0.2.1",
    ],
)
def test_an_address_that_webhooks_cannot_be_sent_to_is_refused(public: str) -> None:
    with pytest.raises(ConfigError, match="--url: must"):
        webhook_url(public, "dach")
