"""The roots of the graph."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import strawberry

from resolvers import lists
from resolvers.arguments import CrmKey, CrmKeys, GlobalId, GlobalIds, MaxAge
from resolvers.context import Context
from resolvers.errors import UserError, bad_input, contained
from resolvers.explain import ListPlan, explain_field
from resolvers.freshness import allowed
from resolvers.list_errors import add_list_error
from resolvers.listing.request import DEFAULT_FIRST
from resolvers.loaders.pipelines import pipelines_of
from resolvers.node_id import NodeId, decode
from resolvers.relation import ASSUMED_SIZE
from resolvers.stage_changes import DEFAULT_FIRST as DEFAULT_FIRST_CHANGES
from resolvers.stage_changes import changes_cursor, stage_changes
from resolvers.types.account import Account
from resolvers.types.change import StageChangeConnection
from resolvers.types.connection import AccountConnection, ContactConnection, OpportunityConnection, UserConnection
from resolvers.types.contact import Contact
from resolvers.types.crm import Crm
from resolvers.types.node import Node
from resolvers.types.opportunity import Opportunity
from resolvers.types.pipeline import Pipeline
from resolvers.types.stage import Stage
from resolvers.types.summary import OpportunitySummary, opportunity_summary
from resolvers.types.user import User
from vendors import model, registry
from vendors.calls import recording
from vendors.errors import VendorError

_LOADERS = {
    "Opportunity": "opportunities_by_ref",
    "Account": "accounts_by_ref",
    "Contact": "contacts_by_ref",
    "User": "users_by_ref",
    "Pipeline": "pipelines_by_ref",
    "Stage": "stages_by_ref",
}
_MAX_NODES = 100

Info = strawberry.Info[Any, Any]


def _load(context: Context, node: NodeId) -> Any:
    """The record of a decoded id, or the wait for it.

    Raises:
        UserError: Its Crm is not there (UNKNOWN_CRM).
    """
    crm = context.crm(node.ref.crm)
    if node.type_name == "Crm":
        return None if node.ref.local_id else crm
    return getattr(context.loaders, _LOADERS[node.type_name]).load(node.ref)


def _by_id(type_name: str) -> Callable[..., Any]:
    def resolve(info: Info, id: GlobalId, max_age: MaxAge = 0) -> Any:  # noqa: A002  # the argument's name in the graph
        allowed(info, max_age)
        return _load(info.context, decode(id, type_name))

    return resolve


def _single(type_name: str, description: str) -> Any:
    return strawberry.field(resolver=_by_id(type_name), description=description)


def _node(info: Info, id: GlobalId, max_age: MaxAge = 0) -> Any:  # noqa: A002  # the argument's name in the graph
    allowed(info, max_age)
    return _load(info.context, decode(id, *_LOADERS, "Crm"))


def _crms(info: Info) -> Any:
    return info.context.chosen_crms(None)


def _crm(info: Info, key: CrmKey) -> Any:
    return info.context.crm(key)


async def pipelines(info: Info, crms: CrmKeys = None, max_age: MaxAge = 0) -> Any:
    context: Context = info.context
    age = allowed(info, max_age)
    chosen = context.chosen_crms(crms)
    read = await asyncio.gather(*(_pipelines_or_error(context, crm, age) for crm in chosen))
    errors = [of_crm for of_crm in read if isinstance(of_crm, VendorError)]
    for error in errors:
        add_list_error(info, error)
    if errors and len(errors) == len(chosen):
        return None
    return [pipeline for of_crm in read if not isinstance(of_crm, VendorError) for pipeline in of_crm]


async def _pipelines_or_error(context: Context, crm: registry.Crm, max_age: float) -> Sequence[model.Pipeline] | VendorError:
    try:
        with recording() as recorder:
            found = await pipelines_of(crm)
        if max_age and recorder.kept_since is not None:
            context.freshness.note(crm.key, crm.link.clock() - recorder.kept_since)
    except VendorError as error:
        return error
    except Exception as defect:  # noqa: BLE001  # whatever happens in one Crm takes nothing away from the others
        return contained(defect, crm=crm.key)
    else:
        return found


def nodes(info: Info, ids: GlobalIds, max_age: MaxAge = 0) -> Any:
    allowed(info, max_age)
    if len(ids) > _MAX_NODES:
        raise bad_input(f"`ids` may hold at most {_MAX_NODES} ids, not {len(ids)}; ask for them in several queries.")
    return [_node_or_error(info.context, text) for text in ids]


def _node_or_error(context: Context, text: str) -> Any:
    """The record of an id, or the mistake in the id, which is then the error of this item alone."""
    try:
        return _load(context, decode(text, *_LOADERS, "Crm"))
    except UserError as error:
        return error


@strawberry.type(description="Reading over all CRMs.")
class Query:
    crms: list[Crm] = strawberry.field(resolver=_crms, description="All CRMs, by key.", metadata={ASSUMED_SIZE: 5})
    crm: Crm | None = strawberry.field(resolver=_crm, description="One CRM by its key.")
    opportunities: OpportunityConnection | None = strawberry.field(
        resolver=lists.opportunities,
        description="Opportunities of all CRMs in one list, filtered and ordered over all of them. What a vendor cannot evaluate is"
        " evaluated here, over its pages. A CRM that fails is told in `sources` and does not take the others' rows away.",
        metadata={ASSUMED_SIZE: DEFAULT_FIRST},
    )
    opportunity_summary: OpportunitySummary | None = strawberry.field(
        resolver=opportunity_summary,
        description="Counts and sums over opportunities of all CRMs, as a whole and in groups. It costs one scan of each CRM, which is kept"
        " for a while. A CRM that fails is told in `sources` and by `isComplete`.",
    )
    explain: ListPlan | None = explain_field
    stage_changes: StageChangeConnection | None = strawberry.field(
        resolver=stage_changes,
        description="Changes of stage or status of opportunities of all CRMs, as far as they were seen and are kept, oldest first: from the"
        " oldest one that is kept, or behind `after`. It calls no vendor but for what is asked of the opportunities.",
        metadata={ASSUMED_SIZE: DEFAULT_FIRST_CHANGES},
    )
    changes_cursor: str | None = strawberry.field(
        resolver=changes_cursor,
        description="Place behind the newest change that was seen. Ask for it, then for what you show, and subscribe with it as `after`:"
        " what has changed meanwhile comes first, and nothing is missed.",
    )
    accounts: AccountConnection | None = strawberry.field(
        resolver=lists.accounts,
        description="Accounts of all CRMs in one list, each CRM's in its vendor's native order.",
        metadata={ASSUMED_SIZE: DEFAULT_FIRST},
    )
    contacts: ContactConnection | None = strawberry.field(
        resolver=lists.contacts,
        description="Contacts of all CRMs in one list, each CRM's in its vendor's native order.",
        metadata={ASSUMED_SIZE: DEFAULT_FIRST},
    )
    users: UserConnection | None = strawberry.field(
        resolver=lists.users,
        description="Users of all CRMs in one list, each CRM's in its vendor's order.",
        metadata={ASSUMED_SIZE: DEFAULT_FIRST},
    )
    opportunity: Opportunity | None = _single("Opportunity", "One opportunity; null when there is none.")
    account: Account | None = _single("Account", "One account; null when there is none.")
    contact: Contact | None = _single("Contact", "One contact; null when there is none.")
    user: User | None = _single("User", "One user; null when there is none.")
    pipeline: Pipeline | None = _single("Pipeline", "One pipeline; null when there is none.")
    stage: Stage | None = _single("Stage", "One stage; null when there is none.")
    pipelines: list[Pipeline] | None = strawberry.field(
        resolver=pipelines, description="All pipelines with their stages, CRM by CRM.", metadata={ASSUMED_SIZE: 10}
    )
    node: Node | None = strawberry.field(resolver=_node, description="Anything by its global id; null when there is none.")
    nodes: list[Node | None] = strawberry.field(
        resolver=nodes, description="Anything by its global id, in the order of the ids; null where there is none."
    )
