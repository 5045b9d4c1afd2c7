"""Changing an opportunity that there is: read as it is now, compared with what the client expects, and then written."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import strawberry

from resolvers.context import Context
from resolvers.errors import UserError
from resolvers.node_id import decode
from resolvers.types.enums import UserErrorCode
from resolvers.writing.asked import Asked, Plan, named_crm, performed
from resolvers.writing.look_up import Changed
from resolvers.writing.values import Refusal, Values, as_json
from resolvers.writing.work import Outcome, Write
from vendors.capabilities import ReadsOpportunities, supported
from vendors.errors import VendorError
from vendors.model import EVERYTHING, Opportunity, Ref
from vendors.registry import Crm
from vendors.writes import WritePlan


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A mutation of an opportunity that there is.

    Args:
        name: Its name in the graph.
        what: What it does, in words.
        protocol: What a client has to be able to do for it.
        kind: What its input becomes.
        plan: Plans it, given the client, the record as it is now, and the values.
        refusals: What can be refused without reading anything.
        is_proven: Whether the record as it is now, or its absence, proves that it has happened; None where it never can.
    """

    name: str
    what: str
    protocol: type[Any]
    kind: type[Any]
    plan: Callable[[Any, Opportunity, Any], Awaitable[WritePlan]]
    refusals: Callable[[Crm, Any], Sequence[Refusal]] = lambda _crm, _client: ()
    is_proven: Callable[[Opportunity | None], bool] | None = None


async def changed(info: strawberry.Info[Any, Any], change: Change, given: Any, asked: Asked) -> Outcome:
    """Make a change of an opportunity that there is."""
    context: Context = info.context
    try:
        ref = decode(given.id, "Opportunity").ref
    except UserError as error:
        return Outcome.refused(["input", "id"], UserErrorCode.INVALID_ID, error.message)
    crm = named_crm(context, ref.crm, path=["input", "id"])
    if isinstance(crm, Outcome):
        return crm

    async def planned() -> Plan:
        client = supported(crm.client, change.protocol, crm=crm.key, what=change.what)
        values = Values(crm)
        changes = values.of(given, change.kind)
        expected = _expected(given.expected, values)
        refusals = [*change.refusals(crm, client), *values.refusals]
        if refusals:
            return refusals  # before anything is read
        current = await _current(crm, ref)
        if current is None:
            message = "There is no such opportunity any more; list them again."
            return [Refusal(path=["input", "id"], code=UserErrorCode.NOT_FOUND, message=message)]
        return _unexpected(current, expected) or await change.plan(client, current, changes)

    async def is_proven() -> bool:
        return change.is_proven is not None and change.is_proven(await _current(crm, ref))

    write = Write(
        loader="opportunities_by_ref",
        crm=crm,
        name=change.name,
        input=as_json(given),
        plan=planned,
        look_up=lambda _: Changed(ref=ref, is_proven=is_proven),
        changes=ref,
    )
    if asked.dry_run:
        return await performed(context, write, "Opportunity", asked)
    # One change of a record after the other: what is expected of it, and what is kept of it, is read before it is written.
    async with context.ledger.turn(ref):
        return await performed(context, write, "Opportunity", asked)


async def _current(crm: Crm, ref: Ref) -> Opportunity | None:
    """The record as the vendor holds it now, complete; none when it is deleted."""
    client = supported(crm.client, ReadsOpportunities, crm=crm.key, what="read opportunities by id")
    found = (await client.opportunities_by_ids([ref.local_id], EVERYTHING)).get(ref.local_id)
    if isinstance(found, VendorError):
        raise found
    return None if found is None or found.is_deleted else found


def _expected(given: Any, values: Values) -> dict[str, Any]:
    """What the client expects, by key."""
    if given is None or given is strawberry.UNSET:
        return {}
    wanted = {
        "stageId": given.stage_id,
        "status": given.status,
        "updatedAt": given.updated_at,
        "revision": given.revision,
    }
    expected = {key: value for key, value in wanted.items() if value is not None and value is not strawberry.UNSET}
    if "stageId" in expected:
        expected["stageId"] = values.local_id(expected["stageId"], "Stage", "expected", "stage_id")
    return expected


def _unexpected(current: Opportunity, expected: Mapping[str, Any]) -> list[Refusal]:
    """What is not as the client expects it to be."""
    found: Mapping[str, Any] = {
        "stageId": None if current.stage_ref is None else current.stage_ref.local_id,
        "status": current.status,
        "updatedAt": current.updated_at,
        "revision": current.revision,
    }
    refusals: list[Refusal] = []
    for key, value in expected.items():
        path = ["input", "expected", key]
        if found[key] is None and key in {"updatedAt", "revision"}:
            message = f"The CRM does not tell this opportunity's `{key}`; leave it out, and expect something that it tells."
            refusals.append(Refusal(path=path, code=UserErrorCode.NOT_SUPPORTED, message=message))
        elif found[key] != value:
            message = f"The opportunity's `{key}` is not what was expected: somebody has changed it. Read it again and decide anew."
            refusals.append(Refusal(path=path, code=UserErrorCode.CONFLICT, message=message))
    return refusals
