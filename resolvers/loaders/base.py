"""Batching over Crms: what is asked for in one tick becomes one call for each Crm, and no Crm waits for another."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from resolvers.errors import contained
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

    def load(self, ref: Ref) -> "asyncio.Future[R | None]":
        return self._of(ref.crm).load(ref.local_id)

    def load_level(self, refs: Sequence[Ref]) -> "list[tuple[Sequence[Ref], asyncio.Future[dict[str, R | Exception | None]]]]":
        """Load the records of distinct refs with one wait for each Crm, so that no Crm's records wait for another's.

        Returns:
            For each Crm the refs to its records, and the wait for them, by their ids in the order of the refs.
        """
        by_crm: dict[str, Sequence[Ref]] = dict.fromkeys(map(itemgetter(0), refs), refs)
        if len(by_crm) > 1:
            by_crm = {crm: [ref for ref in refs if ref[0] == crm] for crm in by_crm}
        return [(of_crm, self._of(crm).load_level([ref[1] for ref in of_crm])) for crm, of_crm in by_crm.items()]

    def forget(self, ref: Ref) -> None:
        self._of(ref.crm).clear(ref.local_id)

    def seed(self, record: R) -> None:
        """Keep a record that another reply held, if it holds what the operation reads."""
        if record.covers(self._wanted) if self._wanted is not None else record.read_fields is None:
            self._of(record.ref.crm).prime(record.ref.local_id, record)

    def _of(self, crm_key: str) -> "PerCrm[R]":
        loader = self._by_crm.get(crm_key)
        if loader is None:
            crm = self._context.crms.get(crm_key)
            loader = self._by_crm[crm_key] = PerCrm(self._context, crm_key, None if crm is None else partial(self.read, crm))
        return loader

    @abstractmethod
    async def read(self, crm: Crm, ids: Sequence[str]) -> ById[R]:
        """Read these ids of one Crm."""


class PerCrm(LevelLoader[str, Any], Generic[V]):
    """The keys of one Crm; `read` is None for a Crm that is not there."""

    def __init__(self, context: "Context", crm_key: str, read: Any | None) -> None:
        super().__init__()
        self._context = context
        self._crm_key = crm_key
        self._read = read

    async def batch_load_fn(self, keys: list[str]) -> list[Any]:
        """Give a value, None or an error for each key, in the order of the keys."""
        if self._read is None:
            return [None] * len(keys)
        try:
            with self._context.loaders.under_way():
                found = await self._read(keys)
        except VendorError as error:
            return [error] * len(keys)
        except Exception as defect:  # noqa: BLE001  # whatever happens in one Crm takes nothing away from the others
            return [contained(defect, crm=self._crm_key)] * len(keys)
        return list(map(found.get, keys))
