"""The seed's company: references resolve but for the broken ones, and the values that the vendor's pages allow occur."""

import re
from typing import Any

import pytest

from tests.vendors.sharpspring.sandbox_caller import Caller, calling, rows_of
from vendors.sharpspring.sandbox import SANDBOX


async def ids(caller: Caller, method: str) -> set[str]:
    return {row["id"] for row in await caller.rows(method, where={})}


def text(value: Any) -> str:
    """Return a relation as text, "" for each way of writing none."""
    return "" if value in (None, "", "0") else str(value)


async def test_references_resolve_except_the_broken_ones() -> None:
    async with calling() as caller:
        known = {
            "ownerID": await ids(caller, "getUserProfiles"),
            "dealStageID": await ids(caller, "getDealStages"),
            "accountID": await ids(caller, "getAccounts"),
            "campaignID": await ids(caller, "getCampaigns"),
            "primaryLeadID": await ids(caller, "getLeads"),
            "originatingLeadID": await ids(caller, "getLeads"),
        }

        rows = (await caller.raw()).values()

        broken = {name: {text(row[name]) for row in rows} - targets - {""} for name, targets in known.items()}
        assert broken == {
            "ownerID": {"312009998"},
            "dealStageID": set(),
            "accountID": {"40112299917"},
            "campaignID": set(),
            "primaryLeadID": {"88038569999"},
            "originatingLeadID": {"880385609999"},
        }


async def test_links_resolve_and_some_opportunities_have_several_or_none() -> None:
    async with calling() as caller:
        links = await caller.rows("getOpportunityLeads", where={})
        leads = await ids(caller, "getLeads") | {"880385600109"}  # who is inactive
        opportunities = await caller.raw()

        counts = {row_id: sum(1 for link in links if link["opportunityID"] == row_id) for row_id in opportunities}
        assert {link["leadID"] for link in links} <= leads
        assert {link["opportunityID"] for link in links} <= opportunities.keys()
        assert {0, 1, 2} <= set(counts.values())


async def test_at_least_twenty_visible_opportunities_are_complete() -> None:
    async with calling() as caller:
        accounts, leads, users = [await ids(caller, method) for method in ("getAccounts", "getLeads", "getUserProfiles")]

        rows = await caller.rows("getOpportunities", where={})

        complete = [row for row in rows if row["accountID"] in accounts and row["primaryLeadID"] in leads and row["ownerID"] in users]
        assert 48 <= len(await caller.raw()) <= 55
        assert len(complete) >= 20


async def test_the_company_and_people_of_the_story_are_there() -> None:
    async with calling(html_escape="off") as caller:
        users = {row["emailAddress"]: (row["displayName"], row["isActive"]) for row in await caller.rows("getUserProfiles", where={})}
        accounts = {row["accountName"] for row in await caller.rows("getAccounts", where={})}
        lene = await caller.one("getLeads", where={"emailAddress": "lene@fjordshipping.example"})

        assert users["tove.ek@nordkai.example"] == ("Tove Ek", "1")
        assert users["lars.holm@nordkai.example"] == ("Lars Holm", "1")
        assert users["mira.koenig@nordkai.example"] == ("Mira König", "1")
        assert "0" in {is_active for _, is_active in users.values()}
        assert {"Fjord Shipping AS", "Müller & Söhne Werft"} <= accounts
        assert (lene["firstName"], lene["lastName"]) == ("Lene", "Sørensen")


async def test_odd_values_that_the_vendor_allows_occur() -> None:
    async with calling() as caller:
        rows = list((await caller.raw()).values())
        stages = await caller.rows("getDealStages", where={})

        assert any(row["isWon"] and not row["isClosed"] for row in rows)
        assert any(row["isClosed"] and row["probability"] not in ("0", "100") for row in rows)
        assert any(row["amount"] is None for row in rows) and any(row["amount"] == "0" for row in rows)
        assert any(row["closeDate"] is None for row in rows)
        assert any(len(row["opportunityName"]) == 255 for row in rows)
        assert all(row["id"] > 2**31 for row in rows)
        assert any(stage["weight"] == "" or stage["weight"] is None for stage in stages)
        assert {stage["isEditable"] for stage in stages} == {"0", "1"}


async def test_every_kind_of_custom_field_is_used_and_named_as_the_vendor_names_them() -> None:
    async with calling() as caller:
        fields = [row for row in await caller.rows("getFields", where={"isCustom": "1"}) if row["relationship"] == "opportunity"]
        rows = await caller.rows("getOpportunities", where={})

        assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*_[0-9a-f]{13}", field["systemName"]) for field in fields)
        assert len({field["dataType"] for field in fields}) == len(fields)
        assert all(any(row[field["systemName"]] for row in rows) for field in fields)


async def test_statuses_are_spread_as_the_story_says() -> None:
    async with calling() as caller:
        rows = (await caller.raw()).values()

        won = sum(1 for row in rows if row["isWon"])
        lost = sum(1 for row in rows if row["isClosed"] and not row["isWon"])
        assert (won, lost, len(rows) - won - lost) == (11, 11, 31)


async def test_generation_is_the_same_every_time() -> None:
    async with calling(scale=300) as first, calling(scale=300) as second:
        assert await first.raw() == await second.raw()
        assert await first.rows("getOpportunityLeads", where={}) == await second.rows("getOpportunityLeads", where={})


async def test_generation_spreads_over_owners_stages_and_fates() -> None:
    async with calling(scale=1_000) as caller:
        rows = (await caller.raw()).values()

        assert len(rows) == 1_000
        assert len({row["ownerID"] for row in rows}) == 5
        assert len({row["dealStageID"] for row in rows}) == 8
        assert 150 < sum(1 for row in rows if row["isWon"]) < 250
        assert 0 < sum(1 for row in rows if not row["isActive"]) < 100
        links = await caller.rows(
            "getOpportunityLeads", where={"opportunityID": str(next(row["id"] for row in rows if row["primaryLeadID"]))}
        )
        assert links


async def test_a_big_company_can_be_paged_through_without_gaps() -> None:
    async with calling(scale=20_000) as caller:
        listed = [row["id"] for offset in range(0, 20_000, 500) for row in await caller.rows("getOpportunities", where={}, offset=offset)]

        active = [row_id for row_id, row in (await caller.raw()).items() if row["isActive"]]
        assert listed == sorted(active, key=int)


@pytest.mark.parametrize("position", SANDBOX.positions(), ids=str)
async def test_every_position_of_the_options_lists_the_same_company(position: dict[str, Any]) -> None:
    async with calling(**position) as caller:
        envelope = await caller.call("getOpportunities", {"where": {}, "limit": 200})

        inactive_too = caller.sandbox.options["inactive_rows"] == "listed"
        expected = {row_id for row_id, row in (await caller.raw()).items() if row["isActive"] or inactive_too}
        assert {str(row["id"]) for row in rows_of(envelope)} == expected
