"""Writes that go well: what is sent, field by field, and what the portal then holds."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.reading import sound
from tests.playground import playground
from tests.vendors.onlyoffice.writing_desk import (
    ANNA,
    INTEGRATION,
    IVO,
    client_of,
    contact,
    deal_of,
    done,
    linked,
    own_of,
    read,
    sent,
    store_of,
    values,
    writes,
)
from vendors.model import EVERYTHING, UNREAD, Money, Opportunity, OpportunityStatus, Ref
from vendors.onlyoffice.extension import OnlyofficeBidType
from vendors.onlyoffice.inputs import OnlyofficeOpportunityInput as Own
from vendors.onlyoffice.sandbox.logins import ADMIN_USERNAME
from vendors.registry import all_sandboxes
from vendors.sandbox import OptionValue
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
    RuleCode,
    StatusValues,
    UpdatesOpportunities,
)

# Source: API page "Create an opportunity", Body: names and types, the integers of Bid type included.
DOCUMENTED: dict[str, type | tuple[type, ...]] = {
    "contactid": int,
    "members": list,
    "title": str,
    "description": str,
    "responsibleid": str,
    "bidType": int,
    "bidValue": (int, Decimal),
    "bidCurrencyAbbr": str,
    "perPeriodValue": int,
    "stageid": int,
    "successProbability": int,
    "actualCloseDate": str,
    "expectedCloseDate": str,
    "customFieldList": list,
    "isPrivate": bool,
    "accessList": list,
    "isNotify": bool,
}
POSITIONS = all_sandboxes()["onlyoffice"].positions()
EVERY_FIELD: dict[str, Any] = {
    "title": "Dock upgrade",
    "description": 'Two cranes & a "slipway" / <b>',
    "amount": Money(amount=Decimal("14401.20"), currency="eur"),
    "probability_percent": 55.0,
    "expected_close_date": date(2027, 1, 31),
    "pipeline_id": "default",
    "stage_id": "8",
    "owner_id": IVO,
    "account_id": "12",
    "account_ids": ("14", "12"),
    "primary_contact_id": "41",
    "contact_ids": ("42", "41", "42"),
    "tags": ("Crane", "new one", "crane"),
    "custom_fields": {"21": " Berth 9 ", "24": "Dry dock", "25": True, "26": "2027-02-15", "22": None},
    "extension": Own(
        bid_type=OnlyofficeBidType.PER_MONTH,
        per_period_value=12,
        actual_close_date=date(2026, 11, 20),
        is_private=True,
        access_list=(ANNA, IVO),
        is_notify=True,
    ),
}


def test_the_client_fulfils_every_protocol_of_writing() -> None:
    from vendors.onlyoffice.client import Client  # noqa: PLC0415

    protocols = [
        CreatesOpportunities,
        UpdatesOpportunities,
        MovesOpportunities,
        ClosesOpportunities,
        DeletesOpportunities,
        CreatesAccounts,
        CreatesContacts,
    ]
    assert all(issubclass(Client, protocol) for protocol in protocols)


# Creating


async def test_a_create_carries_what_the_document_allows_and_nothing_else() -> None:
    async with playground("onlyoffice") as ground:
        plan = await client_of(ground).plan_create(values(**EVERY_FIELD))
        await done(plan)
        [call, *others] = writes(ground)

    body = json.loads(call.body, parse_float=Decimal)
    assert (call.operation, call.status, call.query) == ("POST crm/opportunity", 201, [])
    assert body.keys() == DOCUMENTED.keys()
    assert all(isinstance(value, DOCUMENTED[name]) for name, value in body.items())
    assert body == {
        "contactid": 41,
        "members": [14, 12, 42],
        "title": "Dock upgrade",
        "description": 'Two cranes & a "slipway" / <b>',
        "responsibleid": IVO,
        "bidType": 4,
        "bidValue": Decimal("1200.1"),
        "bidCurrencyAbbr": "EUR",
        "perPeriodValue": 12,
        "stageid": 8,
        "successProbability": 55,
        "actualCloseDate": "2026-11-20",
        "expectedCloseDate": "2027-01-31",
        "customFieldList": [
            {"Key": 21, "Value": " Berth 9 "},
            {"Key": 24, "Value": "Dry dock"},
            {"Key": 25, "Value": "true"},
            {"Key": 26, "Value": "2027-02-15"},
        ],
        "isPrivate": True,
        "accessList": [ANNA, IVO],
        "isNotify": True,
    }
    assert [(call.operation, json.loads(call.body)) for call in others] == [
        ("POST crm/opportunity/{id}/tag", {"tagName": "Crane"}),
        ("POST crm/opportunity/{id}/tag", {"tagName": "new one"}),
    ]


async def test_a_create_of_the_least_sends_nothing_that_was_not_said() -> None:
    async with playground("onlyoffice") as ground:
        await done(
            await client_of(ground).plan_create(
                OpportunityValues(
                    title="x",
                    stage_id="4",
                    owner_id=IVO,
                    amount=Money(amount=Decimal("0.10"), currency="EUR"),
                    description=None,
                    probability_percent=None,
                    expected_close_date=None,
                    account_id=None,
                    contact_ids=None,
                    tags=None,
                    type=None,
                    custom_fields={"21": "", "22": None},
                    extension=Own(bid_type=None, access_list=None, actual_close_date=None),
                )
            )
        )
        [call] = writes(ground)

    assert call.body == f'{{"title":"x","responsibleid":"{IVO}","bidValue":0.10,"bidCurrencyAbbr":"EUR","stageid":4}}'


@pytest.mark.parametrize("position", POSITIONS, ids=str)
async def test_what_is_created_is_read_back_in_every_portal(position: dict[str, OptionValue]) -> None:
    is_portal_date = position.get("date_field_text") == "portal"
    settings = {"custom_date_format": "%m/%d/%Y"} if is_portal_date else {}
    async with playground("onlyoffice", options=position, settings=settings) as ground:
        written = await done(await client_of(ground).plan_create(values(**EVERY_FIELD)))
        record = await read(ground, written.local_id)
        accounts = await linked(ground, written.local_id)

    own = own_of(record)
    assert (record.title, record.description) == ("Dock upgrade", 'Two cranes & a "slipway" / <b>')
    assert record.amount == Money(amount=Decimal("14401.2"), currency="EUR")
    assert (record.probability_percent, record.status) == (55, OpportunityStatus.WON)
    assert (record.expected_close_date, record.actual_close_date, record.closed_at) == (date(2027, 1, 31), date(2026, 11, 20), None)
    assert (record.stage_ref, record.owner_ref) == (Ref("baltic", "8"), Ref("baltic", IVO))
    assert accounts == ("12", ["12", "14"], "41", ["41", "42"])
    assert record.tags == ("crane", "new one")  # a tag is found in any case
    assert {item.key: item.value for item in record.custom_fields or ()} == {
        "21": "Berth 9",  # the portal trims it
        "24": "Dry dock",
        "25": True,
        "26": "2027-02-15",
    }
    assert (own.bid_type, own.bid_value, own.per_period_value) == (OnlyofficeBidType.PER_MONTH, Decimal("1200.1"), 12)
    assert own.is_private and {ref.local_id for ref in own.access_list_refs} == {ANNA, IVO, INTEGRATION}


@pytest.mark.parametrize("position", ["dropped", "bound"])
async def test_a_single_custom_field_arrives(position: str) -> None:
    async with playground("onlyoffice", options={"single_object_array": position}) as ground:
        client = client_of(ground)
        created = await done(await client.plan_create(values(custom_fields={"21": "Berth 9"})))
        await done(await client.plan_update(await read(ground, "104"), OpportunityValues(custom_fields={"24": "Slipway"})))

        assert deal_of(ground, created.local_id).fields == {21: "Berth 9"}
        assert deal_of(ground, "104").fields[24] == "Slipway"


async def test_the_portal_may_keep_another_title_than_it_answers_with() -> None:
    async with playground("onlyoffice") as ground:
        written = await done(await client_of(ground).plan_create(values(title="  Quay  light ")))

        assert (await read(ground, written.local_id)).title == "Quay  light"


@pytest.mark.parametrize("text", ["9999999999999999999999999999", "-0.000000001", "1E+3", "1234567890123456789.123456789", "0E-400"])
async def test_amounts_are_exact(text: str) -> None:
    async with playground("onlyoffice") as ground:
        amount = Money(amount=Decimal(text), currency="PLN")
        written = await done(await client_of(ground).plan_create(values(amount=amount)))
        record = await read(ground, written.local_id)
        [call] = writes(ground)

    assert record.amount == amount
    assert f'"bidValue":{"0" if "400" in text else format(Decimal(text), "f")},' in call.body


Links = tuple[str | None, list[str], str | None, list[str]]
LINKED_AT_ONCE: list[tuple[dict[str, Any], Links]] = [
    ({"account_id": "12"}, ("12", ["12"], None, [])),
    ({"account_ids": ("14", "12")}, ("14", ["14", "12"], None, [])),
    ({"primary_contact_id": "41"}, ("12", ["12"], "41", ["41"])),
    ({"contact_ids": ("42", "44")}, ("12", ["12"], "42", ["42", "44"])),
    ({"contact_ids": ("44",), "account_id": "12", "primary_contact_id": None}, ("12", ["12"], None, ["44"])),
    ({"contact_ids": ("41", "44"), "account_id": "12"}, ("12", ["12"], "41", ["41", "44"])),
    ({"contact_ids": ("41", "44"), "primary_contact_id": "44"}, ("14", ["14"], "44", ["44", "41"])),
    ({"contact_ids": ("41",), "primary_contact_id": None}, (None, [], None, ["41"])),
    ({"primary_contact_id": "59", "account_id": "12"}, ("12", ["12"], "59", ["59"])),  # works for nobody
]


@pytest.mark.parametrize(("given", "expected"), LINKED_AT_ONCE)
async def test_whom_a_new_opportunity_is_linked_with(given: dict[str, Any], expected: tuple[Any, ...]) -> None:
    async with playground("onlyoffice") as ground:
        written = await done(await client_of(ground).plan_create(values(**given)))

        assert await linked(ground, written.local_id) == expected
        assert len(writes(ground)) == 1


# Updating


@pytest.mark.parametrize("local_id", ["101", "104", "117", "121", "131", "141", "164", "165"])
async def test_an_update_replaces_all_and_loses_nothing(local_id: str) -> None:
    async with playground("onlyoffice") as ground:
        before, links = await read(ground, local_id), await linked(ground, local_id)
        deal = deal_of(ground, local_id)
        kept = {name: getattr(deal, name) for name in deal.__slots__ if name not in {"title", "modified"}}
        await done(await client_of(ground).plan_update(before, OpportunityValues(title="Renamed")))

        after = await read(ground, local_id)
        assert await linked(ground, local_id) == links
        assert {name: getattr(deal_of(ground, local_id), name) for name in kept} == kept
        assert [call.operation for call in writes(ground)] == ["PUT crm/opportunity/{id}"]
    assert _without(after, "title") == _without(before, "title")
    assert after.title == "Renamed"


async def test_an_update_sends_the_whole_record() -> None:
    async with playground("onlyoffice") as ground:
        await done(await client_of(ground).plan_update(await read(ground, "117"), OpportunityValues(probability_percent=97.0)))
        [(_, body)] = sent(ground)
        deal = deal_of(ground, "117")

    assert body.keys() - DOCUMENTED.keys() == set()
    assert body["successProbability"] == 97
    assert body["actualCloseDate"] == "2026-11-18T10:30:00.0000000Z"
    assert (body["title"], body["contactid"], body["stageid"], body["isPrivate"]) == (deal.title, deal.contact_id, deal.stage_id, False)


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "title": ({"title": "Renamed"}, {"title": "Renamed"}),
    "description": ({"description": "New"}, {"description": "New"}),
    "no description": ({"description": None}, {"description": None}),
    "amount": (
        {"amount": Money(amount=Decimal("12.5"))},  # in the currency that it has
        {"amount": Money(amount=Decimal("12.5"), currency="EUR")},
    ),
    "currency": (
        {"amount": Money(amount=Decimal(3), currency="SEK")},
        {"amount": Money(amount=Decimal(3), currency="SEK")},
    ),
    "probability": ({"probability_percent": 0.0}, {"probability_percent": 0.0}),
    "day": ({"expected_close_date": date(2028, 2, 29)}, {"expected_close_date": date(2028, 2, 29), "close_date": date(2028, 2, 29)}),
    "no day": ({"expected_close_date": None}, {"expected_close_date": None, "close_date": None}),
    "stage": ({"stage_id": "2"}, {"stage_ref": Ref("baltic", "2")}),
    "owner": ({"owner_id": ANNA}, {"owner_ref": Ref("baltic", ANNA)}),
    "tags": ({"tags": ("crane", "SERVICE")}, {"tags": ("service", "crane")}),
    "no tags": ({"tags": None}, {"tags": ()}),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_an_update_changes_what_it_names_and_keeps_the_rest(name: str) -> None:
    given, expected = CHANGES[name]
    async with playground("onlyoffice") as ground:
        deal_of(ground, "121").tags = ["service"]
        before = await read(ground, "121")
        await done(await client_of(ground).plan_update(before, OpportunityValues(**given)))
        after = await read(ground, "121")
        assert len(writes(ground)) == 1

    changed = {*expected, "extension"} if "amount" in expected else set(expected)
    assert _without(after, *changed) == _without(before, *changed)
    assert {attribute: getattr(after, attribute) for attribute in expected} == expected


async def test_an_update_that_changes_nothing_calls_nobody() -> None:
    async with playground("onlyoffice") as ground:
        record = await read(ground, "121")
        same = OpportunityValues(
            title=record.title,
            amount=record.amount,
            expected_close_date=record.expected_close_date,
            stage_id="6",
            contact_ids=("47",),
            type=None,
            custom_fields={"21": None},
        )
        plan = await client_of(ground).plan_update(record, same)

        assert plan.requests == ()
        assert (await done(plan)).local_id == "121"
        assert not writes(ground)


async def test_custom_fields_are_set_with_the_record_and_emptied_by_themselves() -> None:
    async with playground("onlyoffice") as ground:
        given: dict[str, Any] = {"21": None, "24": "  ", "25": True, "27": "new", "22": None}
        await done(await client_of(ground).plan_update(await read(ground, "101"), OpportunityValues(custom_fields=given)))
        after = {item.key: item.value for item in (await read(ground, "101")).custom_fields or ()}
        operations = [(operation, body if "fieldValue" in body else body["customFieldList"]) for operation, body in sent(ground)]

    assert after.keys() & given.keys() == {"25", "27"}
    assert (after["25"], after["27"], after["26"]) == (True, "new", "2027-02-15")
    assert operations[0] == ("PUT crm/opportunity/{id}", [{"Key": 25, "Value": "true"}, {"Key": 27, "Value": "new"}])
    assert set(map(str, operations[1:])) == {str(("POST crm/opportunity/{id}/customfield/{fieldid}", {"fieldValue": ""}))}


LINKED: list[tuple[str, dict[str, Any], Links, int]] = [
    ("121", {"add_contact_ids": ("48",)}, ("16", ["16"], "47", ["47", "48"]), 1),
    ("121", {"add_contact_ids": ("47",)}, ("16", ["16"], "47", ["47"]), 0),
    ("121", {"remove_contact_ids": ("47",)}, ("16", ["16"], None, []), 2),  # the account stays: it becomes the primary contact
    ("121", {"remove_contact_ids": ("48",)}, ("16", ["16"], "47", ["47"]), 0),
    ("121", {"contact_ids": ("44",), "account_id": "14"}, ("14", ["14"], "44", ["44"]), 5),
    ("121", {"contact_ids": ("44",), "primary_contact_id": None}, ("16", ["16"], None, ["44"]), 3),
    ("121", {"contact_ids": ("44", "47"), "primary_contact_id": "47"}, ("16", ["16"], "47", ["47", "44"]), 1),
    ("121", {"contact_ids": None}, ("16", ["16"], None, []), 2),
    ("121", {"primary_contact_id": "44"}, ("14", ["14", "16"], "44", ["44", "47"]), 2),
    ("121", {"primary_contact_id": None}, ("16", ["16"], None, ["47"]), 1),
    ("121", {"account_ids": ("16", "12")}, ("16", ["16", "12"], "47", ["47"]), 1),
    ("122", {"account_id": "12"}, ("12", ["12"], None, []), 3),
    ("122", {"account_id": None}, (None, [], None, []), 2),
    ("122", {"contact_ids": ("44",), "account_ids": ("27",), "primary_contact_id": None}, ("27", ["27"], None, ["44"]), 1),
    ("167", {"add_contact_ids": ("41",)}, ("12", ["12"], None, ["41"]), 1),
    ("125", {"contact_ids": ("41",)}, ("12", ["12"], "41", ["41"]), 2),
]


@pytest.mark.parametrize(("local_id", "given", "expected", "calls"), LINKED)
async def test_whom_an_opportunity_is_linked_with_after_an_update(
    local_id: str, given: dict[str, Any], expected: tuple[Any, ...], calls: int
) -> None:
    async with playground("onlyoffice") as ground:
        plan = await client_of(ground).plan_update(await read(ground, local_id), OpportunityValues(**given))
        await done(plan)

        assert await linked(ground, local_id) == expected
        assert [call.path.removeprefix("/api/2.0/") for call in writes(ground)] == [request.path for request in plan.requests]
        assert len(plan.requests) == calls


async def test_participants_whom_the_user_cannot_see_stay() -> None:
    async with playground("onlyoffice") as ground:
        assert deal_of(ground, "129").members == [60, 26, 12]  # 26 is hidden
        own = await read(ground, "129")
        await done(await client_of(ground).plan_update(own, OpportunityValues(title="x", account_ids=("12",), contact_ids=())))

        assert 26 in deal_of(ground, "129").members


async def test_an_opportunity_paid_by_period_keeps_its_terms() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        await done(await client.plan_update(await read(ground, "141"), OpportunityValues(amount=Money(amount=Decimal(12_000)))))
        shared = own_of(await read(ground, "141"))
        await done(await client.plan_update(await read(ground, "141"), OpportunityValues(extension=Own(per_period_value=6))))
        shorter = await read(ground, "141")
        given = OpportunityValues(
            amount=Money(amount=Decimal(300), currency="SEK"), extension=Own(bid_value=Decimal(100), per_period_value=3)
        )
        await done(await client.plan_update(shorter, given))
        told = await read(ground, "141")

    assert (shared.bid_type, shared.bid_value, shared.per_period_value) == (OnlyofficeBidType.PER_MONTH, Decimal(1_000), 12)
    assert shorter.amount == Money(amount=Decimal(6_000), currency="EUR")
    assert told.amount == Money(amount=Decimal(300), currency="SEK")


async def test_who_may_see_it_is_changed_by_its_creator() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        await done(await client.plan_update(await read(ground, "131"), OpportunityValues(extension=Own(access_list=(ANNA,)))))
        narrowed = deal_of(ground, "131").access_list
        await done(await client.plan_update(await read(ground, "131"), OpportunityValues(extension=Own(is_private=False))))

        assert narrowed == [ANNA, INTEGRATION]
        assert deal_of(ground, "131").access_list == []
        assert "accessList" not in sent(ground)[-1][1]


async def test_who_may_see_it_is_not_changed_by_others_and_that_is_told() -> None:
    async with playground("onlyoffice") as ground:
        given = OpportunityValues(title="Mine", extension=Own(is_private=True, access_list=(IVO,)))
        written = await (await client_of(ground).plan_update(await read(ground, "121"), given)).execute()

        assert [(problem.path, problem.code) for problem in written.problems] == [(("extension", "access_list"), RuleCode.PARTLY_DONE)]
        assert (deal_of(ground, "121").title, deal_of(ground, "121").access_list) == ("Mine", [])


async def test_an_administrator_may_change_who_sees_it() -> None:
    async with playground("onlyoffice", settings={"username": ADMIN_USERNAME}) as ground:
        given = OpportunityValues(extension=Own(is_private=True, access_list=(IVO,)))
        await done(await client_of(ground).plan_update(await read(ground, "121"), given))

        assert (await read(ground, "121")).is_private is True


async def test_an_update_to_a_stage_that_closes_is_a_move_after_the_rest() -> None:
    async with playground("onlyoffice") as ground:
        await done(await client_of(ground).plan_update(await read(ground, "121"), OpportunityValues(title="Won", stage_id="11")))
        won, calls = await read(ground, "121"), sent(ground)

        ground.control.calls.clear()
        dated = OpportunityValues(stage_id="6", probability_percent=33.0, extension=Own(actual_close_date=None))
        await done(await client_of(ground).plan_update(won, dated))
        opened, single = await read(ground, "121"), sent(ground)

    assert (won.title, won.status, won.probability_percent) == ("Won", OpportunityStatus.WON, 100) and won.closed_at is not None
    assert [operation for operation, _ in calls] == ["PUT crm/opportunity/{id}", "PUT crm/opportunity/{id}/stage/{stage}"]
    assert calls[0][1]["stageid"] == 6 and calls[1][1] == {"stageid": 11}
    assert (opened.status, opened.probability_percent, opened.actual_close_date) == (OpportunityStatus.OPEN, 33, None)
    assert [operation for operation, _ in single] == ["PUT crm/opportunity/{id}"]


async def test_an_opportunity_whose_stage_is_gone_can_be_mended() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        await done(await client.plan_update(await read(ground, "135"), OpportunityValues(tags=("lost",), add_contact_ids=("47",))))
        assert deal_of(ground, "135").tags == ["lost"]
        await done(await client.plan_update(await read(ground, "135"), OpportunityValues(title="Found", stage_id="9")))

        record = await read(ground, "135")
    assert (record.title, record.status) == ("Found", OpportunityStatus.LOST) and record.closed_at is not None


@pytest.mark.parametrize("position", POSITIONS, ids=str)
async def test_updates_and_moves_work_in_every_portal(position: dict[str, OptionValue]) -> None:
    async with playground("onlyoffice", options=position) as ground:
        client, before = client_of(ground), await read(ground, "101")
        given = OpportunityValues(description="New", contact_ids=("46", "45"), primary_contact_id="45", custom_fields={"21": "Berth 5"})
        await done(await client.plan_update(before, given))
        updated = await read(ground, "101")
        await done(await client.plan_move(updated, "8", None))
        moved, links = await read(ground, "101"), await linked(ground, "101")
        await done(await client.plan_close(moved, StatusValues(status=OpportunityStatus.OPEN)))
        opened = await read(ground, "101")

    assert _without(updated, "description", "custom_fields", "contact_refs") == _without(
        before, "description", "custom_fields", "contact_refs"
    )
    assert updated.description == "New"
    assert {item.key: item.value for item in updated.custom_fields or ()}["21"] == "Berth 5"
    assert links[2:] == ("45", ["45", "46"])
    assert (moved.status, moved.probability_percent) == (OpportunityStatus.WON, 100) and moved.actual_close_date is not None
    assert (opened.status, opened.actual_close_date, opened.stage_ref) == (OpportunityStatus.OPEN, None, Ref("baltic", "1"))


# Moving, closing, deleting


async def test_a_move_repeats_the_stage_in_its_body() -> None:
    async with playground("onlyoffice") as ground:
        plan = await client_of(ground).plan_move(await read(ground, "121"), "7", Own())
        await done(plan)
        [call] = writes(ground)

    assert (call.path, json.loads(call.body)) == ("/api/2.0/crm/opportunity/121/stage/7", {"stageid": 7})
    assert [(request.method, request.path, request.body) for request in plan.requests] == [
        ("PUT", "crm/opportunity/121/stage/7", b'{"stageid":7}')
    ]


async def test_a_move_to_where_it_is_changes_nothing() -> None:
    async with playground("onlyoffice") as ground:
        before = await read(ground, "122")
        await done(await client_of(ground).plan_move(before, "11", None))

        assert not writes(ground)
        assert await read(ground, "122") == before


async def test_closing_moves_to_the_first_stage_of_that_kind() -> None:
    async with playground("onlyoffice") as ground:
        client = client_of(ground)
        assert client.closable() == set(OpportunityStatus)
        found: list[tuple[str | None, OpportunityStatus | None]] = []
        for status in (OpportunityStatus.WON, OpportunityStatus.LOST, OpportunityStatus.OPEN):
            await done(await client.plan_close(await read(ground, "121"), StatusValues(status=status, reason_id=None)))
            record = await read(ground, "121")
            assert (record.actual_close_date is None) is (status is OpportunityStatus.OPEN)
            found.append((record.stage_ref and record.stage_ref.local_id, record.status))

    assert found == [("8", OpportunityStatus.WON), ("9", OpportunityStatus.LOST), ("1", OpportunityStatus.OPEN)]


async def test_what_is_closed_already_stays_in_its_stage() -> None:
    async with playground("onlyoffice") as ground:
        client, before = client_of(ground), await read(ground, "122")  # in the second won stage
        await done(await client.plan_close(before, StatusValues(status=OpportunityStatus.WON)))
        assert not writes(ground) and await read(ground, "122") == before

        await done(await client.plan_close(before, StatusValues(status=OpportunityStatus.WON, closed_on=date(2026, 10, 1))))
        after = await read(ground, "122")
    changed = ("actual_close_date", "close_date", "closed_at")
    assert _without(after, *changed) == _without(before, *changed)
    assert after.actual_close_date == date(2026, 10, 1)


async def test_a_day_of_closing_is_written_with_the_stage_and_its_probability() -> None:
    async with playground("onlyoffice") as ground:
        given = StatusValues(status=OpportunityStatus.LOST, closed_on=date(2026, 11, 2))
        await done(await client_of(ground).plan_close(await read(ground, "121"), given))
        record, [(operation, _)] = await read(ground, "121"), sent(ground)

    assert operation == "PUT crm/opportunity/{id}"
    assert (record.status, record.probability_percent, record.actual_close_date) == (OpportunityStatus.LOST, 0, date(2026, 11, 2))
    assert record.title == "Quay crane cabin heaters"


@pytest.mark.parametrize(("local_id", "operation"), [("121", "DELETE crm/opportunity/{id}"), ("135", "PUT crm/opportunity")])
async def test_a_deleted_opportunity_is_gone(local_id: str, operation: str) -> None:
    async with playground("onlyoffice") as ground:
        before = len(store_of(ground).deals)
        await done(await client_of(ground).plan_delete(await read(ground, local_id)))

        assert not await client_of(ground).opportunities_by_ids([local_id], EVERYTHING)
        assert len(store_of(ground).deals) == before - 1
        assert [call.operation for call in writes(ground)] == [operation]


# Accounts and contacts


@pytest.mark.parametrize("position", POSITIONS, ids=str)
async def test_an_account_and_a_contact_of_it_are_created(position: dict[str, OptionValue]) -> None:
    async with playground("onlyoffice", options=position) as ground:
        client = client_of(ground)
        firm = AccountValues(name=" Rügen Reede ", email="post@reede.example", phone="+49 1", website="https://reede.example")
        account_id = (await done(await client.plan_create_account(firm))).local_id
        who = ContactValues(
            first_name="Imke", last_name="Sand", title="Owner", email="imke@reede.example", phone="+49 2", account_id=account_id
        )
        person = await contact(ground, (await done(await client.plan_create_contact(who))).local_id)
        account = sound((await client.accounts_by_ids([account_id], EVERYTHING))[account_id])

    assert (account.name, account.email, account.phone, account.website) == (
        "Rügen Reede",
        "post@reede.example",
        "+49 1",
        "https://reede.example",
    )
    assert (person.first_name, person.last_name, person.title, person.email, person.phone) == (
        "Imke",
        "Sand",
        "Owner",
        "imke@reede.example",
        "+49 2",
    )
    assert person.account_ref == Ref("baltic", account_id)


async def test_an_account_is_sent_with_its_addresses_as_the_main_ones_at_work() -> None:
    async with playground("onlyoffice") as ground:
        firm = AccountValues(name="Reede", email="post@reede.example", phone="+49 1", website="https://reede.example")
        await done(await client_of(ground).plan_create_account(firm))

        # Source: Community Server, CRMApi.ContactInfo CreateContactInfo, and ContactInfoType: 0 telephone, 1 e-mail, 2 website.
        data = [(1, "post@reede.example"), (0, "+49 1"), (2, "https://reede.example")]
        assert [body for _, body in sent(ground)] == [
            {"companyName": "Reede", "shareType": 1},
            *({"infoType": kind, "data": text, "isPrimary": True, "category": "Work"} for kind, text in data),
        ]


async def test_a_contact_with_one_name_is_created_with_an_empty_other_one() -> None:
    async with playground("onlyoffice") as ground:
        plan = await client_of(ground).plan_create_contact(ContactValues(first_name="Imke", last_name=None, email="", phone=None))
        person = await contact(ground, (await done(plan)).local_id)

        assert sent(ground) == [("POST crm/contact/person", {"firstName": "Imke", "lastName": "", "shareType": 1})]
    assert (person.name, person.last_name, person.email) == ("Imke", None, None)


def _without(record: Opportunity, *names: str) -> dict[str, Any]:
    """A record's attributes without these; of relations left to a second read it is known that they are."""
    kept = {name: getattr(record, name) for name in type(record).__dataclass_fields__ if name not in names}
    return {name: value for name, value in kept.items() if value is not UNREAD}
