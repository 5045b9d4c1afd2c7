"""The questions that are asked of every size, and what each cost."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from bench.lists.client import PAGE_ROWS, Client, Step
from bench.lists.ground import Ground
from bench.processes import BenchError

_REPEATS: Final = 5
BY_AMOUNT: Final = [{"field": "AMOUNT", "descending": True}]
BY_TITLE: Final = [{"field": "TITLE"}]
BY_AMOUNT_FIRST: Final = "first page by amount"
SCAN: Final = "opportunitySummary, nothing scanned"


async def measure_steps(ground: Ground) -> tuple[Sequence[str], Sequence[Step]]:
    """All questions, paced as the adapters pace themselves; and the owners whose opportunities were asked for."""
    steps: list[Step] = []

    async def noted(client: Client, name: str, operation: str, *, repeats: int = 1, **variables: object) -> Any:
        step, value = await client.step(name, operation, repeats=repeats, **variables)
        steps.append(step)
        return value

    async with ground.server("--paced") as client:
        page = {"first": PAGE_ROWS}
        await noted(client, "first page, all tables unread", "Page", **page)
        await noted(client, "first page", "Page", repeats=_REPEATS, **page)
        owners = await _owners(client)
        chosen = {"status": ["OPEN"], "ownerEmails": owners}
        await noted(client, "first page of these owners' open ones", "Page", repeats=_REPEATS, filter=chosen, **page)
        first = await noted(client, BY_AMOUNT_FIRST, "Page", orderBy=BY_AMOUNT, **page)
        after = first["pageInfo"]["endCursor"]
        await noted(client, "then its second page", "Page", orderBy=BY_AMOUNT, after=after, **page)
        await noted(client, "then the first page by title", "Page", orderBy=BY_TITLE, **page)
        total = await noted(client, "then totalCount", "Total")
        summary = await noted(client, "then opportunitySummary", "Summary")
    async with ground.server("--paced") as client:
        await client.page()
        total_alone = await noted(client, "totalCount, nothing scanned", "Total")
    async with ground.server("--paced") as client:
        await client.page()
        summary_alone = await noted(client, SCAN, "Summary")
    if total != total_alone or summary != summary_alone or summary["count"] != total["totalCount"] or not summary["isComplete"]:
        raise BenchError(f"at {ground.size} the counts differ: {total}, {total_alone}, {summary['count']}, {summary_alone['count']}")
    return owners, steps


async def _owners(client: Client) -> list[str]:
    """A few e-mail addresses of users, so that every Crm has one of them."""
    crms: defaultdict[str, set[str]] = defaultdict(set)
    for user in (await client.ask("Owners"))["nodes"]:
        if user["email"]:
            crms[user["email"].casefold()].add(user["crm"]["key"])
    chosen: list[str] = []
    lacking = set[str]().union(*crms.values())
    while lacking:
        chosen.append(max(sorted(crms), key=lambda email: len(crms[email] & lacking)))
        lacking -= crms[chosen[-1]]
    return chosen
