"""Writing into one Crm."""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any

import strawberry

from resolvers.context import Context
from resolvers.relation import ASSUMED_SIZE
from resolvers.types.enums import UserErrorCode
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
from resolvers.writing.asked import Asked, Plan, named_crm, performed
from resolvers.writing.beforehand import told_beforehand
from resolvers.writing.change import Change, changed
from resolvers.writing.correlation import correlation_of, is_taken, told_of_the_setting
from resolvers.writing.ledger import Entry
from resolvers.writing.look_up import created_accounts, created_contacts, created_opportunities
from resolvers.writing.values import Refusal, Values, as_json
from resolvers.writing.work import LookUp, Outcome, Write
from vendors.capabilities import supported
from vendors.model import OpportunityStatus
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


async def create_opportunity(
    info: Info,
    input: Annotated[CreateOpportunityInput, strawberry.argument(description="What to create, and in which CRM.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    context: Context = info.context
    crm = named_crm(context, input.crm)
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
    made = await performed(context, write, "Opportunity", Asked(idempotency_key, dry_run, resolution))
    return made if field is None else told_of_the_setting(made, crm)


async def update_opportunity(
    info: Info,
    input: Annotated[UpdateOpportunityInput, strawberry.argument(description="What to change, and of which opportunity.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    change = Change(
        name="updateOpportunity",
        what="change opportunities",
        protocol=UpdatesOpportunities,
        kind=OpportunityValues,
        plan=lambda client, current, values: client.plan_update(current, values),
    )
    return await changed(info, change, input, Asked(idempotency_key, dry_run, resolution))


async def move_opportunity_to_stage(
    info: Info,
    input: Annotated[MoveOpportunityToStageInput, strawberry.argument(description="What to move, and where.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    change = Change(
        name="moveOpportunityToStage",
        what="move opportunities",
        protocol=MovesOpportunities,
        kind=OpportunityValues,
        plan=lambda client, current, values: client.plan_move(current, values.stage_id, values.extension),
    )
    return await changed(info, change, input, Asked(idempotency_key, dry_run, resolution))


async def close_opportunity(
    info: Info,
    input: Annotated[CloseOpportunityInput, strawberry.argument(description="What to close, and how.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    change = Change(
        name="closeOpportunity",
        what="close opportunities",
        protocol=ClosesOpportunities,
        kind=StatusValues,
        plan=lambda client, current, values: client.plan_close(current, values),
        refusals=lambda crm, client: _not_closable(crm, input.status, client.closable()),
    )
    return await changed(info, change, input, Asked(idempotency_key, dry_run, resolution))


async def delete_opportunity(
    info: Info,
    input: Annotated[DeleteOpportunityInput, strawberry.argument(description="What to delete.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    change = Change(
        name="deleteOpportunity",
        what="delete opportunities",
        protocol=DeletesOpportunities,
        kind=OpportunityValues,
        plan=lambda client, current, _: client.plan_delete(current),
        is_proven=lambda current: current is None or current.is_deleted,
    )
    return await changed(info, change, input, Asked(idempotency_key, dry_run, resolution))


async def create_account(
    info: Info,
    input: Annotated[CreateAccountInput, strawberry.argument(description="What to create, and in which CRM.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    context: Context = info.context
    crm = named_crm(context, input.crm)
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
    return await performed(context, write, "Account", Asked(idempotency_key, dry_run, resolution))


async def create_contact(
    info: Info,
    input: Annotated[CreateContactInput, strawberry.argument(description="What to create, and in which CRM.")],  # noqa: A002
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,  # noqa: FBT002
    resolution: ResolutionArgument = None,
) -> Any:
    context: Context = info.context
    crm = named_crm(context, input.crm)
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
    return await performed(context, write, "Contact", Asked(idempotency_key, dry_run, resolution))


def _not_closable(crm: Crm, status: OpportunityStatus, closable: frozenset[OpportunityStatus]) -> list[Refusal]:
    if status in closable:
        return []
    able = ", ".join(sorted(other.name for other in closable)) or "nothing"
    message = (
        f"The CRM {crm.key!r} cannot give an opportunity the status {status.name}; it can give {able} (`Crm.closable`), which its settings"
        " may extend."
    )
    return [Refusal(path=["input", "status"], code=UserErrorCode.NOT_SUPPORTED, message=message)]


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
