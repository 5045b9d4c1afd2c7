"""`crmgraph check`: what its table says about Crms that work, refuse, or are away."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.commands.check import find, report
from server.commands.sandbox import configuration
from server.config import Config, parse_config
from tests.server.command_line import crmgraph
from vendors.capabilities import EntityCheck
from vendors.errors import PermissionDeniedError, UnsupportedError
from vendors.registry import Link, Vendor, VendorSettings, all_sandboxes, all_vendors
from vendors.sandbox import Fault, RunningSandbox, start


class PartlySettings(VendorSettings):
    @property
    def origin(self) -> str:
        return "http://127.0.0.1"


class PartlyClient:
    """Holds contacts back and has no pipelines."""

    def __init__(self, link: Link, settings: PartlySettings) -> None:
        del settings
        self.crm = link.crm

    async def check(self) -> Sequence[EntityCheck]:
        return [
            EntityCheck(entity="deals", error=None),
            EntityCheck(entity="contacts", error=PermissionDeniedError("Give it the permission.", crm=self.crm)),
            EntityCheck(entity="people", error=PermissionDeniedError("Give it the permission.", crm=self.crm)),
            EntityCheck(entity="pipelines", error=UnsupportedError("It has none.", crm=self.crm)),
        ]


class DefectiveClient:
    """Cannot even make its requests."""

    def __init__(self, link: Link, settings: PartlySettings) -> None:
        del link, settings

    async def check(self) -> Sequence[EntityCheck]:
        raise ValueError("hunter2")


DEFECTIVE = Vendor(
    key="defective", label="Defective", settings=PartlySettings, client=DefectiveClient, connect=DefectiveClient, extensions={}
)
PARTLY = Vendor(key="partly", label="Partly", settings=PartlySettings, client=PartlyClient, connect=PartlyClient, extensions={})


@asynccontextmanager
async def _sandbox(vendor: str = "autotask") -> AsyncGenerator[RunningSandbox, None]:
    sandbox = await start(all_sandboxes()[vendor])
    try:
        yield sandbox
    finally:
        await sandbox.stop()


def _config(sandbox: RunningSandbox, **changes: object) -> Config:
    return parse_config({"crms": {"it": {"vendor": sandbox.kind.vendor, **sandbox.settings, **changes}}}, {}, folder=Path())


async def _reported(config: Config, *, timeout_seconds: float = 15.0) -> list[str]:
    return report(await find(config, timeout_seconds=timeout_seconds)).splitlines()


@pytest.mark.parametrize("vendor", sorted(all_vendors()))
async def test_a_crm_that_works_is_reachable_and_accepted(vendor: str) -> None:
    async with _sandbox(vendor) as sandbox:
        heading, row = await _reported(_config(sandbox))

    assert heading.split() == ["CRM", "Vendor", "Reachable", "Credentials", "Latency", "Entities"]
    assert row.split()[:4] == ["it", vendor, "yes", "accepted"]
    assert re.search(r" \d+ ms +ok: [^;]+$", row)


async def test_wrong_credentials_are_refused_by_a_crm_that_is_reachable() -> None:
    async with _sandbox() as sandbox:
        lines = await _reported(_config(sandbox, secret="wrong"))

    assert lines[1].split()[:4] == ["it", "autotask", "yes", "refused"]
    assert lines[3].endswith("The CRM 'it' refused its credentials; mend them in the configuration. (UNAUTHENTICATED)")


async def test_a_crm_that_is_away_is_not_reachable() -> None:
    async with _sandbox() as sandbox:
        config = _config(sandbox)

    lines = await _reported(config)

    assert lines[1].split()[:5] == ["it", "autotask", "no", "unknown", "-"]
    assert lines[3].endswith("(UNAVAILABLE)")


@pytest.mark.parametrize(("status", "credentials"), [(401, "refused"), (403, "accepted"), (503, "unknown")])
@pytest.mark.parametrize("vendor", sorted(all_vendors()))
async def test_what_all_entities_fail_for_is_told_once_without_them(vendor: str, status: int, credentials: str) -> None:
    async with _sandbox(vendor) as sandbox:
        sandbox.control.faults.append(Fault(kind="status", status=status))
        lines = await _reported(_config(sandbox))

    assert lines[1].split()[2:4] == ["yes", credentials]
    assert lines[1].split()[-1] == "-"
    assert len(lines) == 4
    assert lines[3].startswith("crms.it: ")


@pytest.mark.parametrize("vendor", sorted(all_vendors()))
async def test_why_there_is_no_connection_is_told_with_the_host(vendor: str) -> None:
    async with _sandbox(vendor) as sandbox:
        host = sandbox.base_url.removeprefix("http://").partition("/")[0]
        (url,) = [name for name in sandbox.settings if name in {"base_url", "zone_url", "portal_url", "service_url"}]
        secure = str(sandbox.settings[url]).replace("http://", "https://")
        plain = await _reported(_config(sandbox, **{url: secure}))
        config = _config(sandbox)
    closed = await _reported(config)

    advice = "Check its address in the configuration, and `proxy` and `ca_file` if it needs them; if they are right, try again later."
    assert len(closed) == len(plain) == 4
    assert closed[3].endswith(f": The CRM 'it' cannot be reached at {host}: Connection refused. {advice} (UNAVAILABLE)")
    assert f": The CRM 'it' cannot be reached at {host}: TLS: " in plain[3]
    assert plain[3].endswith(f". {advice} (UNAVAILABLE)")


async def test_a_connection_that_is_broken_off_is_told_as_that() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as other, _sandbox() as sandbox:
        host = f"127.0.0.1:{other.sockets[0].getsockname()[1]}"
        lines = await _reported(_config(sandbox, zone_url=f"https://{host}/ATServicesRest/"))

    assert f"cannot be reached at {host}: the connection was broken off. Check its address" in lines[3]


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (Fault(kind="html"), "Check its address in the configuration: {host} may answer with a page, and the API be at another."),
        (Fault(kind="status", status=404), "there is nothing at that address. Mend the CRM's URL, space or version in the configuration."),
    ],
    ids=["a page", "nothing"],
)
@pytest.mark.parametrize("vendor", sorted(all_vendors()))
async def test_an_address_where_there_is_something_else_is_told_to_be_mended(vendor: str, fault: Fault, advice: str) -> None:
    async with _sandbox(vendor) as sandbox:
        sandbox.control.faults.append(fault)
        lines = await _reported(_config(sandbox))

    assert lines[1].split()[2:4] == ["yes", "unknown"]
    assert len(lines) == 4
    assert advice.format(host=sandbox.base_url.removeprefix("http://").partition("/")[0]) in lines[3]


async def test_an_answer_that_tells_of_an_outage_is_told_with_its_status() -> None:
    async with _sandbox("pipeliner") as sandbox:
        sandbox.control.faults.append(Fault(kind="status", status=503))
        lines = await _reported(_config(sandbox))

    assert lines[1].split()[2] == "yes"
    assert lines[3].endswith("; try again later. (UNAVAILABLE, status 503)")


async def test_a_crm_that_does_not_answer_is_given_up_at_the_deadline() -> None:
    async with _sandbox() as sandbox:
        sandbox.control.faults.append(Fault(kind="hang"))
        lines = await _reported(_config(sandbox), timeout_seconds=0.05)

    assert lines[1].split()[2] == "no"
    assert lines[3].endswith("(TIMEOUT)")


# A custom text field of each sandbox that lists its custom fields, and one that is none for texts.
CORRELATION = {
    "autotask": ("Scope notes", "Crane hours per year"),
    "onlyoffice": ("21", "25"),
    "pipeliner": ("cf_scope", "cf_berths"),
    "sharpspring": ("project_code_66aa01f3c2b4d", "lift_capacity_t_66aa0230bb51f"),
}


@pytest.mark.parametrize("vendor", CORRELATION)
async def test_a_correlation_field_that_cannot_hold_the_mark_is_told(vendor: str) -> None:
    fit, unfit = CORRELATION[vendor]
    async with _sandbox(vendor) as sandbox:
        good, missing, wrong = [await _reported(_config(sandbox, correlation_field=field)) for field in (fit, "nowhere", unfit)]

    assert len(good) == 2
    assert len(missing) == len(wrong) == 4
    assert missing[3].startswith("crms.it.correlation_field: the CRM has no custom field 'nowhere' of opportunities (its text fields are ")
    assert repr(fit) in missing[3]
    assert repr(unfit) not in missing[3]
    assert wrong[3].startswith(f"crms.it.correlation_field: the custom field {unfit!r} cannot hold a text of 32 characters")


async def test_custom_fields_that_cannot_be_read_are_told_where_a_correlation_field_is_set() -> None:
    async with _sandbox("onlyoffice") as sandbox:
        sandbox.control.faults.append(Fault(kind="status", status=403, match="customfield"))
        lines = await _reported(_config(sandbox, correlation_field="21"))

    assert lines[1].endswith("; forbidden: custom fields")
    assert lines[3].startswith("crms.it (custom fields): ")


async def test_credentials_that_travel_in_clear_text_are_a_warning_and_no_failure(tmp_path: Path) -> None:
    async with _sandbox("onlyoffice") as sandbox:
        near = _config(sandbox)
        (tmp_path / "crms.toml").write_text(
            f'[crms.it]\nvendor = "onlyoffice"\nportal_url = "http://crm.example/"\nusername = "{sandbox.settings["username"]}"\n'
            f'password_env = "PASSWORD"\nproxy = "{sandbox.base_url}"\n'  # the sandbox stands for what the name leads to
        )
        secret = str(sandbox.settings["password"])
        answer = await asyncio.to_thread(crmgraph, "check", folder=tmp_path, env={"PASSWORD": secret})
        quiet = await _reported(near)

    warning = (
        "credentials travel to crm.example in clear text, since its URL begins with http://; use https://, or put a proxy near the CRM"
    )
    assert answer.returncode == 0
    assert answer.stdout.splitlines()[2:] == ["", f"crms.it: warning: {warning} that terminates TLS"]
    assert secret not in answer.stdout + answer.stderr
    assert len(quiet) == 2


async def test_a_missing_permission_is_told_by_entity_and_what_the_vendor_lacks_is_no_failure() -> None:
    config = parse_config({"crms": {"it": {"vendor": "partly"}}}, {}, folder=Path(), vendors={"partly": PARTLY})

    lines = await _reported(config)

    assert lines[1].endswith("ok: deals; forbidden: contacts, people; not supported: pipelines")
    assert lines[2:] == ["", "crms.it (contacts, people): Give it the permission. (FORBIDDEN)"]


async def test_a_defect_of_one_adapter_is_none_of_the_network_and_leaves_the_other_crms(caplog: pytest.LogCaptureFixture) -> None:
    tables = {"it": {"vendor": "partly"}, "odd": {"vendor": "defective"}}
    config = parse_config({"crms": tables}, {}, folder=Path(), vendors={"partly": PARTLY, "defective": DEFECTIVE})

    lines = await _reported(config)

    assert lines[2].split()[:4] == ["odd", "defective", "unknown", "unknown"]
    assert "INTERNAL" in lines[-1]
    assert "hunter2" not in "".join(lines)
    assert "hunter2" in caplog.text


async def test_the_exit_status_tells_whether_everything_works(tmp_path: Path) -> None:
    file = tmp_path / "crms.toml"
    async with _sandbox() as sandbox:
        file.write_text(configuration([sandbox]))
        works = await asyncio.to_thread(crmgraph, "check", folder=tmp_path)
    away = await asyncio.to_thread(crmgraph, "check", folder=tmp_path)

    assert (works.returncode, works.stderr) == (0, "")
    assert "service  autotask  yes" in works.stdout
    assert away.returncode == 1
    assert "service  autotask  no" in away.stdout
