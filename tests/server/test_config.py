"""What a configuration may hold, and how each mistake in it is told."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, SecretStr

from server.config import Config, load_config, parse_config
from server.config_secrets import secret_fields
from vendors.errors import ConfigError
from vendors.registry import Link, Vendor, VendorSettings, all_vendors

HERE = Path(__file__).parent


class ShopSettings(VendorSettings):
    base_url: str = Field(pattern=r"^https?://", description="Where the shop is.")
    user: str = Field(min_length=1, description="Who asks.")
    token: SecretStr = Field(description="Token of the user.")
    hook_secret: SecretStr | None = None
    pages: int = Field(default=10, ge=1, le=50)
    word: str = Field(default="x", pattern=r"\S", description="A word.")
    code: str = Field(default="123", pattern=r"^\d{3}$", description="Three digits.")
    head: str = Field(default="x", pattern=r"^[!-~]([ -~]*[!-~])?$")

    @property
    def origin(self) -> str:
        return self.base_url


class ShopClient:
    def __init__(self, link: Link, settings: ShopSettings) -> None:
        self.link = link
        self.settings = settings


SHOP = Vendor(key="shop", label="Shop CRM", settings=ShopSettings, client=ShopClient, connect=ShopClient, extensions={})
GOOD: Mapping[str, Any] = {"vendor": "shop", "base_url": "https://shop.example", "user": "ann", "token_env": "SHOP_TOKEN"}
ENV = {"SHOP_TOKEN": "t0ken-value", "EMPTY": "", "SHOP_PROXY": "http://ann:pw@proxy.example:3128"}


def parsed(server: object = None, *, folder: Path = HERE, **crms: object) -> Config:
    data = {"server": server if server is not None else {}, "crms": crms or {"main": GOOD}}
    return parse_config(data, ENV, folder=folder, vendors={"shop": SHOP})


def mistakes_of(server: object = None, *, folder: Path = HERE, **crms: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parsed(server, folder=folder, **crms)
    return str(caught.value).splitlines()


def test_a_crm_has_its_vendors_settings_and_the_defaults() -> None:
    config = parsed(main=GOOD)

    crm = config.crms["main"]
    assert isinstance(crm.settings, ShopSettings)
    assert crm.settings.token.get_secret_value() == "t0ken-value"
    assert (crm.label, crm.proxy, crm.tls, crm.table_ttl_seconds, crm.cache_ttl_seconds) == ("Shop CRM", None, None, 300.0, 300.0)
    assert (config.server.host, config.server.port, config.server.cors_origins) == ("127.0.0.1", 8000, ())


def test_crms_stay_in_the_order_of_the_file() -> None:
    assert list(parsed(zebra=GOOD, ant=GOOD).crms) == ["zebra", "ant"]


def test_settings_of_the_server_reach_the_http_side_and_the_limits() -> None:
    config = parsed(
        {
            "cors_origins": ["https://board.example"],
            "deadline_seconds": 4,
            "graphiql": False,
            "status_partial_294": True,
            "limits": {"max_depth": 7, "grace_seconds": 2, "max_body_bytes": 5_000},
        }
    )

    assert config.http.cors_origins == ("https://board.example",)
    assert (config.http.graphiql, config.http.status_partial_294, config.http.max_body_bytes) == (False, True, 5_000)
    assert (config.limits.max_depth, config.limits.grace_seconds, config.limits.deadline_seconds) == (7, 2, 4)


def test_the_garbage_collector_is_tuned_unless_it_is_to_be_left_as_it_is() -> None:
    assert parsed({}).server.gc == "tuned"
    assert parsed({"gc": "default"}).server.gc == "default"


def test_hosts_reach_the_http_side() -> None:
    http = parsed({"host": "crm.example", "allow_public": True, "allowed_hosts": ["board.example", "fd00::5"]}).http

    assert (http.host, http.allowed_hosts) == ("crm.example", ("board.example", "fd00::5"))


def test_what_is_not_said_about_limits_has_its_default() -> None:
    assert parsed({"limits": {"max_depth": 7}}).limits.max_tokens == parsed().limits.max_tokens == 5_000


@pytest.mark.parametrize(
    ("server", "mistake"),
    [
        ({"hots": "::1"}, "server.hots: unknown; did you mean host?"),
        ({"port": "8000"}, "server.port: must be a whole number. Port to listen at; 0 takes a free one."),
        ({"port": True}, "server.port: must be a whole number. Port to listen at; 0 takes a free one."),
        ({"port": 65_536}, "server.port: must be at most 65535. Port to listen at; 0 takes a free one."),
        ({"allow_public": "yes"}, "server.allow_public: must be true or false."),
        ({"deadline_seconds": 0}, "server.deadline_seconds: must be more than 0. Time that one operation may take."),
        ({"deadline_seconds": float("nan")}, "server.deadline_seconds: must be a finite number. Time that one operation may take."),
        (
            {"log_level": "loud"},
            "server.log_level: must be one of 'debug', 'info', 'warning' or 'error'. Least severe level that is logged.",
        ),
        ({"cors_origins": "https://x"}, "server.cors_origins: must be a list, in brackets."),
        ({"cursor_key": "short"}, "server.cursor_key: must have 16 or more characters."),
        ({"cors_origins": ["*"]}, "server.cors_origins: name each origin as scheme://host"),
        ({"cors_origins": ["https://x/board"]}, "server.cors_origins: name each origin as scheme://host"),
        *(
            ({"allowed_hosts": [host]}, "server.allowed_hosts: name each host as crm.example.com, without scheme")
            for host in ("https://crm.example", "crm.example:443", "*.example", "*", "[::1]", "", "a b")
        ),
        ({"limits": {"max_dept": 1}}, "server.limits.max_dept: unknown; did you mean max_depth?"),
        ({"limits": {"max_depth": 0}}, "server.limits.max_depth: must be a whole number above 0"),
        ({"limits": {"max_depth": 1.5}}, "server.limits.max_depth: must be a whole number above 0"),
        ({"limits": {"max_depth": True}}, "server.limits.max_depth: must be a whole number above 0"),
        ({"limits": {"grace_seconds": float("inf")}}, "server.limits.grace_seconds: must be a number above 0"),
        ({"limits": {"deadline_seconds": 3}}, "server.limits.deadline_seconds: unknown"),
        ({"limits": 3}, "server.limits: must be a table, [server.limits]"),
        (3, "server: must be a table, [server]"),
    ],
)
def test_a_mistake_about_the_server_is_told_by_its_setting(server: object, mistake: str) -> None:
    lines = mistakes_of(server)

    assert len(lines) == 1
    assert lines[0].startswith(mistake)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "crm.example"])  # noqa: S104  # addresses to refuse
def test_an_address_that_others_reach_needs_to_be_allowed(host: str) -> None:
    refused = mistakes_of({"host": host})

    assert refused[0].startswith("server.host: other machines may reach this address")
    assert parsed({"host": host, "allow_public": True}).server.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_permission(host: str) -> None:
    assert parsed({"host": host}).server.host == host


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"vendor": "shopp"}, "crms.main.vendor: unknown; name one of shop"),
        ({"vendor": 3}, "crms.main.vendor: unknown; name one of shop"),
        ({"vendor": None}, "crms.main.vendor: is missing; name one of shop"),
        ({"base_url": None}, "crms.main.base_url: is missing. Where the shop is."),
        ({"base_url": "shop.example"}, "crms.main.base_url: must be a URL that begins with https:// or http://. Where the shop is."),
        ({"user": ""}, "crms.main.user: is empty; give a value. Who asks."),
        ({"token_env": None, "token": ""}, "crms.main.token: is empty; name an environment variable in token_env, or a file in token_file"),
        ({"word": " "}, "crms.main.word: must not be blank. A word."),
        ({"word": ""}, "crms.main.word: is empty; give a value, or remove the line. A word."),
        ({"code": "x1"}, "crms.main.code: does not have the form that it needs. Three digits."),
        (
            {"head": "ä"},
            "crms.main.head: goes into an HTTP header, which carries Latin letters, digits and signs, and no blank at either end",
        ),
        ({"user": 7}, "crms.main.user: must be text, in quotes. Who asks."),
        ({"pages": 51}, "crms.main.pages: must be at most 50"),
        ({"pages": "many"}, "crms.main.pages: must be a whole number"),
        ({"usr": "x"}, "crms.main.usr: unknown; did you mean user?"),
        ({"tokn": "x"}, "crms.main.tokn: unknown; did you mean token_env?"),
        ({"tokn_file": "x"}, "crms.main.tokn_file: unknown; did you mean token_file?"),
        ({"zzz": "x"}, "crms.main.zzz: unknown; the settings here are vendor, label, proxy, proxy_env, proxy_file, ca_file,"),
        ({"label": ""}, "crms.main.label: is empty; give a value, or remove the line."),
        ({"correlation_field": ""}, "crms.main.correlation_field: is empty; give a value, or remove the line."),
        ({"poll_seconds": ""}, "crms.main.poll_seconds: is empty; give a value, or remove the line."),
        ({"ca_file": ""}, "crms.main.ca_file: is empty; give a value, or remove the line."),
        ({"table_ttl_seconds": 0}, "crms.main.table_ttl_seconds: must be more than 0."),
        ({"cache_ttl_seconds": -1}, "crms.main.cache_ttl_seconds: must be at least 0."),
        ({"ca_file": "absent.pem"}, "crms.main.ca_file: the file that it names cannot be read as certificates in PEM form"),
        ({"ca_file": "test_config.py"}, "crms.main.ca_file: the file that it names cannot be read as certificates in PEM form"),
        ({"ca_file": 3}, "crms.main.ca_file: must be text, in quotes."),
        ({"proxy": "socks5://p:1"}, "crms.main.proxy: give the proxy as http://host:port"),
    ],
)
def test_a_mistake_about_a_crm_is_told_by_its_setting(changes: Mapping[str, Any], mistake: str) -> None:
    table = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}

    lines = mistakes_of(main=table)

    assert len(lines) == 1
    assert lines[0].startswith(mistake)


@pytest.mark.parametrize("key", ["Main", "-main", "_main", "a b", "x" * 33, "", "größe"])
def test_a_key_has_a_form(key: str) -> None:
    with pytest.raises(ConfigError, match="a key is 1 to 32 lower case letters"):
        parse_config({"crms": {key: GOOD}}, ENV, folder=HERE, vendors={"shop": SHOP})


def test_a_crm_is_a_table() -> None:
    assert mistakes_of(main=3) == ["crms.main: must be a table, [crms.main]"]


@pytest.mark.parametrize("crms", [{}, None, 3])
def test_there_is_at_least_one_crm(crms: object) -> None:
    data = {} if crms is None else {"crms": crms}

    with pytest.raises(ConfigError, match=r"^crms: configure at least one CRM"):
        parse_config(data, {}, folder=HERE)


@pytest.mark.parametrize("vendor", all_vendors().values(), ids=lambda vendor: vendor.key)
def test_no_mistake_shows_a_pattern(vendor: Vendor) -> None:
    fields = vendor.settings.model_fields
    table = {"vendor": vendor.key, **dict.fromkeys(fields.keys() - secret_fields(vendor.settings), " ?? ")}

    with pytest.raises(ConfigError) as caught:
        parse_config({"crms": {"main": table}}, {}, folder=HERE)

    assert not [sign for sign in ("^", "$", "\\", "[A-Z") if sign in str(caught.value)]


def test_all_mistakes_are_told_at_once() -> None:
    lines = mistakes_of(
        {"port": -1, "host": "0.0.0.0", "limits": {"max_cost": 0}},  # noqa: S104  # to be refused
        one={**GOOD, "user": "", "token_env": "UNSET", "ca_file": "absent"},
        two={"vendor": "nope"},
        three={**GOOD, "proxy": "http://u:p@h:1", "table_ttl_seconds": -1},
    )

    assert {line.partition(":")[0] for line in lines} == {
        "server.port",
        "server.host",
        "server.limits.max_cost",
        "crms.one.user",
        "crms.one.token_env",
        "crms.one.ca_file",
        "crms.two.vendor",
        "crms.three.proxy",
        "crms.three.table_ttl_seconds",
    }


def test_an_unknown_table_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"^sever: unknown; a configuration has \[server\], \[money\], \[changes\] and \[crms.<key>\]"):
        parse_config({"sever": {}, "crms": {"main": GOOD}}, ENV, folder=HERE, vendors={"shop": SHOP})


def test_a_proxy_with_a_password_comes_from_the_environment() -> None:
    config = parsed(main={**GOOD, "proxy_env": "SHOP_PROXY"})

    proxy = config.crms["main"].proxy
    assert proxy is not None
    assert proxy.get_secret_value() == ENV["SHOP_PROXY"]
    assert config.secrets() == {ENV["SHOP_TOKEN"], ENV["SHOP_PROXY"]}


def test_a_proxy_without_a_password_may_stand_in_the_file() -> None:
    assert parsed(main={**GOOD, "proxy": "http://proxy.example:3128"}).crms["main"].proxy is not None


def test_a_ca_file_is_read_relative_to_the_configuration(tmp_path: Path) -> None:
    bundle = ssl.create_default_context().get_ca_certs(binary_form=True)
    (tmp_path / "ca.pem").write_text(ssl.DER_cert_to_PEM_cert(bundle[0]))

    tls = parsed(main={**GOOD, "ca_file": "ca.pem"}, folder=tmp_path).crms["main"].tls

    assert tls is not None
    assert tls.get_ca_certs(binary_form=True) == bundle[:1]


class TestFiles:
    def test_a_file_is_read(self, tmp_path: Path) -> None:
        file = tmp_path / "crms.toml"
        file.write_text(
            '\ufeff[crms.service]\r\nvendor = "autotask"\r\nusername = "u"\r\nintegration_code_env = "C"\r\nsecret_file = "s"\r\n'
        )
        (tmp_path / "s").write_text("pass word\n")

        config = load_config(file, {"C": "code"}, port=9)

        assert config.secrets() == {"code", "pass word"}
        assert config.server.port == 9

    @pytest.mark.parametrize(("port", "what"), [('"x"', "must be a whole number"), ("99999", "must be at most 65535")])
    def test_a_mistake_in_the_file_is_told_also_where_something_else_is_given(self, tmp_path: Path, port: str, what: str) -> None:
        file = tmp_path / "crms.toml"
        file.write_text(f"[server]\nport = {port}\n")

        with pytest.raises(ConfigError) as caught:
            load_config(file, {}, host="127.0.0.1", port=9)

        assert [line.partition(". ")[0] for line in str(caught.value).splitlines() if "port" in line] == [f"server.port: {what}"]

    def test_a_given_host_may_take_the_place_of_one_that_is_not_allowed(self, tmp_path: Path) -> None:
        file = tmp_path / "crms.toml"
        file.write_text('[server]\nhost = "0.0.0.0"\n')

        with pytest.raises(ConfigError) as caught:
            load_config(file, {}, host="127.0.0.1")

        assert "server.host" not in str(caught.value)

    def test_a_given_host_is_judged_like_the_files(self, tmp_path: Path) -> None:
        file = tmp_path / "crms.toml"
        file.write_text("")

        with pytest.raises(ConfigError, match=r"server\.host: other machines"):
            load_config(file, {}, host="0.0.0.0")  # noqa: S104  # to be refused

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (b"[crms\n", "is not TOML: .*line 1"),
            (b"\xff\xfe", "is not UTF-8 text"),
            (b"a = 1\na = 2", "is not TOML"),
            (b"", "has mistakes:\ncrms:"),
        ],
    )
    def test_a_file_that_cannot_be_understood_is_named(self, tmp_path: Path, content: bytes, what: str) -> None:
        file = tmp_path / "crms.toml"
        file.write_bytes(content)

        with pytest.raises(ConfigError, match=rf"crms\.toml:? {what}"):
            load_config(file, {})

    def test_a_missing_file_is_told_with_the_command_that_writes_one(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"crms\.toml: there is no such file; `crmgraph init`"):
            load_config(tmp_path / "crms.toml", {})

    def test_a_folder_is_no_configuration(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"cannot be read"):
            load_config(tmp_path, {})
