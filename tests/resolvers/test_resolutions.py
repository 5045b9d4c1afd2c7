"""What is said about a write whose outcome nobody knows, and what is made of it: no second write by mistake, and no record by mistake."""

import asyncio
from dataclasses import replace

import pytest

from resolvers.node_id import encode
from resolvers.writing.look_up import created_accounts, created_contacts
from server.context import ContextMaker
from server.cursors import SignedCursors
from server.ledger import SqliteLedger
from tests.contract.conftest import VENDORS
from tests.resolvers.graph import codes, until
from tests.resolvers.writing_desk import CREATE_OPERATIONS, Desk, Json, asks, desk, errors
from vendors.model import Ref
from vendors.sandbox import Fault, FaultKind
from vendors.writes import AccountValues, ContactValues

KEY = "f6c2c0a0-5d3e-4d0a-9f6c-0d6f9b1c7a11"
UNKNOWN = (["idempotencyKey"], "OUTCOME_UNKNOWN")
NOT_LIKE_IT = [(["resolution", "adopt"], "INVALID_REFERENCE")]
AGAIN = {"retry": True}


async def lost(at: Desk, kind: FaultKind, title: str = "Quay lights") -> Json:
    """Create an opportunity under the key, with no answer from the vendor; its input."""
    new = await at.new(title=title)
    at.fail_creates(kind, times=1)
    assert await at.write_error("createOpportunity", new, key=KEY) == "OUTCOME_UNKNOWN"
    return new


class Restarted:
    """The same desk, run again and again on the same ledger with another `correlation_field`."""

    def __init__(self, at: Desk) -> None:
        self._at = at
        self._ledger = SqliteLedger(None, process="one", days=30)

    def run(self, correlation_field: str | None) -> None:
        crm = replace(self._at.ground.crm, correlation_field=correlation_field)
        self._at.graph.make = ContextMaker({crm.key: crm}, SignedCursors(b"a key that only tests have"), ledger=self._ledger)


async def made(at: Desk, title: str) -> list[str]:
    """Ids of the opportunities that have a title."""
    query = "query($title: String!) { opportunities(filter: { title: { contains: $title } }) { nodes { id } } }"
    return [node["id"] for node in (await at.graph.data(query, title=title))["opportunities"]["nodes"]]


# a second try that writes nothing


@pytest.mark.parametrize(("status", "told"), [(429, "RATE_LIMITED"), (403, "FORBIDDEN")])
async def test_a_second_try_that_is_turned_away_leaves_open_what_became_of_the_first(at: Desk, status: int, told: str) -> None:
    new = await lost(at, "reset_after")
    match = CREATE_OPERATIONS[at.vendor]
    at.ground.control.faults[:] = [Fault(kind="status", status=status, headers={"Retry-After": "0"}, match=match, times=1)]

    error = await at.graph.error(asks("createOpportunity"), input=new, key=KEY, resolution=AGAIN)
    unknown = await at.write("createOpportunity", new, key=KEY)

    assert error.extensions is not None
    assert error.extensions["code"] == told
    assert "Whether an earlier one under this `idempotencyKey` has written is still not known" in error.message
    assert (unknown["outcome"], errors(unknown), len(unknown["candidates"])) == ("UNKNOWN", [UNKNOWN], 1)
    assert at.creates() == 2


async def test_a_second_try_that_is_refused_is_told_as_unknown_with_what_is_wrong() -> None:
    async with desk("autotask") as at:
        restarted = Restarted(at)
        restarted.run(None)
        new = await lost(at, "reset_after")

        restarted.run("Not there")  # so that the input is not taken any more
        refused = await at.write("createOpportunity", new, key=KEY, resolution=AGAIN)
        restarted.run(None)
        unknown = await at.write("createOpportunity", new, key=KEY)

        assert (refused["outcome"], errors(refused)) == ("UNKNOWN", [(["idempotencyKey"], "INVALID_REFERENCE"), UNKNOWN])
        assert "This try has written nothing" in refused["userErrors"][1]["message"]
        assert refused["candidates"] == unknown["candidates"]
        assert (unknown["outcome"], len(unknown["candidates"]), at.creates()) == ("UNKNOWN", 1, 1)
        adopted = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": unknown["candidates"][0]["id"]})
        assert adopted["outcome"] == "ADOPTED"


async def test_a_second_try_that_is_given_up_while_it_is_planned_leaves_the_first_open() -> None:
    async with desk("pipeliner") as at:
        new = await lost(at, "reset_after")
        at.calls().clear()
        at.ground.control.faults[:] = [Fault(kind="hang", match="Accounts")]
        asked = asyncio.ensure_future(at.graph.answer(asks("createOpportunity"), input=new, key=KEY, dry=False, resolution=AGAIN))
        await until(lambda: len(at.calls()) > 0)
        assert at.writes() == []
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        at.ground.control.faults.clear()

        unknown = await at.write("createOpportunity", new, key=KEY)

        assert (unknown["outcome"], len(unknown["candidates"]), at.creates()) == ("UNKNOWN", 1, 0)


async def test_a_record_of_the_first_try_is_found_also_after_a_second_one(at: Desk) -> None:
    new = await lost(at, "reset_after")
    at.fail_creates("reset", times=1)
    assert await at.write_error("createOpportunity", new, key=KEY, resolution=AGAIN) == "OUTCOME_UNKNOWN"

    unknown = await at.write("createOpportunity", new, key=KEY)

    assert (unknown["outcome"], len(unknown["candidates"]), at.creates()) == ("UNKNOWN", 1, 2)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_timeout_that_is_answered_may_have_been_a_proxy_s(vendor: str) -> None:
    async with desk(vendor) as at:
        new = await at.new(title="Quay lights")
        at.ground.control.faults[:] = [Fault(kind="status", status=408, match=CREATE_OPERATIONS[vendor], times=1)]

        assert await at.write_error("createOpportunity", new, key=KEY) == "OUTCOME_UNKNOWN"
        assert errors(await at.write("createOpportunity", new, key=KEY)) == [UNKNOWN]
        assert at.creates() == 1


# by which marks


@pytest.mark.parametrize(("vendor", "field"), [("autotask", "Scope notes"), ("pipeliner", "cf_scope")])
async def test_a_write_from_before_the_correlation_field_is_looked_up_by_its_title(vendor: str, field: str) -> None:
    async with desk(vendor) as at:
        restarted = Restarted(at)
        restarted.run(None)
        new = await lost(at, "reset_after")

        restarted.run(field)
        unknown = await at.write("createOpportunity", new, key=KEY)

        assert (unknown["outcome"], len(unknown["candidates"])) == ("UNKNOWN", 1)


@pytest.mark.parametrize("field", [None, "Vessel or berth"])
async def test_a_write_that_carried_a_mark_is_found_by_it_whatever_the_settings_say_now(field: str | None) -> None:
    async with desk("autotask") as at:
        restarted = Restarted(at)
        restarted.run("Scope notes")
        new = await lost(at, "reset_after")

        restarted.run(field)
        adopted = await at.write("createOpportunity", new, key=KEY)

        assert (adopted["outcome"], adopted["opportunity"]["title"], at.creates()) == ("ADOPTED", "Quay lights", 1)


async def test_a_record_whose_mark_was_taken_away_is_a_candidate_and_has_to_be_adopted() -> None:
    async with desk("autotask", correlation_field="Scope notes") as at:
        await at.write("createOpportunity", await at.new(title="Quay lights"), key="another key")
        namesake = await made(at, "Quay lights")
        new = await lost(at, "reset_after")
        (own,) = set(await made(at, "Quay lights")) - set(namesake)
        await at.write("updateOpportunity", {"id": own, "customFields": [{"key": "Scope notes", "value": None}]})

        unknown = await at.write("createOpportunity", new, key=KEY)
        refused = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": namesake[0]})
        adopted = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": own})

        assert (unknown["outcome"], [each["id"] for each in unknown["candidates"]]) == ("UNKNOWN", [own])
        assert (refused["outcome"], errors(refused)) == ("REFUSED", NOT_LIKE_IT)
        assert (adopted["outcome"], adopted["id"]) == ("ADOPTED", own)


async def test_a_record_that_bears_the_mark_may_be_adopted_under_another_title() -> None:
    async with desk("autotask", correlation_field="Scope notes") as at:
        new = await lost(at, "reset_after")
        (own,) = await made(at, "Quay lights")
        await at.write("updateOpportunity", {"id": own, "title": "Berth lights"})

        adopted = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": own})

        assert (adopted["outcome"], adopted["id"]) == ("ADOPTED", own)


# which record


async def test_only_a_record_that_is_like_what_was_written_is_adopted(at: Desk) -> None:
    other = encode("Opportunity", (await at.model()).ref)
    new = await lost(at, "reset_after")

    refused = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": other})
    unknown = await at.write("createOpportunity", new, key=KEY)

    assert (refused["outcome"], errors(refused), refused["id"]) == ("REFUSED", NOT_LIKE_IT, None)
    assert "one of `candidates`" in refused["userErrors"][0]["message"]
    (candidate,) = unknown["candidates"]
    assert (await at.write("createOpportunity", new, key=KEY, resolution={"adopt": candidate["id"]}))["outcome"] == "ADOPTED"


async def test_a_record_of_that_title_from_before_is_not_adopted_where_the_vendor_tells_when() -> None:
    async with desk("pipeliner") as at:
        old = await at.model()
        new = await lost(at, "reset", old.title)

        refused = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": encode("Opportunity", old.ref)})

        assert errors(refused) == NOT_LIKE_IT


async def test_what_somebody_has_made_in_its_place_can_be_adopted(at: Desk) -> None:
    new = await lost(at, "reset")
    assert (await at.write("createOpportunity", new, key=KEY))["candidates"] == []
    by_hand = await at.write("createOpportunity", new)

    adopted = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": by_hand["id"]})

    assert (adopted["outcome"], adopted["id"]) == ("ADOPTED", by_hand["id"])


async def test_nothing_is_adopted_unseen(at: Desk) -> None:
    new = await lost(at, "reset_after")
    (own,) = await made(at, "Quay lights")
    at.ground.control.faults[:] = [Fault(kind="status", status=503)]

    assert await at.write_error("createOpportunity", new, key=KEY, resolution={"adopt": own}) == "UNAVAILABLE"
    at.ground.control.faults.clear()

    assert errors(await at.write("createOpportunity", new, key=KEY)) == [UNKNOWN]


async def test_another_account_is_not_adopted_and_one_of_that_name_is() -> None:
    async with desk("onlyoffice") as at:
        values = {"crm": at.key, "name": "Fjord & Söhne"}
        others = (await at.graph.data("{ accounts(first: 1) { nodes { id } } }"))["accounts"]["nodes"]
        at.ground.control.faults[:] = [Fault(kind="reset_after", match="POST crm/contact/company", times=1)]
        assert await at.write_error("createAccount", values, key=KEY) == "OUTCOME_UNKNOWN"

        refused = await at.write("createAccount", values, key=KEY, resolution={"adopt": others[0]["id"]})
        (candidate,) = (await at.write("createAccount", values, key=KEY))["candidates"]
        adopted = await at.write("createAccount", values, key=KEY, resolution={"adopt": candidate["id"]})

        assert (errors(refused), adopted["outcome"]) == (NOT_LIKE_IT, "ADOPTED")


# how they are compared


@pytest.mark.parametrize("title", ["Ropes &amp; chains", "A &lt;&quot;tight&quot; fit", "Ropes & chains"])
async def test_a_title_that_looks_escaped_is_found(title: str) -> None:
    async with desk("sharpspring") as at:
        new = await lost(at, "reset_after", title)

        unknown = await at.write("createOpportunity", new, key=KEY)

        assert (unknown["outcome"], len(unknown["candidates"])) == ("UNKNOWN", 1)


@pytest.mark.parametrize("values", [ContactValues(phone="+47 55 55"), ContactValues(first_name=" ", email="")])
async def test_without_anything_to_compare_by_nothing_is_looked_up(values: ContactValues) -> None:
    async with desk("sharpspring") as at:
        context = at.graph.make()

        found = [
            await each.find()
            for each in (created_contacts(context, at.ground.crm, values), created_accounts(context, at.ground.crm, AccountValues()))
        ]

        assert [(each.refs, each.is_certain) for each in found] == [(None, False)] * 2
        assert at.calls() == []


# after the write


@pytest.mark.parametrize("mutation", ["createOpportunity", "createAccount"])
async def test_a_record_that_cannot_be_read_after_the_write_is_told_by_its_id(at: Desk, mutation: str) -> None:
    values = await at.new(title="Quay lights")
    if mutation == "createAccount":
        owner = {"ownerId": values["ownerId"]} if at.vendor in {"pipeliner", "autotask", "sharpspring"} else {}
        values = {"crm": at.key, "name": "Fjord & Söhne", "phone": "+47 55 55", **owner}
    await at.write(mutation, values, dry=True)
    at.calls().clear()
    planned = await at.write(mutation, values, dry=True)  # now it is known what it takes to plan it
    at.ground.control.faults[:] = [Fault(kind="status", status=503, skip=len(at.calls()) + len(planned["vendorRequests"]))]

    result = await at.graph.answer(asks(mutation), input=values, key=KEY, dry=False)

    assert result.data is not None
    shown = result.data["made"]
    kind = mutation.removeprefix("create").lower()
    assert (shown["outcome"], shown[kind]) == ("DONE", None)
    assert shown["id"] is not None
    assert codes(result) == ["UNAVAILABLE"]
    assert result.errors is not None
    assert result.errors[0].path == ["made", kind]
    assert result.errors[0].message.startswith("The write is done, but the record could not be read: do not make it again.")
    at.ground.control.faults.clear()
    replayed = await at.write(mutation, values, key=KEY)
    assert (replayed["outcome"], replayed["id"], replayed[kind]["id"]) == ("REPLAYED", shown["id"], shown["id"])


async def test_a_candidate_of_another_crm_is_still_no_id(at: Desk) -> None:
    new = await lost(at, "reset_after")

    refused = await at.write("createOpportunity", new, key=KEY, resolution={"adopt": encode("Opportunity", Ref("elsewhere", "1"))})

    assert errors(refused) == [(["resolution", "adopt"], "INVALID_ID")]
