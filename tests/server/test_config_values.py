"""Values that no request could be made of are refused when the server starts, by their setting's name and without showing them."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, SecretStr

from server.config import Config, parse_config
from tests.server.command_line import crmgraph
from vendors.auth import HeaderSecret, HeaderText
from vendors.errors import ConfigError
from vendors.registry import Vendor, VendorSettings


class DeskSettings(VendorSettings):
    base_url: str
    zone_origins: tuple[str, ...] = ()
    login: Annotated[HeaderText, Field(description="Who asks.")] = "ann"
    name: str = "Desk"
    token: SecretStr
    key: HeaderSecret | None = None

    @property
    def origin(self) -> str:
        return self.base_url


DESK = Vendor(
    key="desk", label="Desk", settings=DeskSettings, client=object, connect=lambda link, settings: (link, settings), extensions={}
)


def parsed(token: str = "t", key: str = "k", **changes: object) -> Config:
    table = {"vendor": "desk", "base_url": "https://desk.example", "token_env": "TOKEN", "key_env": "KEY", **changes}
    return parse_config({"crms": {"main": table}}, {"TOKEN": token, "KEY": key}, folder=Path(), vendors={"desk": DESK})


def mistake_of(token: str = "t", key: str = "k", **changes: object) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(token, key, **changes)
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize(
    "url",
    [
        "https://desk.example",
        "https://desk.example:8443/api/",
        "http://[::1]:8101",
        "http://localhost:1/@here",
        "https://bücher.example",
        "https://a_b.example",
        "desk.example",
    ],
)
def test_a_usual_url_is_taken(url: str) -> None:
    assert parsed(base_url=url).crms["main"].settings.origin == url


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("https://ann:hunter2@desk.example", "must be a URL without user and password; credentials have settings of their own"),
        ("https://ann@desk.example", "must be a URL without user and password; credentials have settings of their own"),
        ("https://@desk.example", "must be a URL without user and password; credentials have settings of their own"),
        ("https://desk.example/?hunter2=1", "must be a URL without a query or fragment, which begin with ? and #"),
        ("https://desk.example/?", "must be a URL without a query or fragment, which begin with ? and #"),
        ("https://desk.example/#hunter2", "must be a URL without a query or fragment, which begin with ? and #"),
        ("ftp://hunter2.example", "must be a URL that begins with https:// or http://"),
        ("https://", "must be a URL with a host, such as https://host/"),
        ("https:///hunter2", "must be a URL with a host, such as https://host/"),
        ("https://desk.example/hunter2 x", "must be a URL without blanks"),
        ("https://desk.example:99999", "must be a URL, such as https://host/"),
        ("https://desk.example:port", "must be a URL, such as https://host/"),
        ("https://[hunter2", "must be a URL, such as https://host/"),
        ("https://desk..example", "must be a URL, such as https://host/"),
        ("https://desk.example\r\nX: hunter2", "has a control character, such as a line break, or is no Unicode text; remove it"),
    ],
)
def test_a_url_that_no_request_can_go_to_is_told(url: str, what: str) -> None:
    assert mistake_of(base_url=url) == f"crms.main.base_url: {what}"
    assert mistake_of(zone_origins=["https://good.example", url]) == f"crms.main.zone_origins: {what}"


@pytest.mark.parametrize("value", ["hunter2\r\nX-More: 1", "hunter2\n", "hunter\0", "\x7fhunter2", "hunter2\x85", "hunter\udcff2"])
def test_a_control_character_is_told(value: str) -> None:
    what = "has a control character, such as a line break, or is no Unicode text; remove it"

    assert mistake_of(value) == f"crms.main.token: {what}"
    assert mistake_of(key=value) == f"crms.main.key: {what}"
    assert mistake_of(login=value) == f"crms.main.login: {what}"
    assert mistake_of(name=value) == f"crms.main.name: {what}"


@pytest.mark.parametrize("value", ["\ufeffhunter2", "hunter2\u200b", "hunter\u20282"])
def test_an_invisible_character_in_a_secret_is_told(value: str) -> None:
    assert mistake_of(value) == "crms.main.token: has an invisible character, which often comes with copied text; remove it"


@pytest.mark.parametrize("value", ["пароль", "100€", "hunter2 ", " hunter2"])
def test_what_goes_into_a_header_is_what_headers_carry(value: str) -> None:
    what = "goes into an HTTP header, which carries Latin letters, digits and signs, and no blank at either end"

    assert mistake_of(key=value) == f"crms.main.key: {what}"
    assert mistake_of(login=value) == f"crms.main.login: {what}"


def test_a_secret_that_goes_elsewhere_may_be_any_text() -> None:
    config = parsed("пароль 100€ ", "Grüße", name="می‌خواهم")  # a Persian word, with its joiner

    assert config.secrets() == {"пароль 100€ ", "Grüße"}


def test_a_proxy_may_have_a_password_and_nothing_else_that_is_odd() -> None:
    assert parsed(proxy="http://proxy.example:3128").crms["main"].proxy is not None
    for odd in ("http://proxy.example:99999", "http://proxy.example?x", "http://proxy.example#x", "http://"):
        assert mistake_of(proxy=odd) == "crms.main.proxy: give the proxy as http://host:port"


def test_check_says_that_the_settings_are_wrong_and_not_that_the_crm_is_away(tmp_path: Path) -> None:
    (tmp_path / "crms.toml").write_text(
        '[crms.it]\nvendor = "autotask"\nzone_url = "http://ann:hunter2@127.0.0.1:9"\n'
        'username = "u"\nintegration_code_env = "CODE"\nsecret_env = "SECRET"\n'
    )

    done = crmgraph("check", folder=tmp_path, env={"CODE": "x\ny", "SECRET": "s"})

    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert "crms.it.zone_url: must be a URL without user and password" in told
    assert "crms.it.integration_code: has a control character" in told
    assert "Reachable" not in told
    assert "hunter2" not in told
