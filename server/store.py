"""The directory that holds what outlives the process."""

import fcntl
import os
import secrets
from pathlib import Path
from typing import BinaryIO, Final

from vendors.errors import ConfigError

_LOCK_FILE: Final = "lock"
_KEY_FILE: Final = "cursor.key"
_KEY_BYTES: Final = 32


class Store:
    """The directory, for one process at a time: two that write under one idempotency key would not know of each other.

    Attributes:
        path: The directory.
    """

    def __init__(self, path: Path, lock: BinaryIO) -> None:
        self.path = path
        self._lock = lock

    def close(self) -> None:
        """Let another process have it."""
        self._lock.close()


def opened_store(path: Path) -> Store:
    """Make the directory if there is none, for its owner alone, and keep others out of it.

    Raises:
        ConfigError: It cannot be made or written to, or another process has it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"server.store_dir: {path} cannot be made ({error.strerror}); name a directory that the server may write to"
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"server.store_dir: {path} cannot be written to; name a directory that the server may write to")
    make_private(path / _LOCK_FILE)
    lock = (path / _LOCK_FILE).open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, however it ends
    except OSError:
        lock.close()
        raise ConfigError(
            f"server.store_dir: {path} is in use by another server; end that one, or name another directory (servers may share cursor_key)"
        ) from None
    return Store(path, lock)


def make_private(file: Path) -> None:
    """Make a file, or take one that there is, so that only its owner can read it, and what SQLite puts beside it.

    Raises:
        ConfigError: It cannot be made.
    """
    try:
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
        file.chmod(0o600)
    except OSError as error:
        raise ConfigError(f"server.store_dir: {file} cannot be written ({error.strerror})") from None


def kept_cursor_key(store: Path) -> bytes:
    """The key that cursors are sealed with, made once and kept for its owner alone.

    Raises:
        ConfigError: It cannot be kept or read, or is too short to be one.
    """
    file = store / _KEY_FILE
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)  # so it is at no moment readable by others
        with os.fdopen(descriptor, "wb") as new:
            new.write(secrets.token_bytes(_KEY_BYTES))
    except FileExistsError:
        pass
    except OSError as error:
        raise ConfigError(f"server.store_dir: {file} cannot be written ({error.strerror})") from None
    try:
        key = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"server.store_dir: {file} cannot be read ({error.strerror})") from None
    if len(key) < _KEY_BYTES:
        raise ConfigError(f"server.store_dir: {file} is no key; remove it, and a new one is made: cursors of before are then refused")
    return key
