"""How a command ends that a supervisor stops."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def ended_tidily_by_sigterm() -> Generator[None]:
    """Let SIGTERM cancel the task, as an interrupt does, and end the process only when the task has left nothing behind."""
    task, is_told = asyncio.current_task(), False

    def cancel(*_: object) -> None:
        nonlocal is_told
        is_told = True
        assert task is not None
        task.cancel()
        task.get_loop().call_soon_threadsafe(lambda: None)  # it may be waiting

    before = signal.signal(signal.SIGTERM, cancel)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if is_told:
            signal.raise_signal(signal.SIGTERM)
