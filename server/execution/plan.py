"""What an operation comes down to: for each type of object that may be met, the fields to fill and where their values come from.

A plan belongs to one document, operation and choice of `@skip` and `@include`; it holds nothing of a request and is shared by all that
send the same.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from graphql import GraphQLObjectType, Undefined
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.pyutils import Path

from server.execution.leaves import LISTS, CompleteAll, FlawError

if TYPE_CHECKING:
    from server.execution.run import Level, Run

ID_OF_NONE: Final = id(None)


@dataclass(slots=True, eq=False)
class ObjectPlan:
    """How objects of one type, at one place of the operation, are resolved and shown.

    Attributes:
        active: The steps that have something to resolve.
        complete: Shows objects, when it has been compiled.
        is_by_class: Whether the class of a value tells if it is of this type, as it does for types of ours.
        classes: Classes that are known to be.
    """

    number: int
    object_type: Any
    steps: "list[Step]" = field(default_factory=list[Any])
    active: "list[Step]" = field(default_factory=list[Any])
    complete: "Callable[[Run, list[Any]], list[dict[str, Any]]] | None" = None
    is_by_class: bool = False
    classes: set[Any] = field(default_factory=set[Any])

    def finish(self) -> None:
        self.active = [step for step in self.steps if step.resolves]
        told_by: Any = getattr(self.object_type.is_type_of, "__func__", None)
        self.is_by_class = getattr(told_by, "__module__", "").startswith("resolvers.types.")


@dataclass(slots=True, eq=False)
class Plan:
    """The plan of an operation.

    Args:
        collected: The fields as graphql-core has collected them, for its own way through the operation.
        shows_records: Whether it shows nothing but records and the lists they are in (see `resolvers.footing`).
    """

    objects: list[ObjectPlan]
    steps: "dict[int, Step]"
    root: ObjectPlan
    root_fields: GroupedFieldSet
    collected: dict[tuple[GraphQLObjectType, int], CollectedFields]
    shows_records: bool = False
    uses: int = 0


@dataclass(slots=True, eq=False)
class Children:
    """The objects that a field leads to, below as many levels of lists as its type has.

    Attributes:
        required: As in the step.
        abstract: The interface or union, if it is one.
        only: The plan of the objects, where it is none.
        is_plain: Whether they are of one type, and nothing of them has to be resolved.
    """

    required: tuple[bool, ...]
    plans: dict[str, ObjectPlan]
    abstract: Any = None
    depth: int = field(init=False)
    only: ObjectPlan = field(init=False)
    is_plain: bool = field(init=False)

    def __post_init__(self) -> None:
        self.depth = len(self.required) - 1
        self.only = next(iter(self.plans.values()))
        self.is_plain = self.abstract is None and not self.only.active

    def enter(self, run: "Run", step: "Step", values: list[Any]) -> None:
        """Go on with the objects among these values of the field.

        Raises:
            FlawError: They are not as they have to be; what one that may not be null takes away need not be waited for.
        """
        for number in range(self.depth):
            values = flattened(values, is_required=self.required[number])
        distinct = {id(values[0]): values[0]} if len(values) == 1 else dict(zip(map(id, values), values))
        if ID_OF_NONE in distinct:
            if self.required[-1]:
                raise FlawError
            del distinct[ID_OF_NONE]
        if not distinct:
            return
        if self.abstract is None:
            self.check(run, step, distinct.values())
            run.enter(self.only, distinct)
        else:
            self._enter_abstract(run, step, distinct)

    def are_known(self, values: Iterable[Any]) -> bool:
        """Whether all values are known to be objects of the field's type, by their classes."""
        return self.only.classes.issuperset(map(type, values))

    def check(self, run: "Run", step: "Step", objects: Collection[Any]) -> None:
        """See that objects of the field are of its type, where there is but one.

        Raises:
            FlawError: They are not, or have to be awaited.
        """
        if self.are_known(objects):
            return
        plan, kinds = self.only, set(map(type, objects))
        if any(map(is_no_object, kinds)):
            raise FlawError
        is_type_of = plan.object_type.is_type_of
        if is_type_of is not None:
            info = run.info_of(step)
            for value in objects:
                if not _plain(is_type_of(value, info)):
                    raise FlawError
        if plan.is_by_class:
            plan.classes |= kinds

    def _enter_abstract(self, run: "Run", step: "Step", distinct: dict[int, Any]) -> None:
        if any(map(is_no_object, set(map(type, distinct.values())))):
            raise FlawError
        info = run.info_of(step)
        resolve_type = self.abstract.resolve_type or run.executor.type_resolver
        by_type: dict[str, dict[int, Any]] = {}
        for key, value in distinct.items():
            name = _plain(resolve_type(value, info, self.abstract))
            if type(name) is not str or name not in self.plans:
                raise FlawError
            is_type_of = self.plans[name].object_type.is_type_of
            if is_type_of is not None and not _plain(is_type_of(value, info)):
                raise FlawError
            by_type.setdefault(name, {})[key] = value
        for name, of_type in by_type.items():
            run.enter(self.plans[name], of_type)

    def shown(self, run: "Run") -> dict[int, Any]:
        """What is shown of each object, by the object's id; None too where it may be missing."""
        if self.abstract is None:
            level = run.levels[self.only.number]
            shown: dict[int, Any] = {} if level is None else level.shown
        else:
            levels = [run.levels[plan.number] for plan in self.plans.values()]
            shown = dict(chain.from_iterable(level.shown.items() for level in levels if level is not None))
        if not self.required[-1]:
            shown[ID_OF_NONE] = None
        return shown

    def complete(self, run: "Run", column: list[Any]) -> list[Any]:
        """What is shown of each value of the field."""
        shown = self.shown(run)
        if self.depth == 0:
            return [shown[id(value)] for value in column]
        if self.depth == 1:
            if self.required[0]:
                return [[shown[id(item)] for item in _existing(value)] for value in column]
            return [None if value is None else [shown[id(item)] for item in value] for value in column]
        return [self._nested(shown, value, 0) for value in column]

    def plainly(self, run: "Run", step: "Step", values: list[Any]) -> list[Any]:
        """What is shown of objects of which nothing has to be resolved, and of None among them.

        Raises:
            FlawError: One is missing that may not be, or is not of its type.
        """
        if self.are_known(values):
            return run.show(self.only, values)
        there = [value for value in values if value is not None]
        self.check(run, step, there)
        rows: list[Any] = run.show(self.only, there)
        if len(there) == len(values):
            return rows
        if self.required[-1]:
            raise FlawError
        shown = iter(rows)
        return [None if value is None else next(shown) for value in values]

    def _nested(self, shown: dict[int, Any], value: Any, depth: int) -> Any:
        if depth == self.depth:
            return shown[id(value)]
        if value is None and not self.required[depth]:
            return None
        return [self._nested(shown, item, depth + 1) for item in _existing(value)]


@dataclass(slots=True, eq=False)
class Step:
    """A field of the objects of one plan.

    Args:
        name: Its name in the answer.
        index: Its number among the steps of its plan.
        owner: The plan it belongs to.
        details: Its nodes, as graphql-core has collected them.
        path: Where it stands, without the numbers of list items.
        required: Whether null is an error: for the value, for the items of the list that it is, for their items ...
        complete_all: For a leaf: shows a column of values.
        children: For anything else: the objects it leads to.
    """

    name: str
    index: int
    owner: ObjectPlan
    definition: Any  # GraphQLField
    details: FieldDetailsList
    path: Path
    complete_all: CompleteAll | None = None
    children: Children | None = None
    required: tuple[bool, ...] = (False,)

    @property
    def resolves(self) -> bool:
        """Whether there is something to do before objects can be shown."""
        return True

    def resolve(self, run: "Run", level: "Level", objects: list[Any]) -> None:
        """Find the values of objects, or begin to; go on with what they lead to."""

    def arrive(self, run: "Run", arrived: "list[Arrival]") -> None:
        """Go on with values that had to be awaited."""

    def complete(self, run: "Run", objects: list[Any]) -> list[Any]:
        """Give what is shown of the field, for each of the objects; they are those of the level, where it has one."""
        del objects
        column = run.levels[self.owner.number].columns[self.index]
        if self.children is not None:
            return self.children.complete(run, column)
        assert self.complete_all is not None
        return self.complete_all(column)

    def repeated(self, run: "Run", resolve: Callable[..., Any]) -> Callable[..., Any]:
        """A resolver that gives what was found, and resolves what was not."""
        del run
        return resolve


@dataclass(slots=True, eq=False)
class Arrival:
    """A value that is awaited and will be at `position` of `values`; a failure of a required one is not only its own."""

    step: Step
    level: "Level"
    values: list[Any]
    position: int
    source: Any
    future: Any
    is_required: bool = False


def flattened(values: list[Any], *, is_required: bool) -> list[Any]:
    """The items of lists, one after the other; None counts as an empty list, unless it may not be."""
    items: list[Any] = []
    for value in values:
        if type(value) in LISTS:
            items += value
        elif value is not None or is_required:
            raise FlawError
    return items


def _existing(value: Any) -> Any:
    if value is None:
        raise FlawError
    return value


@cache
def is_no_object(kind: Any) -> bool:
    """Whether values of a class are errors, or have to be awaited."""
    return issubclass(kind, Exception) or kind is type(Undefined) or hasattr(kind, "__await__")


def _plain(value: Any) -> Any:
    """The value, unless it has to be awaited."""
    if value is True or value is False or type(value) is str:
        return value
    if hasattr(value, "__await__"):
        if hasattr(value, "close"):
            value.close()  # a coroutine that is not to be run
        raise FlawError
    return value
