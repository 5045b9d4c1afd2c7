"""Makes a write: once, whatever is repeated, and with its outcome told."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from resolvers.errors import bad_input
from resolvers.types.enums import UserErrorCode, WriteOutcome
from resolvers.writing.ledger import Entry, EntryState, LedgerError
from resolvers.writing.values import Refusal, refusal_of
from vendors.errors import OutcomeUnknownError, UnsupportedError, VendorError
from vendors.http import Request
from vendors.model import Ref
from vendors.registry import Crm
from vendors.writes import InputRefusedError, RuleCode, Violation, WritePlan, Written

if TYPE_CHECKING:
    from resolvers.context import Context

log = logging.getLogger(__name__)

_MOST_KEY_CHARACTERS: Final = 200
_NOT_KEPT: Final = Refusal(
    path=["idempotencyKey"],
    code=UserErrorCode.PARTLY_DONE,
    message="Do not make it again: it was written, but its key could not be kept here. A repetition under the key looks it up.",
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
        look_up: Finds the records that it may have made, since that moment in seconds since 1970.
        changes: The record that it changes; None when it makes one.
    """

    crm: Crm
    name: str
    loader: str
    input: object
    plan: Callable[[], Awaitable[WritePlan | Sequence[Refusal]]]
    look_up: Callable[[float], Awaitable[Sequence[Ref]]]
    changes: Ref | None = None


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
    entry = await _begun(context, key, digest)
    if entry is not None or order.adopt is not None:
        found = await _again(context, write, order, entry, key=key, digest=digest)
        if found is not None:
            return found
    try:
        planned = await _planned(write)
        if isinstance(planned, Outcome):
            await _noted(context.ledger.withdrawn(key))
            return planned
    except BaseException:
        await _noted(context.ledger.withdrawn(key))
        raise
    try:
        made = await _executed(context, write, planned)
    except OutcomeUnknownError as error:
        await _noted(context.ledger.unknown(key))
        # The same error, with what a client can do about it.
        message = f"{error.message} Repeat the request with the same `idempotencyKey`: it is looked up then, and not made again."
        raise OutcomeUnknownError(message, crm=error.crm, operation=error.operation, status=error.status) from error
    except asyncio.CancelledError:
        await _noted(context.ledger.unknown(key))
        raise
    except VendorError:
        await _noted(context.ledger.withdrawn(key))
        raise
    except Exception:
        await _noted(context.ledger.unknown(key))
        raise
    if made.ref is None:
        await _noted(context.ledger.withdrawn(key))
        return made
    is_kept = await _noted(_note_done(context, key, made.ref, made.user_errors))
    return made if is_kept else replace(made, user_errors=[*made.user_errors, _NOT_KEPT])


async def _noted(ending: Coroutine[Any, Any, None]) -> bool:
    """Whether the ledger has kept how a write ended; what it could not keep stays begun there, and is looked up when it is repeated."""
    try:
        await asyncio.shield(ending)
    except LedgerError as error:
        log.error("How a write has ended is not kept, and a repetition under its key will look it up: %s", error)  # noqa: TRY400  # no defect
        return False
    return True


async def _begun(context: "Context", key: str, digest: str) -> Entry | None:
    """Note that a write begins, or give what is known of it already."""
    try:
        return await context.ledger.begin(key, digest)
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
        return _refused(UserErrorCode.NOT_FOUND, message)
    if entry.digest != digest:
        message = "This `idempotencyKey` belongs to a write with another input; use a new one for a new write."
        return _refused(UserErrorCode.KEY_REUSED, message)
    if entry.state is EntryState.DONE and entry.result is not None:
        problems = [Refusal(**{**problem, "code": UserErrorCode[problem["code"]]}) for problem in entry.result["problems"]]
        return Outcome(outcome=WriteOutcome.REPLAYED, ref=Ref(write.crm.key, entry.result["id"]), user_errors=problems)
    if entry.state is EntryState.STARTED:
        await _noted(context.ledger.unknown(key))  # it is our turn, so that nobody is at it: its end could not be kept
    if order.retry and await context.ledger.begin_again(key, digest):
        return None
    if order.adopt is not None:
        ref = Ref(write.crm.key, order.adopt)
        if write.changes is None and await getattr(context.loaders, write.loader).load(ref) is None:
            message = "There is no such record; adopt one of `candidates`."
            return Outcome(
                outcome=WriteOutcome.REFUSED,
                user_errors=[Refusal(path=["resolution", "adopt"], code=UserErrorCode.NOT_FOUND, message=message)],
            )
        await _note_done(context, key, ref, ())
        return Outcome(outcome=WriteOutcome.ADOPTED, ref=ref)
    candidates = await _candidates(context, write, entry)
    message = (
        "Whether this write has happened is not known. If one of `candidates` is what came of it, repeat the request with"
        " `resolution: {adopt: <its id>}`; if none is, with `resolution: {retry: true}`."
    )
    return Outcome(
        outcome=WriteOutcome.UNKNOWN,
        user_errors=[Refusal(path=["idempotencyKey"], code=UserErrorCode.OUTCOME_UNKNOWN, message=message)],
        candidates=candidates,
    )


def _refused(code: UserErrorCode, message: str) -> Outcome:
    return Outcome(outcome=WriteOutcome.REFUSED, user_errors=[Refusal(path=["idempotencyKey"], code=code, message=message)])


async def _candidates(context: "Context", write: Write, entry: Entry) -> Sequence[Ref] | None:
    context.indexes.forget(write.crm.key)
    try:
        return await write.look_up(entry.started_at)
    except VendorError as error:
        log.warning("CRM %r: what %s may have made could not be looked up: %s", write.crm.key, write.name, error.code)
        return None


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
    return _outcome(context, write.crm, written, plan)


def _outcome(context: "Context", crm: Crm, written: Written, plan: WritePlan) -> Outcome:
    ref = Ref(crm.key, written.local_id)
    context.loaders.forget(ref)
    problems = [refusal_of(problem, crm) for problem in written.problems]
    return Outcome(outcome=WriteOutcome.DONE, ref=ref, user_errors=problems, requests=plan.requests)


async def _note_done(context: "Context", key: str, ref: Ref, problems: Sequence[Refusal]) -> None:
    kept = [
        {"path": list(problem.path), "code": problem.code.name, "message": problem.message, "vendor_code": problem.vendor_code}
        for problem in problems
    ]
    await context.ledger.done(key, {"id": ref.local_id, "problems": kept})
