"""The kinds of fields: where the values of each come from.

One piece, because each kind is the same few questions answered in its own way, and is read beside the others. Loops stand where a map or a
comprehension would do: for one object those take as long as a loop does for ten, and most operations show few.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import repeat
from operator import attrgetter
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from resolvers.loaders.level import Wait
from resolvers.relation import FieldPlan
from server.execution.core import get_argument_values, get_named_type
from server.execution.leaves import LISTS, NEVER_AWAITED, FlawError, is_built_in, value_completion
from server.execution.plan import Arrival, Step, flattened
from vendors.model import UNREAD, Ref, Unread

if TYPE_CHECKING:
    from server.execution.run import Level, Run


class Failure:
    """Stands where a resolver has failed instead of giving a value."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


@dataclass(slots=True, eq=False)
class TypenameStep(Step):
    """`__typename`."""

    @property
    def resolves(self) -> bool:
        return False

    def complete(self, run: "Run", objects: list[Any]) -> list[Any]:
        del run
        return [self.owner.object_type.name] * len(objects)


@dataclass(slots=True, eq=False)
class ReadStep(Step):
    """A value that is read off the object, or computed from it alone, which may be done again at any time."""

    read: Callable[[Any], Any] = attrgetter("")
    attribute: str | None = None

    @property
    def resolves(self) -> bool:
        return self.children is not None and not (self.children.is_plain and self.children.depth == 0)

    def resolve(self, run: "Run", level: "Level", objects: list[Any]) -> None:
        assert self.children is not None
        values = list(map(self.read, objects))
        level.columns[self.index] += values
        self.children.enter(run, self, values)

    def complete(self, run: "Run", objects: list[Any]) -> list[Any]:
        if self.resolves:
            return Step.complete(self, run, objects)
        values: list[Any] = []
        try:
            values += map(self.read, objects)
            if self.children is not None:
                return self.children.plainly(run, self, values)
            assert self.complete_all is not None
            return self.complete_all(values)
        except Exception:
            for source, value in zip(objects, values, strict=False):
                self._keep(run, source, value)
            raise

    def completion(self) -> "Callable[[Run, Any, Any], Any]":
        """Shows a single value that was read off an object."""
        complete = value_completion(self.definition.type)

        def complete_read(run: "Run", source: Any, value: Any) -> Any:
            try:
                return complete(value)
            except Exception:
                self._keep(run, source, value)
                raise

        return complete_read

    def _keep(self, run: "Run", source: Any, value: Any) -> None:
        run.unshown.setdefault((self, id(source)), []).append((source, value))

    def repeated(self, run: "Run", resolve: Callable[..., Any]) -> Callable[..., Any]:
        level = run.levels[self.owner.number]
        if level is None if self.resolves else not run.unshown:
            return resolve

        def repeat_reading(source: Any, info: Any, **arguments: Any) -> Any:
            """Give what was found: a property may make another object each time."""
            if self.resolves:
                value = level.take(self.index, source)
            else:
                found = run.unshown.get((self, id(source)))
                value = found.pop(0)[1] if found else NOT_FOUND
            return resolve(source, info, **arguments) if value is NOT_FOUND else value

        return repeat_reading


@dataclass(slots=True, eq=False)
class CallStep(Step):
    """A value that a function finds; it is called once for each object, and may give something to await.

    Args:
        call: Takes the objects and gives an iterator over their values.
        may_wait: Whether values may have to be awaited.
    """

    call: "Call" = lambda _run, _step, _objects: iter(())
    may_wait: bool = True

    def resolve(self, run: "Run", level: "Level", objects: list[Any]) -> None:
        column = level.columns[self.index]
        begin = len(column)
        failed = None
        try:
            column += self.call(run, self, objects)  # what was found before a failure stays in the column
        except Exception as error:  # noqa: BLE001  # whatever a resolver raises is the field's error
            failed = error
            column.append(Failure(error))
        values = column[begin:]
        if self.may_wait and self._needs_sifting(values):
            values = self._sifted(run, level, begin, objects)
        if failed is not None:
            raise FlawError from failed
        self._go_on(run, values)

    def arrive(self, run: "Run", arrived: list[Arrival]) -> None:
        values: list[Any] = []
        items: list[Any] = []
        for arrival in arrived:
            value = arrival.values[arrival.position]
            if isinstance(value, Failure):
                continue
            if arrival.values is arrival.level.columns[self.index]:
                values.append(self._without_awaitables(run, arrival.level, arrival.position, arrival.source, arrival.future))
            else:
                items.append(value)
        if items:
            values.append(items)
        self._go_on(run, values)

    def _go_on(self, run: "Run", values: list[Any]) -> None:
        if self.children is not None:
            self.children.enter(run, self, values)
        elif self.required[0]:
            self._look_at(values)

    def _look_at(self, values: list[Any]) -> None:
        """See that leaves are as they have to be before others are waited for, as far as it takes no scalar of one's own.

        Raises:
            FlawError: They are not; so does any other exception.
        """
        assert self.complete_all is not None
        if is_built_in(get_named_type(self.definition.type)):
            self.complete_all(values)  # again when they are shown, which a scalar of one's own might notice
        elif any(value is None for value in values):
            raise FlawError

    def repeated(self, run: "Run", resolve: Callable[..., Any]) -> Callable[..., Any]:
        level = run.levels[self.owner.number]
        if level is None:
            return resolve

        def repeat_result(source: Any, info: Any, **arguments: Any) -> Any:
            awaited = level.awaited.get((self.index, id(source)))
            if awaited is not None:
                return awaited.again(partial(resolve, source, info, **arguments))
            value = level.take(self.index, source)
            if value is NOT_FOUND:
                return resolve(source, info, **arguments)
            if isinstance(value, Failure):
                raise value.error
            return value

        return repeat_result

    def _needs_sifting(self, values: list[Any]) -> bool:
        has_lists = False
        for kind in set(map(type, values)):
            if kind in LISTS:
                has_lists = True
            elif kind not in NEVER_AWAITED and is_awaitable_kind(kind):
                return True
        return has_lists and (self.children is not None or any(type(value) in LISTS and has_awaitable(value) for value in values))

    def _sifted(self, run: "Run", level: "Level", begin: int, objects: list[Any]) -> list[Any]:
        """The values that are there, without those that have to be awaited first, and which the run now waits for."""
        column = level.columns[self.index]
        values: list[Any] = []
        for position, source in zip(range(begin, len(column)), objects, strict=False):
            value = column[position]
            if not is_awaitable_kind(value.__class__):
                values.append(self._without_awaitables(run, level, position, source))  # it is the same list
            elif run.can_wait:
                future = asyncio.ensure_future(value)
                level.awaited[self.index, id(source)] = Awaited(future)
                run.wait(Arrival(self, level, column, position, source, future, is_required=self.required[0]))
            else:
                raise FlawError
        return values

    def _without_awaitables(self, run: "Run", level: "Level", position: int, source: Any, awaited: Any = None) -> Any:
        """The value at a position; of a list only the items that are there, while the run waits for the others.

        Raises:
            FlawError: There are others that it does not wait for, such as leaves.
        """
        value = level.columns[self.index][position]
        if type(value) not in LISTS or not has_awaitable(value):
            return value
        if self.children is None or self.children.depth != 1 or not run.can_wait:
            raise FlawError
        items: list[Any] = [asyncio.ensure_future(item) if is_awaitable_kind(item.__class__) else item for item in value]
        level.columns[self.index][position] = items
        level.awaited[self.index, id(source)] = Awaited(awaited, list(items))
        there: list[Any] = []
        for number, item in enumerate(items):
            if isinstance(item, asyncio.Future):
                run.wait(Arrival(self, level, items, number, source, item, is_required=self.required[1]))
            else:
                there.append(item)
        return there


class Awaited:
    """What a resolver gave to be awaited, for whoever asks it again.

    Args:
        future: The value that is awaited, if it is.
        items: The items of the list that it is, if some of them are awaited.
    """

    __slots__ = ("_future", "_is_used_up", "_items")

    def __init__(self, future: Any, items: list[Any] | None = None) -> None:
        self._future = future
        self._items = items
        self._is_used_up = False

    def again(self, resolve: Callable[[], Any]) -> Any:
        """Give it, or resolve it anew where it can be used only once and was given already."""
        if self._future is None:
            return self._list()
        return self._later(resolve)

    async def _later(self, resolve: Callable[[], Any]) -> Any:
        value = await _shared(self._future)
        if self._items is not None:
            return self._list()
        if self._is_used_up:
            another = resolve()
            return await another if is_awaitable_kind(another.__class__) else another
        self._is_used_up = is_for_once(value)
        return value

    def _list(self) -> list[Any]:
        return [_shared(item) for item in self._items or ()]


@dataclass(slots=True, eq=False)
class RelationStep(Step):
    """A declared relation: the records of a whole level are loaded with one wait for each Crm."""

    plan: FieldPlan = field(default_factory=FieldPlan)
    key: Callable[[Any], Any] = attrgetter("")

    def resolve(self, run: "Run", level: "Level", objects: list[Any]) -> None:
        keys = [self.key(objects[0])] if len(objects) == 1 else list(map(self.key, objects))
        column = level.columns[self.index]
        begin = len(column)
        column += keys
        if self.plan.links and Unread in set(map(type, keys)):
            links = run.executor.context_value.loaders.links_by_opportunity
            for position, (key, record) in enumerate(zip(keys, objects, strict=True), begin):
                if key is not UNREAD:
                    continue
                told = links.load(record)
                if told.done() and told.exception() is None:  # it was known: what it leads to is asked for together with the others
                    column[position] = self._key_of(told.result())
                else:
                    run.wait(Arrival(self, level, column, position, record, told))
            keys = [key for key in column[begin:] if key is not UNREAD]
        self._load(run, level, keys)

    def arrive(self, run: "Run", arrived: list[Arrival]) -> None:
        """Go on with the keys that links have told."""
        keys: list[Any] = []
        for arrival in arrived:
            links = arrival.values[arrival.position]
            if isinstance(links, Failure):
                continue
            found = self._key_of(links)
            arrival.values[arrival.position] = found
            keys.append(found)
        self._load(run, arrived[0].level, keys)

    def _key_of(self, links: Any) -> Any:
        return None if links is None else self.key(links)

    def complete(self, run: "Run", objects: list[Any]) -> list[Any]:
        del objects
        assert self.children is not None
        level = run.levels[self.owner.number]
        shown = None if self.children.is_plain else self.children.shown(run)
        column = level.columns[self.index]
        by_ref: dict[Any, Any] = {}
        for refs, found in level.loaded.get(self.index, ()):
            rows = found if shown is None else [shown[id(record)] for record in found]
            if refs == column:  # never, where it holds lists of them
                return rows
            for ref, row in zip(refs, rows):
                by_ref[ref] = row
        if self.plan.many:
            if self.children.required[0] and None in column:
                raise FlawError
            return [None if refs is None else [by_ref[ref] for ref in refs] for refs in column]
        if not self.children.required[0]:
            by_ref[None] = None
        return [by_ref[ref] for ref in column]

    def _load(self, run: "Run", level: "Level", keys: list[Any]) -> None:
        assert self.children is not None
        required = self.children.required
        keys = flattened(keys, is_required=required[0]) if self.plan.many else keys
        if not _REF_KINDS.issuperset(map(type, keys)):
            raise FlawError  # what looks like a ref would be taken for one
        refs: dict[Any, Any] = {keys[0]: None} if len(keys) == 1 else dict.fromkeys(keys)
        if None in refs:
            if required[-1]:
                raise FlawError
            del refs[None]
        asked = level.asked.setdefault(self.index, refs)
        if asked is not refs:
            refs = {ref: None for ref in refs if ref not in asked}
            asked.update(refs)
        if not refs:
            return
        loader: Any = getattr(run.executor.context_value.loaders, self.plan.loader or "")
        there: list[Any] = []
        for part, found in loader.load_level(refs):
            if isinstance(found, Wait):
                if self.children.is_plain:
                    run.wait_to_show(found, partial(self._found, run, level, part))
                else:
                    run.wait_for_level(found, partial(self._loaded, run, level, part))
            else:
                there += self._found(run, level, part, found)
        if there:
            self._enter(run, there)

    def _loaded(self, run: "Run", level: "Level", refs: Sequence[Any], found: dict[str, Any]) -> None:
        records = self._found(run, level, refs, found)
        if records:
            self._enter(run, records)

    def _found(self, run: "Run", level: "Level", refs: Sequence[Any], found: dict[str, Any]) -> list[Any]:
        """Note what was loaded, and give the records of which something has to be resolved; the others are shown."""
        children = self.children
        assert children is not None
        records = list(found.values())
        left: list[Any] = [] if children.is_plain else records
        are_known = children.are_known(records)
        if not are_known:
            kinds = set(map(type, records))
            if any(map(_is_error, kinds)) or (children.required[-1] and NoneType in kinds):
                self._note_flaw(run)
                return [record for record in left if record is not None and not isinstance(record, Exception)]
        noted: Sequence[Any] = records
        if children.is_plain:
            try:
                noted = run.show(children.only, records) if are_known else children.plainly(run, self, records)
            except Exception:  # noqa: BLE001  # graphql-core will find it again and say what it means
                self._note_flaw(run)
                return left
        level.loaded.setdefault(self.index, []).append((refs, noted))
        return left

    def _note_flaw(self, run: "Run") -> None:
        """Note that a record is missing or wrong, which takes its own place, and more only where it is required."""
        assert self.children is not None
        if self.children.required[-1]:
            run.break_off_soon()
        else:
            run.is_flawed = True

    def _enter(self, run: "Run", records: list[Any]) -> None:
        assert self.children is not None
        self.children.enter(run, self, [records] if self.children.depth else records)


@cache
def _is_error(kind: type) -> bool:
    return issubclass(kind, Exception)


Call = Callable[["Run", Step, Sequence[Any]], Any]
NOT_FOUND: Final = object()
_REF_KINDS: Final = frozenset({Ref, NoneType})


@cache
def is_awaitable_kind(kind: Any) -> bool:
    """Whether values of a class have to be awaited."""
    return hasattr(kind, "__await__")


def has_awaitable(values: Sequence[Any]) -> bool:
    return any(map(is_awaitable_kind, set(map(type, values))))


def is_for_once(value: Any) -> bool:
    """Whether a value, or an item of a list, is used up by who awaits it or goes through it."""
    kind = value.__class__
    return any(map(is_for_once, value)) if kind in LISTS else _is_kind_for_once(kind)


@cache
def _is_kind_for_once(kind: Any) -> bool:
    return any(hasattr(kind, name) for name in ("__await__", "__next__", "__anext__"))


def computed(function: Callable[[Any], Any]) -> Call:
    """Call a function with each object."""
    return lambda _run, _step, objects: map(function, objects)


def contextual(function: Callable[[Any, Any], Any]) -> Call:
    """Call a function with each object and the operation's context."""
    return lambda run, _step, objects: map(function, objects, repeat(run.executor.context_value))


def resolved(run: "Run", step: Step, objects: Sequence[Any]) -> Any:
    """Call the field's resolver as graphql-core does; its info tells the whole path of objects that are in no list."""
    executor = run.executor
    node = step.details[0].node
    arguments: dict[str, Any] = {}
    if step.definition.args or node.arguments:
        values = step.details[0].fragment_variable_values
        arguments = get_argument_values(step.definition, node, executor.variable_values, values, executor.hide_suggestions)
    resolve = step.definition.resolve or executor.field_resolver
    info = run.info_of(step)
    return (resolve(source, info, **arguments) for source in objects)


def _shared(value: Any) -> Any:
    """The value; a future so that it is not cancelled with one of several who wait for it."""
    future: Any = value
    if isinstance(value, asyncio.Future) and not future.done():
        shielded = asyncio.shield(future)
        shielded.add_done_callback(_look_at)
        return shielded
    return future


def _look_at(future: "asyncio.Future[Any]") -> None:
    """Keep a failure from being reported as one that nobody looked at: who waited for it may have been cancelled."""
    if not future.cancelled():
        future.exception()
