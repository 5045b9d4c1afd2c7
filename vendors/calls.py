"""What travels with an operation to every vendor call it makes: its deadline, who writes down what was called, whether it gives way.

All are context variables, so that tasks started on the way inherit them.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from contextvars import Context, ContextVar, copy_context
from dataclasses import field
from math import inf
from typing import Any, Generic, TypeVar

from vendors.values import dataclass

T = TypeVar("T")

Clock = Callable[[], float]
"""Monotonic seconds."""


@dataclass(slots=True, eq=False)
class Deadline:
    """The moment after which nobody waits any more, in seconds of a monotonic clock. `within` are those that move along with it."""

    at: float
    clock: Clock
    within: "list[Deadline]" = field(default_factory=list["Deadline"], repr=False)

    def remaining(self) -> float:
        """Seconds left; never below 0."""
        return max(0.0, self.at - self.clock())

    def extend_to(self, other: "Deadline") -> None:
        """Move to the later of the two moments."""
        self.at = max(self.at, other.at)
        for deadline in self.within:
            deadline.extend_to(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorCall:
    """One HTTP request to a vendor. `status` is None when no answer came."""

    crm: str
    operation: str
    status: int | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something odd in a vendor's data that did not stop the answer, such as a probability of 140.

    `local_id` is the record that it is odd in; None where it is an answer as a whole.
    """

    crm: str
    code: str
    message: str
    local_id: str | None = None


MAX_WARNINGS = 20
"""More warnings than that are not shown: they say the same again."""


@dataclass(slots=True)
class CallRecorder:
    """Collects the vendor calls, warnings and uses of kept tables of a scope, and passes them on to the scope around it.

    `kept_since` is the moment, in monotonic seconds, at which the oldest kept table that was used was read; None when none was.
    `joined_since` is the moment at which the earliest of those reads began that were under way and joined; None when none was.
    No more than `most_warnings` are collected.
    """

    parent: "CallRecorder | None" = None
    calls: list[VendorCall] = field(default_factory=list[VendorCall])
    warnings: list[Warned] = field(default_factory=list[Warned])
    cache_hits: int = 0
    kept_since: float | None = None
    joined_since: float | None = None
    most_warnings: float = MAX_WARNINGS
    _told: set[Warned] = field(default_factory=set[Warned], init=False, repr=False)

    def add(self, call: VendorCall) -> None:
        self.calls.append(call)
        if self.parent is not None:
            self.parent.add(call)

    def hit(self) -> None:
        self.cache_hits += 1
        if self.parent is not None:
            self.parent.hit()

    def use_kept(self, read_at: float) -> None:
        self.kept_since = read_at if self.kept_since is None else min(self.kept_since, read_at)
        if self.parent is not None:
            self.parent.use_kept(read_at)

    def join(self, begun_at: float) -> None:
        self.joined_since = begun_at if self.joined_since is None else min(self.joined_since, begun_at)
        if self.parent is not None:
            self.parent.join(begun_at)

    def warn(self, warned: Warned) -> None:
        if len(self.warnings) < self.most_warnings and warned not in self._told:
            self._told.add(warned)
            self.warnings.append(warned)
        if self.parent is not None:
            self.parent.warn(warned)

    def clear(self) -> None:
        """Begin anew."""
        self.calls.clear()
        self.warnings.clear()
        self._told.clear()
        self.cache_hits = 0
        self.kept_since = self.joined_since = None


_deadline: ContextVar[Deadline | None] = ContextVar("vendor_deadline", default=None)
_recorder: ContextVar[CallRecorder | None] = ContextVar("vendor_call_recorder", default=None)
_forbidden: ContextVar[bool] = ContextVar("vendor_calls_are_forbidden", default=False)
_background: ContextVar[bool] = ContextVar("vendor_calls_give_way", default=False)


def current_deadline() -> Deadline | None:
    """The deadline of the operation that is running, if it has one."""
    return _deadline.get()


def record_call(call: VendorCall) -> None:
    """Write a call down for whoever listens."""
    recorder = _recorder.get()
    if recorder is not None:
        recorder.add(call)


def record_cache_hit() -> None:
    """Note for whoever listens that a kept answer saved a call."""
    recorder = _recorder.get()
    if recorder is not None:
        recorder.hit()


def record_kept(read_at: float) -> None:
    """Note for whoever listens that an answer is taken from something that was read at that moment, in monotonic seconds."""
    recorder = _recorder.get()
    if recorder is not None:
        recorder.use_kept(read_at)


def record_joined(begun_at: float) -> None:
    """Note for whoever listens that work was joined that had begun at that moment, in monotonic seconds: what it reads is as of then."""
    recorder = _recorder.get()
    if recorder is not None:
        recorder.join(begun_at)


def retell(told: CallRecorder) -> None:
    """Tell whoever listens what was told elsewhere while the same was read, but for the calls, which were made once."""
    recorder = _recorder.get()
    if recorder is None:
        return
    warn_again(told.warnings)
    for _ in range(told.cache_hits):
        recorder.hit()
    if told.kept_since is not None:
        recorder.use_kept(told.kept_since)
    if told.joined_since is not None:
        recorder.join(told.joined_since)


class CallWithheldError(Exception):
    """A vendor would have been called, in a scope that calls none."""


def check_calls_are_allowed() -> None:
    """Stop whoever is about to call a vendor in a scope that calls none.

    Raises:
        CallWithheldError: This is such a scope.
    """
    if _forbidden.get():
        raise CallWithheldError


class _Scope(Generic[T]):
    """Lets a context variable have a value for a while. Generators would do it, too, and take three times as long."""

    __slots__ = ("_token", "_value", "_variable")

    def __init__(self, variable: ContextVar[Any], value: T) -> None:
        self._variable = variable
        self._value = value

    def __enter__(self) -> T:
        self._token = self._variable.set(self._value)
        return self._value

    def __exit__(self, *exc: object) -> None:
        self._variable.reset(self._token)


def without_calls() -> AbstractContextManager[object]:
    """Let every vendor call within this scope raise `CallWithheldError` instead: for finding out what would be called."""
    return _Scope(_forbidden, value=True)


def warn(crm: str, code: str, message: str, *, local_id: str | None = None) -> None:
    """Tell whoever listens that a vendor's data is odd.

    Args:
        crm: Key of the Crm.
        code: A stable word in capitals.
        message: For people.
        local_id: The record that it is odd in; None where it is an answer as a whole.
    """
    warn_again([Warned(crm=crm, code=code, message=message, local_id=local_id)])


def warn_again(warnings: Iterable[Warned]) -> None:
    """Tell whoever listens what was odd in data that was read before and is used now."""
    recorder = _recorder.get()
    if recorder is not None:
        for warned in warnings:
            recorder.warn(warned)


def deadline_scope(deadline: Deadline | None) -> AbstractContextManager[object]:
    """Let everything called within this scope end by the deadline."""
    return _Scope(_deadline, deadline)


def context_with(deadline: Deadline | None) -> Context:
    """The current context for a task of its own, in which everything ends by the deadline."""
    context = copy_context()
    context.run(_deadline.set, deadline)
    return context


def recording(recorder: CallRecorder | None = None) -> AbstractContextManager[CallRecorder]:
    """Collect the vendor calls made within this scope, in that recorder or in one that passes them on to the scope around it."""
    return _Scope(_recorder, recorder or CallRecorder(parent=_recorder.get()))


def recording_all_warnings() -> AbstractContextManager[CallRecorder]:
    """The same, however many warnings there are: for who keeps of each record what is odd in it."""
    return _Scope(_recorder, CallRecorder(parent=_recorder.get(), most_warnings=inf))


def giving_way() -> AbstractContextManager[object]:
    """Let calls within this scope leave room for those that people wait for."""
    return _Scope(_background, value=True)


def gives_way() -> bool:
    """Whether the current call is one that nobody waits for."""
    return _background.get()
