"""Batching over Crms: what is asked for in one tick becomes one call for each Crm, and no Crm waits for another."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from resolvers.errors import contained
from resolvers.freshness import read_by_ids, take, wish_of
from resolvers.loaders.level import LevelLoader
from vendors.capabilities import ById
from vendors.errors import VendorError
from vendors.model import Record, Ref
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context

R = TypeVar("R", bound=Record)
V = TypeVar("V")


class RefLoader(ABC, Generic[R]):
    """Loads records by `Ref`. A record that does not exist, or lives in a Crm that is not visible, is None.

    A failed Crm fails its own keys only; a failed id only itself.
    """

    record_name: ClassVar[str]

    def __init__(self, context: "Context") -> None:
        self._context = context
        self._by_crm: dict[str, PerCrm[R]] = {}
        self._wanted = context.selection.of(self.record_name)
        self._seeds: list[Iterable[R]] = []
        self._kept: dict[str, Mapping[str, R | None]] = {}

    def load(self, ref: Ref) -> "asyncio.Future[R | None]":
        return self._of(ref.crm).load(ref.local_id)

    def load_level(self, refs: Sequence[Ref]) -> "list[tuple[Sequence[Ref], asyncio.Future[dict[str, R | Exception | None]]]]":
        """Load the records of distinct refs with one wait for each Crm, so that no Crm's records wait for another's.

        Returns:
            For each Crm the refs to its records, and the wait for them, by their ids in the order of the refs.
        """
        by_crm: dict[str, list[Ref]] = {}
        for ref in refs:
            if ref[0] in by_crm:
                by_crm[ref[0]].append(ref)
            else:
                by_crm[ref[0]] = [ref]
        return [(of_crm, self._load_level(crm, [ref[1] for ref in of_crm])) for crm, of_crm in by_crm.items()]

    def forget(self, ref: Ref) -> None:
        self._of(ref.crm).clear(ref.local_id)

    def seed(self, record: R) -> None:
        """Keep a record that another reply held, if it holds what the operation reads."""
        self._seeds.append((record,))

    def seed_all(self, records: Iterable[R]) -> None:
        """Keep those of the records that hold what the operation reads; they are looked at only if something is loaded."""
        self._seeds.append(records)

    def _load_level(self, crm_key: str, ids: Sequence[str]) -> "asyncio.Future[dict[str, R | Exception | None]]":
        context = self._context
        max_age = context.freshness.max_age
        if max_age and crm_key not in self._by_crm and crm_key not in self._kept and not self._seeds:
            crm = context.crms.get(crm_key)
            if crm is not None and crm.cache is not None:
                # Mostly everything is kept, or nothing: then there is nothing to be batched.
                wish = wish_of(context.selection, self.record_name)
                kept = self._kept[crm_key] = take(context, crm, self.record_name, ids, wish, max_age=max_age)
                if len(kept) == len(ids):
                    return done(kept)
        return self._of(crm_key).load_level(ids)

    def end(self) -> None:
        """Let go of what was loaded."""
        self._by_crm.clear()

    def _of(self, crm_key: str) -> "PerCrm[R]":
        if self._seeds:
            self._sow()
        loader = self._by_crm.get(crm_key)
        if loader is None:
            crm = self._context.crms.get(crm_key)
            read = None if crm is None else partial(self.read, crm)
            loader = self._by_crm[crm_key] = PerCrm(self._context, crm_key, self.record_name, read)
            loader.learn(self._kept.get(crm_key, {}))
        return loader

    def _sow(self) -> None:
        seeds, self._seeds = self._seeds, []
        wanted = self._wanted
        for records in seeds:
            for record in records:
                if record.read_fields is None if wanted is None else record.covers(wanted):
                    ref = record.ref
                    self._of(ref.crm).prime(ref.local_id, record)

    @abstractmethod
    async def read(self, crm: Crm, ids: Sequence[str]) -> ById[R]:
        """Read these ids of one Crm."""


class PerCrm(LevelLoader[str, Any], Generic[V]):
    """The keys of one Crm; `read` is None for a Crm that is not there.

    What was kept by earlier operations, and is young enough for this one, needs no batch.
    """

    def __init__(self, context: "Context", crm_key: str, kind: str, read: Any | None) -> None:
        super().__init__()
        self._context = context
        self._crm_key = crm_key
        self._kind = kind
        self._read = read
        self._crm = context.crms.get(crm_key)
        self._keeping = None if self._crm is None or self._crm.cache is None else self._crm

    def load(self, key: str) -> "asyncio.Future[Any]":
        if self._keeping is not None:
            self._take_kept(self._keeping, [key])
        return super().load(key)

    def load_level(self, keys: Sequence[str]) -> "asyncio.Future[dict[str, Any]]":
        kept = None if self._keeping is None else self._take_kept(self._keeping, keys)
        if kept is None or len(kept) < len(keys):
            return super().load_level(keys)
        return done(kept)

    async def batch_load_fn(self, keys: list[str]) -> list[Any]:
        """Give a value, None or an error for each key, in the order of the keys."""
        if self._read is None:
            return [None] * len(keys)
        try:
            with self._context.loaders.under_way():
                found = await self._found(keys)
        except VendorError as error:
            return [error] * len(keys)
        except Exception as defect:  # noqa: BLE001  # whatever happens in one Crm takes nothing away from the others
            return [contained(defect, crm=self._crm_key)] * len(keys)
        return list(map(found.get, keys))

    async def _found(self, keys: Sequence[str]) -> ById[Any]:
        assert self._crm is not None, "it is asked of Crms that are there"
        assert self._read is not None, "and can be read"
        return await read_by_ids(self._context, self._crm, self._kind, keys, selection=self._context.selection, read=self._read)

    def _take_kept(self, crm: Crm, keys: Sequence[str]) -> "Mapping[str, Any] | None":
        """Learn what is kept and young enough of keys that nobody has asked for yet."""
        context = self._context
        max_age = context.freshness.max_age
        missing = self.unasked(keys) if max_age else ()
        if not missing:
            return None
        kept = take(context, crm, self._kind, missing, wish_of(context.selection, self._kind), max_age=max_age)
        self.learn(kept)
        return kept


def done(result: Any) -> "asyncio.Future[Any]":
    """A wait that is over."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_result(result)
    return future
