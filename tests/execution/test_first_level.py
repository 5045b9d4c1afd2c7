"""What is asked of a Crm first takes no loader of its own; whoever comes then finds everything as if it had one."""

import asyncio
import gc
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import replace
from typing import Any

import pytest

from bench.company import Memory, contexts, memory_crm, memory_of
from resolvers.context import Context
from resolvers.loaders.base import RefLoader
from resolvers.loaders.level import Wait
from vendors.cache import MemoryCache
from vendors.errors import UnavailableError
from vendors.model import Account, Ref

UNSENT, UNDER_WAY, THERE = MOMENTS = ("unsent", "under way", "there")
ASKED_BY: ContextVar[str] = ContextVar("asked_by", default="nobody")
ENOUGH = 6
"""Ticks until a batch that was asked for is under way."""


class Company:
    """One Crm whose answers are let go by hand, and the accounts of one operation over it."""

    def __init__(self) -> None:
        crm = memory_crm("a", opportunities=1)
        self.memory: Memory = memory_of(crm)
        self.memory.reply = self.reply
        self.gate = asyncio.Event()
        self.failure: Exception | None = None
        self.asked_by: list[str] = []
        self.context: Context = contexts([crm])()
        self.accounts: RefLoader[Account] = self.context.loaders.accounts_by_ref

    async def reply(self, operation: str, found: dict[str, Any]) -> dict[str, Any]:
        assert operation == "accounts"
        self.asked_by.append(ASKED_BY.get())
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return found

    def level(self, *ids: str) -> list[Any]:
        """Ask for a level that has one part; gives what who waits for it is told, as it is told."""
        ((refs, wait),) = self.accounts.load_level([Ref("a", local_id) for local_id in ids])
        assert [ref.local_id for ref in refs] == list(ids)
        heard: list[Any] = []
        assert isinstance(wait, Wait)
        wait.then = heard.append
        return heard

    def load(self, local_id: str) -> "asyncio.Future[Account | None]":
        return self.accounts.load(Ref("a", local_id))

    async def come_to(self, moment: str) -> None:
        if moment != UNSENT:
            await ticks()
        if moment == THERE:
            self.gate.set()
            await ticks()

    async def go_on(self) -> None:
        self.gate.set()
        await ticks(2 * ENOUGH)

    @property
    def asked(self) -> list[tuple[str, ...]]:
        return [ids for _, ids in self.memory.calls]


async def ticks(number: int = ENOUGH) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def in_context(name: str, ask: Callable[[str], Any], local_id: str) -> Any:
    def asking() -> Any:
        ASKED_BY.set(name)
        return ask(local_id)

    return copy_context().run(asking)


def names(level: dict[str, Any]) -> dict[str, Any]:
    return {key: value.name if isinstance(value, Account) else value for key, value in level.items()}


@pytest.fixture
async def company() -> Company:
    return Company()


@pytest.mark.parametrize("moment", MOMENTS)
async def test_whoever_comes_later_shares_what_was_asked_for_and_joins_what_is_unsent(company: Company, moment: str) -> None:
    first = company.level("1", "99", "2")
    await company.come_to(moment)

    parts = company.accounts.load_level([Ref("a", "2"), Ref("a", "4")])
    known, unknown, missing = company.load("1"), company.load("3"), company.load("99")
    heard: list[Any] = []
    for _, part in parts:
        if isinstance(part, Wait):
            part.then = heard.append
        else:
            heard.append(part)
    await company.go_on()

    assert company.asked == ([("1", "99", "2", "4", "3")] if moment == UNSENT else [("1", "99", "2"), ("4", "3")])
    assert [list(names(level).items()) for level in first] == [[("1", "Account 1"), ("99", None), ("2", "Account 2")]]
    assert [(await wait).name for wait in (known, unknown)] == ["Account 1", "Account 3"]  # type: ignore[union-attr]
    assert await missing is None
    assert {key: name for level in heard for key, name in names(level).items()} == {"2": "Account 2", "4": "Account 4"}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_what_is_forgotten_is_asked_for_anew_if_it_was_asked_for(company: Company, moment: str) -> None:
    first = company.level("1", "2")
    await company.come_to(moment)

    company.accounts.forget(Ref("a", "1"))
    again, other = company.load("1"), company.load("2")
    await company.go_on()

    assert company.asked == ([("1", "2")] if moment == UNSENT else [("1", "2"), ("1",)])
    assert [names(level) for level in first] == [{"1": "Account 1", "2": "Account 2"}]
    assert [(await wait).name for wait in (again, other)] == ["Account 1", "Account 2"]  # type: ignore[union-attr]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("failure", [UnavailableError("It is down.", crm="a"), ZeroDivisionError()], ids=["vendor", "defect"])
async def test_a_failure_is_that_of_each_key_and_is_kept(company: Company, failure: Exception, moment: str) -> None:
    company.failure = failure
    first = company.level("1", "2")
    await company.come_to(moment)

    known = company.load("2")
    await company.go_on()

    (level,) = first
    assert list(level) == ["1", "2"]
    assert isinstance(level["1"], UnavailableError) is isinstance(failure, UnavailableError)
    assert isinstance(level["1"], Exception)
    assert known.exception() is level["1"] is level["2"]
    assert len(company.asked) == 1


@pytest.mark.parametrize("joined", ["before", "just after", "later", "never"])
@pytest.mark.parametrize("after", range(ENOUGH))
async def test_when_the_operation_ends_whoever_waits_is_told(company: Company, after: int, joined: str) -> None:
    first = company.level("1", "2")
    waits = [company.load("1")] if joined == "before" else []
    await ticks(after)

    company.context.end()
    calls = list(company.asked)
    waits += [company.load("2")] if joined == "just after" else []
    await ticks()

    assert first == [None]
    waits += [company.load("2")] if joined == "later" else []
    await ticks()
    assert all(wait.cancelled() for wait in waits)
    assert company.asked == calls


@pytest.mark.parametrize("moment", [UNSENT, UNDER_WAY])
async def test_it_is_read_in_the_context_of_who_asked_first(company: Company, moment: str) -> None:
    first = in_context("first", company.level, "1")
    await company.come_to(moment)

    in_context("second", company.load, "2")
    await company.go_on()

    assert len(first) == 1
    assert company.asked_by == (["first"] if moment == UNSENT else ["first", "second"])


async def test_what_came_with_other_records_is_not_asked_for() -> None:
    company = Company()
    seeded = Account(ref=Ref("a", "1"), name="Seeded")
    company.accounts.seed(seeded)

    assert company.accounts.load_level([Ref("a", "1")]) == [([Ref("a", "1")], {"1": seeded})]


async def test_what_is_kept_of_earlier_operations_waits_for_nothing_else() -> None:
    cache = MemoryCache(ttl_seconds=60, clock=lambda: 0.0)
    crm = replace(memory_crm("a", opportunities=1), cache=cache)
    for kept in ([], ["1"]):
        context = contexts([crm])()
        context.freshness.max_age = 60.0
        parts = context.loaders.accounts_by_ref.load_level([Ref("a", "1"), Ref("a", "2")])
        assert [ref.local_id for refs, part in parts if not isinstance(part, Wait) for ref in refs] == kept
        await ticks(2 * ENOUGH)
        cache.drop(["2"])

    assert memory_of(crm).calls == [("accounts", ("1", "2")), ("accounts", ("2",))]


async def test_a_crm_that_is_not_seen_has_no_records(company: Company) -> None:
    ((_, wait),) = company.accounts.load_level([Ref("b", "1")])
    heard: list[Any] = []
    assert isinstance(wait, Wait)
    wait.then = heard.append

    await company.go_on()

    assert (heard, company.asked) == ([{"1": None}], [])


@pytest.mark.parametrize("asks", ["level", "level and more", "load", "links"])
@pytest.mark.parametrize("after", range(2 * ENOUGH))
async def test_whenever_an_operation_ends_its_loaders_leave_nothing_that_refers_to_itself(asks: str, after: int) -> None:
    crm = memory_crm("a", opportunities=1, links=True)
    (opportunity,) = memory_of(crm).all_opportunities()
    make = contexts([crm])

    async def slowly(operation: str, found: dict[str, Any]) -> dict[str, Any]:
        del operation
        await ticks()
        return found

    memory_of(crm).reply = slowly

    async def operation() -> None:
        context = make()
        if "level" in asks:
            context.loaders.accounts_by_ref.load_level([Ref("a", "1")])
        if "more" in asks or asks == "load":
            context.loaders.accounts_by_ref.load(Ref("a", "2"))
        if asks == "links":
            context.loaders.links_by_opportunity.load(opportunity)
        await ticks(after)
        context.end()
        await ticks(2 * ENOUGH)

    await operation()
    gc.collect()
    gc.disable()
    try:
        await operation()
        left = gc.collect()
    finally:
        gc.enable()
    assert left == 0


@pytest.mark.parametrize("kind", ["users", "links"])
async def test_loaders_of_an_event_read_nothing_in_the_next_one(company: Company, kind: str) -> None:
    loaders = company.context.loaders
    (opportunity,) = company.memory.all_opportunities()
    company.context.end()
    company.context.begin_event("2")

    wait: Any = loaders.users_by_ref.load(Ref("a", "1")) if kind == "users" else loaders.links_by_opportunity.load(opportunity)
    await company.go_on()

    assert wait.cancelled()
    assert company.asked == []
