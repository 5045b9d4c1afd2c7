"""Whatever goes wrong, our executor answers what graphql-core answers, and asks nobody twice.

One file, because all of it are faults of what Crms and resolvers give, made in the same few ways.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from bench.company import Reply, memory_crm, memory_of
from resolvers.relation import relation
from resolvers.scalars import SCALARS
from resolvers.types.account import Account
from resolvers.types.contact import Contact
from resolvers.types.user import User
from server.execution.executor import executor_class
from server.execution.plans import Plans, Way
from tests.execution.both_ways import STOCK, Bench
from tests.execution.test_executor import BOARD, IDS
from vendors.errors import UnavailableError
from vendors.model import Money, Opportunity, Ref
from vendors.registry import Crm

Found = dict[str, Any]
Spoil = Callable[[Found], Found]

ALL = """{ opportunities(first: 24) { nodes { id title amount { amount currency } stage { name order } owner { name email }
  account { name owner { name } } contacts { id name account { name } } expectedRevenue { amount } accountName } } }"""


def spoiling(crm_key: str, operation: str, spoil: Spoil) -> Callable[[Crm], Reply]:
    """Let one operation of one Crm go wrong."""

    def make(crm: Crm) -> Reply:
        async def reply(asked: str, found: Found) -> Found:
            return spoil(dict(found)) if (crm.key, asked) == (crm_key, operation) else found

        return reply

    return make


def failing(found: Found) -> Found:
    del found
    raise UnavailableError("It is down.", crm="a")


def breaking(found: Found) -> Found:
    del found
    raise ZeroDivisionError("a defect")


def some(found: Found) -> list[str]:
    """Keys that are chosen by themselves, and not by what they happen to be asked together with."""
    return [key for key in found if key.endswith("4")]


def one_error(found: Found) -> Found:
    return found | {key: UnavailableError(f"No {key}.", crm="a") for key in some(found)}


def without_one(found: Found) -> Found:
    return {key: record for key, record in found.items() if key not in some(found)}


def of_one(**changes: Any) -> Spoil:
    return lambda found: found | {key: replace(found[key], **changes) for key in some(found)}


def another_class(found: Found) -> Found:
    return found | {key: object() for key in some(found)}


def lookalike(found: Found) -> Found:
    return found | {key: SimpleNamespace(name="Somebody", email=None) for key in some(found)}


FAULTS = {
    "a vendor's users fail": ("users", failing),
    "a defect in reading accounts": ("accounts", breaking),
    "one contact fails": ("contacts", one_error),
    "one account is missing": ("accounts", without_one),
    "all links fail": ("links", failing),
    "one record's links fail": ("links", one_error),
    "pipelines fail": ("pipelines", failing),
    "a null where none may be": ("list opportunities", of_one(title=None)),
    "a text that is a number": ("list opportunities", of_one(title=7)),
    "a text that is a list": ("list opportunities", of_one(title=["x"])),
    "an exception as a value": ("list opportunities", of_one(title=ValueError("odd"))),
    "an exception instead of an object": ("list opportunities", of_one(amount=ValueError("odd"))),
    "an object of another class": ("list opportunities", of_one(amount="EUR 7")),
    "a user with no such name": ("users", of_one(name={"first": 1})),
    "a record of another class": ("users", another_class),
    "something that only looks like a record": ("users", lookalike),
    "a list that is none": ("list opportunities", of_one(contact_refs=7)),
    "a ref that is none": ("list opportunities", of_one(owner_ref="7")),
    "an enum with another value": ("list opportunities", of_one(probability_origin="nowhere")),
    "a computed field that fails": ("list opportunities", of_one(expected_revenue=None, probability_percent="many")),
}


@pytest.mark.parametrize("key", ["a", "b"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_fault_shows_as_graphql_core_shows_it(bench: Bench, fault: tuple[str, Spoil], key: str) -> None:
    bench.reply = spoiling(key, *fault)

    stock, ours, way = await bench.both(ALL)

    assert ours.data == stock.data
    assert ours.errors == stock.errors
    assert way in {Way.REPEATED, Way.QUICK}
    if fault[0] != "list opportunities":
        assert ours.batches <= stock.batches
        assert ours.asked == stock.asked


async def test_a_fault_makes_for_an_error_at_all(bench: Bench) -> None:
    bench.reply = spoiling("a", "users", failing)

    ours, way = await bench.same(BOARD, {"first": 24})

    assert way is Way.REPEATED
    assert len(ours.errors) > 5
    rows = orjson.loads(ours.data)["opportunities"]["nodes"]
    assert any(row["owner"] is None for row in rows)
    assert any(row["owner"] is not None for row in rows)


async def test_errors_of_roots_leave_the_other_roots(bench: Bench) -> None:
    text = """{ a: crm(key: "nobody") { label } b: crm(key: "a") { label } c: opportunities(first: -3) { nodes { id } }
      d: pipelines(crms: ["nobody"]) { name } e: node(id: "nonsense") { id } crms { key } }"""

    ours, way = await bench.same(text)

    assert way is Way.REPEATED
    assert len(ours.errors) == 4
    assert orjson.loads(ours.data)["b"] == {"label": "In memory a"}


async def test_an_error_in_a_root_that_may_not_be_null_takes_everything(bench: Bench) -> None:
    text = "query($ids: [ID!]!) { crms { key } nodes(ids: $ids) { id } }"

    ours, _ = await bench.same(text, {"ids": ["x"] * 101})

    assert ours.data == b"null"
    assert len(ours.errors) == 1


async def test_a_wrong_id_is_an_error_of_its_item(bench: Bench) -> None:
    text = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Opportunity { owner { name } } } }"

    ours, way = await bench.same(text, {"ids": [IDS[0], "nonsense", IDS[1]]})

    assert way is Way.REPEATED
    assert [item is None for item in orjson.loads(ours.data)["nodes"]] == [False, True, False]


async def test_arguments_that_do_not_fit_are_told_as_always(bench: Bench) -> None:
    text = 'query($n: Int) { opportunities(first: $n) { nodes { amount { in(currency: "eur") { rate } } } } }'

    ours, way = await bench.same(text, {"n": 4})

    assert way is Way.REPEATED
    assert ours.errors


async def test_a_wrong_variable_is_told_as_always(bench: Bench) -> None:
    stock = await bench.outcome(BOARD, STOCK, {"first": "x"})
    ours = await bench.outcome(BOARD, executor_class(bench.plans), {"first": "x"})

    assert ours == stock
    assert len(ours.errors) == 1


class OfOpportunity:
    """A type of one's own that shows opportunities."""

    @classmethod
    def is_type_of(cls, value: object, info: object) -> bool:
        del info
        return isinstance(value, Opportunity)


def schema_of_deals(deal: Any, records: list[Opportunity]) -> Any:
    @strawberry.type
    class Query:
        deals: Any = strawberry.field(resolver=lambda: records, graphql_type=list[deal | None])

    schema: Any = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))
    return schema._schema


@pytest.mark.parametrize(("operation", "selected"), [("users", "shown: owner { name }"), ("contacts", "shown: contacts { __typename }")])
async def test_a_missing_record_is_an_error_where_there_must_be_one(operation: str, selected: str, bench: Bench) -> None:
    records = [record for record in memory_of(bench.crms[0]).all_opportunities() if record.owner_ref is not None]

    @strawberry.type
    class Deal(OfOpportunity):
        owner: User = relation("Who cares for it.", loader="users_by_ref", key="owner_ref")
        contacts: list[Contact] | None = relation("Who it is about.", loader="contacts_by_ref", key="contact_refs", many=True, links=True)

    bench.schema = schema_of_deals(Deal, records)
    bench.reply = spoiling("a", operation, without_one)

    ours, way = await bench.same(f"{{ deals {{ {selected} }} }}")

    assert way is Way.REPEATED
    shown = [deal and deal["shown"] for deal in orjson.loads(ours.data)["deals"]]
    assert None in shown
    assert any(shown)


@pytest.mark.parametrize(("missing", "crm_key"), [("contacts", "a"), ("contacts", "b"), ("accounts", "a"), ("accounts", "b")])
@pytest.mark.parametrize("slow", [None, ("accounts", "a"), ("contacts", "b")])
@pytest.mark.parametrize("shape", ["{0} {1}", "{1} {0}"])
async def test_a_missing_record_takes_no_more_batches(missing: str, crm_key: str, slow: object, shape: str, bench: Bench) -> None:
    """What else arrives in its tick is gone on with before graphql-core runs the operation: each batch holds what it would hold there."""
    bench.crms = [memory_crm(key, opportunities=12) for key in ("a", "b")]
    records = [record for crm in bench.crms for record in memory_of(crm).all_opportunities() if record.account_ref]

    @strawberry.type
    class Deal(OfOpportunity):
        account: Account = relation("What it is for.", loader="accounts_by_ref", key="account_ref")
        contacts: list[Contact] | None = relation("Who it is about.", loader="contacts_by_ref", key="contact_refs", many=True, links=True)

    def make(crm: Crm) -> Reply:
        async def reply(asked: str, found: Found) -> Found:
            for _ in range(5 if slow == (asked, crm.key) else 0):
                await asyncio.sleep(0)
            return without_one(found) if (asked, crm.key) == (missing, crm_key) else found

        return reply

    bench.schema = schema_of_deals(Deal, records)
    bench.reply = make

    stock, ours, way = await bench.both(f"{{ deals {{ {shape.format('account { owner { name } }', 'contacts { owner { name } }')} }} }}")

    assert (ours.data, ours.errors) == (stock.data, stock.errors)
    assert ours.errors
    assert way is Way.REPEATED
    assert ours.batches <= stock.batches
    assert ours.asked <= stock.asked


async def test_what_cannot_be_shown_of_a_record_takes_no_more_batches(bench: Bench) -> None:
    bench.reply = spoiling("a", "accounts", of_one(name={"no": "text"}))
    selected = "account { parent { id } owner { name } } contacts { account { name } owner { name } } accountName"

    stock, ours, _ = await bench.both(f"{{ opportunities(first: 24) {{ nodes {{ {selected} }} }} }}")

    assert (ours.data, ours.errors) == (stock.data, stock.errors)
    assert ours.errors
    assert ours.batches <= stock.batches
    assert ours.asked <= stock.asked


async def test_a_failed_crm_is_asked_once(bench: Bench) -> None:
    bench.reply = spoiling("a", "users", failing)

    stock, ours, _ = await bench.both("{ opportunities(first: 24) { nodes { owner { name } x: owner { id } updatedBy { id } } } }")

    assert ours.asked == stock.asked
    assert [operation for key, operation, _ in ours.calls if key == "a"] == ["list opportunities", "users"]


async def test_what_only_looks_like_a_ref_is_an_error_as_always(bench: Bench) -> None:
    def odd(found: Found) -> Found:
        return {key: replace(record, owner_ref=("a", "1")) for key, record in found.items()}

    bench.reply = spoiling("a", "list opportunities", odd)

    outcome, way = await bench.same("{ opportunities(first: 4) { nodes { title owner { name } } } }")

    assert outcome.errors
    assert way is Way.REPEATED


async def test_what_equals_a_ref_is_an_error_also_behind_it(bench: Bench) -> None:
    def odd(found: Found) -> Found:
        *_, last = found
        refs: dict[str, Any] = {key: ("a", "1") if key == last else Ref("a", "1") for key in found}
        return {key: replace(record, owner_ref=refs[key]) for key, record in found.items()}

    bench.reply = spoiling("a", "list opportunities", odd)

    for selected in ("name", "name updatedBy: __typename"):
        outcome, way = await bench.same(f"{{ opportunities(first: 12) {{ nodes {{ title owner {{ {selected} }} }} }} }}")
        assert outcome.errors
        assert way is Way.REPEATED


class Answer(dict[str, Any]):
    """A dict of an adapter's own kind."""


@pytest.mark.parametrize("asked", ["users", "accounts", "contacts"])
async def test_an_answer_may_be_any_dict(asked: str, bench: Bench) -> None:
    bench.reply = spoiling("a", asked, Answer)

    outcome, way = await bench.same(
        "{ opportunities(first: 12) { nodes { owner { name } account { name owner { name } } contacts { name owner { name } } } } }"
    )

    assert not outcome.errors
    assert way is Way.QUICK


async def test_an_error_in_the_place_of_a_listed_record_stays_in_its_list(bench: Bench) -> None:
    """What a list read is at hand for relations; what is no record there must not fail them."""

    def make(crm: Crm) -> Reply:
        async def reply(asked: str, found: Found) -> Found:
            if asked == "list opportunities":
                for _ in range(20):  # the accounts are listed before an opportunity's is asked for
                    await asyncio.sleep(0)
            return one_error(found) if (crm.key, asked) == ("a", "list accounts") else found

        return reply

    bench.reply = make
    ours, _ = await bench.same(
        "{ accounts(first: 12) { pageInfo { hasNextPage } } opportunities(first: 12) { nodes { account { name } } } }"
    )
    assert not ours.errors
    assert b"null" not in ours.data


async def test_an_unusual_amount_is_no_fault(bench: Bench) -> None:
    bench.reply = spoiling("a", "list opportunities", of_one(amount=Money(amount=Decimal("1E+5"))))

    ours, way = await bench.same("{ opportunities(first: 24) { nodes { amount { amount } } } }")

    assert way is Way.QUICK
    assert b'"100000"' in ours.data


async def test_cancelling_leaves_nothing_under_way(bench: Bench) -> None:
    begun = asyncio.Event()
    never = asyncio.Event()

    def waiting(_: Crm) -> Reply:
        async def reply(operation: str, found: Found) -> Found:
            if operation in {"users", "contacts", "links"}:
                begun.set()
                await never.wait()
            return found

        return reply

    bench.reply = waiting
    task = asyncio.create_task(bench.outcome(ALL, executor_class(bench.plans)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    batches = [left for left in asyncio.all_tasks() if "dispatch_queue_batch" in repr(left)]
    assert batches
    for batch in batches:  # what loaders have under way is ended by the context of the operation, and what they read ends with them
        batch.cancel()
    await asyncio.gather(*batches, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_was_resolved_below_an_object_that_is_made_anew_is_not_resolved_again() -> None:
    calls: list[str] = []

    @strawberry.type
    class Part:
        @strawberry.field
        def called(self) -> str:
            calls.append("called")
            return "there"

    class Whole:
        @property
        def part(self) -> Part:
            return Part()

    @strawberry.type(name="Whole")
    class WholeType:
        part: Part

        @classmethod
        def is_type_of(cls, value: object, info: object) -> bool:
            del info
            return isinstance(value, Whole)

    @strawberry.type
    class Query:
        @strawberry.field
        def whole(self) -> WholeType:
            return Whole()  # type: ignore[return-value]

        @strawberry.field
        def bad(self) -> str | None:
            raise ValueError("It is bad.")

    plans = Plans()
    schema = strawberry.Schema(Query, execution_context_class=executor_class(plans))

    result = await schema.execute("{ whole { part { called } } bad }")

    assert result.data == {"whole": {"part": {"called": "there"}}, "bad": None}
    assert calls == ["called"]
    assert plans.gone == {Way.REPEATED: 1}


class Whole:
    """Has a part of any kind."""

    def __init__(self, part: object) -> None:
        self.part = part


async def test_each_value_is_shown_to_a_type_that_looks_at_values() -> None:
    @strawberry.type
    class Part:
        real: int

        @classmethod
        def is_type_of(cls, value: object, info: object) -> bool:
            del info
            return isinstance(value, int) and value > 0

    @strawberry.type(name="Whole")
    class WholeType:
        part: Part | None

    found: list[Whole] = []

    @strawberry.type
    class Query:
        wholes: Any = strawberry.field(resolver=lambda: found, graphql_type=list[WholeType])

    await _same_of(Query, "{ wholes { part { __typename } } }", found, [Whole(7), Whole(8)], [Whole(9), Whole(-9)])


async def test_an_error_in_the_place_of_an_object_is_an_error_whatever_is_asked_of_it() -> None:
    @strawberry.type
    class Part:
        name: str

    @strawberry.type(name="Whole")
    class WholeType:
        part: Part | None

        @classmethod
        def is_type_of(cls, value: object, info: object) -> bool:
            del info
            return isinstance(value, Whole)

    found: list[Whole] = []

    @strawberry.type
    class Query:
        wholes: Any = strawberry.field(resolver=lambda: found, graphql_type=list[WholeType])

    await _same_of(Query, "{ wholes { part { __typename } } }", found, [Whole(Part(name="x"))], [Whole(ValueError("It is bad."))])


async def _same_of(query: type, text: str, found: list[Whole], good: list[Whole], bad: list[Whole]) -> None:
    """See that an operation shows good values, and then of bad ones the error that graphql-core shows."""
    plans = Plans()
    stock, ours = (strawberry.Schema(query, execution_context_class=of) for of in (STOCK, executor_class(plans)))
    for wholes in (good, bad, bad):
        found[:] = wholes
        expected, shown = await stock.execute(text), await ours.execute(text)
        assert shown.data == expected.data
        assert list(map(str, shown.errors or ())) == list(map(str, expected.errors or ()))
        assert bool(shown.errors) is (wholes is bad)
    assert plans.gone == {Way.QUICK: 1, Way.REPEATED: 2}
