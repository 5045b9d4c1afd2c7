"""Makes a write: once, whatever is repeated, and with its outcome told."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from resolvers.errors import UserError, bad_input
from resolvers.freshness import drop_kept
from resolvers.types.enums import UserErrorCode, WriteOutcome
from resolvers.writing.ledger import Entry, EntryState, LedgerError
from resolvers.writing.values import Refusal, refusal_of
from vendors.errors import ErrorCode, OutcomeUnknownError, UnsupportedError, VendorError
from vendors.http import Request
from vendors.model import Ref
from vendors.registry import Crm
from vendors.writes import InputRefusedError, RuleCode, Violation, WritePlan, Written

if TYPE_CHECKING:
    from resolvers.context import Context

log = logging.getLogger(__name__)

_KEY: Final = ("idempotencyKey",)
_MOST_KEY_CHARACTERS: Final = 200
_NOT_KEPT: Final = Refusal(
    path=_KEY,
    code=UserErrorCode.PARTLY_DONE,
    message="Do not make it again: it was written, but its key could not be kept here. A repetition under the key looks it up.",
)
_ASK_AGAIN: Final = (
    "Whether this write has happened is not known. If one of `candidates` is what came of it, repeat the request with"
    " `resolution: {adopt: <its id>}`; if none is, with `resolution: {retry: true}`."
)
_THIS_TRY: Final = (
    "This try has written nothing. Whether an earlier one under this key has is still not known: adopt one of `candidates`, or mend what is"
    " wrong and say `resolution: {retry: true}` again."
)
_EARLIER_TRY: Final = (
    "Nothing was written by this try. Whether an earlier one under this `idempotencyKey` has written is still not known: say `resolution`"
    " again, or leave it out to have it looked up."
)
_NO_RECORD: Final = "There is no such record; adopt one of `candidates`."
_NOT_LIKE_IT: Final = (
    "Adopt one of `candidates`: this record is not what was to be written, by its texts or by when it was made. If it is the one"
    " nevertheless, use it as it is, and this key no more."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a write, as the graph shows it.

    Args:
        outcome: What became of it.
        ref: The record that was written.
        user_errors: Why it was not made, or which part of it was not.
        requests: What was, or would be, sent.
        candidates: For UNKNOWN: the records that it may have made; None when they could not be looked up.
    """

    outcome: WriteOutcome
    ref: Ref | None = None
    user_errors: Sequence[Refusal] = ()
    requests: Sequence[Request] = ()
    candidates: Sequence[Ref] | None = ()

    @classmethod
    def refused(cls, path: Sequence[str], code: UserErrorCode, message: str) -> "Outcome":
        """A write that was not made, for one reason."""
        return cls(outcome=WriteOutcome.REFUSED, user_errors=[Refusal(path=path, code=code, message=message)])


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up has brought.

    Args:
        refs: The records that a write may have made; None when there is nothing to look them up by.
        is_certain: Whether there is no doubt that it has made them.
    """

    refs: Sequence[Ref] | None
    is_certain: bool = False


class LookUp(Protocol):
    """Finds out what came of a write whose outcome nobody knows. Both raise VendorError when the Crm cannot be read."""

    async def find(self) -> Found: ...

    async def admits(self, ref: Ref) -> bool | None:
        """Tell whether that record may be what came of it; None when there is no such record."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a write is asked for.

    Args:
        idempotency_key: What makes repeating it harmless.
        dry_run: Whether it is only to be checked.
        adopt: For an UNKNOWN outcome: the record that is what came of it.
        retry: For an UNKNOWN outcome: whether it is to be made again.
    """

    idempotency_key: str | None = None
    dry_run: bool = False
    adopt: str | None = None
    retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A write into a Crm.

    Args:
        crm: The Crm.
        name: Name of the mutation.
        loader: Name of the loader that reads what it makes.
        input: Its input as JSON, which a repetition must have as well.
        plan: Checks and plans it; a refusal may come instead.
        look_up: Makes the look-up of one that began as the entry says.
        changes: The record that it changes; None when it makes one.
        mark: The custom field that it carries the mark of its key in, if any.
    """

    crm: Crm
    name: str
    loader: str
    input: object
    plan: Callable[[], Awaitable[WritePlan | Sequence[Refusal]]]
    look_up: Callable[[Entry], LookUp]
    changes: Ref | None = None
    mark: str | None = None


async def perform(context: "Context", write: Write, order: Order) -> Outcome:
    """Make a write as it is asked for.

    Raises:
        UserError: The idempotency key is none (BAD_USER_INPUT).
        VendorError: The vendor could not be reached or refused the call as such, so nothing was written; or, as OUTCOME_UNKNOWN, no answer
            tells whether it was.
    """
    key = order.idempotency_key
    if key is not None and not (0 < len(key) <= _MOST_KEY_CHARACTERS and key.isprintable()):
        raise bad_input(f"`idempotencyKey` must have 1 to {_MOST_KEY_CHARACTERS} printable characters; a random UUID does.")
    if order.dry_run:
        planned = await _planned(write)
        return planned if isinstance(planned, Outcome) else Outcome(outcome=WriteOutcome.DRY_RUN, requests=planned.requests)
    if key is None:
        planned = await _planned(write)
        made = planned if isinstance(planned, Outcome) else await _executed(context, write, planned)
    else:
        async with context.ledger.turn(key):
            made = await _once(context, write, order, key)
    await _hand_on(context, write, made)
    return made


async def _hand_on(context: "Context", write: Write, made: Outcome) -> None:
    """Let the change be noted, by the one reading of the record that the answer shows as well."""
    is_news = made.outcome in {WriteOutcome.DONE, WriteOutcome.ADOPTED} and made.ref is not None
    if context.changes is None or made.ref is None or not is_news or write.loader != "opportunities_by_ref":
        return
    record = await context.changes.hand_on(write.crm, made.ref)
    if record is not None:
        context.loaders.opportunities_by_ref.seed(record)


async def _once(context: "Context", write: Write, order: Order, key: str) -> Outcome:
    """Make a write under its key, unless it was made before."""
    content = json.dumps([write.name, write.crm.key, write.input], default=repr, sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()
    entry = await _begun(context, key, digest, write.mark)
    if entry is not None or order.adopt is not None:
        found = await _again(context, write, order, entry, key=key, digest=digest)
        if found is not None:
            return found
    try:
        made = await _made(context, write, key, entry)
    except VendorError as error:
        if entry is None or isinstance(error, OutcomeUnknownError):
            raise
        raise error.saying(f"{error.message} {_EARLIER_TRY}") from error
    if made.ref is None:
        await _noted(_not_written(context, key, entry))
        return made if entry is None else await _looked_up(context, write, entry, key, beside=made)
    is_kept = await _noted(_note_done(context, key, made.ref, made.user_errors))
    return made if is_kept else replace(made, user_errors=[*made.user_errors, _NOT_KEPT])


async def _made(context: "Context", write: Write, key: str, entry: Entry | None) -> Outcome:
    """Plan a write and carry it out; where that fails, the ledger says what is known of it. `entry` is that of an earlier try."""
    try:
        planned = await _planned(write)
    except BaseException:
        await _noted(_not_written(context, key, entry))
        raise
    if isinstance(planned, Outcome):
        return planned
    try:
        return await _executed(context, write, planned)
    except OutcomeUnknownError as error:
        await _noted(context.ledger.unknown(key))
        # The same error, with what a client can do about it.
        message = f"{error.message} Repeat the request with the same `idempotencyKey`: it is looked up then, and not made again."
        raise error.saying(message) from error
    except asyncio.CancelledError:
        await _noted(context.ledger.unknown(key))
        raise
    except VendorError:
        await _noted(_not_written(context, key, entry))
        raise
    except Exception:
        await _noted(context.ledger.unknown(key))
        raise


def _not_written(context: "Context", key: str, entry: Entry | None) -> Coroutine[Any, Any, None]:
    """Note that a try has written nothing: its key is free again, unless an earlier try may have written."""
    return context.ledger.withdrawn(key) if entry is None else context.ledger.unknown(key)


async def _noted(ending: Coroutine[Any, Any, None]) -> bool:
    """Whether the ledger has kept how a write ended; what it could not keep stays begun there, and is looked up when it is repeated."""
    try:
        await asyncio.shield(ending)
    except LedgerError as error:
        log.error("How a write has ended is not kept, and a repetition under its key will look it up: %s", error)  # noqa: TRY400  # no defect
        return False
    return True


async def _begun(context: "Context", key: str, digest: str, mark: str | None) -> Entry | None:
    """Note that a write begins, or give what is known of it already.

    Raises:
        UserError: The key cannot be kept now (UNAVAILABLE).
    """
    try:
        return await context.ledger.begin(key, digest, mark)
    except LedgerError as error:
        log.error("No write is made under a key that cannot be kept: %s", error)  # noqa: TRY400  # no defect
        message = "This request has written nothing: its key cannot be kept on the server's disk now. Repeat it later with the same key."
        raise UserError(ErrorCode.UNAVAILABLE, message, retryable=True) from error
    except asyncio.CancelledError:
        await _noted(context.ledger.unknown(key))  # it may have been noted, and nobody would end it
        raise


async def _again(  # noqa: PLR0911  # every case of a repetition
    context: "Context", write: Write, order: Order, entry: Entry | None, *, key: str, digest: str
) -> Outcome | None:
    """What a repetition of a write is answered with; None when it has to be made after all."""
    if entry is None:
        await context.ledger.withdrawn(key)
        message = "No write under this key has to be resolved; look for a mistake in the key, or leave `resolution` out to make the write."
        return Outcome.refused(_KEY, UserErrorCode.NOT_FOUND, message)
    if entry.digest != digest:
        message = "This `idempotencyKey` belongs to a write with another input; use a new one for a new write."
        return Outcome.refused(_KEY, UserErrorCode.KEY_REUSED, message)
    if entry.state is EntryState.DONE and entry.result is not None:
        problems = [Refusal(**{**problem, "code": UserErrorCode[problem["code"]]}) for problem in entry.result["problems"]]
        return Outcome(outcome=WriteOutcome.REPLAYED, ref=Ref(write.crm.key, entry.result["id"]), user_errors=problems)
    if entry.state is EntryState.STARTED:
        await _noted(context.ledger.unknown(key))  # it is our turn, so that nobody is at it: its end could not be kept
    if order.retry and await context.ledger.begin_again(key, digest, write.mark):
        return None
    if order.adopt is None:
        return await _looked_up(context, write, entry, key)
    ref = Ref(write.crm.key, order.adopt)
    is_admitted = await write.look_up(entry).admits(ref)
    if not is_admitted:
        problem = (UserErrorCode.NOT_FOUND, _NO_RECORD) if is_admitted is None else (UserErrorCode.INVALID_REFERENCE, _NOT_LIKE_IT)
        return Outcome.refused(("resolution", "adopt"), *problem)
    return await _adopted(context, write, key, ref)


async def _looked_up(context: "Context", write: Write, entry: Entry, key: str, *, beside: Outcome | None = None) -> Outcome:
    """What a write may have made whose outcome nobody knows; `beside` is a later try that has written nothing."""
    found = await _found(context, write, entry)
    if found.is_certain and found.refs is not None and len(found.refs) == 1:
        return await _adopted(context, write, key, found.refs[0])
    told = Refusal(path=_KEY, code=UserErrorCode.OUTCOME_UNKNOWN, message=_ASK_AGAIN if beside is None else _THIS_TRY)
    return Outcome(
        outcome=WriteOutcome.UNKNOWN,
        user_errors=[*(() if beside is None else beside.user_errors), told],
        requests=() if beside is None else beside.requests,
        candidates=found.refs,
    )


async def _adopted(context: "Context", write: Write, key: str, ref: Ref) -> Outcome:
    _forget(context, write.crm, ref)  # the vendor may have made it long after everybody else forgot
    await _note_done(context, key, ref, ())
    return Outcome(outcome=WriteOutcome.ADOPTED, ref=ref)


async def _found(context: "Context", write: Write, entry: Entry) -> Found:
    context.indexes.forget(write.crm.key)
    try:
        return await write.look_up(entry).find()
    except VendorError as error:
        log.warning("CRM %r: what %s may have made could not be looked up: %s", write.crm.key, write.name, error.code)
        return Found(None)


async def _planned(write: Write) -> WritePlan | Outcome:
    """The plan of a write, or its refusal."""
    try:
        plan = await write.plan()
    except UnsupportedError as error:
        return Outcome(
            outcome=WriteOutcome.REFUSED, user_errors=[Refusal(path=["input"], code=UserErrorCode.NOT_SUPPORTED, message=error.message)]
        )
    if not isinstance(plan, WritePlan):
        return Outcome(outcome=WriteOutcome.REFUSED, user_errors=plan)
    if plan.violations:
        refusals = [refusal_of(violation, write.crm) for violation in plan.violations]
        return Outcome(outcome=WriteOutcome.REFUSED, user_errors=refusals, requests=plan.requests)
    return plan


async def _executed(context: "Context", write: Write, plan: WritePlan) -> Outcome:
    """Carry a plan out."""
    try:
        written = await plan.execute()
    except InputRefusedError as error:
        violations = error.violations or (Violation(path=(), code=RuleCode.REJECTED_BY_VENDOR, message=error.message),)
        return Outcome(
            outcome=WriteOutcome.REFUSED, user_errors=[refusal_of(violation, write.crm) for violation in violations], requests=plan.requests
        )
    finally:
        context.indexes.forget(write.crm.key)
        drop_kept(write.crm, *([] if write.changes is None else [write.changes.local_id]))
    return _outcome(context, write.crm, written, plan)


def _forget(context: "Context", crm: Crm, ref: Ref) -> None:
    """Let nothing that was read before be shown of a record that has been written."""
    context.indexes.forget(crm.key)
    context.loaders.forget(ref)
    drop_kept(crm, ref.local_id)


def _outcome(context: "Context", crm: Crm, written: Written, plan: WritePlan) -> Outcome:
    ref = Ref(crm.key, written.local_id)
    _forget(context, crm, ref)
    problems = [refusal_of(problem, crm) for problem in written.problems]
    return Outcome(outcome=WriteOutcome.DONE, ref=ref, user_errors=problems, requests=plan.requests)


async def _note_done(context: "Context", key: str, ref: Ref, problems: Sequence[Refusal]) -> None:
    kept = [
        {"path": list(problem.path), "code": problem.code.name, "message": problem.message, "vendor_code": problem.vendor_code}
        for problem in problems
    ]
    await context.ledger.done(key, {"id": ref.local_id, "problems": kept})
