"""Coroutines that are begun at once: where everything is at hand nothing has to be waited for, and no task is needed."""

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")


def begun(work: Coroutine[Any, Any, T]) -> T | asyncio.Task[T]:
    """Run a coroutine as far as it goes without waiting: gives its result, or the task that goes on with it.

    It runs in a context of its own, as a task does. Up to its first wait it must not ask for the current task, as time limits do: that is
    still the task of whoever begins it.
    """
    context = copy_context()
    try:
        awaited = context.run(work.send, None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    if awaited is not None:
        awaited._asyncio_future_blocking = False  # noqa: SLF001  # until the task takes it: others may await it, too
    return asyncio.get_running_loop().create_task(_Rest(work, awaited), context=context)


class _Rest(Coroutine[Any, Any, T]):
    """What is left of a coroutine that waits already: a task begins with what it waits for.

    Args:
        work: The coroutine.
        awaited: The future that it waits for; None where it only lets others go first.
    """

    def __init__(self, work: Coroutine[Any, Any, T], awaited: Any) -> None:
        self._work = work
        self._awaited = awaited
        self._has_begun = False

    def send(self, value: Any) -> Any:
        if self._has_begun:
            return self._work.send(value)
        self._has_begun = True
        return self._handed_over()

    def throw(self, error: Any, *details: Any) -> Any:
        # A task that is cancelled cancels what it waits for. This one has not come to know of it yet.
        is_first, self._has_begun = not self._has_begun, True
        if is_first and isinstance(error, asyncio.CancelledError) and self._awaited is not None and self._awaited.cancel(*error.args):
            return self._handed_over()
        return self._work.throw(error, *details)

    def close(self) -> None:
        self._work.close()

    def _handed_over(self) -> Any:
        if self._awaited is not None:
            self._awaited._asyncio_future_blocking = True  # noqa: SLF001  # as `await` tells a task that it may wait for it
        return self._awaited

    def __await__(self) -> Generator[Any, Any, T]:
        raise NotImplementedError("it is for a task alone")
