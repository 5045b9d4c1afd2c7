"""What outlives the process."""

import stat
from pathlib import Path

import pytest

from server.changes.store import ChangeStore
from server.config import parse_config
from server.config_server import ServerSettings
from server.cursors import SignedCursors
from server.ledger import SqliteLedger
from server.store import kept_cursor_key, opened_store
from vendors.errors import ConfigError

CRM = {"vendor": "autotask", "username": "api@example.test", "integration_code_env": "C", "secret_env": "C"}


def configured(folder: Path, **server: object) -> ServerSettings:
    return parse_config({"server": server, "crms": {"it": CRM}}, {"C": "a secret of the CRM", "KEY": "k" * 20}, folder=folder).server


def test_a_cursor_is_taken_after_a_restart(tmp_path: Path) -> None:
    opened = opened_store(tmp_path / "deep" / "store")
    store = opened.path

    cursor = SignedCursors(kept_cursor_key(store)).seal(b"a place")

    assert SignedCursors(kept_cursor_key(store)).open(cursor) == b"a place"
    opened.close()


def test_all_that_is_kept_is_for_its_owner_alone(tmp_path: Path) -> None:
    opened = opened_store(tmp_path / "store")
    store = opened.path
    kept_cursor_key(store)
    ledger = SqliteLedger(store, process="one", days=30)
    log = ChangeStore(store)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in store.iterdir()}
    ledger.close()
    log.close()
    assert {"lock", "cursor.key", "ledger.sqlite3", "ledger.sqlite3-wal", "changes.sqlite3"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    opened.close()


def test_a_file_that_is_no_key_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "cursor.key").write_bytes(b"short")

    with pytest.raises(ConfigError, match=r"server.store_dir: .*cursor.key is no key; remove it"):
        kept_cursor_key(tmp_path)


def test_a_store_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"server.store_dir: .* cannot be made"):
        opened_store(tmp_path / "file" / "store")


def test_the_store_stands_beside_the_configuration(tmp_path: Path) -> None:
    assert configured(tmp_path).store_dir == tmp_path / ".crmgraph"
    assert configured(tmp_path, store_dir="data").store_dir == tmp_path / "data"
    assert configured(tmp_path, store_dir="/var/lib/crmgraph").store_dir == Path("/var/lib/crmgraph")


def test_the_key_of_cursors_comes_from_the_environment(tmp_path: Path) -> None:
    config = parse_config({"server": {"cursor_key_env": "KEY"}, "crms": {"it": CRM}}, {"C": "code", "KEY": "k" * 20}, folder=tmp_path)

    assert config.server.cursor_key is not None
    assert config.server.cursor_key.get_secret_value() == "k" * 20
    assert "k" * 20 in config.secrets()
    assert "k" * 20 not in repr(config)


def test_a_short_key_of_cursors_is_refused_without_being_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"server.cursor_key") as caught:
        parse_config({"server": {"cursor_key_env": "KEY"}, "crms": {"it": CRM}}, {"C": "code", "KEY": "tooshort"}, folder=tmp_path)

    assert "tooshort" not in str(caught.value)


def test_a_store_is_for_one_server_at_a_time(tmp_path: Path) -> None:
    first = opened_store(tmp_path)

    with pytest.raises(ConfigError, match="in use by another server"):
        opened_store(tmp_path)
    first.close()
    opened_store(tmp_path).close()
