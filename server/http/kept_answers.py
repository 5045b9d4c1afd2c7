"""Answers to queries, kept and given again for as long as executing the query anew would give the same."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from server.bounded import BoundedCache
from server.http.answer import Answer
from server.http.body import GraphQLParameters

_MOST_ANSWERS: Final = 10_000
_AGES: Final = frozenset({"ages"})


class Footing(Protocol):
    """What an answer stands on."""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        ...

    def extensions(self, context: object) -> dict[str, object] | None:
        """What `extensions` would hold if an operation with that context made the answer anew; None where it may become another one."""
        ...


@dataclass(frozen=True, slots=True)
class _Kept:
    data: bytes
    footing: Footing


FootingOf = Callable[[object], Footing | None]
"""Tells what the answer of the operation with a context stands on, after its end; None where that is not known."""

_Question = tuple[str, str | None, bytes]


class KeptAnswers:
    """Keeps answers, the ones that were asked for last.

    Args:
        footing_of: Tells which answers can be kept.
        max_bytes: Size of all answers together, with their queries.
    """

    def __init__(self, footing_of: FootingOf, *, max_bytes: int) -> None:
        self._footing_of = footing_of
        self._answers: BoundedCache[_Question, _Kept] = BoundedCache(max_items=_MOST_ANSWERS, max_weight=max_bytes, weigh=_bytes_of)

    def find(self, parameters: GraphQLParameters, context: object) -> Answer | None:
        """The answer that an operation would have, if it is kept."""
        question = _question(parameters) if len(self._answers) else None
        kept = None if question is None else self._answers.get(question)
        extensions = None if kept is None else kept.footing.extensions(context)
        if question is None or kept is None:
            return None
        if extensions is None:
            self._answers.drop(question)
            return None
        return _answer(kept.data, extensions)

    def keep(self, parameters: GraphQLParameters, context: object, answer: Answer) -> Answer:
        """Keep the answer of an operation that has ended, where that is possible; give one that is the same."""
        footing, extensions = self._footing_of(context), answer.body.get("extensions", {})
        if footing is None or not answer.ran or "errors" in answer.body or not _AGES.issuperset(extensions):
            return answer
        question = _question(parameters)
        data = None if question is None else _json(answer.body["data"])
        if question is None or data is None:
            return answer
        self._answers.put(question, _Kept(data, footing))
        return _answer(data, extensions)


def _answer(data: bytes, extensions: dict[str, Any]) -> Answer:
    body: dict[str, Any] = {"data": orjson.Fragment(data)}
    if extensions:
        body["extensions"] = extensions
    return Answer(body, ran=True)


def _question(parameters: GraphQLParameters) -> _Question | None:
    """What tells a request from others that may have another answer; None where it asks for more than the answer."""
    if parameters.extensions:
        return None
    variables = _json(parameters.variables, orjson.OPT_SORT_KEYS) if parameters.variables else b""
    return None if variables is None else (parameters.query, parameters.operation_name, variables)


def _json(value: object, option: int = 0) -> bytes | None:
    """JSON in no more memory than it needs; None for what is no Unicode, or nested too deeply."""
    try:
        return bytes(memoryview(orjson.dumps(value, option=option)))  # orjson's own stay as large as they have grown
    except orjson.JSONEncodeError:
        return None


def _bytes_of(question: _Question, kept: _Kept) -> int:
    query, _, variables = question
    return 4 * len(query) + len(variables) + len(kept.data) + kept.footing.size
