"""Writing into one Crm."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

import strawberry

from resolvers.context import Context
from resolvers.errors import UserError
from resolvers.node_id import decode
from resolvers.relation import ASSUMED_SIZE
from resolvers.types.enums import UserErrorCode, WriteOutcome
from resolvers.types.inputs import (
    CloseOpportunityInput,
    CreateAccountInput,
    CreateContactInput,
    CreateOpportunityInput,
    DeleteOpportunityInput,
    MoveOpportunityToStageInput,
    Resolution,
    UpdateOpportunityInput,
)
from resolvers.types.payloads import AccountPayload, ContactPayload, OpportunityPayload
from resolvers.writing.beforehand import told_beforehand
from resolvers.writing.correlation import correlation_of, is_taken, told_of_the_setting
from resolvers.writing.ledger import Entry
from resolvers.writing.look_up import Changed, created_accounts, created_contacts, created_opportunities
from resolvers.writing.values import Refusal, Values, as_json
from resolvers.writing.work import LookUp, Order, Outcome, Write, perform
from vendors.capabilities import ReadsOpportunities, supported
from vendors.errors import VendorError
from vendors.model import EVERYTHING, Opportunity, OpportunityStatus, Ref
from vendors.registry import Crm
from vendors.writes import (
    AccountValues,
    ClosesOpportunities,
    ContactValues,
    CreatesAccounts,
    CreatesContacts,
    CreatesOpportunities,
    DeletesOpportunities,
    MovesOpportunities,
    OpportunityValues,
    StatusValues,
    UpdatesOpportunities,
    WritePlan,
)

Info = strawberry.Info[Any, Any]

IdempotencyKey = Annotated[
    str | None,
    strawberry.argument(
        description="What makes repeating the request harmless: the same key with the same input gives the same result without a second"
        " write. A random UUID for each new write does. A part that was not done (PARTLY_DONE) is a write of its own: change the record by"
        " that part, under a new key."
    ),
]
DryRun = Annotated[bool, strawberry.argument(description="Whether to only check: `vendorRequests` are what would be sent.")]
ResolutionArgument = Annotated[
    Resolution | None,
    strawberry.argument(description="What to do about a write under this key whose outcome is not known; it is looked up when absent."),
]

Plan = WritePlan | Sequence[Refusal]


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """The arguments beside the input."""

    idempotency_key: str | None
    dry_run: bool
    resolution: Resolution | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
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


async def create_opportunity(
    info: Info,
    input: Annotated[CreateOpportunityInput, strawberry.argument(description="What to create, and in which CRM.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    context: Context = info.context
    crm = _crm(context, input.crm)
    if isinstance(crm, Outcome):
        return crm
    values = Values(crm)
    new: OpportunityValues = values.of_new(input, OpportunityValues)
    field, mark = None, correlation_of(idempotency_key or "")
    if crm.correlation_field is not None and idempotency_key is not None:
        if crm.correlation_field in new.custom_fields:
            values.refusals.append(is_taken(crm))
        else:
            field = crm.correlation_field
            new = dataclasses.replace(new, custom_fields={**new.custom_fields, field: mark})

    def look_up(entry: Entry) -> LookUp:
        # By the mark only if the write has carried it: the settings may be others by now.
        carried = None if entry.mark is None else (entry.mark, mark)
        return created_opportunities(context, crm, new, entry.started_at, carried)

    async def plan() -> Plan:
        client = supported(crm.client, CreatesOpportunities, crm=crm.key, what="create opportunities")
        if values.refusals:
            return [*values.refusals, *await told_beforehand(crm, client, new, values.refusals)]
        return await client.plan_create(new)

    write = Write(
        crm=crm,
        name="createOpportunity",
        loader="opportunities_by_ref",
        input=as_json(input),
        plan=plan,
        look_up=look_up,
        mark=field,
    )
    made = await _performed(context, write, "Opportunity", _Asked(idempotency_key, dry_run, resolution))
    return made if field is None else told_of_the_setting(made, crm)


async def update_opportunity(
    info: Info,
    input: Annotated[UpdateOpportunityInput, strawberry.argument(description="What to change, and of which opportunity.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    change = _Change(
        name="updateOpportunity",
        what="change opportunities",
        protocol=UpdatesOpportunities,
        kind=OpportunityValues,
        plan=lambda client, current, values: client.plan_update(current, values),
    )
    return await _changed(info, change, input, _Asked(idempotency_key, dry_run, resolution))


async def move_opportunity_to_stage(
    info: Info,
    input: Annotated[MoveOpportunityToStageInput, strawberry.argument(description="What to move, and where.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    change = _Change(
        name="moveOpportunityToStage",
        what="move opportunities",
        protocol=MovesOpportunities,
        kind=OpportunityValues,
        plan=lambda client, current, values: client.plan_move(current, values.stage_id, values.extension),
    )
    return await _changed(info, change, input, _Asked(idempotency_key, dry_run, resolution))


async def close_opportunity(
    info: Info,
    input: Annotated[CloseOpportunityInput, strawberry.argument(description="What to close, and how.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    change = _Change(
        name="closeOpportunity",
        what="close opportunities",
        protocol=ClosesOpportunities,
        kind=StatusValues,
        plan=lambda client, current, values: client.plan_close(current, values),
        refusals=lambda crm, client: _not_closable(crm, input.status, client.closable()),
    )
    return await _changed(info, change, input, _Asked(idempotency_key, dry_run, resolution))


async def delete_opportunity(
    info: Info,
    input: Annotated[DeleteOpportunityInput, strawberry.argument(description="What to delete.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    change = _Change(
        name="deleteOpportunity",
        what="delete opportunities",
        protocol=DeletesOpportunities,
        kind=OpportunityValues,
        plan=lambda client, current, _: client.plan_delete(current),
        is_proven=lambda current: current is None or current.is_deleted,
    )
    return await _changed(info, change, input, _Asked(idempotency_key, dry_run, resolution))


async def create_account(
    info: Info,
    input: Annotated[CreateAccountInput, strawberry.argument(description="What to create, and in which CRM.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    context: Context = info.context
    crm = _crm(context, input.crm)
    if isinstance(crm, Outcome):
        return crm
    values = Values(crm)
    new: AccountValues = values.of_new(input, AccountValues)

    async def plan() -> Plan:
        client = supported(crm.client, CreatesAccounts, crm=crm.key, what="create accounts")
        return values.refusals or await client.plan_create_account(new)

    write = Write(
        loader="accounts_by_ref",
        crm=crm,
        name="createAccount",
        input=as_json(input),
        plan=plan,
        look_up=lambda _: created_accounts(context, crm, new),
    )
    return await _performed(context, write, "Account", _Asked(idempotency_key, dry_run, resolution))


async def create_contact(
    info: Info,
    input: Annotated[CreateContactInput, strawberry.argument(description="What to create, and in which CRM.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    context: Context = info.context
    crm = _crm(context, input.crm)
    if isinstance(crm, Outcome):
        return crm
    values = Values(crm)
    new: ContactValues = values.of_new(input, ContactValues)

    async def plan() -> Plan:
        client = supported(crm.client, CreatesContacts, crm=crm.key, what="create contacts")
        return values.refusals or await client.plan_create_contact(new)

    write = Write(
        loader="contacts_by_ref",
        crm=crm,
        name="createContact",
        input=as_json(input),
        plan=plan,
        look_up=lambda _: created_contacts(context, crm, new),
    )
    return await _performed(context, write, "Contact", _Asked(idempotency_key, dry_run, resolution))


async def _changed(info: Info, change: _Change, given: Any, asked: _Asked) -> Outcome:
    """Make a change of an opportunity that there is."""
    context: Context = info.context
    try:
        ref = decode(given.id, "Opportunity").ref
    except UserError as error:
        return _refused(["input", "id"], UserErrorCode.INVALID_ID, error.message)
    crm = _crm(context, ref.crm, path=["input", "id"])
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
        return await _performed(context, write, "Opportunity", asked)
    # One change of a record after the other: what is expected of it, and what is kept of it, is read before it is written.
    async with context.ledger.turn(ref):
        return await _performed(context, write, "Opportunity", asked)


async def _performed(context: Context, write: Write, type_name: str, asked: _Asked) -> Outcome:
    """Make a write, or find out what became of it."""
    order = Order(idempotency_key=asked.idempotency_key, dry_run=asked.dry_run)
    if asked.resolution is not None:
        adopt = _adopted(asked.resolution, asked.idempotency_key, write, type_name)
        if isinstance(adopt, Outcome):
            return adopt
        order = dataclasses.replace(order, adopt=adopt, retry=asked.resolution.retry)
    return await perform(context, write, order)


def _adopted(resolution: Resolution, key: str | None, write: Write, type_name: str) -> str | Outcome | None:
    """The record that is said to have come of a write, if any; or what is wrong with what is said."""
    if key is None:
        message = "Say which write is meant: give the `idempotencyKey` under which it was made."
        return _refused(["idempotencyKey"], UserErrorCode.REQUIRED, message)
    if resolution.adopt is None:
        return None
    if resolution.retry:
        message = "Either adopt a record, because the write has happened, or make it again, because it has not."
        return _refused(["resolution"], UserErrorCode.CONTRADICTION, message)
    try:
        ref = decode(resolution.adopt, type_name).ref
    except UserError as error:
        return _refused(["resolution", "adopt"], UserErrorCode.INVALID_ID, error.message)
    if ref.crm != write.crm.key or write.changes not in {None, ref}:
        message = f"Give a record of the CRM {write.crm.key!r}, and of a change the one that the input names."
        return _refused(["resolution", "adopt"], UserErrorCode.INVALID_ID, message)
    return ref.local_id


def _crm(context: Context, key: str, path: Sequence[str] = ("input", "crm")) -> Crm | Outcome:
    try:
        return context.crm(key)
    except UserError as error:
        return _refused(path, UserErrorCode.UNKNOWN_CRM, error.message)


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


def _not_closable(crm: Crm, status: OpportunityStatus, closable: frozenset[OpportunityStatus]) -> list[Refusal]:
    if status in closable:
        return []
    able = ", ".join(sorted(other.name for other in closable)) or "nothing"
    message = (
        f"The CRM {crm.key!r} cannot give an opportunity the status {status.name}; it can give {able} (`Crm.closable`), which its settings"
        " may extend."
    )
    return [Refusal(path=["input", "status"], code=UserErrorCode.NOT_SUPPORTED, message=message)]


def _refused(path: Sequence[str], code: UserErrorCode, message: str) -> Outcome:
    return Outcome(outcome=WriteOutcome.REFUSED, user_errors=[Refusal(path=path, code=code, message=message)])


def _mutation(resolver: Callable[..., Any], description: str) -> Any:
    return strawberry.mutation(resolver=resolver, description=description, metadata={ASSUMED_SIZE: 1})


@strawberry.type(description="Writing into one CRM. What a CRM can do, `Crm.capabilities` tells; what it requires, `Crm.createFields`.")
class Mutation:
    create_opportunity: OpportunityPayload | None = _mutation(create_opportunity, "Creates an opportunity.")
    update_opportunity: OpportunityPayload | None = _mutation(
        update_opportunity, "Changes what is named of an opportunity, and nothing else."
    )
    move_opportunity_to_stage: OpportunityPayload | None = _mutation(move_opportunity_to_stage, "Moves an opportunity to another stage.")
    close_opportunity: OpportunityPayload | None = _mutation(close_opportunity, "Closes an opportunity, or opens it again.")
    delete_opportunity: OpportunityPayload | None = _mutation(delete_opportunity, "Deletes an opportunity, as its vendor deletes.")
    create_account: AccountPayload | None = _mutation(create_account, "Creates an account.")
    create_contact: ContactPayload | None = _mutation(create_contact, "Creates a contact.")
