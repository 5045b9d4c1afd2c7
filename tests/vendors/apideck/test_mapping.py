"""Apideck's records as the graph means them. Payloads are in the shape of Apideck's CRM OpenAPI document.

One file, because all of it is one module of pure functions, over payloads of one shape.
"""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from vendors.apideck import mapping, parties, wire
from vendors.apideck.extension import (
    ApideckCustomFieldFields,
    ApideckOpportunityFields,
    ApideckPipelineFields,
    ApideckStageFields,
)
from vendors.apideck.settings import Settings
from vendors.calls import recording
from vendors.extension import VendorId
from vendors.model import (
    Account,
    Address,
    Contact,
    CustomField,
    CustomFieldType,
    Money,
    Opportunity,
    OpportunityStatus,
    Pipeline,
    Reason,
    Ref,
    Selection,
    Stage,
    StageKind,
    User,
    ValueOrigin,
)

# Source: Apideck "Opportunity" (fields and examples), every field with a value of its own.
FULL: dict[str, Any] = {
    "id": "op-1",
    "title": "New Rocket",
    "primary_contact_id": "c-1",
    "description": "Upgrade of the launch pad.",
    "type": "Existing Customer - Upgrade",
    "monetary_amount": 75000.25,
    "currency": "USD",
    "win_probability": 40,
    "expected_revenue": 30000.1,
    "close_date": "2020-10-30",
    "loss_reason_id": "lr-1",
    "loss_reason": "No budget",
    "won_reason_id": None,
    "won_reason": None,
    "pipeline_id": "p~1",
    "pipeline_stage_id": "s-1",
    "source_id": "so-1",
    "lead_id": "l-1",
    "lead_source": "Website",
    "contact_id": "c-2",
    "contact_ids": ["c-2", "c-3"],
    "company_id": "co-1",
    "company_name": "Copper",
    "owner_id": "u-1",
    "priority": "High",
    "status": "Closed Lost",
    "status_id": "st-1",
    "tags": ["New", "Big"],
    "interaction_count": 7,
    "custom_fields": [
        {"id": "cf-1", "name": "Berth", "description": "Where", "value": "B4"},
        {"id": None, "name": "Tons", "value": 12.5},
        {"id": "cf-3", "value": True},
        {"id": "cf-4", "name": "Parts", "value": ["a", "b"]},
        {"id": "cf-5", "name": "Empty", "value": None},
    ],
    "stage_last_changed_at": "2020-09-30T07:43:32.000Z",
    "last_activity_at": "2020-09-29T07:43:32.000Z",
    "deleted": True,
    "date_stage_changed": "2020-09-30T08:00:00.000Z",
    "date_last_contacted": "2020-09-28T00:00:00.000Z",
    "date_lead_created": "2020-09-27T00:00:00.000Z",
    "custom_mappings": {"harbour": "Houston"},
    "updated_by": "u-2",
    "created_by": "u-3",
    "updated_at": "2020-09-26T07:43:32.000Z",
    "created_at": "2020-09-25T07:43:32.000Z",
}


def read(row: dict[str, Any], **more: Any) -> Opportunity:
    body = json.dumps({"status_code": 200, "service": "hubspot", "data": [{"id": "op-1", **row}]})
    [parsed] = wire.OPPORTUNITIES.rows.decode(body).value.data
    given: dict[str, Any] = {"service": "hubspot", "status_map": {}, **more}
    return mapping.opportunity_from_wire("am", parsed, **given)


def custom_field(
    key: str, label: str | None, kind: CustomFieldType, value: Any, *, display_value: str | None = None, description: str | None = None
) -> CustomField:
    extension = ApideckCustomFieldFields(description=description)
    return CustomField(key=key, label=label, type=kind, value=value, display_value=display_value, extension=extension)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_every_field_of_the_document_is_found_again() -> None:
    assert read(FULL) == Opportunity(
        ref=Ref("am", "op-1"),
        title="New Rocket",
        description="Upgrade of the launch pad.",
        amount=Money(amount=Decimal("75000.25"), currency="USD"),
        probability_percent=40.0,
        probability_origin=ValueOrigin.VENDOR,
        expected_revenue=Money(amount=Decimal("30000.1"), currency="USD"),
        status=OpportunityStatus.LOST,
        status_label="Closed Lost",
        pipeline_ref=Ref("am", "p~1"),
        stage_ref=Ref("am", "p%7E1~s-1"),
        stage_changed_at=at("2020-09-30T08:00:00"),
        expected_close_date=None,
        actual_close_date=date(2020, 10, 30),
        close_date=date(2020, 10, 30),
        loss_reason=Reason(id="lr-1", label="No budget"),
        owner_ref=Ref("am", "u-1"),
        account_ref=Ref("am", "co-1"),
        account_name="Copper",
        account_refs=(Ref("am", "co-1"),),
        primary_contact_ref=Ref("am", "c-1"),
        contact_refs=(Ref("am", "c-1"), Ref("am", "c-2"), Ref("am", "c-3")),
        type="Existing Customer - Upgrade",
        priority="High",
        lead_source="Website",
        tags=("New", "Big"),
        custom_fields=(
            custom_field("cf-1", "Berth", CustomFieldType.TEXT, "B4", display_value="B4", description="Where"),
            custom_field("Tons", "Tons", CustomFieldType.NUMBER, 12.5),
            custom_field("cf-3", None, CustomFieldType.BOOLEAN, value=True),
            custom_field("cf-4", "Parts", CustomFieldType.JSON, ["a", "b"]),
            custom_field("cf-5", "Empty", CustomFieldType.UNKNOWN, None),
        ),
        is_deleted=True,
        created_at=at("2020-09-25T07:43:32"),
        updated_at=at("2020-09-26T07:43:32"),
        last_activity_at=at("2020-09-29T07:43:32"),
        created_by_ref=Ref("am", "u-3"),
        updated_by_ref=Ref("am", "u-2"),
        extension=ApideckOpportunityFields(
            loss_reason_id=VendorId("lr-1"),
            source_id=VendorId("so-1"),
            lead_id=VendorId("l-1"),
            status_id=VendorId("st-1"),
            contact_id=VendorId("c-2"),
            interaction_count=7.0,
            date_stage_changed=at("2020-09-30T08:00:00"),
            stage_last_changed_at=at("2020-09-30T07:43:32"),
            date_last_contacted=at("2020-09-28T00:00:00"),
            date_lead_created=at("2020-09-27T00:00:00"),
            custom_mappings={"harbour": "Houston"},
            raw_currency="USD",
            service="hubspot",
        ),
    )


def test_reasons_of_winning_are_found_too() -> None:
    won = read({"won_reason_id": "wr-1", "won_reason": "Best pitch", "status": "Handed over"})

    assert won.won_reason == Reason(id="wr-1", label="Best pitch")
    assert won.status is OpportunityStatus.WON
    assert isinstance(won.extension, ApideckOpportunityFields)
    assert won.extension.won_reason_id == "wr-1"


def test_an_absent_field_is_a_null_field() -> None:
    nulls = read(dict.fromkeys([name for name in FULL if name not in {"id", "contact_ids", "custom_fields", "deleted"}]))

    assert read({}) == nulls
    assert nulls.title == ""
    assert nulls.status is OpportunityStatus.OPEN


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"status": "closedwon"}, OpportunityStatus.WON),
        ({"status": "Deal WON"}, OpportunityStatus.WON),
        ({"status": "closedlost"}, OpportunityStatus.LOST),
        ({"status": "Abandoned"}, OpportunityStatus.LOST),
        ({"status": "Disqualified"}, OpportunityStatus.LOST),
        ({"status": "Open", "loss_reason": "Price"}, OpportunityStatus.OPEN),
        ({"status": " pending ", "won_reason_id": "1"}, OpportunityStatus.OPEN),
        ({"status": "", "loss_reason_id": "1"}, OpportunityStatus.LOST),
        ({"status": "Parked", "loss_reason": "Price"}, OpportunityStatus.LOST),
        ({"status": "Closed", "won_reason": "Price", "loss_reason": "Price"}, OpportunityStatus.WON),
        ({"status": None, "won_reason_id": "1"}, OpportunityStatus.WON),
        ({"status": "Closed", "win_probability": 100}, OpportunityStatus.WON),
        ({"status": "Completed", "win_probability": 0}, OpportunityStatus.LOST),
        ({"status": "Closed", "win_probability": 40}, None),
        ({"status": "Closed"}, None),
        ({"status": "In progress"}, OpportunityStatus.OPEN),
        ({"status": ""}, OpportunityStatus.OPEN),
    ],
)
def test_the_status_text_and_then_the_reasons_decide(row: dict[str, Any], status: OpportunityStatus | None) -> None:
    assert read(row).status is status


def test_the_operators_words_decide_before_ours() -> None:
    assert read({"status": "Parked"}, status_map={"parked": OpportunityStatus.LOST}).status is OpportunityStatus.LOST


def test_the_operators_words_are_known_in_any_case() -> None:
    given = {"api_key": "k", "app_id": "a", "consumer_id": "c", "service_id": "hubspot", "status_map": {" Parked ": "lost"}}

    assert Settings.model_validate(given).status_map == {"parked": OpportunityStatus.LOST}


@pytest.mark.parametrize("name", ["app_id", "consumer_id", "service_id"])
@pytest.mark.parametrize("text", ["", " ", "a\r\nb", "a ", "\u00e4"])
def test_what_no_header_can_hold_is_refused_as_a_setting(name: str, text: str) -> None:
    given = {"api_key": "k", "app_id": "a", "consumer_id": "c", "service_id": "hubspot", name: text}

    with pytest.raises(ValueError, match=name):
        Settings.model_validate(given)


def test_the_close_date_is_expected_while_open_and_only_a_date_when_nobody_knows() -> None:
    open_one, unclear = read({"close_date": "2026-12-01"}), read({"close_date": "2026-12-01", "status": "Closed"})

    assert (open_one.expected_close_date, open_one.actual_close_date) == (date(2026, 12, 1), None)
    assert (unclear.expected_close_date, unclear.actual_close_date, unclear.close_date) == (None, None, date(2026, 12, 1))


@pytest.mark.parametrize(("sent", "currency"), [("UNKNOWN_CURRENCY", None), (None, None), ("ETH", "ETH"), ("EUR", "EUR")])
def test_a_currency_is_letters_of_iso_or_null_and_the_raw_word_is_kept(sent: str | None, currency: str | None) -> None:
    record = read({"monetary_amount": 1, "currency": sent})

    assert record.amount == Money(amount=Decimal(1), currency=currency)
    assert isinstance(record.extension, ApideckOpportunityFields)
    assert record.extension.raw_currency == sent


def test_an_odd_probability_is_null_and_warned_of() -> None:
    with recording() as recorder:
        assert read({"win_probability": 110}).probability_percent is None

    assert [warned.code for warned in recorder.warnings] == ["PERCENT_OUT_OF_RANGE"]


def test_amounts_keep_every_digit() -> None:
    for literal in ("12345678901234.5", "12345678901234567890.123"):
        body = '{"data":[{"id":"1","monetary_amount":' + literal + "}]}"
        [row] = wire.OPPORTUNITIES.rows.decode(body).value.data
        assert row.monetary_amount == Decimal(literal)


def test_values_of_custom_fields_keep_every_digit_also_within() -> None:
    amounts = '{"deep": [12345678901234567.25, {"n": 98765432109876543210}]}'
    body = '{"data":[{"id":"1","custom_fields":[{"id":"a","value":12345678901234567.25},{"id":"b","value":' + amounts + "}]}]}"
    [row] = wire.OPPORTUNITIES.rows.decode(body).value.data

    fields = mapping.opportunity_from_wire("am", row, service=None, status_map={}).custom_fields
    assert fields is not None
    flat, deep = fields

    assert (flat.type, flat.value) == (CustomFieldType.NUMBER, Decimal("12345678901234567.25"))
    assert (deep.type, deep.value) == (CustomFieldType.JSON, {"deep": [Decimal("12345678901234567.25"), {"n": 98765432109876543210}]})


def test_odd_items_of_lists_cost_themselves_and_not_the_row() -> None:
    record = read({"tags": ["a", None, "", 7, {"b": 1}, True], "contact_ids": [None, "c1", 2], "custom_fields": [None, 3, {"id": "x"}]})

    assert record.tags == ("a", "7")
    assert record.contact_refs == (Ref("am", "c1"), Ref("am", "2"))
    assert [entry.key for entry in record.custom_fields or ()] == ["x"]
    assert read({"tags": "x", "contact_ids": {}, "custom_fields": 1}) == read({})


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("2026-01-02T03:04:05-05:00", at("2026-01-02T08:04:05")),
        ("2026-01-02T03:04:05", at("2026-01-02T03:04:05")),
        ("1767323045000", at("2026-01-02T03:04:05")),
        ("1767323045", at("2026-01-02T03:04:05")),
        ("yesterday", None),
        ("", None),
    ],
)
def test_the_last_activity_is_read_leniently(sent: str, moment: datetime | None) -> None:
    assert read({"last_activity_at": sent}).last_activity_at == moment


def pipelines() -> list[Pipeline]:
    stages = [
        {"id": "s2", "name": "Second", "display_order": 2, "win_probability": 60, "archived": True, "value": "two"},
        {"id": None, "value": "parked", "name": "Parked", "created_at": "2020-09-30T07:43:32Z", "updated_at": "2020-10-30T07:43:32Z"},
        {"id": "s1", "name": "First", "display_order": 1},
        {"id": None, "name": "Nameless"},
    ]
    about = {"currency": "EUR", "archived": False, "active": True, "display_order": 3, "win_probability_enabled": True}
    body = json.dumps(
        {"data": [{"id": "p1", "name": "Sales", "stages": stages, **about}, {"id": "p2", "name": "Other", "stages": stages[:1]}]}
    )
    rows = wire.PIPELINES.rows.decode(body).value.data
    return [mapping.pipeline_from_wire("am", row, {"s1": StageKind.OPEN}) for row in rows]


def test_stages_are_ranked_by_their_order_and_known_by_id_else_value_else_name() -> None:
    sales = pipelines()[0]

    assert sales.stages == (
        Stage(ref=Ref("am", "p1~s1"), name="First", order=0, pipeline_ref=Ref("am", "p1"), kind=StageKind.OPEN,
              extension=ApideckStageFields(display_order=1)),
        Stage(ref=Ref("am", "p1~s2"), name="Second", order=1, pipeline_ref=Ref("am", "p1"), probability_percent=60.0, is_archived=True,
              extension=ApideckStageFields(value="two", display_order=2)),
        Stage(ref=Ref("am", "p1~parked"), name="Parked", order=2, pipeline_ref=Ref("am", "p1"),
              extension=ApideckStageFields(value="parked", created_at=at("2020-09-30T07:43:32"), updated_at=at("2020-10-30T07:43:32"))),
        Stage(ref=Ref("am", "p1~Nameless"), name="Nameless", order=3, pipeline_ref=Ref("am", "p1"), extension=ApideckStageFields()),
    )  # fmt: skip
    assert (sales.name, sales.currency, sales.is_archived, sales.is_synthetic) == ("Sales", "EUR", False, False)
    assert sales.extension == ApideckPipelineFields(active=True, display_order=3, win_probability_enabled=True)


def test_a_stage_without_its_pipeline_is_found_where_only_one_pipeline_holds_it() -> None:
    with recording() as recorder:
        found = read({"pipeline_stage_id": "s1"}, pipelines=pipelines())
        twice = read({"pipeline_stage_id": "s2"}, pipelines=pipelines())
        nowhere = read({"pipeline_stage_id": "s9"}, pipelines=pipelines())

    assert (found.pipeline_ref, found.stage_ref) == (Ref("am", "p1"), Ref("am", "p1~s1"))
    assert {(it.pipeline_ref, it.stage_ref) for it in (twice, nowhere)} == {(None, None)}
    assert [warned.code for warned in recorder.warnings] == ["STAGE_WITHOUT_PIPELINE"] * 2


def test_a_stage_without_its_pipeline_is_warned_of_where_there_are_no_pipelines_and_not_where_nobody_asks() -> None:
    with recording() as recorder:
        asked, unasked = read({"pipeline_stage_id": "s1"}, pipelines=[]), read({"pipeline_stage_id": "s1"})

    assert {(it.pipeline_ref, it.stage_ref) for it in (asked, unasked)} == {(None, None)}
    assert [warned.code for warned in recorder.warnings] == ["STAGE_WITHOUT_PIPELINE"]


def test_stages_that_deals_could_not_tell_apart_are_one() -> None:
    body = json.dumps({"data": [{"id": "p", "stages": [{"id": "s", "name": "A"}, {"name": "s"}, {"id": "t"}, {}]}]})
    [row] = wire.PIPELINES.rows.decode(body).value.data

    stages = mapping.pipeline_from_wire("am", row, {}).stages

    assert [(stage.local_id, stage.name, stage.order) for stage in stages] == [("p~s", "A", 0), ("p~t", None, 1)]


def test_a_user_is_mapped() -> None:
    row = {"id": "u1", "first_name": "Anna", "last_name": "O'Neil", "status": "inactive",
           "emails": [{"email": "second@x.example", "type": "secondary"}, {"email": "anna@x.example", "type": "primary"}]}  # fmt: skip
    [parsed] = wire.USERS.rows.decode(json.dumps({"data": [row]})).value.data

    assert parties.user_from_wire("am", parsed) == User(
        ref=Ref("am", "u1"), name="Anna O'Neil", first_name="Anna", last_name="O'Neil", email="anna@x.example", is_active=False
    )
    [named] = wire.USERS.rows.decode(json.dumps({"data": [{"id": "u2", "name": "Diego", "status": "active", "emails": []}]})).value.data
    assert parties.user_from_wire("am", named) == User(ref=Ref("am", "u2"), name="Diego", is_active=True)


def test_a_company_is_mapped() -> None:
    row = {
        "id": "co1", "name": "Atlantic Crane Co.", "owner_id": "u1", "parent_id": "co0", "industry": "Ports",
        "emails": [{"email": "info@atlantic.example"}],
        "phone_numbers": [{"number": "555 01", "country_code": "1", "area_code": "713", "type": "office"}],
        "websites": [{"url": "atlantic.example", "type": "primary"}],
        "addresses": [
            {"type": "billing", "line1": "nowhere"},
            {"type": "primary", "line1": "Pier 4", "line2": "Shed 2", "city": "Houston", "state": "TX", "postal_code": "77001",
             "country": "US"},
        ],
    }  # fmt: skip
    [parsed] = wire.COMPANIES.rows.decode(json.dumps({"data": [row]})).value.data

    assert parties.account_from_wire("am", parsed) == Account(
        ref=Ref("am", "co1"),
        name="Atlantic Crane Co.",
        email="info@atlantic.example",
        phone="+1 713 555 01",
        website="atlantic.example",
        industry="Ports",
        owner_ref=Ref("am", "u1"),
        parent_ref=Ref("am", "co0"),
        address=Address(street="Pier 4 Shed 2", city="Houston", region="TX", postal_code="77001", country="US"),
    )
    [whole] = wire.COMPANIES.rows.decode(json.dumps({"data": [{"id": "co2", "addresses": [{"string": "Pier 9, Houston"}]}]})).value.data
    assert parties.account_from_wire("am", whole).address == Address(street="Pier 9, Houston")


@pytest.mark.parametrize(
    ("status", "is_active"),
    [("Active", True), ("enabled", True), ("deactivated", False), ("Suspended", False), ("invited", None), (None, None)],
)
def test_a_users_status_tells_only_what_its_word_says(status: str | None, *, is_active: bool | None) -> None:
    [parsed] = wire.USERS.rows.decode(json.dumps({"data": [{"id": "u1", "emails": [], "status": status}]})).value.data

    assert parties.user_from_wire("am", parsed).is_active is is_active


@pytest.mark.parametrize(
    ("address", "street"),
    [
        ({"line1": "Dock Road", "line2": "Hall 3", "line3": "Gate C", "line4": "Level 2", "line5": "Desk 9"},
         "Dock Road Hall 3 Gate C Level 2 Desk 9"),
        ({"street_number": "42", "line1": "Dock Road"}, "42 Dock Road"),
        ({"street_number": "42", "line1": "Dock Road 42"}, "Dock Road 42"),
        ({"street_number": "42"}, "42"),
        ({"string": "all of it", "line1": "Dock Road"}, "Dock Road"),
        ({"string": "all of it"}, "all of it"),
    ],
)  # fmt: skip
def test_an_address_keeps_all_its_lines(address: dict[str, str], street: str) -> None:
    [parsed] = wire.COMPANIES.rows.decode(json.dumps({"data": [{"id": "co", "addresses": [address]}]})).value.data

    assert parties.account_from_wire("am", parsed).address == Address(street=street)


@pytest.mark.parametrize(
    ("phones", "shown"),
    [
        ([{"number": "555-1", "extension": "12"}], "555-1 ext. 12"),
        ([{"number": "555-1", "country_code": "+1", "extension": "12"}], "+1 555-1 ext. 12"),
        ([{"number": "+1 555-1", "country_code": "1", "area_code": "371"}], "+1 555-1"),
        ([{"number": ""}, {"number": "555-2"}], "555-2"),
        ([{"number": "555-1", "type": "work"}, {"number": "555-2", "type": "primary"}], "555-2"),
        ([{"number": "555-1"}, {"number": None, "type": "primary"}], "555-1"),
        ([], None),
    ],
)
def test_a_phone_number_is_the_primary_one_that_has_a_number(phones: list[dict[str, str]], shown: str | None) -> None:
    [parsed] = wire.CONTACTS.rows.decode(json.dumps({"data": [{"id": "c", "phone_numbers": phones}]})).value.data

    assert parties.contact_from_wire("am", parsed).phone == shown


def test_empty_items_of_lists_do_not_hide_the_next() -> None:
    websites = [{"type": "primary"}, {"url": "a.example"}, {"url": "b.example", "type": "primary"}]
    row = {"id": "co", "emails": [{"email": ""}, {"email": "a@b.example"}], "websites": websites}
    [parsed] = wire.COMPANIES.rows.decode(json.dumps({"data": [row]})).value.data

    account = parties.account_from_wire("am", parsed)

    assert (account.email, account.website) == ("a@b.example", "b.example")


def test_a_contact_is_mapped() -> None:
    row = {"id": "c1", "first_name": "Marcus", "last_name": "Reed", "title": "Buyer", "owner_id": "u1", "company_id": "co1",
           "emails": [{"email": "marcus@atlantic.example", "type": "work"}], "phone_numbers": [{"number": "+1 713 555 02"}]}  # fmt: skip
    [parsed] = wire.CONTACTS.rows.decode(json.dumps({"data": [row]})).value.data

    assert parties.contact_from_wire("am", parsed) == Contact(
        ref=Ref("am", "c1"),
        name="Marcus Reed",
        first_name="Marcus",
        last_name="Reed",
        email="marcus@atlantic.example",
        phone="+1 713 555 02",
        title="Buyer",
        account_ref=Ref("am", "co1"),
        owner_ref=Ref("am", "u1"),
    )
    [named] = wire.CONTACTS.rows.decode(json.dumps({"data": [{"id": "c2", "name": "M. Reed"}]})).value.data
    assert parties.contact_from_wire("am", named).name == "M. Reed"


def test_only_what_is_read_is_asked_for() -> None:
    selection = Selection({"Opportunity": frozenset({"title", "amount"}), "ApideckOpportunityFields": frozenset({"lead_id"})})

    assert mapping.opportunity_fields(selection) == ["currency", "deleted", "id", "lead_id", "monetary_amount", "title"]
    assert mapping.opportunity_fields(Selection({"Opportunity": frozenset({"title", "custom_fields"})})) is None
    assert parties.account_fields(Selection({"Account": frozenset({"email"})})) == ["emails", "id"]
    assert parties.contact_fields(Selection()) is None
