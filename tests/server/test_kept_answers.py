"""What tells kept answers apart, what is not kept, and how much is."""

import tracemalloc
from dataclasses import dataclass, field
from typing import Any

import pytest

from server.http.answer import Answer, encoded
from server.http.body import GraphQLParameters
from server.http.kept_answers import KeptAnswers

BOARD = "query Board { rows }"


@dataclass(slots=True)
class Ground:
    """A footing that holds until it is told not to."""

    holds: bool = True
    size: int = 1_000
    ages: dict[str, float] = field(default_factory=dict[str, float])

    def extensions(self, context: object) -> dict[str, object] | None:
        assert context is CONTEXT
        if not self.holds:
            return None
        return {"ages": dict(self.ages)} if self.ages else {}


CONTEXT = object()


def asked(query: str = BOARD, **given: Any) -> GraphQLParameters:
    return GraphQLParameters(query=query, **given)


def answer(data: object, **more: Any) -> Answer:
    return Answer({"data": data, **more}, ran=True)


def kept_on(ground: Ground | None, *, max_bytes: int = 1_000_000) -> KeptAnswers:
    return KeptAnswers(lambda context: ground if context is CONTEXT else None, max_bytes=max_bytes)


def found(kept: KeptAnswers, parameters: GraphQLParameters) -> bytes | None:
    again = kept.find(parameters, CONTEXT)
    return None if again is None else encoded(again.body)


def test_an_answer_is_written_as_it_was_and_with_the_ages_that_it_has_by_now() -> None:
    ground = Ground(ages={"a": 1.5})
    kept = kept_on(ground)
    body: dict[str, Any] = {"rows": [{"name": "Ünal \u2028", "amount": 1.50, "is": None}, []]}

    first = kept.keep(asked(), CONTEXT, answer(body, extensions={"ages": {"a": 1.5}}))
    ground.ages["a"] = 2.25

    assert encoded(first.body) == encoded({"data": body, "extensions": {"ages": {"a": 1.5}}})
    assert found(kept, asked()) == encoded({"data": body, "extensions": {"ages": {"a": 2.25}}})
    ground.holds = False
    assert found(kept, asked()) is None


def test_without_ages_there_are_no_extensions() -> None:
    kept = kept_on(Ground())
    kept.keep(asked(), CONTEXT, answer({"rows": []}))
    assert found(kept, asked()) == b'{"data":{"rows":[]}}'


@pytest.mark.parametrize(
    "other",
    [
        asked("query  Board { rows }"),
        asked(operation_name="Board"),
        asked(variables={"first": 1, "after": None}),
        asked(variables={"first": 1.0}),
        asked(variables={"first": True}),
        asked(variables={"first": "1"}),
        asked(variables={"first": [1]}),
        asked(variables={"FIRST": 1}),
        asked(variables={"first": 1}, extensions={"explain": True}),
    ],
)
def test_another_question_has_no_kept_answer(other: GraphQLParameters) -> None:
    kept = kept_on(Ground())
    kept.keep(asked(variables={"first": 1}), CONTEXT, answer({"rows": [1]}))

    assert found(kept, other) is None
    kept.keep(other, CONTEXT, answer({"rows": [2]}))
    assert found(kept, asked(variables={"first": 1})) == b'{"data":{"rows":[1]}}'


def test_variables_in_another_order_are_the_same() -> None:
    kept = kept_on(Ground())
    kept.keep(asked(variables={"a": 1, "b": {"c": 2, "d": 3}}), CONTEXT, answer({"rows": [1]}))
    assert found(kept, asked(variables={"b": {"d": 3, "c": 2}, "a": 1})) == b'{"data":{"rows":[1]}}'
    kept.keep(asked(variables={}), CONTEXT, answer({"rows": [2]}))
    assert found(kept, asked()) == b'{"data":{"rows":[2]}}'


@pytest.mark.parametrize(
    "told",
    [
        answer({"rows": None}, errors=[{"message": "No."}]),
        answer({"rows": []}, extensions={"warnings": []}),
        answer({"rows": []}, extensions={"ages": {}, "explain": {}}),
        Answer({"errors": []}, ran=False),
        answer({"rows": "\ud800"}),
    ],
)
def test_such_an_answer_is_not_kept_and_comes_as_it_is(told: Answer) -> None:
    kept = kept_on(Ground())
    assert kept.keep(asked(), CONTEXT, told) is told
    assert found(kept, asked()) is None


def test_an_answer_without_a_footing_is_not_kept() -> None:
    kept, told = kept_on(None), answer({"rows": []})
    assert kept.keep(asked(), CONTEXT, told) is told
    assert found(kept, asked()) is None


def test_the_answers_asked_for_last_are_kept_within_their_bound() -> None:
    kept = kept_on(Ground(), max_bytes=100_000)
    for number in range(60):
        kept.keep(asked(variables={"n": number}), CONTEXT, answer({"rows": "x" * 5_000}))
        kept.find(asked(variables={"n": 0}), CONTEXT)

    there = [number for number in range(60) if found(kept, asked(variables={"n": number}))]
    assert 0 in there
    assert 59 in there
    assert 10 <= len(there) < 20
    kept.keep(asked(), CONTEXT, answer({"rows": "x" * 20_000}))
    assert found(kept, asked()) is None  # too large a part of all


@pytest.mark.parametrize(
    ("size", "query", "variables", "fewest", "most"),
    [
        (1_000, BOARD, {}, 90, 100),
        (4_000, BOARD, {}, 20, 25),
        (1_000, BOARD + " " * 2_000, {}, 8, 11),
        (1_000, BOARD, {"text": "x" * 9_000}, 8, 10),
    ],
)
def test_what_tells_them_apart_and_what_they_stand_on_counts_too(
    size: int, query: str, variables: dict[str, object], fewest: int, most: int
) -> None:
    kept = kept_on(Ground(size=size), max_bytes=100_000)
    each = [asked(query, variables={**variables, "n": number}) for number in range(200)]
    for parameters in each:
        kept.keep(parameters, CONTEXT, answer({}))
    assert fewest <= sum(found(kept, parameters) is not None for parameters in each) <= most


def test_answers_take_no_more_memory_than_is_counted() -> None:
    kept = kept_on(Ground(), max_bytes=32_000_000)
    rows = [{"name": f"Row {number}", "number": number} for number in range(60)]
    tracemalloc.start()
    try:
        for number in range(1_000):
            kept.keep(asked(variables={"n": number}), CONTEXT, answer({"rows": rows}))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 1_000 * (len(encoded({"rows": rows})) + 1_500)


def test_an_answer_that_holds_no_longer_is_let_go() -> None:
    ground = Ground()
    kept = kept_on(ground)
    kept.keep(asked(), CONTEXT, answer({"rows": []}))
    ground.holds = False
    assert found(kept, asked()) is None
    ground.holds = True
    assert found(kept, asked()) is None


def test_variables_that_are_nested_too_deeply_to_be_compared_are_not_kept() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    kept, told = kept_on(Ground()), answer({"rows": []})
    kept.keep(asked(), CONTEXT, answer({"rows": []}))
    assert kept.keep(asked(variables=deep), CONTEXT, told) is told
    assert found(kept, asked(variables=deep)) is None
