"""The lists that hang on an account."""

from typing import Any

import strawberry

from resolvers.arguments import After, First
from resolvers.context import Context
from resolvers.paging import DEFAULT_FIRST, Connection, checked_first, interleaved
from vendors.capabilities import ListsAccountContacts, ListsAccountOpportunities, Page, PageRequest, supported
from vendors.model import Account, Contact, Opportunity
from vendors.registry import Crm


async def account_contacts(self: Any, info: strawberry.Info[Any, Any], first: First = DEFAULT_FIRST, after: After = None) -> Any:
    account: Account = self
    context: Context = info.context

    async def fetch(crm: Crm, size: int, position: str | None) -> Page[Contact]:
        client = supported(crm.client, ListsAccountContacts, crm=crm.key, what="list the contacts of an account")
        return await client.account_contacts_page(account.local_id, PageRequest(size=size, position=position, selection=context.selection))

    return await _list(context, account, fetch, first=first, after=after, name="account.contacts")


async def account_opportunities(self: Any, info: strawberry.Info[Any, Any], first: First = DEFAULT_FIRST, after: After = None) -> Any:
    account: Account = self
    context: Context = info.context

    async def fetch(crm: Crm, size: int, position: str | None) -> Page[Opportunity]:
        client = supported(crm.client, ListsAccountOpportunities, crm=crm.key, what="list the opportunities of an account")
        return await client.account_opportunities_page(
            account.local_id, PageRequest(size=size, position=position, selection=context.selection)
        )

    return await _list(context, account, fetch, first=first, after=after, name="account.opportunities")


async def _list(context: Context, account: Account, fetch: Any, *, first: int, after: str | None, name: str) -> Connection[Any]:
    page = await interleaved(
        context, [context.crm(account.crm)], fetch, first=checked_first(first), after=after, list_name=name, arguments=[account.ref]
    )
    error = page.sources[0].error
    if error is not None:
        raise error
    return page
