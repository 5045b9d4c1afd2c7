"""The roots of the graph."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import strawberry

from resolvers.arguments import After, CrmKey, CrmKeys, First, GlobalId, GlobalIds, IncludeDeleted
from resolvers.context import Context
from resolvers.errors import UserError, bad_input, contained
from resolvers.list_errors import add_list_error, path_of, report
from resolvers.loaders.pipelines import pipelines_of
from resolvers.node_id import NodeId, decode
from resolvers.paging import DEFAULT_FIRST, checked_first, interleaved
from resolvers.relation import ASSUMED_SIZE
from resolvers.types.account import Account
from resolvers.types.connection import OpportunityConnection
from resolvers.types.contact import Contact
from resolvers.types.crm import Crm
from resolvers.types.node import Node
from resolvers.types.opportunity import Opportunity
from resolvers.types.pipeline import Pipeline
from resolvers.types.stage import Stage
from resolvers.types.user import User
from vendors import model, registry
from vendors.capabilities import ListsOpportunities, Page, PageRequest, supported
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
    def resolve(info: Info, id: GlobalId) -> Any:  # noqa: A002  # the argument's name in the graph
        return _load(info.context, decode(id, type_name))

    return resolve


def _single(type_name: str, description: str) -> Any:
    return strawberry.field(resolver=_by_id(type_name), description=description)


def _node(info: Info, id: GlobalId) -> Any:  # noqa: A002  # the argument's name in the graph
    return _load(info.context, decode(id, *_LOADERS, "Crm"))


def _crms(info: Info) -> Any:
    return info.context.chosen_crms(None)


def _crm(info: Info, key: CrmKey) -> Any:
    return info.context.crm(key)


async def opportunities(
    info: Info,
    first: First = DEFAULT_FIRST,
    after: After = None,
    crms: CrmKeys = None,
    include_deleted: IncludeDeleted = False,  # noqa: FBT002
) -> Any:
    context: Context = info.context

    async def fetch(crm: registry.Crm, size: int, position: str | None) -> Page[model.Opportunity]:
        client = supported(crm.client, ListsOpportunities, crm=crm.key, what="list opportunities")
        page = await client.opportunities_page(
            PageRequest(size=size, position=position, selection=context.selection, include_deleted=include_deleted)
        )
        for row in page.rows:
            context.loaders.opportunities_by_ref.seed(row.record)
        return page

    chosen = context.chosen_crms(crms)
    page = await interleaved(
        context,
        chosen,
        fetch,
        first=checked_first(first),
        after=after,
        list_name="opportunities",
        arguments=[include_deleted, None if crms is None else sorted(set(crms))],
        path=path_of(info),
    )
    report(info, page.sources)
    return page


async def pipelines(info: Info, crms: CrmKeys = None) -> Any:
    context: Context = info.context
    chosen = context.chosen_crms(crms)
    read = await asyncio.gather(*(_pipelines_or_error(crm) for crm in chosen))
    errors = [of_crm for of_crm in read if isinstance(of_crm, VendorError)]
    for error in errors:
        add_list_error(info, error)
    if errors and len(errors) == len(chosen):
        return None
    return [pipeline for of_crm in read if not isinstance(of_crm, VendorError) for pipeline in of_crm]


async def _pipelines_or_error(crm: registry.Crm) -> Sequence[model.Pipeline] | VendorError:
    try:
        return await pipelines_of(crm)
    except VendorError as error:
        return error
    except Exception as defect:  # noqa: BLE001  # whatever happens in one Crm takes nothing away from the others
        return contained(defect, crm=crm.key)


async def nodes(info: Info, ids: GlobalIds) -> Any:
    if len(ids) > _MAX_NODES:
        raise bad_input(f"`ids` may hold at most {_MAX_NODES} ids, not {len(ids)}; ask for them in several queries.")
    return [_node_or_error(info, text) for text in ids]


def _node_or_error(info: Info, text: str) -> Any:
    """The record of an id, or the mistake in the id, which is then the error of this item alone."""
    try:
        return _node(info, strawberry.ID(text))
    except UserError as error:
        return error


@strawberry.type(description="Reading over all CRMs.")
class Query:
    crms: list[Crm] = strawberry.field(resolver=_crms, description="All CRMs, by key.", metadata={ASSUMED_SIZE: 5})
    crm: Crm | None = strawberry.field(resolver=_crm, description="One CRM by its key.")
    opportunities: OpportunityConnection | None = strawberry.field(
        resolver=opportunities,
        description="Opportunities of all CRMs in one list: the first of every CRM, then the second of every CRM, and so on, each in its"
        " vendor's native order. A CRM that fails is told in `sources` and does not take the others' rows away.",
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
