"""Writing into one Crm."""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import strawberry

from resolvers.context import Context
from resolvers.errors import UserError
from resolvers.lists import plain
from resolvers.node_id import decode
from resolvers.relation import ASSUMED_SIZE
from resolvers.types.enums import UserErrorCode, WriteOutcome
from resolvers.types.inputs import (
    CloseOpportunityInput,
    CreateAccountInput,
    CreateContactInput,
    CreateOpportunityInput,
    DeleteOpportunityInput,
    ExpectedState,
    MoveOpportunityToStageInput,
    Resolution,
    UpdateOpportunityInput,
)
from resolvers.types.payloads import AccountPayload, ContactPayload, OpportunityPayload
from resolvers.writing.look_up import correlation_of, created_accounts, created_contacts, created_opportunities
from resolvers.writing.values import Refusal, Values
from resolvers.writing.work import Order, Outcome, Write, perform
from vendors.capabilities import ReadsOpportunities, supported
from vendors.errors import VendorError
from vendors.model import EVERYTHING, Opportunity, OpportunityStatus, Ref
from vendors.registry import Crm
from vendors.writes import (
    UNSET,
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
        " write. A random UUID for each new write does."
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


async def create_opportunity(
    info: Info,
    input: CreateOpportunityInput,  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    context: Context = info.context
    crm = _crm(context, input.crm)
    if isinstance(crm, Outcome):
        return crm
    values = Values(crm)
    new: OpportunityValues = values.of(input, OpportunityValues)
    correlation = None
    if crm.correlation_field is not None and idempotency_key is not None:
        correlation = crm.correlation_field, correlation_of(idempotency_key)
        new = dataclasses.replace(new, custom_fields={**new.custom_fields, correlation[0]: correlation[1]})

    async def plan() -> Plan:
        client = supported(crm.client, CreatesOpportunities, crm=crm.key, what="create opportunities")
        return values.refusals or await client.plan_create(new)

    write = Write(
        crm=crm,
        name="createOpportunity",
        input=plain(input),
        plan=plan,
        look_up=lambda since: created_opportunities(context, crm, new, since, correlation),
    )
    asked = _Asked(idempotency_key, dry_run, resolution)
    return await _performed(context, write, "Opportunity", asked, is_certain=correlation is not None)


async def update_opportunity(
    info: Info,
    input: UpdateOpportunityInput,  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    async def plan(crm: Crm, current: Opportunity, values: Values) -> Plan:
        client = supported(crm.client, UpdatesOpportunities, crm=crm.key, what="change opportunities")
        changed: OpportunityValues = values.of(input, OpportunityValues)
        return values.refusals or await client.plan_update(current, changed)

    return await _changed(info, "updateOpportunity", input, _Asked(idempotency_key, dry_run, resolution), plan, UpdatesOpportunities)


async def move_opportunity_to_stage(
    info: Info,
    input: MoveOpportunityToStageInput,  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    async def plan(crm: Crm, current: Opportunity, values: Values) -> Plan:
        client = supported(crm.client, MovesOpportunities, crm=crm.key, what="move opportunities")
        moved: OpportunityValues = values.of(input, OpportunityValues)
        if values.refusals or not isinstance(moved.stage_id, str):
            return values.refusals
        return await client.plan_move(current, moved.stage_id, moved.extension)

    return await _changed(info, "moveOpportunityToStage", input, _Asked(idempotency_key, dry_run, resolution), plan, MovesOpportunities)


async def close_opportunity(
    info: Info,
    input: CloseOpportunityInput,  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    async def plan(crm: Crm, current: Opportunity, values: Values) -> Plan:
        client = supported(crm.client, ClosesOpportunities, crm=crm.key, what="close opportunities")
        if input.status not in client.closable():
            return [_not_closable(crm, input.status, client.closable())]
        changed: StatusValues = values.of(input, StatusValues)
        return values.refusals or await client.plan_close(current, changed)

    return await _changed(info, "closeOpportunity", input, _Asked(idempotency_key, dry_run, resolution), plan, ClosesOpportunities)


async def delete_opportunity(
    info: Info,
    input: DeleteOpportunityInput,  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    async def plan(crm: Crm, current: Opportunity, values: Values) -> Plan:
        client = supported(crm.client, DeletesOpportunities, crm=crm.key, what="delete opportunities")
        return values.refusals or await client.plan_delete(current)

    return await _changed(info, "deleteOpportunity", input, _Asked(idempotency_key, dry_run, resolution), plan, DeletesOpportunities)


async def create_account(
    info: Info,
    input: CreateAccountInput,  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    context: Context = info.context
    crm = _crm(context, input.crm)
    if isinstance(crm, Outcome):
        return crm
    values = Values(crm)
    new: AccountValues = values.of(input, AccountValues)

    async def plan() -> Plan:
        client = supported(crm.client, CreatesAccounts, crm=crm.key, what="create accounts")
        return values.refusals or await client.plan_create_account(new)

    write = Write(crm=crm, name="createAccount", input=plain(input), plan=plan, look_up=lambda _: created_accounts(context, crm, new))
    return await _performed(context, write, "Account", _Asked(idempotency_key, dry_run, resolution))


async def create_contact(
    info: Info,
    input: CreateContactInput,  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    context: Context = info.context
    crm = _crm(context, input.crm)
    if isinstance(crm, Outcome):
        return crm
    values = Values(crm)
    new: ContactValues = values.of(input, ContactValues)

    async def plan() -> Plan:
        client = supported(crm.client, CreatesContacts, crm=crm.key, what="create contacts")
        return values.refusals or await client.plan_create_contact(new)

    write = Write(crm=crm, name="createContact", input=plain(input), plan=plan, look_up=lambda _: created_contacts(context, crm, new))
    return await _performed(context, write, "Contact", _Asked(idempotency_key, dry_run, resolution))


async def _changed(  # noqa: PLR0917  # what a change consists of
    info: Info,
    name: str,
    given: Any,
    asked: _Asked,
    plan: Callable[[Crm, Opportunity, Values], Awaitable[Plan]],
    protocol: type[Any],
) -> Outcome:
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
        values = Values(crm)
        supported(crm.client, protocol, crm=crm.key, what="do that with opportunities")  # before anything is read
        current = await _current(crm, ref)
        if current is None:
            return [
                Refusal(
                    path=["input", "id"], code=UserErrorCode.NOT_FOUND, message="There is no such opportunity any more; list them again."
                )
            ]
        unexpected = _unexpected(current, given.expected, values)
        return unexpected or await plan(crm, current, values)

    async def the_record_itself(_: float) -> Sequence[Ref]:
        return [ref]

    write = Write(crm=crm, name=name, input=plain(given), plan=planned, look_up=the_record_itself)
    return await _performed(context, write, "Opportunity", asked)


async def _performed(context: Context, write: Write, type_name: str, asked: _Asked, *, is_certain: bool = False) -> Outcome:
    """Make a write, or find out what became of it; `is_certain` says that a single candidate is the record."""
    adopt: str | None = None
    resolution = asked.resolution
    if resolution is not None and resolution.adopt is not None:
        try:
            ref = decode(resolution.adopt, type_name).ref
        except UserError as error:
            return _refused(["resolution", "adopt"], UserErrorCode.INVALID_ID, error.message)
        if ref.crm != write.crm.key:
            return _refused(["resolution", "adopt"], UserErrorCode.INVALID_ID, f"Give a record of the CRM {write.crm.key!r}.")
        adopt = ref.local_id
    is_retried = resolution is not None and resolution.retry
    order = Order(idempotency_key=asked.idempotency_key, dry_run=asked.dry_run, adopt=adopt, retry=is_retried)
    made = await perform(context, write, order)
    if made.outcome is WriteOutcome.UNKNOWN and is_certain and made.candidates is not None and len(made.candidates) == 1:
        return await perform(context, write, dataclasses.replace(order, adopt=made.candidates[0].local_id, retry=False))
    return made


def _crm(context: Context, key: str, path: Sequence[str] = ("input", "crm")) -> Crm | Outcome:
    try:
        return context.crm(key)
    except UserError as error:
        return _refused(path, UserErrorCode.UNKNOWN_CRM, error.message)


async def _current(crm: Crm, ref: Ref) -> Opportunity | None:
    """The record as the vendor holds it now, complete."""
    client = supported(crm.client, ReadsOpportunities, crm=crm.key, what="read opportunities by id")
    found = (await client.opportunities_by_ids([ref.local_id], EVERYTHING)).get(ref.local_id)
    if isinstance(found, VendorError):
        raise found
    return found


def _unexpected(current: Opportunity, expected: ExpectedState | None, values: Values) -> list[Refusal]:
    """What is not as the client expects it to be."""
    if expected is None or expected is strawberry.UNSET:
        return []
    wanted: dict[str, Any] = {}
    if expected.stage_id:
        wanted["stageId"] = values.local_id("expected", expected.stage_id, "Stage")
    found: dict[str, Any] = {"stageId": None if current.stage_ref is None else current.stage_ref.local_id}
    for key, name, value in (
        ("status", "status", current.status),
        ("updatedAt", "updated_at", current.updated_at),
        ("revision", "revision", current.revision),
    ):
        given = getattr(expected, name)
        if given is not strawberry.UNSET and given is not None:
            wanted[key], found[key] = given, value
    if values.refusals:
        return values.refusals
    return [
        Refusal(
            path=["input", "expected", key],
            code=UserErrorCode.CONFLICT,
            message=f"The opportunity's `{key}` is not what was expected: somebody has changed it. Read it again and decide anew.",
        )
        for key, value in wanted.items()
        if value is not UNSET and found[key] != value
    ]


def _not_closable(crm: Crm, status: OpportunityStatus, closable: frozenset[OpportunityStatus]) -> Refusal:
    able = ", ".join(sorted(other.name for other in closable)) or "nothing"
    message = (
        f"The CRM {crm.key!r} cannot give an opportunity the status {status.name}; it can give {able} (`Crm.closable`), which its settings"
        " may extend."
    )
    return Refusal(path=["input", "status"], code=UserErrorCode.NOT_SUPPORTED, message=message)


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
