"""Where secrets of a configuration may stand, and that no message shows one."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from server.config import Config, parse_config
from vendors.errors import ConfigError
from vendors.registry import Vendor, VendorSettings


class VaultSettings(VendorSettings):
    base_url: str = Field(pattern=r"^https?://")
    name: str = "x"
    token: SecretStr
    second: SecretStr | None = None

    @property
    def origin(self) -> str:
        return self.base_url


VAULT = Vendor(
    key="vault", label="Vault", settings=VaultSettings, client=object, connect=lambda link, settings: (link, settings), extensions={}
)
REMOTE = {"base_url": "https://vault.example"}
LOCAL = {"base_url": "http://127.0.0.1:8101"}


def parsed(table: Mapping[str, object], *, folder: Path, env: Mapping[str, str]) -> Config:
    return parse_config({"crms": {"main": {"vendor": "vault", **table}}}, env, folder=folder, vendors={"vault": VAULT})


def mistakes_of(table: Mapping[str, object], *, folder: Path, env: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parsed(table, folder=folder, env=env or {})
    return str(caught.value).splitlines()


def test_a_secret_comes_from_the_environment(tmp_path: Path) -> None:
    assert parsed({**REMOTE, "token_env": "T"}, folder=tmp_path, env={"T": "from env"}).secrets() == {"from env"}


def test_a_secret_comes_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from file\n")

    assert parsed({**REMOTE, "token_file": "token"}, folder=tmp_path, env={}).secrets() == {"from file"}


@pytest.mark.parametrize("origin", ["http://127.0.0.1:1", "http://127.8.8.8", "http://localhost:2/x/", "http://[::1]:3"])
def test_a_secret_may_stand_in_the_file_for_a_crm_on_this_machine(tmp_path: Path, origin: str) -> None:
    assert parsed({"base_url": origin, "token": "literal"}, folder=tmp_path, env={}).secrets() == {"literal"}


@pytest.mark.parametrize(
    "origin",
    [
        "https://vault.example",
        "http://localhost.vault.example",
        "http://127.0.0.1.vault.example",
        "http://127.0.0.1@vault.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://",
    ],
)
def test_a_secret_may_not_stand_in_the_file_for_another_machine(tmp_path: Path, origin: str) -> None:
    lines = mistakes_of({"base_url": origin, "token": "literal"}, folder=tmp_path)

    assert lines[-1].startswith("crms.main.token: a secret does not stand in this file; name an environment variable in token_env,")


def test_a_literal_secret_is_told_beside_other_mistakes(tmp_path: Path) -> None:
    lines = mistakes_of({**REMOTE, "token": "literal", "name": 3}, folder=tmp_path)

    assert [line.partition(":")[0] for line in lines] == ["crms.main.name", "crms.main.token"]


def test_a_literal_secret_is_not_judged_while_its_destination_is_unknown(tmp_path: Path) -> None:
    lines = mistakes_of({"token": "literal"}, folder=tmp_path)

    assert lines == ["crms.main.base_url: is missing"]


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ({}, "crms.main.token: is missing; name an environment variable in token_env, or a file in token_file"),
        ({"token_env": "VAULT_TOKEN"}, "crms.main.token_env: set the environment variable VAULT_TOKEN, which is not set"),
        ({"token_env": "VAULT_EMPTY"}, "crms.main.token_env: set the environment variable VAULT_EMPTY, which is empty"),
        ({"token_env": 3}, "crms.main.token_env: must be text, in quotes"),
        ({"token": 3}, "crms.main.token: must be text, in quotes"),
        ({"token_file": "absent"}, "crms.main.token_file: the file that it names cannot be read (No such file or directory)"),
        ({"token_file": "empty"}, "crms.main.token_file: the file that it names is empty"),
        ({"token_file": "binary"}, "crms.main.token_file: the file that it names is not UTF-8 text"),
        ({"token_file": "nul\0"}, "crms.main.token_file: the file that it names "),
        ({"token": "a", "token_env": "B"}, "crms.main.token: is given 2 times; keep one of token, token_env"),
        (
            {"token": "a", "token_env": "B", "token_file": "c"},
            "crms.main.token: is given 3 times; keep one of token, token_env, token_file",
        ),
        ({"token": "a", "second_env": "VAULT_TOKEN"}, "crms.main.second_env: set the environment variable VAULT_TOKEN, which is not set"),
    ],
)
def test_a_secret_that_cannot_be_had_is_told_once(tmp_path: Path, given: Mapping[str, object], mistake: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")

    (line,) = mistakes_of({**LOCAL, **given}, folder=tmp_path, env={"VAULT_EMPTY": ""})

    assert line.startswith(mistake)


@pytest.mark.parametrize(
    "table",
    [
        {**REMOTE, "token": "hunter2-s3cret"},
        {**REMOTE, "token_env": "hunter2-s3cret"},
        {**REMOTE, "token_file": "hunter2-s3cret"},
        {**REMOTE, "token_env": "T", "name": ["hunter2-s3cret"]},
        {"base_url": "hunter2-s3cret", "token_env": "T"},
        {**LOCAL, "token": "a", "proxy": "http://u:hunter2-s3cret@h:1"},
        {**LOCAL, "token": "a", "proxy": "hunter2-s3cret"},
        {**LOCAL, "token": "a", "second": ["hunter2-s3cret"]},
    ],
)
def test_no_message_shows_a_value(tmp_path: Path, table: Mapping[str, object]) -> None:
    lines = mistakes_of(table, folder=tmp_path, env={"T": "good"})

    assert not any("hunter2" in line for line in lines)


def test_a_file_that_cannot_be_read_is_told_with_the_folder_that_it_is_looked_for_in(tmp_path: Path) -> None:
    (line,) = mistakes_of({**LOCAL, "token_file": "keys/absent"}, folder=tmp_path)
    (other,) = mistakes_of({**LOCAL, "token_file": "/absent/token"}, folder=tmp_path)

    assert (
        line == f"crms.main.token_file: the file that it names cannot be read (No such file or directory); it is looked for in {tmp_path}"
    )
    assert other == "crms.main.token_file: the file that it names cannot be read (No such file or directory)"


def test_a_configuration_does_not_print_its_secrets(tmp_path: Path) -> None:
    assert "literal" not in repr(parsed({**LOCAL, "token": "literal"}, folder=tmp_path, env={}))
