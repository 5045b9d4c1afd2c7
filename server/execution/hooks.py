"""Runs the hooks of extensions as Strawberry does, without finding out for every operation anew which there are and of which kind."""

import inspect
from collections.abc import Callable, Sequence
from enum import Enum
from functools import cache
from types import TracebackType
from typing import Any, Final

from strawberry.extensions import SchemaExtension
from strawberry.extensions.context import (
    ExecutingContextManager,
    OperationContextManager,
    ParsingContextManager,
    StreamResultContextManager,
    ValidationContextManager,
)
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types import ExecutionContext
from strawberry.utils.await_maybe import await_maybe

_NO_RESULTS: Final[Any] = SchemaExtension.get_results


class HooksRunner(SchemaExtensionsRunner):
    """Runs the hooks of one operation, asynchronously; for `strawberry.Schema.create_extensions_runner`.

    It runs hooks that are generators, as ours are; a stage in which an extension has another kind is left to Strawberry.
    """

    def operation(self) -> Any:
        return self._around(OperationContextManager)

    def parsing(self) -> Any:
        return self._around(ParsingContextManager)

    def validation(self) -> Any:
        return self._around(ValidationContextManager)

    def executing(self) -> Any:
        return self._around(ExecutingContextManager)

    def on_stream_result(self, result: Any) -> Any:
        return self._around(StreamResultContextManager, result)

    async def get_extensions_results(self, ctx: ExecutionContext) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for extension in self.extensions:
            if type(extension).get_results is not _NO_RESULTS:
                told.update(await await_maybe(extension.get_results()))
        told.update(ctx.extensions_results)
        return told

    def _around(self, stage: Any, *given: Any) -> Any:
        hooks: list[tuple[Callable[..., Any], bool]] = []
        for extension in self.extensions:
            class_: Any = type(extension)
            kind = _kind_of_hook(class_, stage.HOOK_NAME)
            if kind is _Kind.OTHER:
                return stage(self.extensions, *given)
            if kind is not _Kind.NONE:
                hooks.append((getattr(extension, stage.HOOK_NAME), kind is _Kind.ASYNC))
        return _Around(hooks, given)


class _Kind(Enum):
    NONE = 0
    PLAIN = 1  # a generator
    ASYNC = 2
    OTHER = 3


@cache
def _kind_of_hook(extension: Any, name: str) -> _Kind:
    hook = getattr(extension, name)
    if hook is getattr(SchemaExtension, name):
        return _Kind.NONE
    if inspect.isgeneratorfunction(hook):
        return _Kind.PLAIN
    return _Kind.ASYNC if inspect.isasyncgenfunction(hook) else _Kind.OTHER


class _Around:
    """A scope in which hooks have begun; with its end they go on, the last one first."""

    __slots__ = ("_begun", "_given", "_hooks")

    def __init__(self, hooks: Sequence[tuple[Callable[..., Any], bool]], given: tuple[Any, ...]) -> None:
        self._hooks = hooks
        self._given = given
        self._begun: list[tuple[Any, bool]] = []

    async def __aenter__(self) -> None:
        try:
            for hook, is_async in self._hooks:
                begun = hook(*self._given)
                if is_async:
                    await anext(begun)
                else:
                    next(begun)
                self._begun.append((begun, is_async))
        except BaseException as error:
            await self._end(error)
            raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._end(error)

    async def _end(self, raised: BaseException | None) -> None:
        """Let the hooks go on, with the exception if there is one; what one of them makes of it is for those before it.

        Raises:
            BaseException: A hook has raised another one.
        """
        error = raised
        for hook, is_async in reversed(self._begun):
            try:
                if is_async:
                    await (anext(hook) if error is None else hook.athrow(error))
                elif error is None:
                    next(hook)
                else:
                    hook.throw(error)
            except (StopIteration, StopAsyncIteration):
                error = None
            except BaseException as other:  # noqa: BLE001  # whatever it is, those before have their turn
                error = other
            else:
                error = RuntimeError("A hook of an extension yields once.")
        if error is not None and error is not raised:
            raise error
