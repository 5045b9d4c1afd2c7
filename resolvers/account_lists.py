"""The lists that hang on an account."""

from typing import Any

import strawberry

from resolvers.arguments import After, First
from resolvers.context import Context
from resolvers.list_errors import path_of, report
from resolvers.paging import DEFAULT_FIRST, Connection, Fetch, R, checked_first, interleaved
from resolvers.types.enums import SourceState
from vendors.capabilities import ListsAccountContacts, ListsAccountOpportunities, Page, PageRequest, supported
from vendors.model import Account, Contact, Opportunity
from vendors.registry import Crm


async def account_contacts(self: Any, info: strawberry.Info[Any, Any], first: First = DEFAULT_FIRST, after: After = None) -> Any:
    account: Account = self
    context: Context = info.context

    async def fetch(crm: Crm, size: int, position: str | None) -> Page[Contact]:
        client = supported(crm.client, ListsAccountContacts, crm=crm.key, what="list the contacts of an account")
        return await client.account_contacts_page(account.local_id, PageRequest(size=size, position=position, selection=context.selection))

    return await _list(info, account, fetch, first=first, after=after, name="account.contacts")


async def account_opportunities(self: Any, info: strawberry.Info[Any, Any], first: First = DEFAULT_FIRST, after: After = None) -> Any:
    account: Account = self
    context: Context = info.context

    async def fetch(crm: Crm, size: int, position: str | None) -> Page[Opportunity]:
        client = supported(crm.client, ListsAccountOpportunities, crm=crm.key, what="list the opportunities of an account")
        return await client.account_opportunities_page(
            account.local_id, PageRequest(size=size, position=position, selection=context.selection)
        )

    return await _list(info, account, fetch, first=first, after=after, name="account.opportunities")


async def _list(
    info: strawberry.Info[Any, Any], account: Account, fetch: Fetch[R], *, first: int, after: str | None, name: str
) -> Connection[R]:
    context: Context = info.context
    page = await interleaved(
        context,
        [context.crm(account.crm)],
        fetch,
        first=checked_first(first),
        after=after,
        list_name=name,
        arguments=[account.ref],
        path=path_of(info),
    )
    source = page.sources[0]
    if source.error is not None and source.status is SourceState.FAILED:
        raise source.error
    report(info, page.sources)
    return page
