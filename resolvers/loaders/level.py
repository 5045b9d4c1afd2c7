"""A DataLoader that also loads all keys of a level at once: one wait for all of them, and still a value or an error for each.

A level and single loads share everything: what is known, what is under way, and what of one tick becomes one batch. Nobody who waits
can end what others wait for, because each has a wait of his own.

One piece, because batches, waits and the loader know each other's insides: none of them means anything alone.
"""

import threading
from asyncio import AbstractEventLoop, CancelledError, Future, Task, get_running_loop
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, Final, TypeVar

from aiodataloader import DataLoader

K = TypeVar("K")
V = TypeVar("V")

_TASK_NAME: Final = "a batch"  # asyncio would count, and format a name for each that nobody reads

BatchFunction = Callable[[list[K]], Coroutine[Any, Any, list[V] | dict[K, V]]]


class _Outbox:
    """BatchTasks that one tick has begun: they are sent together."""

    __slots__ = ("batches",)

    def __init__(self) -> None:
        self.batches: list[Callable[[], object]] = []

    def close(self, loop: AbstractEventLoop) -> None:
        """Leave what the next tick begins to another one; send as late as DataLoader sends, so that what it makes others ask for joins."""
        _open.outbox = None
        loop.call_soon(self._send)

    def _send(self) -> None:
        for send in self.batches:
            send()


class _Open(threading.local):
    """The outbox of the tick of this thread's event loop, if it has one."""

    loop: AbstractEventLoop | None = None
    outbox: _Outbox | None = None


_open: Final = _Open()


def _send_soon(loop: AbstractEventLoop, send: Callable[[], object]) -> None:
    """Let a batch be sent together with what else is asked for in this tick."""
    outbox = _open.outbox
    if outbox is None or _open.loop is not loop:
        outbox = _open.outbox = _Outbox()
        _open.loop = loop
        loop.call_soon(outbox.close, loop)
    outbox.batches.append(send)


class Wait:
    """A wait for many keys that only one waits for, and that is not over when it begins: all that is needed of a future there.

    Attributes:
        then: Is called with the values by key, from within the batch that found them; with None when that was cancelled.
    """

    __slots__ = ("then",)

    def __init__(self) -> None:
        self.then: Callable[[Any], object] = _ignore

    def done(self) -> bool:
        return False

    def set_result(self, found: Any) -> None:
        then, self.then = self.then, _ignore
        then(found)

    def cancel(self) -> None:
        self.set_result(None)


class BatchTasks:
    """The tasks that read for one operation: each runs by itself, so that cancelling who waits for it does not end it."""

    __slots__ = ("_has_ended", "_tasks")

    def __init__(self, *, has_ended: bool) -> None:
        self._has_ended = has_ended
        self._tasks: list[Task[Any]] = []

    def begin(self, task: Task[Any] | None) -> None:
        """Note a task, which is the first thing that it does: one that is cancelled before it has begun could answer nobody.

        Raises:
            CancelledError: The operation has ended, and nobody waits for it any more.
        """
        assert task is not None, "a batch runs in a task"
        if self._has_ended:
            del task  # what is raised refers to this frame
            raise CancelledError
        self._tasks.append(task)

    def end(self) -> None:
        """Cancel what has begun, and stop what begins from now on."""
        self._has_ended = True
        tasks, self._tasks = self._tasks, []  # their errors may refer to this
        for task in tasks:
            task.cancel()  # which does nothing to those that have ended


class FirstLevel(Wait):
    """The first level of keys that a loader would be asked for: one batch and the wait for it.

    Most loaders of an operation would be asked for nothing else. One has to be made only when it is, and then it `adopt`s this.

    Args:
        keys: The keys, which are distinct.
        read: Gives a value or an error for each key, by key and in their order; raises nothing but what ends a task.
        tasks: Those of the operation.
        loop: The running event loop.

    Attributes:
        found: The values by key, once they are there.
    """

    __slots__ = ("_batch", "_context", "_loader", "_loop", "_read", "_task", "_tasks", "found", "keys")

    def __init__(
        self,
        keys: list[Any],
        read: Callable[[list[Any]], Coroutine[Any, Any, dict[Any, Any]]],
        tasks: BatchTasks,
        loop: AbstractEventLoop,
    ) -> None:
        self.then = _ignore
        self.keys = keys
        self.found: dict[Any, Any] | None = None
        self._read = read
        self._tasks = tasks
        self._loop = loop
        self._context = copy_context()
        self._task: Task[None] | None = None
        self._loader: LevelLoader[Any, Any] | None = None
        _send_soon(loop, self._send)

    def _send(self) -> None:
        if self._loader is None:
            self._task = Task(self.dispatch_queue_batch(), loop=self._loop, name=_TASK_NAME, context=self._context)
        else:
            self._loader.send(self._batch)

    async def dispatch_queue_batch(self) -> None:
        """Ask for the keys and answer who waits for them; named as that of `LevelLoader`."""
        try:
            self._tasks.begin(self._task)
            found = await self._read(self.keys)
        except BaseException:
            self._task = None  # it keeps the error, which refers to this
            if self._loader is None:
                self.found = {}
                self.cancel()
            else:
                self._loader.abandon(self._batch)
            raise
        self.found = found
        if self._loader is None:
            self.set_result(found)
        else:
            self._loader.end_batch(self._batch, self.keys, found, is_kept=bool(self._loader.cache))

    def join(self, loader: "LevelLoader[Any, Any]") -> "_Batch":
        """Leave to a loader, which has been asked for nothing yet, what this would go on with; give it as a batch of the loader's."""
        self._loader = loader
        self._batch = batch = _Batch()
        batch.context = self._context
        batch.keys = dict.fromkeys(self.keys)
        batch.is_sent = self._task is not None
        batch.remaining = 1
        _Level(self, self.keys, self.keys).wait_for(batch)
        return batch


class _Batch:
    """Keys that are asked for together, and who waits for them."""

    __slots__ = ("context", "forgotten", "is_sent", "keys", "levels", "loads", "remaining", "results", "tasks")

    def __init__(self) -> None:
        self.context = copy_context()  # of who asked first: several operations may begin batches in one tick
        self.keys: dict[Any, Any] = {}  # by cache key, in the order of asking; None where that is the key itself
        self.results: dict[Any, Any] = {}
        self.forgotten: set[Any] = set()
        self.loads: dict[Any, list[Future[Any]]] = {}
        self.levels: list[_Level] = []
        self.tasks: list[Task[None]] = []  # nobody else keeps them alive
        self.remaining = 0
        self.is_sent = False


class _Level:
    """One wait for many keys, which may be spread over several batches; `is_whole` when one batch began with just these."""

    __slots__ = ("batches", "cache_keys", "is_whole", "keys", "known", "remaining", "wait")

    def __init__(self, wait: "Future[Any] | Wait", keys: Sequence[Any], cache_keys: Sequence[Any]) -> None:
        self.wait = wait
        self.keys = keys
        self.cache_keys = cache_keys
        self.batches: list[_Batch] = []
        self.remaining = 0
        self.known: dict[Any, Any] = {}  # when it was asked for
        self.is_whole = False

    def wait_for(self, batch: _Batch) -> None:
        if batch not in self.batches:
            self.batches.append(batch)
            batch.levels.append(self)
            self.remaining += 1


class LevelLoader(DataLoader[K, V]):
    """Loads by key, one by one or by the level.

    Equal keys of one batch are asked once, also where nothing is cached. A batch that fails as a whole fails its keys, which are asked
    anew by whoever loads them later; an error for one key is kept like a value.

    Args:
        batch_load_fn: Gives a value or an error for each key, in their order, or a dict of those by key, where None may be left out; may be
            a method instead.
        batch: Whether keys of one tick are asked together.
        max_batch_size: Number of keys of one batch; more become several batches at once.
        cache: Whether what was loaded is kept.
        get_cache_key: Tells what two keys that mean the same have in common.
        loop: The running event loop; whoever makes many loaders asks for it once.
    """

    def __init__(
        self,
        batch_load_fn: "BatchFunction[K, V] | None" = None,
        *,
        batch: bool | None = None,
        max_batch_size: int | None = None,
        cache: bool | None = None,
        get_cache_key: Callable[[K], Hashable] | None = None,
        loop: AbstractEventLoop | None = None,
    ) -> None:
        # What DataLoader does when it is made, without its checks: loaders are made anew for every operation.
        self.loop = get_running_loop() if loop is None else loop
        self._is_plain = get_cache_key is None
        self.get_cache_key: Any = _same if get_cache_key is None else get_cache_key
        if batch_load_fn is not None:
            load: Any = batch_load_fn  # DataLoader knows of lists only
            self.batch_load_fn = load
        if batch is not None:
            self.batch = batch
        if max_batch_size is not None:
            self.max_batch_size = max_batch_size
        if cache is not None:
            self.cache = cache
        self._known: dict[Any, Any] = {}
        self._batches: list[_Batch] = []

    def load(self, key: K) -> "Future[V]":
        if key is None:
            raise TypeError("The loader.load() function must be called with a value, but got: None.")
        cache_key: Any = key if self._is_plain else self.get_cache_key(key)
        future: Future[V] = self.loop.create_future()
        if cache_key in self._known:
            _settle(future, self._known[cache_key])
            return future
        batch = self._under_way(cache_key)
        if batch is None:
            batch = self._next()
            batch.keys[cache_key] = key
        batch.loads.setdefault(cache_key, []).append(future)
        self._send_soon(batch)
        return future

    def load_level(self, keys: Sequence[K]) -> "Future[dict[K, V | Exception]]":
        """Load many keys with one wait, which is over at once when all of them are known. An error is the value of its key."""
        future: Future[dict[K, V | Exception]] = self.loop.create_future()
        self._begin(future, keys)
        return future

    def _begin(self, wait: "Future[Any] | Wait", keys: Sequence[K]) -> None:
        """Find what is known, and ask for the rest."""
        cache_keys: Sequence[Any] = keys if self._is_plain else [self.get_cache_key(key) for key in keys]
        level = _Level(wait, keys, cache_keys)
        known = self._known
        missing = [cache_key for cache_key in cache_keys if cache_key not in known] if known else cache_keys
        if len(missing) < len(cache_keys):
            level.known = {cache_key: known[cache_key] for cache_key in cache_keys if cache_key in known}
        if missing and self._batches:
            missing = self._join_batches(level, missing)
        if missing:
            batch = self._next()
            level.is_whole = self._is_plain and missing is keys and not batch.keys
            if self._is_plain:
                batch.keys.update(dict.fromkeys(missing))
            else:
                first_keys = dict(zip(reversed(cache_keys), reversed(keys), strict=True))
                batch.keys.update((cache_key, first_keys[cache_key]) for cache_key in missing)
            level.wait_for(batch)
            self._send_soon(batch)
        if not level.remaining:
            self._finish_level(level)

    def load_parts(self, keys: Sequence[K]) -> "list[tuple[Sequence[K], Mapping[K, V | Exception] | Wait]]":
        """Load distinct keys with a wait for each part that may come earlier than the others: what is known, and each batch under way.

        Returns:
            Each part with its values, or the wait for them.
        """
        if keys and not self._known and not self._batches:
            wait = Wait()
            self._begin(wait, keys)
            return [(keys, wait)]
        known: dict[K, Any] = {}
        awaited: dict[_Batch | None, list[K]] = {}
        unsent = self._batches[-1] if self._batches and not self._batches[-1].is_sent else None
        for key in keys:
            cache_key: Any = self.get_cache_key(key)
            if cache_key in self._known:
                known[key] = self._known[cache_key]
            else:
                awaited.setdefault(self._under_way(cache_key) or unsent, []).append(key)
        there: list[tuple[Sequence[K], Any]] = [(list(known), known)] if known else []
        for of_batch in awaited.values():
            wait = Wait()
            self._begin(wait, of_batch)
            there.append((of_batch, wait))
        return there

    def clear(self, key: K) -> "LevelLoader[K, V]":
        cache_key: Any = self.get_cache_key(key)
        self._known.pop(cache_key, None)
        for batch in self._batches:
            if batch.is_sent and cache_key in batch.keys:
                batch.forgotten.add(cache_key)
        return self

    def clear_all(self) -> "LevelLoader[K, V]":
        self._known.clear()
        for batch in self._batches:
            if batch.is_sent:
                batch.forgotten.update(batch.keys)
        return self

    def prime(self, key: K, value: "V | Exception") -> "LevelLoader[K, V]":
        """Keep a value, or an error, unless the key is known or asked for already."""
        cache_key: Any = self.get_cache_key(key)
        if self.cache and cache_key not in self._known and self._under_way(cache_key) is None:
            self._known[cache_key] = value
        return self

    def unasked(self, keys: Sequence[K]) -> Sequence[K]:
        """The keys that are neither known nor asked for."""
        if not self._known and not self._batches:
            return keys
        cache_keys = [(key, self.get_cache_key(key)) for key in keys]
        return [key for key, cache_key in cache_keys if cache_key not in self._known and self._under_way(cache_key) is None]

    def learn(self, values: "Mapping[K, V]") -> None:
        """Keep values of keys that are neither known nor asked for."""
        self._known.update(values if self._is_plain else {self.get_cache_key(key): value for key, value in values.items()})

    def adopt(self, first: FirstLevel) -> None:
        """Go on with what was asked for first. This loader was asked for nothing yet, and its keys need no cache keys."""
        if first.found is None:
            self._batches.append(first.join(self))
        else:
            self.learn(first.found)

    def _under_way(self, cache_key: Any) -> "_Batch | None":
        for batch in self._batches:
            is_open = cache_key in batch.keys and cache_key not in batch.results
            if is_open and cache_key not in batch.forgotten and (self.cache or not batch.is_sent):
                return batch
        return None

    def _join_batches(self, level: _Level, missing: Sequence[Any]) -> list[Any]:
        """Let the level wait for the batches that hold some of its keys, and give the keys that none holds."""
        left: list[Any] = []
        for cache_key in missing:
            batch = self._under_way(cache_key)
            if batch is None:
                left.append(cache_key)
            else:
                level.wait_for(batch)
        return left

    def _next(self) -> _Batch:
        """The batch that is yet to be sent."""
        if self._batches and not self._batches[-1].is_sent:
            return self._batches[-1]
        batch = _Batch()
        self._batches.append(batch)
        return batch

    def _send_soon(self, batch: _Batch) -> None:
        if batch.remaining:
            return
        batch.remaining = 1
        if not self.batch:
            self.send(batch)
            return
        _send_soon(self.loop, partial(self.send, batch))

    def send(self, batch: _Batch) -> None:
        """Ask for the keys of a batch."""
        batch.is_sent = True
        cache_keys = list(batch.keys)
        keys = cache_keys if self._is_plain else list(batch.keys.values())
        if self.batch and not self.max_batch_size:
            batch.tasks = [Task(self.dispatch_queue_batch(batch, cache_keys, keys), loop=self.loop, name=_TASK_NAME, context=batch.context)]
            return
        size = (self.max_batch_size or len(keys)) if self.batch else 1
        chunks = [slice(start, start + size) for start in range(0, len(keys), size)]
        batch.remaining = len(chunks)
        batch.tasks = [
            Task(
                self.dispatch_queue_batch(batch, cache_keys[chunk], keys[chunk]),
                loop=self.loop,
                name=_TASK_NAME,
                context=batch.context.copy(),
            )
            for chunk in chunks
        ]

    async def dispatch_queue_batch(self, batch: _Batch, cache_keys: list[Any], keys: list[K]) -> None:
        """Ask for keys of a batch and answer who waits for them; named like DataLoader's own, so that tasks of both are found alike."""
        is_kept = bool(self.cache)
        try:
            found = self._by_cache_key(await self.batch_load_fn(keys), cache_keys, keys)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is for those who wait
            found = dict.fromkeys(cache_keys, error)
            is_kept = False
        except BaseException:
            self.abandon(batch)
            raise
        self.end_batch(batch, cache_keys, found, is_kept=is_kept)

    def end_batch(self, batch: _Batch, cache_keys: list[Any], found: dict[Any, Any], *, is_kept: bool) -> None:
        """Keep what was found for keys of a batch, unless it is not to be, and answer who waits for them."""
        batch.results = {**batch.results, **found} if batch.results else found
        if is_kept:
            if batch.forgotten:  # those who wait get it nonetheless
                found = {cache_key: value for cache_key, value in found.items() if cache_key not in batch.forgotten}
            if self._known:
                self._known.update(found)
            else:
                self._known = dict(found)
        batch.remaining -= 1
        if not batch.remaining:
            self._batches.remove(batch)
        self._answer(batch, cache_keys)

    def _answer(self, batch: _Batch, cache_keys: list[Any]) -> None:
        """End the waits for these keys, and for the whole batch with its last keys."""
        if batch.loads:
            for cache_key in cache_keys:
                for future in batch.loads.get(cache_key, ()):
                    _settle(future, batch.results[cache_key])
        if not batch.remaining:
            for level in batch.levels:
                level.remaining -= 1
                if not level.remaining:
                    self._finish_level(level)
            # Nothing is left that refers to each other, so that all goes with the operation and no garbage has to be searched for.
            batch.levels.clear()

    def _by_cache_key(self, values: Any, cache_keys: list[Any], keys: list[K]) -> dict[Any, Any]:
        """What a batch function gave, by cache key and in their order.

        Raises:
            TypeError: There are not as many values as keys.
        """
        if isinstance(values, dict):
            by_key: dict[Any, Any] = values  # pyright: ignore[reportUnknownVariableType]  # whatever the batch function gives
            return by_key if list(by_key) == keys and self._is_plain else dict(zip(cache_keys, map(by_key.get, keys), strict=True))
        if not isinstance(values, Iterable):
            raise TypeError(f"A batch function must return a value for each key, but returned {type(values).__name__}.")
        listed: list[Any] = list(values)  # pyright: ignore[reportUnknownArgumentType]  # whatever the batch function gives
        if len(listed) != len(keys):
            raise TypeError(f"A batch function must return a value for each key, but returned {len(listed)} values for {len(keys)} keys.")
        return dict(zip(cache_keys, listed, strict=True))

    def _finish_level(self, level: _Level) -> None:
        if level.wait.done():  # its waiter is gone
            return
        if level.is_whole and len(level.batches[0].results) == len(level.keys):
            whole = level.batches[0].results
            level.wait.set_result({key: whole[key] for key in level.keys} if self.max_batch_size else whole)
            return
        known = self._known
        try:
            found = dict(zip(level.keys, map(known.__getitem__, level.cache_keys), strict=True))
        except KeyError:  # nothing is kept, or it was forgotten meanwhile
            results = dict(level.known)
            for batch in level.batches:
                results.update(batch.results)
            found = {key: results[cache_key] for key, cache_key in zip(level.keys, level.cache_keys, strict=True)}
        level.wait.set_result(found)

    def abandon(self, batch: _Batch) -> None:
        """End all waits for a batch that was cancelled itself: nobody will answer them."""
        if batch in self._batches:
            self._batches.remove(batch)
        for futures in batch.loads.values():
            for future in futures:
                future.cancel()
        for level in batch.levels:
            level.wait.cancel()
        batch.levels.clear()
        batch.tasks.clear()


def _ignore(found: Any) -> None:
    """Do nothing: nobody waits."""


def _same(key: Any) -> Any:
    return key


def _settle(future: "Future[Any]", value: Any) -> None:
    if future.done():  # its waiter is gone
        return
    if isinstance(value, Exception):
        future.set_exception(value)
        future.exception()  # so that nobody is told of it when no one looks
    else:
        future.set_result(value)
