"""Batching over Crms: what is asked for in one tick becomes one call for each Crm, and no Crm waits for another."""

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from resolvers.errors import contained
from resolvers.freshness import read_by_ids, take, wish_of
from resolvers.loaders.level import BatchTasks, FirstLevel, LevelLoader, Wait
from vendors.capabilities import ById
from vendors.errors import VendorError
from vendors.model import Record, Ref
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context

R = TypeVar("R", bound=Record)
V = TypeVar("V")
Records = Mapping[str, R | Exception | None]
Read = Callable[["Context", Crm, Sequence[str]], Awaitable[ById[Any]]]
_CRM: Final = itemgetter(0)
_LOCAL_ID: Final = itemgetter(1)


class RefLoader(ABC, Generic[R]):
    """Loads records by `Ref`. A record that does not exist, or lives in a Crm that is not visible, is None.

    A failed Crm fails its own keys only; a failed id only itself.
    """

    record_name: ClassVar[str]

    def __init__(self, context: "Context", tasks: BatchTasks, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._tasks = tasks
        self._loop = loop
        self._first: dict[str, FirstLevel] = {}
        self._by_crm: dict[str, PerCrm[R]] = {}
        self._seeds: list[Iterable[Any]] = []
        self._kept: dict[str, Mapping[str, R | None]] = {}

    def load(self, ref: Ref) -> "asyncio.Future[R | None]":
        return self._of(ref.crm).load(ref.local_id)

    def load_level(self, refs: Collection[Ref]) -> "list[tuple[Sequence[Ref], Records[R] | Wait]]":
        """Load the records of distinct refs, with a wait for each Crm, so that no Crm's records wait for another's.

        Returns:
            Parts of the refs, each with the records by their ids in the order of its refs, or with the wait for them. What is known, and
            what is under way already, is a part of its own.
        """
        parts: list[tuple[Sequence[Ref], Any]] = []
        for crm, of_crm in _by_crm(refs).items():
            ids = [of_crm[0][1]] if len(of_crm) == 1 else list(map(_LOCAL_ID, of_crm))
            kept = self._all_kept(crm, ids)
            if kept is not None:
                parts.append((of_crm, kept))
                continue
            if not (crm in self._first or crm in self._by_crm or self._kept.get(crm) or self._seeds):
                parts.append((of_crm, self._begin(crm, ids)))
                continue
            loaded = self._of(crm).load_parts(ids)
            if len(loaded) == 1:
                parts.append((of_crm, loaded[0][1]))
            else:
                refs_of = dict(zip(ids, of_crm, strict=True))
                parts += [([refs_of[local_id] for local_id in of_part], found) for of_part, found in loaded]
        return parts

    def forget(self, ref: Ref) -> None:
        self._of(ref.crm).clear(ref.local_id)

    def seed(self, record: R) -> None:
        """Keep a record that another reply held, if it holds what the operation reads."""
        self._seeds.append((record,))

    def seed_all(self, records: Iterable[R]) -> None:
        """Keep those of the records that hold what the operation reads; they are looked at only if something is loaded."""
        self._seeds.append(records)

    def _all_kept(self, crm_key: str, ids: Sequence[str]) -> "Records[R] | None":
        """The records, where all of them are kept and young enough: mostly all are, or none, and then nothing has to be batched."""
        context = self._context
        max_age = context.freshness.max_age
        if not max_age or crm_key in self._first or crm_key in self._by_crm or crm_key in self._kept or self._seeds:
            return None
        crm = context.crms.get(crm_key)
        if crm is None or crm.cache is None:
            return None
        wish = wish_of(context.selection, self.record_name)
        kept = self._kept[crm_key] = take(context, crm, self.record_name, ids, wish, max_age=max_age)
        return kept if len(kept) == len(ids) else None

    def _begin(self, crm_key: str, ids: list[str]) -> FirstLevel:
        context = self._context
        read = partial(read_batch, context, context.crms.get(crm_key), self.record_name, self.read)
        first = self._first[crm_key] = FirstLevel(ids, read, self._tasks, self._loop)
        return first

    def _of(self, crm_key: str) -> "PerCrm[R]":
        if self._seeds:
            self._sow()
        loader = self._by_crm.get(crm_key)
        if loader is None:
            loader = self._by_crm[crm_key] = PerCrm(
                self._context, self._context.crms.get(crm_key), self.record_name, self.read, tasks=self._tasks, loop=self._loop
            )
            if crm_key in self._kept:
                loader.learn(self._kept[crm_key])
            if crm_key in self._first:
                loader.adopt(self._first[crm_key])
        return loader

    def _sow(self) -> None:
        seeds, self._seeds = self._seeds, []
        wanted = self._context.selection.of(self.record_name)
        for records in seeds:
            for record in records:
                if not isinstance(record, Record):  # an adapter's defect: whoever shows it says so, and others read theirs by id
                    continue
                if record.read_fields is None if wanted is None else record.covers(wanted):
                    ref = record.ref
                    self._of(ref.crm).prime(ref.local_id, record)

    @staticmethod
    @abstractmethod
    def read(context: "Context", crm: Crm, ids: Sequence[str]) -> Awaitable[ById[R]]:
        """Read these ids of one Crm.

        It is static, so that what reads refers to no loader: garbage that refers to itself has to be searched for among all that lives.
        """


class PerCrm(LevelLoader[str, Any], Generic[V]):
    """The keys of one Crm, which `read` reads from it.

    What was kept by earlier operations, and is young enough for this one, needs no batch.
    """

    def __init__(
        self, context: "Context", crm: Crm | None, kind: str, read: Read, *, tasks: BatchTasks, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(loop=loop)
        self._context = context
        self._tasks = tasks
        self._kind = kind
        self._read = read
        self._crm = crm
        self._keeping = None if crm is None or crm.cache is None else crm

    def load(self, key: str) -> "asyncio.Future[Any]":
        if self._keeping is not None:
            self._take_kept(self._keeping, [key])
        return super().load(key)

    def load_parts(self, keys: Sequence[str]) -> "list[tuple[Sequence[str], Mapping[str, Any] | Wait]]":
        if self._keeping is not None:
            self._take_kept(self._keeping, keys)
        return super().load_parts(keys)

    async def batch_load_fn(self, keys: list[str]) -> Any:
        """Give values and errors by key, in the order of the keys."""
        self._tasks.begin(asyncio.current_task(self.loop))
        return await read_batch(self._context, self._crm, self._kind, self._read, keys)

    def _take_kept(self, crm: Crm, keys: Sequence[str]) -> None:
        """Learn what is kept and young enough of keys that nobody has asked for yet."""
        context = self._context
        max_age = context.freshness.max_age
        missing = self.unasked(keys) if max_age else ()
        if missing:
            self.learn(take(context, crm, self._kind, missing, wish_of(context.selection, self._kind), max_age=max_age))


async def read_batch(context: "Context", crm: Crm | None, kind: str, read: Read, keys: list[str]) -> dict[str, Any]:
    """Read a batch of one Crm's records, and give values and errors by key, in the order of the keys; None for what there is none of."""
    if crm is None:
        return dict.fromkeys(keys)
    try:
        found: Any = await read_by_ids(context, crm, kind, keys, selection=context.selection, read=partial(read, context, crm))
        by_key: dict[str, Any] = found
        return by_key if found.__class__ is dict and list(by_key) == keys else dict(zip(keys, map(by_key.get, keys), strict=True))
    except VendorError as error:
        return dict.fromkeys(keys, error)
    except Exception as defect:  # noqa: BLE001  # whatever happens in one Crm takes nothing away from the others
        return dict.fromkeys(keys, contained(defect, crm=crm.key))


def _by_crm(refs: Collection[Ref]) -> dict[str, list[Ref]]:
    if len(refs) == 1:
        (ref,) = refs
        return {ref[0]: [ref]}
    crms = set(map(_CRM, refs))
    if len(crms) == 1:
        return {crms.pop(): list(refs)}
    by_crm: defaultdict[str, list[Ref]] = defaultdict(list)
    for ref in refs:
        by_crm[ref[0]].append(ref)
    return {**by_crm}
