"""What the sandbox's writing methods take, refuse and keep. Source: Lead Gen & CRM Open API, schema articles and error codes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.vendors.sharpspring.sandbox_caller import Caller, calling
from vendors.sharpspring.sandbox.routes import STORE
from vendors.sharpspring.sandbox.store import Change

TOVE, LARS = "312000001", "312000002"
QUALIFIED, PROPOSAL, CLOSED_WON, CLOSED_LOST = "70110012", "70110014", "70110016", "70110017"
FJORD_ACCOUNT, LENE, JURGEN = "40112233401", "88038560001", "88038560004"
NEW = {"ownerID": TOVE, "dealStageID": QUALIFIED, "opportunityName": "Gantry crane & rails", "closeDate": "2027-02-01 00:00:00"}
NEW_LEAD = {"firstName": "Nora", "lastName": "Dahl & Co", "emailAddress": "nora@fjordshipping.example", "accountID": FJORD_ACCOUNT}


async def deck_lighting(caller: Caller) -> dict[str, Any]:
    return await caller.by_name("Deck lighting 2027")


async def code_of_update(caller: Caller, **values: object) -> Any:
    row = await deck_lighting(caller)
    (outcome,) = await caller.write("updateOpportunities", {"id": str(row["id"]), **values})
    return outcome


async def test_a_created_opportunity_is_kept_with_its_defaults() -> None:
    async with calling() as caller:
        (new_id,) = await caller.write("createOpportunities", {**NEW, "amount": 1500.50, "accountID": FJORD_ACCOUNT})

        row = await caller.one("getOpportunity", id=new_id)
        assert isinstance(new_id, int)
        assert new_id > 2**32
        assert (row["id"], row["opportunityName"], row["amount"]) == (str(new_id), "Gantry crane & rails", "1500.5")
        assert (row["isClosed"], row["isWon"], row["isActive"], row["probability"]) == ("0", "0", "1", "25")
        assert row["project_code_66aa01f3c2b4d"] == ""


async def test_the_probability_may_stay_empty() -> None:
    async with calling(probability_default="none") as caller:
        (new_id,) = await caller.write("createOpportunities", NEW)

        assert (await caller.one("getOpportunity", id=new_id))["probability"] is None


@pytest.mark.parametrize("missing", ["ownerID", "dealStageID", "opportunityName", "closeDate"])
async def test_an_opportunity_needs_its_required_fields(missing: str) -> None:
    async with calling() as caller:
        before = await caller.raw()

        outcome = await caller.write("createOpportunities", {name: value for name, value in NEW.items() if name != missing})

        assert outcome == [205]
        assert await caller.raw() == before


async def test_the_close_date_may_be_optional() -> None:
    async with calling(close_date_required="off") as caller:
        (new_id,) = await caller.write("createOpportunities", {name: value for name, value in NEW.items() if name != "closeDate"})

        assert (await caller.one("getOpportunity", id=new_id))["closeDate"] in ("", None)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"id": "90531100107"}, 205),
        ({"dealstageID": PROPOSAL}, 205),
        ({"dealStageId": PROPOSAL}, 205),
        ({"createTimestamp": "2026-01-01 00:00:00"}, 205),
        ({"currency": "NOK"}, 205),
        ({"opportunityName": None}, 205),
        ({"opportunityName": ""}, 205),
        ({"opportunityName": "x" * 256}, 205),
        ({"ownerID": ""}, 205),
        ({"accountID": ""}, 205),
        ({"amount": ""}, 205),
        ({"amount": "1,5"}, 205),
        ({"amount": True}, 205),
        ({"amount": "1234567890123456789"}, 205),
        ({"amount": "0.123456789012345678"}, 205),
        ({"accountID": 10**18}, 205),
        ({"opportunityName": "  "}, 205),
        ({"lift_capacity_t_66aa0230bb51f": "heavy"}, 205),
        ({"lift_capacity_t_66aa0230bb51f": "1.5"}, 205),
        ({"yearly_service_budget_66aa031472ab9": "1,5"}, 205),
        ({"port_permit_66aa0251e3a07": "perhaps"}, 205),
        ({"commissioning_day_66aa0276c8f13": "May"}, 205),
        ({"isClosed": "yes"}, 205),
        ({"isClosed": None}, 205),
        ({"closeDate": "2027-02-30"}, 205),
        ({"closeDate": "2027-02-01T00:00:00Z"}, 205),
        ({"project_code_66aa01f3c2b4d": None}, 205),
        ({"ownerID": ["312000001"]}, 210),
        ({"ownerID": "312009998"}, 303),
        ({"ownerID": 0}, 303),
        ({"dealStageID": "1"}, 303),
        ({"accountID": "40112299917"}, 303),
        ({"campaignID": "1"}, 303),
        ({"primaryLeadID": "1"}, 303),
        ({"originatingLeadID": "1"}, 303),
    ],
)
async def test_wrong_values_are_refused_and_nothing_is_created(values: dict[str, object], code: int) -> None:
    async with calling() as caller:
        before = await caller.raw()

        assert await caller.write("createOpportunities", {**NEW, **values}) == [code]
        assert await caller.raw() == before


@pytest.mark.parametrize(("given", "stored"), [("2027-02-01", "2027-02-01 00:00:00"), ("2027-02-01 09:30:00", "2027-02-01 09:30:00")])
async def test_the_close_date_is_written_as_a_day_or_with_its_time(given: str, stored: str) -> None:
    async with calling() as caller:
        assert await code_of_update(caller, closeDate=given) is True

        assert (await deck_lighting(caller))["closeDate"] == stored


async def test_version_1_writes_in_the_time_zone_of_the_company() -> None:
    async with calling() as caller:
        row = await deck_lighting(caller)
        change = {"objects": [{"id": row["id"], "closeDate": "2027-01-10 00:30:00"}]}

        await caller.call("updateOpportunities", change, version="v1/")

        assert (await deck_lighting(caller))["closeDate"] == "2027-01-09 23:30:00"


@pytest.mark.parametrize("empty", [None, 0, "0"])
async def test_a_relation_is_cleared_with_null_or_zero(empty: object) -> None:
    async with calling() as caller:
        assert await code_of_update(caller, accountID=empty) is True

        assert (await deck_lighting(caller))["accountID"] is None


async def test_an_update_changes_what_it_names_and_stamps_the_row() -> None:
    async with calling() as caller:
        before = await deck_lighting(caller)
        window = {"startDate": "2026-11-21 12:00:00", "endDate": "2026-11-21 12:00:00", "timestamp": "update"}

        assert await code_of_update(caller, dealStageID=PROPOSAL, amount="99.90", lift_capacity_t_66aa0230bb51f="12") is True

        after = await deck_lighting(caller)
        assert after == before | {"amount": "99.9", "lift_capacity_t_66aa0230bb51f": "12", "updateTimestamp": "2026-11-21 12:00:00"}
        assert [row["id"] for row in await caller.rows("getOpportunitiesDateRange", **window)] == [str(before["id"])]


async def test_a_text_written_by_the_api_is_no_longer_escaped() -> None:
    async with calling() as caller:
        row = await deck_lighting(caller)

        await caller.write("updateOpportunities", {"id": row["id"], "opportunityName": "Deck & mast lighting <2027>"})

        assert (await caller.one("getOpportunity", id=row["id"]))["opportunityName"] == "Deck & mast lighting <2027>"


async def test_texts_are_trimmed_when_they_are_written() -> None:
    async with calling() as caller:
        assert await code_of_update(caller, opportunityName="  Deck lights\n", project_code_66aa01f3c2b4d=" x ") is True

        row = await caller.by_name("Deck lights")
        assert row["project_code_66aa01f3c2b4d"] == "x"


async def test_custom_fields_of_every_type_are_emptied() -> None:
    async with calling() as caller:
        keys = ("lift_capacity_t_66aa0230bb51f", "port_permit_66aa0251e3a07", "commissioning_day_66aa0276c8f13")
        filled = dict(zip(keys, ("12", "true", "2027-05-03"), strict=True))

        outcomes = [await code_of_update(caller, **filled), await code_of_update(caller, **dict.fromkeys(keys, ""))]

        assert outcomes == [True, True]
        assert {(await deck_lighting(caller))[key] for key in keys} == {""}


async def test_a_custom_field_may_be_required() -> None:
    async with calling() as caller:
        table = caller.sandbox.app[STORE].tables["opportunity"]
        key = "project_code_66aa01f3c2b4d"
        table.columns[key] = replace(table.columns[key], required=True)

        assert await caller.write("createOpportunities", NEW, {**NEW, key: ""}) == [205, 205]
        assert await caller.write("createOpportunities", {**NEW, key: "G-1"}) != [205]
        assert await code_of_update(caller, **{key: ""}) == 205


async def test_an_update_that_changes_nothing_is_code_302() -> None:
    async with calling() as caller:
        assert await code_of_update(caller, dealStageID=int(PROPOSAL), amount="312500.50") == 302


@pytest.mark.parametrize(("switch", "outcome"), [("404", 404), ("silent", True)])
async def test_an_update_of_an_unknown_opportunity_fails_or_succeeds_silently(switch: str, outcome: object) -> None:
    async with calling(unknown_update=switch) as caller:
        before = await caller.raw()

        assert await caller.write("updateOpportunities", {"id": "1", "amount": "5"}) == [outcome]
        assert await caller.raw() == before


async def test_an_update_needs_an_id() -> None:
    async with calling() as caller:
        assert await caller.write("updateOpportunities", {"amount": "5"}) == [205]


async def test_stage_and_flags_move_independently() -> None:
    async with calling() as caller:
        assert await code_of_update(caller, dealStageID=CLOSED_WON) is True
        moved = await deck_lighting(caller)
        assert await code_of_update(caller, dealStageID=PROPOSAL, isClosed=True) is True
        closed = await deck_lighting(caller)

        assert (moved["isClosed"], moved["isWon"]) == (False, False)
        assert (str(closed["dealStageID"]), closed["isClosed"], closed["isWon"]) == (PROPOSAL, True, False)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"dealStageID": CLOSED_WON}, (CLOSED_WON, True, True)),
        ({"dealStageID": CLOSED_LOST}, (CLOSED_LOST, True, False)),
        ({"isClosed": "1", "isWon": "1"}, (CLOSED_WON, True, True)),
        ({"isClosed": True}, (CLOSED_LOST, True, False)),
        ({"dealStageID": QUALIFIED}, (QUALIFIED, False, False)),
        ({"amount": 7}, (PROPOSAL, False, False)),
    ],
)
async def test_stage_and_flags_may_follow_each_other(values: dict[str, object], expected: tuple[str, bool, bool]) -> None:
    async with calling(closing="coupled") as caller:
        assert await code_of_update(caller, **values) is True

        row = await deck_lighting(caller)
        assert (str(row["dealStageID"]), row["isClosed"], row["isWon"]) == expected


async def test_a_deleted_opportunity_is_gone_with_its_links() -> None:
    async with calling() as caller:
        row = await deck_lighting(caller)
        assert len(await caller.rows("getOpportunityLeads", where={"opportunityID": row["id"]})) == 2

        assert await caller.write("deleteOpportunities", {"id": str(row["id"])}) == [True]

        assert await caller.rows("getOpportunity", id=row["id"]) == []
        assert await caller.rows("getOpportunityLeads", where={"opportunityID": row["id"]}) == []
        assert await caller.write("deleteOpportunities", {"id": str(row["id"])}) == [404]


async def test_a_deleted_opportunity_may_become_inactive_instead() -> None:
    async with calling(deletes="deactivate") as caller:
        row = await deck_lighting(caller)

        outcomes = [await caller.write("deleteOpportunities", {"id": row["id"]}) for _ in range(2)]

        assert outcomes == [[True], [302]]
        assert (await caller.one("getOpportunity", id=row["id"]))["isActive"] == "0"
        assert str(row["id"]) not in {listed["id"] for listed in await caller.rows("getOpportunities", where={})}


async def test_a_delete_takes_an_id_and_nothing_else() -> None:
    async with calling() as caller:
        row = await deck_lighting(caller)

        assert await caller.write("deleteOpportunities", {"id": row["id"], "isActive": 0}, {"ID": row["id"]}) == [205, 205]
        assert await deck_lighting(caller) == row


async def test_valid_rows_are_committed_although_others_fail_and_the_errors_are_copied() -> None:
    async with calling() as caller:
        envelope = await caller.call("createOpportunities", {"objects": [NEW, {**NEW, "ownerID": "1"}, {**NEW, "amount": "x"}]})

        created, foreign, malformed = envelope["result"]["creates"]
        assert (created["success"], created["error"]) == (True, None)
        assert (foreign["success"], foreign["error"]["code"], malformed["error"]["code"]) == (False, 303, 205)
        assert "id" not in foreign
        assert envelope["error"] == [foreign["error"], malformed["error"]]
        assert await caller.one("getOpportunity", id=created["id"])


async def test_the_top_level_error_may_stay_empty_when_rows_fail() -> None:
    async with calling(object_errors="null", success_error="list") as caller:
        envelope = await caller.call("createOpportunities", {"objects": [{**NEW, "ownerID": "1"}]})

        assert envelope["error"] == []
        assert envelope["result"]["creates"][0]["error"]["code"] == 303


async def test_success_may_be_a_text() -> None:
    async with calling(success_flags="string") as caller:
        envelope = await caller.call("createOpportunities", {"objects": [NEW, {**NEW, "ownerID": "1"}]})

        assert [row["success"] for row in envelope["result"]["creates"]] == ["true", "false"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("createOpportunities", {}, 207),
        ("createOpportunities", {"objects": []}, 207),
        ("createOpportunities", {"objects": NEW}, 207),
        ("createOpportunities", {"objects": ["x"]}, 208),
        ("createOpportunities", {"objects": [NEW], "where": {}}, 205),
        ("createOpportunities", {"objects": [NEW] * 501}, 209),
        ("updateLeads", {"objects": [{"id": LENE}] * 101}, 222),
        ("createLeads", {"objects": [NEW_LEAD] * 101}, 222),
        ("updateOpportunityLeads", {"objects": [{"id": "1"}]}, 204),
        ("updateDealStages", {"objects": [{"id": "1"}]}, 204),
        ("subscribeToLeadUpdates", {}, 206),
        ("subscribeToLeadUpdates", {"url": "receiver"}, 205),
    ],
)
async def test_a_write_that_is_malformed_as_a_whole_does_nothing(method: str, params: dict[str, object], code: int) -> None:
    async with calling() as caller:
        before = await caller.raw()

        assert await caller.code(method, params) == code
        assert await caller.raw() == before


async def test_five_hundred_objects_are_written_in_one_call() -> None:
    async with calling() as caller:
        outcomes = await caller.write("createOpportunities", *[NEW] * 500)

        assert len(set(outcomes)) == 500


async def test_contacts_are_linked_once_and_unlinked() -> None:
    async with calling() as caller:
        row = await deck_lighting(caller)
        link = {"opportunityID": str(row["id"]), "leadID": JURGEN}

        (link_id, again, no_lead, no_deal, half) = await caller.write(
            "createOpportunityLeads", link, link, {**link, "leadID": "1"}, {**link, "opportunityID": "1"}, {"leadID": JURGEN}
        )
        linked = await caller.one("getOpportunityLeads", where={"opportunityID": row["id"], "leadID": JURGEN})
        unlinked = await caller.write("deleteOpportunityLeads", {"id": link_id})

        assert (again, no_lead, no_deal, half) == (301, 303, 303, 205)
        assert linked == {"id": str(link_id), **link}
        assert unlinked == [True]
        assert await caller.rows("getOpportunityLead", id=link_id) == []


async def test_stages_are_created_and_deleted_unless_they_are_needed() -> None:
    async with calling() as caller:
        stage = {"dealStageName": "Legal review", "defaultProbability": "85", "weight": 55}

        (stage_id, nameless) = await caller.write("createDealStages", stage, {"weight": 1})
        created = await caller.one("getDealStage", id=stage_id)
        deleted = await caller.write("deleteDealStages", {"id": stage_id}, {"id": PROPOSAL}, {"id": CLOSED_WON})

        assert (created["dealStageName"], created["weight"], created["isEditable"], nameless) == ("Legal review", "55", "1", 205)
        assert deleted == [True, 303, 212]


async def test_accounts_are_created_updated_and_deleted() -> None:
    async with calling() as caller:
        account = {"ownerID": LARS, "accountName": "Drammen Quays <north>", "billingCity": "Drammen", "numberOfEmployees": "12"}

        (account_id, nameless, misspelt) = await caller.write("createAccounts", account, {"ownerID": LARS}, {**account, "name": "x"})
        updated = await caller.write("updateAccounts", {"id": account_id, "billingCity": None}, {"id": "1", "fax": "2"}, {"id": account_id})
        row = await caller.one("getAccount", id=account_id)
        deleted = await caller.write("deleteAccounts", {"id": account_id})

        assert (nameless, misspelt, updated, deleted) == (205, 205, [True, 404, 302], [True])
        assert (row["accountName"], row["billingCity"], row["numberOfEmployees"]) == ("Drammen Quays <north>", None, "12")
        assert await caller.rows("getAccount", id=account_id) == []


async def test_a_lead_is_created_once_for_an_email_address() -> None:
    async with calling() as caller:
        (lead_id, again, seeded, without_email) = await caller.write(
            "createLeads", NEW_LEAD, NEW_LEAD, {"emailAddress": "lene@fjordshipping.example"}, {"lastName": "Nobody"}
        )

        row = await caller.one("getLead", id=lead_id)
        assert (again, seeded) == (301, 301)
        assert (row["lastName"], row["leadStatus"], row["active"], row["createTimestamp"]) == (
            "Dahl & Co",
            "open",
            "1",
            "2026-11-21 12:00:00",
        )
        assert await caller.one("getLead", id=without_email)


@pytest.mark.parametrize(
    "values", [{"leadStatus": "lost"}, {"updateTimestamp": "2026-01-01 00:00:00"}, {"leadScoreWeighted": 4}, {"email": "x"}]
)
async def test_wrong_values_of_a_lead_are_refused(values: dict[str, object]) -> None:
    async with calling() as caller:
        assert await caller.write("createLeads", {**NEW_LEAD, **values}) == [205]
        assert await caller.write("updateLeadsV2", {"id": LENE, **values}) == [205]


async def test_a_lead_is_updated_by_id_or_by_email_address() -> None:
    async with calling() as caller:
        outcomes = await caller.write(
            "updateLeads",
            {"id": LENE, "title": "Director"},
            {"emailAddress": "lene@fjordshipping.example", "city": "Os"},
            {"id": LENE, "city": "Os"},
        )

        row = await caller.one("getLead", id=LENE)
        assert outcomes == [True, True, 302]
        assert (row["title"], row["city"], row["updateTimestamp"]) == ("Director", "Os", "2026-11-21 12:00:00")


@pytest.mark.parametrize(
    "lead", [{"id": "1", "city": "Os"}, {"city": "Os"}, {"emailAddress": "nobody@fjordshipping.example", "city": "Os"}]
)
async def test_updating_an_unknown_lead_succeeds_silently_and_fails_in_the_second_version(lead: dict[str, object]) -> None:
    async with calling() as caller:
        before = await caller.rows("getLeads", where={})

        assert await caller.write("updateLeads", lead) == [True]
        assert await caller.write("updateLeadsV2", lead) == [404]
        assert await caller.rows("getLeads", where={}) == before


async def test_taking_another_leads_email_address_changes_only_the_timestamp() -> None:
    async with calling() as caller:
        before = await caller.one("getLead", id=LENE)

        outcome = await caller.write("updateLeads", {"id": LENE, "emailAddress": "ida.moe@oslofjordhavn.example", "city": "Os"})

        assert outcome == [True]
        assert await caller.one("getLead", id=LENE) == before | {"updateTimestamp": "2026-11-21 12:00:00"}


async def test_a_contact_with_an_opportunity_silently_stays_one() -> None:
    async with calling() as caller:
        before = await caller.one("getLead", id=LENE)

        outcome = await caller.write("updateLeads", {"id": LENE, "leadStatus": "contact"})

        assert outcome == [True]
        assert await caller.one("getLead", id=LENE) == before


async def test_leads_are_deleted() -> None:
    async with calling() as caller:
        assert await caller.write("deleteLeads", {"id": LENE}, {"id": LENE}) == [True, 404]

        assert await caller.rows("getLead", id=LENE) == []


async def test_a_subscription_keeps_its_url() -> None:
    async with calling() as caller:
        envelope = await caller.call("subscribeToLeadUpdates", {"url": "https://receiver.example/ss"})

        assert envelope["result"] == {"success": True}
        assert caller.sandbox.app[STORE].lead_update_urls == ["https://receiver.example/ss"]


async def test_a_person_moves_a_deal_in_the_product() -> None:
    async with calling() as caller:
        row = await deck_lighting(caller)
        url = f"{caller.sandbox.base_url}/_sandbox/move"
        caller.clocks.now = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)

        async with caller.session.post(url, json={"id": str(row["id"]), "stage": QUALIFIED}) as response:
            moved = await response.json()
        async with caller.session.post(url, json={"id": "1", "stage": QUALIFIED}) as unknown_deal:
            assert unknown_deal.status == 404
        async with caller.session.post(url, json={"id": row["id"], "stage": "1"}) as unknown_stage:
            assert unknown_stage.status == 404

        assert moved == row | {"dealStageID": int(QUALIFIED), "updateTimestamp": "2026-11-22 09:05:00"}
        assert (await caller.one("getOpportunity", id=row["id"]))["dealStageID"] == QUALIFIED


async def test_listeners_are_told_of_every_change() -> None:
    async with calling() as caller:
        told: list[Change] = []
        caller.sandbox.app[STORE].listeners.append(told.append)

        (new_id,) = await caller.write("createOpportunities", NEW)
        await caller.write("updateOpportunities", {"id": new_id, "dealStageID": PROPOSAL}, {"id": new_id, "dealStageID": PROPOSAL})
        await caller.write("createOpportunityLeads", {"opportunityID": new_id, "leadID": LENE})
        await caller.write("deleteOpportunities", {"id": new_id})

        assert [(change.kind, change.table) for change in told] == [
            ("create", "opportunity"),
            ("update", "opportunity"),
            ("create", "opportunityLead"),
            ("delete", "opportunityLead"),
            ("delete", "opportunity"),
        ]
        update = told[1]
        assert update.before is not None
        assert update.after is not None
        assert (update.before["dealStageID"], update.after["dealStageID"]) == (int(QUALIFIED), int(PROPOSAL))


async def test_every_start_is_a_fresh_account() -> None:
    async with calling() as first:
        await first.write("createOpportunities", NEW)
        changed = len(await first.raw())
    async with calling() as second:
        assert len(await second.raw()) == changed - 1
