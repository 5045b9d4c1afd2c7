"""Writes under an idempotency key: once, whatever is repeated and whatever is cut in between.

One file, because most of it begins with the same few ways of losing an answer, and goes on from what the key then holds.
"""

import asyncio
from typing import Any

import pytest

from resolvers.node_id import encode
from server.limits import Limits
from tests.contract.conftest import VENDORS
from tests.resolvers.graph import until
from tests.resolvers.writing_desk import CREATE_OPERATIONS, Desk, Json, asks, desk, errors
from vendors.model import Ref
from vendors.sandbox import Fault, FaultKind

KEY = "f6c2c0a0-5d3e-4d0a-9f6c-0d6f9b1c7a11"
UNKNOWN = [(["idempotencyKey"], "OUTCOME_UNKNOWN")]
AFTER: list[FaultKind] = ["reset_mid_body", "reset_after", "cut_json"]
# How the sandboxes log the call that deletes an opportunity; Autotask cannot.
DELETE_OPERATIONS = {
    "apideck": "opportunitiesDelete",
    "onlyoffice": "DELETE crm/opportunity",
    "pipeliner": "DELETE Opportunities",
    "sharpspring": "deleteOpportunities",
}
# A custom text field of each sandbox.
CORRELATION = {
    "autotask": "Scope notes",
    "onlyoffice": "21",
    "pipeliner": "cf_scope",
    "sharpspring": "project_code_66aa01f3c2b4d",
}


async def lost(at: Desk, kind: FaultKind) -> Json:
    """Create an opportunity under the key, with no answer from the vendor; its input."""
    new = await at.new(title="Quay lights")
    at.fail_creates(kind, times=1)
    assert await at.write_error("createOpportunity", new, key=KEY) == "OUTCOME_UNKNOWN"
    assert at.creates() == 1
    return new


# nothing is lost


async def test_a_repetition_gives_the_same_record_without_another_write(at: Desk) -> None:
    new = await at.new(title="Quay lights")
    first = await at.write("createOpportunity", new, key=KEY)
    writes = len(at.writes())

    again = await at.write("createOpportunity", new, key=KEY)

    assert (first["outcome"], again["outcome"]) == ("DONE", "REPLAYED")
    assert again["opportunity"] == first["opportunity"]
    assert (again["id"], again["userErrors"], again["vendorRequests"]) == (first["id"], [], [])
    assert len(at.writes()) == writes


async def test_a_replay_shows_the_record_as_it_is_now(at: Desk) -> None:
    new = await at.new(title="Quay lights")
    made = await at.write("createOpportunity", new, key=KEY)
    await at.write("updateOpportunity", {"id": made["id"], "title": "Berth lights"})

    again = await at.write("createOpportunity", new, key=KEY)

    assert (again["outcome"], again["opportunity"]["title"]) == ("REPLAYED", "Berth lights")


async def test_the_other_mutations_are_not_made_twice_either(at: Desk) -> None:
    current = await at.model()
    deal = encode("Opportunity", current.ref)
    stage = await at.other_stage(current)
    for mutation, values in (
        ("updateOpportunity", {"id": deal, "title": "Quay lights"}),
        ("moveOpportunityToStage", {"id": deal, "stageId": stage}),
        ("closeOpportunity", {"id": deal, "status": "LOST"}),
    ):
        first = await at.write(mutation, values, key=mutation)
        writes = len(at.writes())
        again = await at.write(mutation, values, key=mutation)

        assert (first["outcome"], again["outcome"], again["id"], len(at.writes())) == ("DONE", "REPLAYED", deal, writes)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Berth lights"},
        {"description": None},
        {"description": ""},
        {"amount": {"amount": "1250.51", "currency": "EUR"}},
        {"probability": 0},
        {"customFields": [{"key": "Berth", "value": 5}]},
        {"customFields": [{"key": "Berth", "value": "5"}]},
        {"accountId": None},
    ],
)
async def test_a_key_with_another_input_is_refused(change: Json) -> None:
    async with desk("autotask") as at:
        new = await at.new(title="Quay lights")
        del new["description"]
        await at.write("createOpportunity", new, key=KEY)
        at.calls().clear()

        refused = await at.write("createOpportunity", {**new, **change}, key=KEY)

        assert (refused["outcome"], errors(refused), refused["id"]) == ("REFUSED", [(["idempotencyKey"], "KEY_REUSED")], None)
        assert at.calls() == []


async def test_amounts_are_the_same_to_the_last_digit_or_not_at_all() -> None:
    async with desk("apideck") as at:
        digits = "1234567890123456789012345678901234567890"
        new = await at.new(amount={"amount": f"{digits}.10"})
        at.fail_creates("reset", times=1)
        assert await at.write_error("createOpportunity", new, key=KEY) == "OUTCOME_UNKNOWN"

        same, other = [
            await at.write("createOpportunity", {**new, "amount": {"amount": f"{digits}.{rest}"}}, key=KEY) for rest in ("1", "2")
        ]

        assert (errors(same), errors(other)) == (UNKNOWN, [(["idempotencyKey"], "KEY_REUSED")])


async def test_the_order_of_contacts_counts_because_the_first_is_the_main_one() -> None:
    async with desk("pipeliner") as at:
        deal = encode("Opportunity", (await at.model()).ref)
        people = [node["id"] for node in (await at.graph.data("{ contacts(first: 2) { nodes { id } } }"))["contacts"]["nodes"]]

        first = await at.write("updateOpportunity", {"id": deal, "contactIds": people}, key=KEY)
        other = await at.write("updateOpportunity", {"id": deal, "contactIds": people[::-1]}, key=KEY)

        assert first["outcome"] == "DONE"
        assert errors(other) == [(["idempotencyKey"], "KEY_REUSED")]


async def test_a_key_belongs_to_its_mutation_and_crm() -> None:
    async with desk("autotask") as at:
        deal = encode("Opportunity", (await at.model()).ref)
        await at.write("updateOpportunity", {"id": deal, "title": "Quay lights"}, key=KEY)

        for mutation, values in (("closeOpportunity", {"id": deal, "status": "LOST"}), ("createAccount", {"crm": at.key, "name": "x"})):
            assert errors(await at.write(mutation, values, key=KEY)) == [(["idempotencyKey"], "KEY_REUSED")]


async def test_what_is_asked_for_at_the_same_time_under_one_key_is_made_once(at: Desk) -> None:
    new = await at.new(title="Quay lights")

    made = await asyncio.gather(*(at.write("createOpportunity", new, key=KEY) for _ in range(5)))

    assert sorted(each["outcome"] for each in made) == ["DONE", *["REPLAYED"] * 4]
    assert len({each["id"] for each in made}) == 1
    assert at.creates() == 1


async def test_without_a_key_every_request_is_a_write() -> None:
    async with desk("autotask") as at:
        new = await at.new(title="Quay lights")

        made = [await at.write("createOpportunity", new) for _ in range(2)]

        assert len({each["id"] for each in made}) == at.creates() == 2


async def test_a_refused_write_frees_its_key(at: Desk) -> None:
    new = await at.new(title="Quay lights")

    refused = await at.write("createOpportunity", {**new, "title": None}, key=KEY)
    made = await at.write("createOpportunity", new, key=KEY)

    assert (refused["outcome"], made["outcome"], at.creates()) == ("REFUSED", "DONE", 1)


async def test_a_write_that_did_not_reach_the_vendor_frees_its_key() -> None:
    async with desk("autotask") as at:
        new = await at.new(title="Quay lights")
        at.ground.control.faults[:] = [
            Fault(kind="status", status=429, headers={"Retry-After": "0"}, match=CREATE_OPERATIONS["autotask"], times=1)
        ]

        assert await at.write_error("createOpportunity", new, key=KEY) == "RATE_LIMITED"
        assert (await at.write("createOpportunity", {**new, "title": "Berth lights"}, key=KEY))["outcome"] == "DONE"


async def test_a_dry_run_uses_up_no_key() -> None:
    async with desk("autotask") as at:
        new = await at.new(title="Quay lights")

        dry = await at.write("createOpportunity", new, key=KEY, dry=True)
        made = await at.write("createOpportunity", {**new, "title": "Berth lights"}, key=KEY)

        assert (dry["outcome"], made["outcome"]) == ("DRY_RUN", "DONE")


@pytest.mark.parametrize("key", ["", "x" * 201, "line\nbreak"])
async def test_what_is_no_key_is_told(key: str) -> None:
    async with desk("autotask") as at:
        assert await at.write_error("createOpportunity", await at.new(), key=key) == "BAD_USER_INPUT"
        assert at.calls() == []


# nobody knows


@pytest.mark.parametrize("kind", AFTER)
async def test_what_was_written_unheard_is_found_and_adopted_and_never_written_again(at: Desk, kind: FaultKind) -> None:
    new = await lost(at, kind)

    unknown = await at.write("createOpportunity", new, key=KEY)
    assert (unknown["outcome"], errors(unknown), unknown["opportunity"], unknown["id"]) == ("UNKNOWN", UNKNOWN, None, None)
    (candidate,) = unknown["candidates"]

    adopted = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": candidate["id"]})
    replayed = await at.write("createOpportunity", new, key=KEY)
    too_late = await at.write("createOpportunity", new, key=KEY, resolution={"retry": True})

    assert [each["outcome"] for each in (adopted, replayed, too_late)] == ["ADOPTED", "REPLAYED", "REPLAYED"]
    assert {each["id"] for each in (adopted, replayed, too_late)} == {candidate["id"]}
    assert adopted["opportunity"]["title"] == "Quay lights"
    assert at.creates() == 1


async def test_what_was_not_written_is_not_found_and_written_once_when_the_client_says_so(at: Desk) -> None:
    new = await lost(at, "reset")

    for _ in range(2):
        unknown = await at.write("createOpportunity", new, key=KEY)
        assert (unknown["outcome"], errors(unknown), unknown["candidates"]) == ("UNKNOWN", UNKNOWN, [])
    assert at.creates() == 1

    made = await at.write("createOpportunity", new, key=KEY, resolution={"retry": True})
    again = await at.write("createOpportunity", new, key=KEY, resolution={"retry": True})

    assert (made["outcome"], again["outcome"], made["id"]) == ("DONE", "REPLAYED", again["id"])
    assert at.creates() == 2


async def test_a_second_try_that_is_lost_too_is_unknown_again(at: Desk) -> None:
    new = await lost(at, "reset")
    at.fail_creates("reset_after", times=1)

    assert await at.write_error("createOpportunity", new, key=KEY, resolution={"retry": True}) == "OUTCOME_UNKNOWN"
    unknown = await at.write("createOpportunity", new, key=KEY)

    assert (unknown["outcome"], len(unknown["candidates"]), at.creates()) == ("UNKNOWN", 1, 2)


async def test_two_who_say_retry_at_once_make_one_write(at: Desk) -> None:
    new = await lost(at, "reset")

    made = await asyncio.gather(*(at.write("createOpportunity", new, key=KEY, resolution={"retry": True}) for _ in range(3)))

    assert sorted(each["outcome"] for each in made) == ["DONE", "REPLAYED", "REPLAYED"]
    assert at.creates() == 2


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("kind", ["hang", "hang_after"])
async def test_a_vendor_that_does_not_answer_in_time_leaves_the_outcome_unknown(vendor: str, kind: FaultKind) -> None:
    async with desk(vendor, limits=Limits(deadline_seconds=2)) as at:
        new = await lost(at, kind)

        unknown = await at.write("createOpportunity", new, key=KEY)

        assert unknown["outcome"] == "UNKNOWN"
        assert len(unknown["candidates"]) == (kind == "hang_after")
        assert at.creates() == 1


@pytest.mark.parametrize("kind", ["hang", "hang_after"])
async def test_a_request_that_is_given_up_half_way_leaves_the_outcome_unknown(at: Desk, kind: FaultKind) -> None:
    new = await at.new(title="Quay lights")
    at.fail_creates(kind)
    asked = asyncio.ensure_future(at.graph.answer(asks("createOpportunity"), input=new, key=KEY, dry=False))
    await until(lambda: at.creates() == 1)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    at.ground.control.faults.clear()

    unknown = await at.write("createOpportunity", new, key=KEY)

    assert (unknown["outcome"], at.creates()) == ("UNKNOWN", 1)


async def test_the_look_up_of_a_vendor_that_is_still_down_says_so(at: Desk) -> None:
    new = await lost(at, "reset_after")
    at.ground.control.faults[:] = [Fault(kind="status", status=503)]

    unknown = await at.write("createOpportunity", new, key=KEY)
    assert (unknown["outcome"], errors(unknown), unknown["candidates"]) == ("UNKNOWN", UNKNOWN, None)
    assert at.creates() == 1


async def test_records_of_the_same_title_from_before_are_no_candidates_where_the_vendor_tells_when() -> None:
    async with desk("pipeliner") as at:
        old = await at.model()
        new = await at.new(title=old.title)
        at.fail_creates("reset", times=1)
        assert await at.write_error("createOpportunity", new, key=KEY) == "OUTCOME_UNKNOWN"

        unknown = await at.write("createOpportunity", new, key=KEY)

        assert (unknown["outcome"], unknown["candidates"]) == ("UNKNOWN", [])


async def test_a_lost_change_offers_the_record_itself(at: Desk) -> None:
    current = await at.model()
    deal = encode("Opportunity", current.ref)
    values = {"id": deal, "title": "Quay lights"}
    await at.write("updateOpportunity", {"id": deal, "title": "Berth lights"})
    update = at.writes()[-1].operation
    at.ground.control.faults[:] = [Fault(kind="reset_after", match=update, times=1)]
    assert await at.write_error("updateOpportunity", values, key=KEY) == "OUTCOME_UNKNOWN"

    unknown = await at.write("updateOpportunity", values, key=KEY)
    assert (unknown["outcome"], [each["id"] for each in unknown["candidates"]]) == ("UNKNOWN", [deal])
    elsewhere = encode("Opportunity", Ref(at.key, "another"))
    refused = await at.write("updateOpportunity", values, key=KEY, resolution={"adopt": elsewhere})
    assert errors(refused) == [(["resolution", "adopt"], "INVALID_ID")]

    adopted = await at.write("updateOpportunity", values, key=KEY, resolution={"adopt": deal})
    assert (adopted["outcome"], adopted["opportunity"]["title"]) == ("ADOPTED", "Quay lights")


@pytest.mark.parametrize("vendor", DELETE_OPERATIONS)
async def test_a_lost_deletion_proves_itself_and_is_not_made_again(vendor: str) -> None:
    async with desk(vendor) as at:
        deal = {"id": encode("Opportunity", (await at.model()).ref)}
        at.ground.control.faults[:] = [Fault(kind="reset_after", match=DELETE_OPERATIONS[vendor], times=1)]
        assert await at.write_error("deleteOpportunity", deal, key=KEY) == "OUTCOME_UNKNOWN"

        made = [await at.write("deleteOpportunity", deal, key=KEY) for _ in range(2)]

        assert [(each["outcome"], errors(each), each["id"]) for each in made] == [("ADOPTED", [], deal["id"]), ("REPLAYED", [], deal["id"])]
        assert (made[0]["opportunity"] or {"isDeleted": True})["isDeleted"] is True
        assert at.ground.control.count(DELETE_OPERATIONS[vendor]) == len(at.writes()) == 1


@pytest.mark.parametrize("vendor", DELETE_OPERATIONS)
async def test_a_deletion_that_did_not_reach_the_vendor_is_not_taken_for_done(vendor: str) -> None:
    async with desk(vendor) as at:
        deal = {"id": encode("Opportunity", (await at.model()).ref)}
        at.ground.control.faults[:] = [Fault(kind="reset", match=DELETE_OPERATIONS[vendor], times=1)]
        assert await at.write_error("deleteOpportunity", deal, key=KEY) == "OUTCOME_UNKNOWN"

        unknown = await at.write("deleteOpportunity", deal, key=KEY)
        assert (unknown["outcome"], errors(unknown), len(at.writes())) == ("UNKNOWN", UNKNOWN, 1)
        assert [(each["id"]) for each in unknown["candidates"]] == [deal["id"]]
        deleted = await at.write("deleteOpportunity", deal, key=KEY, resolution={"retry": True})

        assert (deleted["outcome"], len(at.writes())) == ("DONE", 2)


async def test_a_record_that_does_not_exist_is_not_adopted_and_the_question_stays_open(at: Desk) -> None:
    new = await lost(at, "reset_after")
    nowhere = encode("Opportunity", Ref(at.key, "f0000000-0000-4000-8000-00000000dead" if at.vendor == "pipeliner" else "987654321"))

    refused = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": nowhere})
    unknown = await at.write("createOpportunity", new, key=KEY)

    assert (refused["outcome"], errors(refused), refused["id"]) == ("REFUSED", [(["resolution", "adopt"], "NOT_FOUND")], None)
    assert (unknown["outcome"], len(unknown["candidates"]), at.creates()) == ("UNKNOWN", 1, 1)


@pytest.mark.parametrize("mutation", ["createAccount", "createContact"])
async def test_lost_accounts_and_contacts_are_found_too(at: Desk, mutation: str) -> None:
    owner = (await at.model()).owner_ref
    values: dict[str, Any] = {"crm": at.key}
    values |= (
        {"name": "Fjord & Söhne", "phone": "+47 55 55"}
        if mutation == "createAccount"
        else {"firstName": "Ida", "lastName": "Berg", "email": "ida@berg.example"}
    )
    values |= {"ownerId": encode("User", owner)} if owner is not None and at.vendor in {"pipeliner", "autotask", "sharpspring"} else {}
    if mutation == "createContact" and at.vendor == "autotask":
        values.pop("ownerId")
        values["accountId"] = encode("Account", Ref(at.key, "174"))
    planned = await at.write(mutation, values, dry=True)
    assert errors(planned) == []
    operation = planned["vendorRequests"][0]
    at.ground.control.faults[:] = [Fault(kind="reset_after", match=fault_match(at, operation), times=1)]

    assert await at.write_error(mutation, values, key=KEY) == "OUTCOME_UNKNOWN"
    unknown = await at.write(mutation, values, key=KEY)
    assert unknown["outcome"] == "UNKNOWN"
    (candidate,) = unknown["candidates"]
    adopted = await at.write(mutation, values, key=KEY, resolution={"adopt": candidate["id"]})

    assert (adopted["outcome"], adopted["id"], len(at.writes())) == ("ADOPTED", candidate["id"], 1)


def fault_match(at: Desk, request: Json) -> str:
    """How the sandbox names a call that the graph planned."""
    return f"{request['method']} {request['path']}" if at.vendor in {"pipeliner", "onlyoffice"} else str(request["operation"])


# correlation


@pytest.mark.parametrize("vendor", CORRELATION)
@pytest.mark.parametrize("kind", ["reset_after", "reset_mid_body"])
async def test_with_a_correlation_field_a_lost_create_is_adopted_by_itself(vendor: str, kind: FaultKind) -> None:
    async with desk(vendor, correlation_field=CORRELATION[vendor]) as at:
        new = await at.new(title="Quay lights")
        namesake = await at.write("createOpportunity", new, key="another key")
        at.calls().clear()
        new = await lost(at, kind)

        adopted = await at.write("createOpportunity", new, key=KEY)
        replayed = await at.write("createOpportunity", new, key=KEY)

        assert [each["outcome"] for each in (adopted, replayed)] == ["ADOPTED", "REPLAYED"]
        assert adopted["id"] == replayed["id"] != namesake["id"]
        assert adopted["opportunity"]["title"] == "Quay lights"
        assert at.creates() == 1


@pytest.mark.parametrize("vendor", CORRELATION)
async def test_with_a_correlation_field_what_was_not_written_is_not_written_blindly(vendor: str) -> None:
    async with desk(vendor, correlation_field=CORRELATION[vendor]) as at:
        await at.write("createOpportunity", await at.new(title="Quay lights"), key="another key")
        at.calls().clear()
        new = await lost(at, "reset")

        unknown = await at.write("createOpportunity", new, key=KEY)
        assert (unknown["outcome"], unknown["candidates"], at.creates()) == ("UNKNOWN", [], 1)
        made = await at.write("createOpportunity", new, key=KEY, resolution={"retry": True})
        assert (made["outcome"], at.creates()) == ("DONE", 2)


@pytest.mark.parametrize("vendor", CORRELATION)
async def test_a_correlation_field_that_does_not_exist_is_a_mistake_in_the_settings(vendor: str) -> None:
    async with desk(vendor, correlation_field="1") as at:
        new = await at.new(title="Quay lights")

        for dry in (True, False):
            refused = await at.write("createOpportunity", {**new, "title": None}, key=KEY, dry=dry)
            assert sorted(path[-1] for path, _ in errors(refused)) == ["idempotencyKey", "title"]
            (told,) = [error["message"] for error in refused["userErrors"] if error["path"] == ["idempotencyKey"]]
            assert f"`correlation_field` of [crms.{at.key}]" in told
        assert at.writes() == []
        assert (await at.write("createOpportunity", new))["outcome"] == "DONE"


async def test_a_value_of_the_clients_own_in_the_correlation_field_is_not_overwritten_unsaid() -> None:
    async with desk("autotask", correlation_field="Scope notes") as at:
        new = await at.new(customFields=[{"key": "Scope notes", "value": "Two cranes"}])

        refused = await at.write("createOpportunity", new, key=KEY)

        assert errors(refused) == [(["input", "customFields", "Scope notes"], "CONTRADICTION")]
        assert "`idempotencyKey`" in refused["userErrors"][0]["message"]
        assert at.calls() == []
        assert (await at.write("createOpportunity", new))["outcome"] == "DONE"


# resolutions that make no sense


async def test_a_resolution_that_makes_no_sense_is_refused_and_nobody_is_called() -> None:
    async with desk("autotask") as at:
        new = await at.new(title="Quay lights")
        deal = encode("Opportunity", Ref(at.key, "29701404"))
        for key, resolution, expected in (
            (None, {"adopt": deal}, (["idempotencyKey"], "REQUIRED")),
            (None, {"retry": True}, (["idempotencyKey"], "REQUIRED")),
            (KEY, {"adopt": deal}, (["idempotencyKey"], "NOT_FOUND")),
            (KEY, {"adopt": deal, "retry": True}, (["resolution"], "CONTRADICTION")),
            (KEY, {"adopt": "1"}, (["resolution", "adopt"], "INVALID_ID")),
            (KEY, {"adopt": encode("Account", Ref(at.key, "1"))}, (["resolution", "adopt"], "INVALID_ID")),
            (KEY, {"adopt": encode("Opportunity", Ref("elsewhere", "1"))}, (["resolution", "adopt"], "INVALID_ID")),
        ):
            made = await at.write("createOpportunity", new, key=key, resolution=resolution)
            assert (made["outcome"], errors(made)) == ("REFUSED", [expected])
        assert at.calls() == []

        assert (await at.write("createOpportunity", new, key=KEY))["outcome"] == "DONE"
