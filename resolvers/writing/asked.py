"""How a mutation is asked for beside its input, and carrying it out as that says."""

import dataclasses
from collections.abc import Sequence

from resolvers.context import Context
from resolvers.errors import UserError
from resolvers.node_id import decode
from resolvers.types.enums import UserErrorCode
from resolvers.types.inputs import Resolution
from resolvers.writing.values import Refusal
from resolvers.writing.work import Order, Outcome, Write, perform
from vendors.registry import Crm
from vendors.writes import WritePlan

Plan = WritePlan | Sequence[Refusal]


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """The arguments beside the input."""

    idempotency_key: str | None
    dry_run: bool
    resolution: Resolution | None


async def performed(context: Context, write: Write, type_name: str, asked: Asked) -> Outcome:
    """Make a write, or find out what became of it."""
    order = Order(idempotency_key=asked.idempotency_key, dry_run=asked.dry_run)
    if asked.resolution is not None:
        adopt = _adopted(asked.resolution, asked.idempotency_key, write, type_name)
        if isinstance(adopt, Outcome):
            return adopt
        order = dataclasses.replace(order, adopt=adopt, retry=asked.resolution.retry)
    return await perform(context, write, order)


def named_crm(context: Context, key: str, path: Sequence[str] = ("input", "crm")) -> Crm | Outcome:
    try:
        return context.crm(key)
    except UserError as error:
        return Outcome.refused(path, UserErrorCode.UNKNOWN_CRM, error.message)


def _adopted(resolution: Resolution, key: str | None, write: Write, type_name: str) -> str | Outcome | None:
    """The record that is said to have come of a write, if any; or what is wrong with what is said."""
    if key is None:
        message = "Say which write is meant: give the `idempotencyKey` under which it was made."
        return Outcome.refused(["idempotencyKey"], UserErrorCode.REQUIRED, message)
    if resolution.adopt is None:
        return None
    if resolution.retry:
        message = "Either adopt a record, because the write has happened, or make it again, because it has not."
        return Outcome.refused(["resolution"], UserErrorCode.CONTRADICTION, message)
    try:
        ref = decode(resolution.adopt, type_name).ref
    except UserError as error:
        return Outcome.refused(["resolution", "adopt"], UserErrorCode.INVALID_ID, error.message)
    if ref.crm != write.crm.key or write.changes not in {None, ref}:
        message = f"Give a record of the CRM {write.crm.key!r}, and of a change the one that the input names."
        return Outcome.refused(["resolution", "adopt"], UserErrorCode.INVALID_ID, message)
    return ref.local_id
