"""Random documents over the real schema, and random faults in what its Crms answer."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import Decimal
from random import Random
from typing import Any, Final
from zlib import crc32

from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, Undefined

from bench.company import Reply
from resolvers.node_id import encode
from resolvers.relation import PLAN
from server.execution.core import get_named_type, is_leaf_type, is_list_type, is_non_null_type
from vendors.errors import UnavailableError
from vendors.model import Ref
from vendors.registry import Crm

# What two runs tell differently, the time; and what needs a log of changes.
_LEFT_OUT: Final = frozenset({"fetchedAt", "ageSeconds", "explain", "stageChanges", "changesCursor"})
_IDS: Final = [
    *(
        encode(kind, Ref(crm, key))
        for kind in ("Opportunity", "Account", "Contact", "User", "Pipeline", "Stage")
        for crm in "ab"
        for key in "14"
    ),
    encode("Crm", Ref("a", "")),
    encode("Opportunity", Ref("b", "9999")),
    "nonsense",
]
_ODD: Final[list[Any]] = [
    None, 7, "x", -1.5, float("nan"), float("inf"), 2**40, True, [1, None], (), {}, {"a": 1}, b"x", Decimal("1.5"), object,
    ValueError("odd"), frozenset({"x"}), Ref("a", "3"), Ref("zz", "3"), (Ref("b", "2"), None), range(2),
]  # fmt: skip


@dataclass(slots=True)
class Document:
    """A document, and what is known of it before it runs."""

    text: str
    variables: dict[str, Any]
    is_unplannable: bool
    has_conditions: bool


@dataclass(slots=True)
class Writer:
    """Writes one document.

    Attributes:
        ages: Whether root fields mostly say how old what they read may be.
        is_unplannable: Whether it has something in a list that no plan can have.
    """

    schema: GraphQLSchema
    random: Random
    ages: bool = False
    fields_left: int = 60
    aliases: int = 0
    conditions: int = 0
    is_unplannable: bool = False
    variables: dict[str, tuple[str, Any]] = field(default_factory=dict[str, tuple[str, Any]])
    fragments: list[str] = field(default_factory=list[str])

    def document(self) -> Document:
        root = self.schema.query_type
        assert root is not None
        selections = self._selections(root, 0, in_list=False, met={root.name})
        declared = ", ".join(f"${name}: {type_}" for name, (type_, _) in self.variables.items())
        text = f"query{f'({declared})' if declared else ''} {selections}\n" + "\n".join(self.fragments)
        values = {name: value for name, (_, value) in self.variables.items()}
        return Document(text, values, self.is_unplannable, has_conditions=self.conditions > 0)

    def _selections(self, type_: Any, depth: int, *, in_list: bool, met: set[str]) -> str:
        """Selections of a type; `met` are the types of the objects that may be met there, if any."""
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        names = [name for name in type_.fields if name not in _LEFT_OUT]
        leaves = [name for name in names if is_leaf_type(get_named_type(type_.fields[name].type))]
        branches = [name for name in names if name not in leaves] if depth < 7 else []
        parts: list[str] = []
        for _ in range(self.random.randint(1, 4)):
            self.fields_left -= 1
            if self.fields_left < 0 or not (branches or leaves):
                break
            kind = self.random.random()
            if kind < 0.07:
                parts.append(self._alias("__typename") + self._condition())
            elif kind < 0.22 and depth < 7:
                parts.append(self._fragment(type_, depth, in_list=in_list, met=met))
            elif branches and (kind < 0.6 or not leaves):
                parts.append(self._field(type_, self.random.choice(branches), depth, in_list=in_list, met=met))
            elif leaves:
                parts.append(self._field(type_, self.random.choice(leaves), depth, in_list=in_list, met=met))
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def _fragment(self, type_: Any, depth: int, *, in_list: bool, met: set[str]) -> str:
        choices: list[Any] = [type_]
        if isinstance(type_, GraphQLInterfaceType):
            choices += self.schema.get_possible_types(type_)
        if isinstance(type_, GraphQLObjectType):
            choices += type_.interfaces
        chosen = self.random.choice(choices)
        selections = self._selections(chosen, depth + 1, in_list=in_list, met=met & self._possible(chosen))
        if self.random.random() < 0.5:
            condition = self.random.choice(["", f" on {chosen.name}"]) if chosen is type_ else f" on {chosen.name}"
            return f"...{condition}{self._condition()} {selections}"
        name = f"F{len(self.fragments)}"
        self.fragments.append(f"fragment {name} on {chosen.name} {selections}")
        return f"...{name}{self._condition()}" + (f" ...{name}" if self.random.random() < 0.2 else "")

    def _field(self, parent: Any, name: str, depth: int, *, in_list: bool, met: set[str]) -> str:
        definition: Any = parent.fields[name]
        arguments = self._arguments(definition)
        if in_list and met and _needs_its_path(definition):
            self.is_unplannable = True
        written = (self._alias(name) if arguments or self.random.random() < 0.3 else name) + arguments + self._condition()
        named = get_named_type(definition.type)
        if is_leaf_type(named):
            return written
        type_: Any = definition.type.of_type if is_non_null_type(definition.type) else definition.type
        below = self._possible(named) if met else set[str]()
        return f"{written} {self._selections(named, depth + 1, in_list=in_list or is_list_type(type_), met=below)}"

    def _possible(self, type_: Any) -> set[str]:
        if isinstance(type_, GraphQLInterfaceType):
            return {possible.name for possible in self.schema.get_possible_types(type_)}
        return {type_.name}

    def _alias(self, name: str) -> str:
        self.aliases += 1
        return f"a{self.aliases}: {name}"

    def _condition(self) -> str:
        if self.random.random() > 0.12:
            return ""
        self.conditions += 1
        value = self.random.random() < 0.5
        if self.random.random() < 0.5:
            name = f"c{int(value)}"
            self.variables[name] = "Boolean!", value
            return f" @{self.random.choice(['skip', 'include'])}(if: ${name})"
        return f" @{self.random.choice(['skip', 'include'])}(if: {'true' if value else 'false'})"

    def _arguments(self, definition: Any) -> str:
        written: list[str] = []
        for name, argument in definition.args.items():
            is_required = is_non_null_type(argument.type) and argument.default_value is Undefined
            if name in _ARGUMENTS and (is_required or self.random.random() < (0.9 if self.ages and name == "maxAge" else 0.3)):
                literal, value = _ARGUMENTS[name](self.random)
                if self.random.random() < 0.4:
                    variable = f"v{len(self.variables)}"
                    self.variables[variable] = str(argument.type), value
                    literal = f"${variable}"
                written.append(f"{name}: {literal}")
        return f"({', '.join(written)})" if written else ""


def _needs_its_path(definition: Any) -> bool:
    declared: Any = definition.extensions.get("strawberry-definition")
    return declared is not None and declared.base_resolver is not None and PLAN not in declared.metadata


def _texts(*values: str) -> Callable[[Random], tuple[str, Any]]:
    def choose(random: Random) -> tuple[str, Any]:
        value = random.choice(values)
        return f'"{value}"', value

    return choose


def _lists(*values: str) -> Callable[[Random], tuple[str, Any]]:
    def choose(random: Random) -> tuple[str, Any]:
        chosen = [random.choice(values) for _ in range(random.randint(0, 3))]
        return "[" + ", ".join(f'"{value}"' for value in chosen) + "]", chosen

    return choose


def _numbers(random: Random) -> tuple[str, Any]:
    value = random.choice([1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 0, -1])
    return str(value), value


def _ages(random: Random) -> tuple[str, Any]:
    value = random.choice([0, 30, 60, 60, 60, 60, -1])
    return str(value), value


_ARGUMENTS: Final[Mapping[str, Callable[[Random], tuple[str, Any]]]] = {
    "id": _texts(*_IDS),
    "ids": _lists(*_IDS),
    "key": _texts("a", "b", "a", "b", "a", "b", "zz"),
    "crms": _lists(*"ab" * 6, "zz"),
    "currency": _texts(*["EUR", "CHF"] * 4, "eur"),
    "first": _numbers,
    "last": _numbers,
    "maxAge": _ages,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A way in which the answers of one operation of one Crm go wrong, the same for a key whatever it is asked together with."""

    crm: str
    operation: str
    kind: str
    one_in: int
    attribute: int
    value: int

    def spoil(self, found: dict[str, Any]) -> dict[str, Any]:
        if self.kind == "fail":
            raise UnavailableError("It is down.", crm=self.crm)
        if self.kind == "break":
            raise ZeroDivisionError("a defect")
        spoilt: dict[str, Any] = {}
        for key, record in found.items():
            if crc32(key.encode()) % self.one_in:
                spoilt[key] = record
            elif self.kind == "error":
                spoilt[key] = UnavailableError(f"No {key}.", crm=self.crm)
            elif self.kind == "replace":
                spoilt[key] = object()
            elif self.kind == "change":
                spoilt[key] = self._changed(record)
        return spoilt  # what is missing is left out

    def _changed(self, record: Any) -> Any:
        if not is_dataclass(record) or isinstance(record, type):
            return record
        names = [item.name for item in fields(record) if item.name not in {"ref", "read_fields"}]
        return replace(record, **{names[self.attribute % len(names)]: _ODD[self.value % len(_ODD)]})


_OPERATIONS: Final = (
    "list opportunities", "list accounts", "list contacts", "list users", "opportunities", "users", "accounts", "contacts", "links",
    "pipelines", "base currency",
)  # fmt: skip
_KINDS: Final = ("fail", "break", "error", "replace", "change", "change", "change", "missing")


def faults(random: Random) -> list[Fault]:
    """Some faults, or none."""
    return [
        Fault(
            random.choice("ab"),
            random.choice(_OPERATIONS),
            random.choice(_KINDS),
            random.randint(1, 3),
            random.randrange(60),
            random.randrange(len(_ODD)),
        )
        for _ in range(random.choice([0, 0, 0, 0, 1, 1, 2, 4]))
    ]


@dataclass(frozen=True, slots=True)
class Pace:
    """How many ticks Crms take to answer.

    Attributes:
        least: The fewest, by the Crm's key.
        spread: So many more at most, which ones depends on the operation and on `seed`.
        extra: Each operation takes so many more at most, another number for each `extra`.
    """

    least: Mapping[str, int]
    spread: int = 0
    seed: int = 0
    extra: int = 0

    def ticks(self, crm: str, operation: str) -> int:
        ticks = self.least.get(crm, 0)
        if self.spread:
            ticks += crc32(f"{self.seed} {crm} {operation}".encode()) % self.spread
        if self.extra:
            ticks += crc32(f"{self.extra} {crm} {operation}".encode()) % (self.extra + 1)
        return ticks

    def slower(self, by: int) -> "Pace":
        """The same, but each operation takes some ticks longer, so that no two come to the same tick because they did before."""
        return replace(self, extra=by)


def replies(of: list[Fault], pace: Pace) -> Callable[[Crm], Reply]:
    """Let Crms answer with these faults, and in their time."""

    def make(crm: Crm) -> Reply:
        async def reply(operation: str, found: dict[str, Any]) -> dict[str, Any]:
            for _ in range(pace.ticks(crm.key, operation)):
                await asyncio.sleep(0)
            for fault in of:
                if (fault.crm, fault.operation) == (crm.key, operation):
                    found = fault.spoil(found)
            return found

        return reply

    return make
