"""One execution of a plan: level by level over distinct objects, and no branch waits for a slower one.

Everything that needs no waiting is resolved at once, so that all relations of a level are asked for in the same tick. What arrives later
goes on from where it was asked for. Records of which nothing has to be resolved are shown when they arrive; everything else is shown when
all of it is there, from the leaves up.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from resolvers.loaders.level import Wait
from server.execution.core import assume_not_awaitable
from server.execution.leaves import FlawError
from server.execution.plan import Arrival, ObjectPlan, Plan, Step
from server.execution.steps import NOT_FOUND, Awaited, Failure, is_for_once

if TYPE_CHECKING:
    from server.execution.executor import BreadthFirstExecutor


class Level:
    """The objects met at one place of the operation, and the values of their fields.

    Records of a relation of which all fields are read off them when they are shown, as those of most are, need none.

    Attributes:
        by_id: The distinct objects by their ids; it keeps them alive, so that ids stay theirs.
        shown: What is shown of each object, by its id.
        columns: For each field the values, in the order of the objects.
        awaited: What had to be awaited, by field and object.
        asked: The refs of each relation that were asked for.
        loaded: The records of each relation beside their refs, or what is shown of them.
    """

    __slots__ = ("_positions", "asked", "awaited", "by_id", "columns", "loaded", "shown")

    columns: list[list[Any]]
    awaited: dict[tuple[int, int], Awaited]
    asked: dict[int, dict[Any, Any]]
    loaded: dict[int, list[tuple[Sequence[Any], Sequence[Any]]]]
    _positions: dict[int, int]

    def __init__(self, plan: ObjectPlan, objects: dict[int, Any]) -> None:
        self.by_id = objects
        self.shown: dict[int, Any] = {}
        if plan.active:
            self.columns = [[] for _ in plan.steps]
            self.awaited, self.asked, self.loaded, self._positions = {}, {}, {}, {}

    def take(self, index: int, source: Any) -> Any:
        """The value of a field that was found for an object, or NOT_FOUND; what can be used only once is given once."""
        if len(self._positions) != len(self.by_id):
            self._positions = {key: position for position, key in enumerate(self.by_id)}
        position = self._positions.get(id(source))
        column = self.columns[index]
        if position is None or position >= len(column):
            return NOT_FOUND
        value = column[position]
        if is_for_once(value):
            column[position] = NOT_FOUND
        return value


class Run:
    """Resolves a plan, and shows what was found.

    Attributes:
        levels: The objects that were met, by the number of their plan; None where none were.
        unshown: What was read off an object and cannot be shown, by field and the object's id, with the object each time.
        is_flawed: Whether something was found that makes for an error.
        pending: Number of waits.
        can_wait: Whether there is an event loop to wait in, and whoever executes the operation means to.
    """

    def __init__(self, executor: "BreadthFirstExecutor", plan: Plan) -> None:
        self.executor = executor
        self.plan = plan
        self.levels: list[Any] = [None] * len(plan.objects)  # Level | None; what asks for one knows that it is there
        self.unshown: dict[tuple[Step, int], list[tuple[Any, Any]]] = {}
        self.is_flawed = False
        self.pending = 0
        predicate: Any = executor
        loop = asyncio._get_running_loop()  # noqa: SLF001  # the public way raises an exception where there is none
        self._loop: Any = loop  # asking again is a call of the system each time
        self.can_wait = predicate.is_awaitable is not assume_not_awaitable and loop is not None
        self._is_over = False
        self._is_broken_off = False
        self._ended_by: BaseException | None = None
        self._arrived: list[Arrival] = []
        self._brought: list[tuple[Context, Callable[[Any], object], Any]] = []
        self._idle: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    def begin(self) -> None:
        """Resolve everything that needs no waiting.

        Raises:
            FlawError: The quick way ends here; so does any other exception.
        """
        root = self.executor.root_value
        self.enter(self.plan.root, {id(root): root})
        if self._is_broken_off:
            raise FlawError

    def enter(self, plan: ObjectPlan, distinct: dict[int, Any]) -> None:
        """Resolve objects that were not met before at this place."""
        level = self.levels[plan.number]
        if level is None:
            level = self.levels[plan.number] = Level(plan, distinct)
        else:
            distinct = {key: value for key, value in distinct.items() if key not in level.by_id}
            level.by_id.update(distinct)
            if not distinct:
                return
        objects = list(distinct.values())
        for step in plan.active:
            step.resolve(self, level, objects)

    def info_of(self, step: Step) -> Any:
        nodes = [details.node for details in step.details]
        executor: Any = self.executor
        return executor.build_resolve_info(step.definition, nodes, step.owner.object_type, step.path)

    def wait(self, arrival: Arrival) -> None:
        """Wait for a value, together with others that arrive in the same tick."""
        self.pending += 1
        future: asyncio.Future[Any] = arrival.future
        if isinstance(future, asyncio.Task):
            self._tasks.append(future)
        future.add_done_callback(partial(self._note, arrival))

    def wait_for_level(self, wait: Wait, then: Callable[[Any], object]) -> None:
        """Go on with the records of a level in the tick after the one that brings them, as who awaits a future does."""
        self.pending += 1
        wait.then = partial(self._bring, copy_context(), then)  # not that of the batch, nor of what other levels lead to

    def wait_to_show(self, wait: Wait, then: Callable[[Any], object]) -> None:
        """Do the same in that very tick, for what nobody can tell the tick of: it resolves nothing, and asks for nothing."""
        self.pending += 1
        run_in_context: Any = copy_context().run
        wait.then = partial(run_in_context, self._go_on, then)

    async def until_idle(self) -> None:
        """Wait until nothing is to be waited for any more, or the quick way has ended.

        Raises:
            CancelledError: What was waited for was cancelled; so does whatever else is no mere exception.
        """
        if self.pending and not self._is_over and not self._is_broken_off:  # nobody may have waited until now
            idle: asyncio.Future[None] = self._loop.create_future()
            self._idle = idle
            await idle
        self._is_over = True
        if self._ended_by is not None:
            raise self._ended_by

    def stop(self) -> None:
        """Go on with nothing that arrives from now on."""
        self._is_over = True

    async def end(self) -> None:
        """Leave nothing under way that belongs to this run alone."""
        left = self.cancel()
        if left:
            await asyncio.gather(*left, return_exceptions=True)

    def cancel(self) -> "list[asyncio.Task[Any]]":
        """Do the same without waiting for it, and give what has yet to end."""
        self._is_over = True
        left = [task for task in self._tasks if not task.done()]
        for task in left:
            task.cancel()
        return left

    def cancel_soon(self) -> None:
        """Do the same once everything that has yet to begin has run up to its first wait, since graphql-core lets it run, too."""
        if self._tasks:
            self._loop.call_soon(self.cancel)

    def shown(self) -> dict[str, Any]:
        """What is shown of the whole operation.

        Raises:
            FlawError: There is something that makes for an error; so does any other exception.
        """
        for plan in reversed(self.plan.objects):
            level = self.levels[plan.number]
            if level is not None:
                shown = level.shown
                for key, row in zip(level.by_id, self.show(plan, list(level.by_id.values()))):
                    shown[key] = row
        (data,) = self.levels[self.plan.root.number].shown.values()
        return cast("dict[str, Any]", data)

    def show(self, plan: ObjectPlan, objects: list[Any]) -> list[dict[str, Any]]:
        """What is shown of objects that were resolved, or of which nothing has to be resolved."""
        return plan.complete(self, objects) if plan.complete is not None else completed(plan, self, objects)

    def _note(self, arrival: Arrival, future: "asyncio.Future[Any]") -> None:
        error = None if future.cancelled() else future.exception()  # looked at in any case, so that nobody is told that no one did
        if self._is_over:
            return
        if error is not None and arrival.is_required:
            self._break_off()  # it takes more than its own place: what else is awaited may not be needed any more
            return
        if not self._arrived:
            self._loop.call_soon(self._take_in)
        self._arrived.append(arrival)

    def _take_in(self) -> None:
        """Go on with everything that has arrived, field by field."""
        if self._is_over:
            return
        arrived, self._arrived = self._arrived, []
        self.pending -= len(arrived)
        by_step: dict[tuple[int, int], list[Arrival]] = {}
        for arrival in arrived:
            if arrival.future.cancelled():
                self._give_up(asyncio.CancelledError())
                return
            error = arrival.future.exception()
            self.is_flawed = self.is_flawed or error is not None
            arrival.values[arrival.position] = arrival.future.result() if error is None else Failure(error)
            by_step.setdefault((arrival.step.owner.number, arrival.step.index), []).append(arrival)
        self._advance(self._arrive, by_step)

    def _arrive(self, by_step: dict[tuple[int, int], list[Arrival]]) -> None:
        for of_step in by_step.values():
            of_step[0].step.arrive(self, of_step)

    def _bring(self, context: Context, then: Callable[[Any], object], found: Any) -> None:
        if not self._brought:
            self._loop.call_soon(self._go_on_with_all)
        self._brought.append((context, then, found))

    def _go_on_with_all(self) -> None:
        brought, self._brought = self._brought, []
        for context, then, found in brought:
            context.run(self._go_on, then, found)

    def _go_on(self, then: Callable[[Any], object], found: Any) -> None:
        if self._is_over:
            return
        self.pending -= 1
        if found is None:
            self._give_up(asyncio.CancelledError())
        else:
            self._advance(then, found)

    def _advance(self, go_on: Callable[[Any], object], arrived: Any) -> None:
        try:
            go_on(arrived)
        except Exception:  # noqa: BLE001  # graphql-core will find it again and say what it means
            self._break_off()
            return
        except BaseException as error:  # noqa: BLE001  # it ends the operation, and not what else goes on here
            self._give_up(error)
            return
        if not self.pending:
            self._wake()

    def break_off_soon(self) -> None:
        """End the quick way when it has gone on with what arrives in this tick, so that what that asks for is asked together."""
        self.is_flawed = self._is_broken_off = True
        if self._idle is not None:
            self._loop.call_soon(self._wake)

    def _break_off(self) -> None:
        self.is_flawed = self._is_over = True
        self._wake()

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _give_up(self, error: BaseException) -> None:
        """End as who waited for what has failed so would end."""
        self._is_over = True
        self._ended_by = error
        self._wake()


def completed(plan: ObjectPlan, run: Run, objects: list[Any]) -> list[dict[str, Any]]:
    """What is shown of objects, when nothing is compiled yet."""
    if not plan.steps:
        return [{} for _ in objects]
    names = [step.name for step in plan.steps]
    columns = [step.complete(run, objects) for step in plan.steps]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
