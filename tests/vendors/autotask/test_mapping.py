"""What becomes of every field of Autotask's records. Bodies are in the vendor's shape and go through the wire models."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from vendors.autotask import mapping, wire
from vendors.autotask.extension import AutotaskOpportunityFields, AutotaskPicklistValue
from vendors.calls import recording
from vendors.extension import VendorId
from vendors.model import (
    Account,
    Address,
    Contact,
    CustomField,
    CustomFieldDefinition,
    CustomFieldType,
    Money,
    Opportunity,
    OpportunityStatus,
    Reason,
    Ref,
    Selection,
    Stage,
    User,
    ValueOrigin,
)

# Source: Autotask REST "Opportunities", Field definitions (vendor help): every field of the page, each with a value of its own.
OPPORTUNITY: dict[str, Any] = {
    "id": 29701444,
    "advancedField1": 1.25,
    "advancedField2": 2.25,
    "advancedField3": 3.25,
    "advancedField4": 4.25,
    "advancedField5": 5.25,
    "amount": 18400.5,
    "assessmentScore": 61.5,
    "barriers": "Two other bidders",
    "closedDate": "2026-10-11T00:00:00.000Z",
    "companyID": 174,
    "contactID": 30684,
    "cost": 9200.25,
    "createDate": "2026-07-01T09:12:44.317Z",
    "creatorResourceID": 29682886,
    "description": "Swap of both switches",
    "helpNeeded": "A crane for a day",
    "impersonatorCreatorResourceID": 29682901,
    "lastActivity": "2026-11-02T08:00:00Z",
    "leadSource": 71,
    "lossReason": 72,
    "lossReasonDetail": "Their parent decided",
    "lostDate": "2026-10-30T23:03:11.91Z",
    "market": "Ferries",
    "monthlyCost": 11.5,
    "monthlyRevenue": 12.5,
    "nextStep": "Call the yard",
    "onetimeCost": 13.5,
    "onetimeRevenue": 14.5,
    "opportunityCategoryID": 73,
    "organizationalLevelAssociationID": 5,
    "ownerResourceID": 29682885,
    "primaryCompetitor": 74,
    "probability": 40,
    "productID": 29682845,
    "projectedCloseDate": "2026-12-15T00:00:00Z",
    "promisedFulfillmentDate": "2027-01-20T10:30:00Z",
    "promotionName": "Autumn",
    "quarterlyCost": 15.5,
    "quarterlyRevenue": 16.5,
    "rating": 75,
    "relationshipAssessmentScore": 62.5,
    "revenueSpread": 6,
    "revenueSpreadUnit": "months",
    "salesOrderID": 8801,
    "salesProcessPercentComplete": 63.5,
    "semiannualCost": 17.5,
    "semiannualRevenue": 18.5,
    "stage": 29682772,
    "startDate": "2026-06-30T00:00:00Z",
    "status": 2,
    "technicalAssessmentScore": 64.5,
    "throughDate": "2028-03-31T00:00:00Z",
    "title": "Core network refresh",
    "totalAmountMonths": 12,
    "useQuoteTotals": True,
    "winReason": 76,
    "winReasonDetail": "Fast delivery",
    "yearlyCost": 19.5,
    "yearlyRevenue": 20.5,
    "userDefinedFields": [{"name": "Vessel or berth", "value": "Quay 2"}],
}
# Source: Autotask REST, entityInformation/fields (vendor help): values of picklists are text there, while records carry numbers.
FIELDS: list[dict[str, Any]] = [
    {"name": name, "isPickList": True, "picklistValues": [{"value": str(value), "label": label, "sortOrder": 1, "isActive": active}]}
    for name, value, label, active in (
        ("leadSource", 71, "Trade fair", True),
        ("lossReason", 72, "Price", True),
        ("opportunityCategoryID", 73, "Repair project", True),
        ("primaryCompetitor", 74, "Hansa Cranes", False),
        ("rating", 75, "Hot", True),
        ("winReason", 76, "Service", True),
        ("stage", 29682772, "1. New enquiry", True),
        ("status", 2, "Lost", True),
    )
] + [{"name": "title", "isPickList": False, "picklistValues": None}]
DEFINITIONS = {
    "Vessel or berth": CustomFieldDefinition(
        crm="at", key="Vessel or berth", label="Vessel or berth", applies_to="opportunity", type=CustomFieldType.TEXT
    )
}
CURRENCIES = mapping.Currencies({"1": "GBP", "3": "EUR"}, "GBP")


def body(*rows: Mapping[str, Any], details: Mapping[str, Any] | None = None) -> bytes:
    return json.dumps({"items": rows, "pageDetails": details or {"count": len(rows)}}).encode()


def picklists(fields: list[dict[str, Any]] | None = None) -> mapping.Picklists:
    return mapping.picklists_from_wire(wire.FIELDS.decode(json.dumps({"fields": FIELDS if fields is None else fields})).value.entries)


def opportunity(row: Mapping[str, Any] | bytes, *, lists: mapping.Picklists | None = None, **definitions: CustomFieldType) -> Opportunity:
    decoded = wire.OPPORTUNITIES.decode(row if isinstance(row, bytes) else body({"id": 311, **row}))
    assert not decoded.dropped
    declared = {
        name: CustomFieldDefinition(crm="at", key=name, label=f"The {name}", applies_to="opportunity", type=kind)
        for name, kind in definitions.items()
    }
    return mapping.opportunity_from_wire(
        "at",
        decoded.value.items[0],
        picklists=picklists() if lists is None else lists,
        currencies=CURRENCIES,
        custom_fields=declared or DEFINITIONS,
    )


def own(record: Opportunity) -> AutotaskOpportunityFields:
    assert isinstance(record.extension, AutotaskOpportunityFields)
    return record.extension


def choice(value: str, label: str | None, *, is_active: bool | None = True) -> AutotaskPicklistValue:
    return AutotaskPicklistValue(value=VendorId(value), label=label, is_active=is_active)


def test_every_field_of_the_vendors_page_has_its_place() -> None:
    creator, impersonator = Ref("at", "29682886"), Ref("at", "29682901")
    lost_at = datetime(2026, 10, 30, 23, 3, 11, 910_000, UTC)

    assert len(OPPORTUNITY) == 60 + 1  # the page's fields and the user-defined ones
    assert opportunity(OPPORTUNITY) == Opportunity(
        ref=Ref("at", "29701444"),
        title="Core network refresh",
        description="Swap of both switches",
        amount=Money(amount=Decimal("18400.5"), currency_of=Ref("at", "174")),
        cost=Money(amount=Decimal("9200.25"), currency="GBP"),
        probability_percent=40.0,
        probability_origin=ValueOrigin.VENDOR,
        status=OpportunityStatus.LOST,
        status_label="Lost",
        pipeline_ref=Ref("at", "default"),
        stage_ref=Ref("at", "29682772"),
        expected_close_date=date(2026, 12, 15),
        actual_close_date=date(2026, 10, 30),
        close_date=date(2026, 10, 30),
        closed_at=lost_at,
        loss_reason=Reason(id="72", label="Price", detail="Their parent decided"),
        won_reason=Reason(id="76", label="Service", detail="Fast delivery"),
        owner_ref=Ref("at", "29682885"),
        account_ref=Ref("at", "174"),
        account_refs=(Ref("at", "174"),),
        primary_contact_ref=Ref("at", "30684"),
        contact_refs=(Ref("at", "30684"),),
        type="Repair project",
        priority="Hot",
        lead_source="Trade fair",
        custom_fields=(
            CustomField(key="Vessel or berth", label="Vessel or berth", type=CustomFieldType.TEXT, value="Quay 2", display_value="Quay 2"),
        ),
        created_at=datetime(2026, 7, 1, 9, 12, 44, 317_000, UTC),
        last_activity_at=datetime(2026, 11, 2, 8, tzinfo=UTC),
        created_by_ref=creator,
        extension=AutotaskOpportunityFields(
            advanced_field1=Decimal("1.25"),
            advanced_field2=Decimal("2.25"),
            advanced_field3=Decimal("3.25"),
            advanced_field4=Decimal("4.25"),
            advanced_field5=Decimal("5.25"),
            assessment_score=Decimal("61.5"),
            relationship_assessment_score=Decimal("62.5"),
            technical_assessment_score=Decimal("64.5"),
            sales_process_percent_complete=Decimal("63.5"),
            barriers="Two other bidders",
            help_needed="A crane for a day",
            market="Ferries",
            next_step="Call the yard",
            loss_reason_detail="Their parent decided",
            win_reason_detail="Fast delivery",
            promotion_name="Autumn",
            closed_date=date(2026, 10, 11),
            projected_close_date=date(2026, 12, 15),
            through_date=date(2028, 3, 31),
            promised_fulfillment_date=datetime(2027, 1, 20, 10, 30, tzinfo=UTC),
            start_date=datetime(2026, 6, 30, tzinfo=UTC),
            create_date=datetime(2026, 7, 1, 9, 12, 44, 317_000, UTC),
            last_activity=datetime(2026, 11, 2, 8, tzinfo=UTC),
            lost_date=lost_at,
            cost=Decimal("9200.25"),
            onetime_cost=Decimal("13.5"),
            onetime_revenue=Decimal("14.5"),
            monthly_cost=Decimal("11.5"),
            monthly_revenue=Decimal("12.5"),
            quarterly_cost=Decimal("15.5"),
            quarterly_revenue=Decimal("16.5"),
            semiannual_cost=Decimal("17.5"),
            semiannual_revenue=Decimal("18.5"),
            yearly_cost=Decimal("19.5"),
            yearly_revenue=Decimal("20.5"),
            total_amount_months=12,
            revenue_spread=6,
            revenue_spread_unit="months",
            use_quote_totals=True,
            lead_source=choice("71", "Trade fair"),
            loss_reason=choice("72", "Price"),
            win_reason=choice("76", "Service"),
            primary_competitor=choice("74", "Hansa Cranes", is_active=False),
            rating=choice("75", "Hot"),
            opportunity_category_id=choice("73", "Repair project"),
            status=choice("2", "Lost"),
            stage=choice("29682772", "1. New enquiry"),
            product_id=VendorId("29682845"),
            sales_order_id=VendorId("8801"),
            organizational_level_association_id=VendorId("5"),
            creator_resource_ref=creator,
            impersonator_creator_resource_ref=impersonator,
        ),
    )


@pytest.mark.parametrize("unset", [None, "", "absent"])
def test_null_empty_and_absent_are_alike(unset: str | None) -> None:
    texts = ["description", "barriers", "createDate", "startDate", "lostDate", "closedDate", "projectedCloseDate", "contactID", "rating"]
    row = {} if unset == "absent" else dict.fromkeys([*texts, "amount", "cost", "probability", "useQuoteTotals", "companyID"], unset)

    record = opportunity({"title": "Bare", **row})

    assert record == Opportunity(
        ref=Ref("at", "311"), title="Bare", pipeline_ref=Ref("at", "default"), extension=AutotaskOpportunityFields()
    )


def test_zero_is_a_company_and_a_status() -> None:
    record = opportunity({"companyID": 0, "status": 0, "amount": 0, "probability": 0})

    assert record.account_ref == Ref("at", "0")
    assert record.amount == Money(amount=Decimal(0), currency_of=Ref("at", "0"))
    assert record.probability_percent == 0
    assert record.status is OpportunityStatus.OPEN
    assert record.status_label == "Not Ready To Buy"
    assert own(record).status == choice("0", None, is_active=None)


@pytest.mark.parametrize(
    ("value", "label", "status"),
    [
        (0, "Not Ready To Buy", OpportunityStatus.OPEN),
        (1, "Active", OpportunityStatus.OPEN),
        (2, "Lost", OpportunityStatus.LOST),
        (3, "Closed", OpportunityStatus.WON),
        (4, "Implemented", OpportunityStatus.WON),
        (9, None, OpportunityStatus.OPEN),
        (None, None, None),
    ],
)
def test_without_a_picklist_the_system_statuses_are_known(value: int | None, label: str | None, status: OpportunityStatus | None) -> None:
    record = opportunity({"status": value}, lists=mapping.Picklists())

    assert (record.status, record.status_label) == (status, label)


@pytest.mark.parametrize(
    ("label", "status"),
    [
        ("Lost", OpportunityStatus.LOST),
        (" LOST ", OpportunityStatus.LOST),
        ("closed", OpportunityStatus.WON),
        ("Implemented", OpportunityStatus.WON),
        ("Waiting for budget", OpportunityStatus.OPEN),
    ],
)
def test_the_picklist_says_what_a_status_means(label: str, status: OpportunityStatus) -> None:
    lists = picklists([{"name": "status", "picklistValues": [{"value": "7", "label": label}, {"value": "2", "label": None}]}])

    assert (opportunity({"status": 7}, lists=lists).status, opportunity({"status": 7}, lists=lists).status_label) == (status, label)
    assert opportunity({"status": 2}, lists=lists).status is OpportunityStatus.LOST


def test_a_won_deal_closed_on_its_closed_date() -> None:
    record = opportunity({**OPPORTUNITY, "status": 3})

    assert record.status is OpportunityStatus.WON
    assert record.actual_close_date == record.close_date == date(2026, 10, 11)
    assert record.closed_at is None  # the vendor keeps only the day


def test_an_open_deal_has_no_actual_close_date_whatever_its_fields_hold() -> None:
    record = opportunity({**OPPORTUNITY, "status": 1})

    assert (record.actual_close_date, record.closed_at) == (None, None)
    assert record.close_date == record.expected_close_date == date(2026, 12, 15)


@pytest.mark.parametrize("status", [2, 3])
def test_a_closed_deal_without_its_date_falls_back_to_the_expected_one(status: int) -> None:
    record = opportunity({"status": status, "projectedCloseDate": "2026-12-15T00:00:00Z"}, lists=mapping.Picklists())

    assert (record.actual_close_date, record.close_date) == (None, date(2026, 12, 15))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-02T08:00:00Z", datetime(2026, 11, 2, 8, tzinfo=UTC)),
        ("2026-11-02T08:00:00", datetime(2026, 11, 2, 8, tzinfo=UTC)),
        ("2026-11-02T08:00:00.5", datetime(2026, 11, 2, 8, 0, 0, 500_000, UTC)),
        ("2026-11-02T08:00:00.1234567Z", datetime(2026, 11, 2, 8, 0, 0, 123_456, UTC)),
        ("2026-11-02T08:00:00+02:00", datetime(2026, 11, 2, 6, tzinfo=UTC)),
        ("the other day", None),
    ],
)
def test_a_moment_without_zone_is_utc(text: str, moment: datetime | None) -> None:
    assert opportunity({"lastActivity": text}).last_activity_at == moment


@pytest.mark.parametrize(
    "text", ["2026-12-15", "2026-12-15T00:00:00", "2026-12-15T00:00:00.000Z", "2026-12-15T23:59:00-11:00", "2026-12-15T00:00:00+14:00"]
)
def test_a_day_is_the_day_that_is_written(text: str) -> None:
    assert opportunity({"projectedCloseDate": text}).expected_close_date == date(2026, 12, 15)


def test_a_deal_without_create_date_was_created_when_it_began() -> None:
    assert opportunity({"startDate": "2026-06-30T00:00:00Z"}).created_at == datetime(2026, 6, 30, tzinfo=UTC)


def test_whole_numbers_may_come_as_decimals() -> None:
    as_decimals = {name: float(value) if type(value) is int else value for name, value in OPPORTUNITY.items()}
    lists = picklists(
        [
            {**field, "picklistValues": [{**value, "value": float(value["value"])} for value in field["picklistValues"] or ()]}
            for field in FIELDS
        ]
    )

    assert opportunity(as_decimals, lists=lists) == opportunity(OPPORTUNITY)


@pytest.mark.parametrize("digits", ["123456789012.345", "12345678901234567.890", "-98765432109876543.21", "0.12345678901234567891"])
def test_amounts_are_exact(digits: str) -> None:
    raw = body(OPPORTUNITY).replace(b"18400.5", digits.encode()).replace(b"9200.25", f"-{digits}".replace("--", "").encode())

    record = opportunity(raw)

    assert record.amount is not None and record.cost is not None
    assert record.amount.amount == Decimal(digits)
    assert record.cost.amount == -Decimal(digits)
    assert replace(record, amount=None, cost=None, extension=None) == replace(
        opportunity(OPPORTUNITY), amount=None, cost=None, extension=None
    )
    assert replace(own(record), cost=None) == replace(own(opportunity(OPPORTUNITY)), cost=None)


def test_a_long_number_changes_no_other_field() -> None:
    row = {**OPPORTUNITY, "useQuoteTotals": 1.0, "companyID": 174.0, "revenueSpread": 6.0}

    assert opportunity(body({**row, "onetimeRevenue": "LONG"}).replace(b'"LONG"', b"14.5000000000000000000")) == opportunity(OPPORTUNITY)


@pytest.mark.parametrize("number", ["1e999", '"1e999999999"', "-1e-999", "NaN"])
def test_a_number_beyond_reason_is_no_number(number: str) -> None:
    for other in ("14.5", "14.50000000000000000000"):
        raw = b'{"items":[{"id":311,"amount":N,"revenueSpread":N,"probability":N,"onetimeRevenue":O}]}'

        record = opportunity(raw.replace(b"N", number.encode()).replace(b"O", other.encode()))

        assert (record.amount or Money(amount=Decimal(0))).amount == 0
        assert own(record).revenue_spread in {None, 0}
        assert own(record).onetime_revenue == Decimal("14.5")


@pytest.mark.parametrize("value", [-1, 101, 140.5])
def test_an_impossible_probability_is_null_and_warned_of(value: float) -> None:
    with recording() as recorder:
        record = opportunity({"probability": value})

    assert record.probability_percent is None
    assert [(warned.crm, warned.code) for warned in recorder.warnings] == [("at", "PERCENT_OUT_OF_RANGE")]
    assert "'311'" in recorder.warnings[0].message


@pytest.mark.parametrize("value", [0, 55.5, 100])
def test_a_possible_probability_is_not_warned_of(value: float) -> None:
    with recording() as recorder:
        assert opportunity({"probability": value}).probability_percent == value

    assert recorder.warnings == []


def test_a_choice_that_the_picklist_does_not_hold_keeps_its_number() -> None:
    record = opportunity({"rating": 99})

    assert record.priority is None
    assert own(record).rating == choice("99", None, is_active=None)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (CustomFieldType.TEXT, "Golden", "Golden"),
        (CustomFieldType.NUMBER, "12.50", 12.5),
        (CustomFieldType.NUMBER, "a dozen", "a dozen"),
        (CustomFieldType.NUMBER, "NaN", "NaN"),
        (CustomFieldType.NUMBER, "1e999", "1e999"),
        (CustomFieldType.BOOLEAN, "True", True),
        (CustomFieldType.BOOLEAN, "0", False),
        (CustomFieldType.BOOLEAN, "perhaps", "perhaps"),
        (CustomFieldType.DATE, "2027-03-01T00:00:00Z", "2027-03-01"),
        (CustomFieldType.DATE, "soon", "soon"),
        (CustomFieldType.DATE_TIME, "2027-03-01T10:00:00", "2027-03-01T10:00:00+00:00"),
        (CustomFieldType.DATE_TIME, "soon", "soon"),
        (CustomFieldType.SELECT, "3", "3"),
        (CustomFieldType.UNKNOWN, "12", "12"),
    ],
)
def test_a_user_defined_field_is_converted_by_its_type(kind: CustomFieldType, text: str, value: object) -> None:
    udfs = [{"name": "extra", "value": text}, {"name": "empty", "value": None}]

    fields = opportunity({"userDefinedFields": udfs}, extra=kind, empty=kind).custom_fields or ()

    assert fields == (
        CustomField(key="extra", label="The extra", type=kind, value=value, display_value=text),
        CustomField(key="empty", label="The empty", type=kind, value=None, display_value=None),
    )
    assert [type(field.value) for field in fields] == [type(value), type(None)]  # True is not 1


def test_a_user_defined_field_without_definition_is_text_under_its_name() -> None:
    record = opportunity({"userDefinedFields": [{"name": "Renewal Date", "value": "2027-03-01"}]})

    assert record.custom_fields == (
        CustomField(key="Renewal Date", label="Renewal Date", type=CustomFieldType.UNKNOWN, value="2027-03-01", display_value="2027-03-01"),
    )


COMPANY: dict[str, Any] = {
    "id": 174,
    "companyName": "FJORD SHIPPING",
    "phone": "+47 55 55 01 40",
    "webAddress": "https://fjordshipping.example",
    "marketSegmentID": 41,
    "ownerResourceID": 29682886,
    "parentCompanyID": 0,
    "currencyID": 3,
    "address1": "Skoltegrunnskaien 1",
    "address2": "Building B",
    "city": "Bergen",
    "state": "Vestland",
    "postalCode": 5003,
    "countryID": 578,
}
SEGMENTS = [{"name": "marketSegmentID", "picklistValues": [{"value": "41", "label": "Shipping"}]}]


def account(row: Mapping[str, Any], currencies: mapping.Currencies = CURRENCIES) -> Account:
    (decoded,) = wire.COMPANIES.decode(body(row)).value.items
    return mapping.account_from_wire("at", decoded, picklists=picklists(SEGMENTS), currencies=currencies)


def test_every_field_of_a_company_has_its_place() -> None:
    assert account(COMPANY) == Account(
        ref=Ref("at", "174"),
        name="FJORD SHIPPING",
        phone="+47 55 55 01 40",
        website="https://fjordshipping.example",
        industry="Shipping",
        owner_ref=Ref("at", "29682886"),
        parent_ref=Ref("at", "0"),
        address=Address(street="Skoltegrunnskaien 1 Building B", city="Bergen", region="Vestland", postal_code="5003", country="578"),
        currency="EUR",
    )


def test_a_company_without_address_has_none() -> None:
    assert account({"id": 0, "companyName": "Nordkai Service Ltd", "city": ""}) == Account(
        ref=Ref("at", "0"), name="Nordkai Service Ltd", currency="GBP"
    )


@pytest.mark.parametrize(
    ("currency_id", "currencies", "expected"),
    [
        (3, CURRENCIES, "EUR"),
        (3.0, CURRENCIES, "EUR"),
        (None, CURRENCIES, "GBP"),
        ("", CURRENCIES, "GBP"),
        (None, mapping.Currencies({"3": "EUR"}), None),
        (8, mapping.Currencies(), None),
        (5, mapping.Currencies({"5": None}, "GBP"), None),
    ],
)
def test_a_companys_currency_is_its_own_else_the_internal_one(
    currency_id: object, currencies: mapping.Currencies, expected: str | None
) -> None:
    assert account({"id": 1, "currencyID": currency_id}, currencies).currency == expected


def test_currencies_are_known_by_id_and_one_is_internal() -> None:
    rows = [
        {"id": 1, "name": "GBP", "isInternalCurrency": True},
        {"id": 2, "name": "USD", "isInternalCurrency": False},
        {"id": 5, "name": "Company points", "isInternalCurrency": False},
    ]

    assert mapping.currencies_from_wire(wire.CURRENCIES.decode(body(*rows)).value.items) == mapping.Currencies(
        {"1": "GBP", "2": "USD", "5": None}, "GBP"
    )


def test_every_field_of_a_contact_has_its_place() -> None:
    row = {
        "id": 30684,
        "companyID": 174,
        "firstName": "Lene",
        "lastName": "Sorensen",
        "title": "Buyer",
        "emailAddress": "lene@nordlicht.example",
        "phone": "+49 40 555 01",
    }

    (decoded,) = wire.CONTACTS.decode(body(row)).value.items

    assert mapping.contact_from_wire("at", decoded) == Contact(
        ref=Ref("at", "30684"),
        name="Lene Sorensen",
        first_name="Lene",
        last_name="Sorensen",
        email="lene@nordlicht.example",
        phone="+49 40 555 01",
        title="Buyer",
        account_ref=Ref("at", "174"),
    )


@pytest.mark.parametrize("active", [True, False])
def test_every_field_of_a_resource_has_its_place(active: bool) -> None:  # noqa: FBT001  # a row of the table
    row = {"id": 29682885, "firstName": "Ivo", "lastName": "Brandt", "email": "ivo@msp.example", "isActive": active}

    (decoded,) = wire.RESOURCES.decode(body(row)).value.items

    assert mapping.user_from_wire("at", decoded) == User(
        ref=Ref("at", "29682885"), name="Ivo Brandt", first_name="Ivo", last_name="Brandt", email="ivo@msp.example", is_active=active
    )


def test_stages_are_the_choices_of_a_picklist_in_its_order() -> None:
    values = [
        {"value": "18", "label": "7. Closed Lost", "sortOrder": 7, "isActive": True},
        {"value": "29682776", "label": "0. Tender", "sortOrder": 1, "isActive": False},
        {"value": "12", "label": "5. Verbal order", "sortOrder": 5, "isActive": True},
        {"value": "9", "label": "5. Also", "sortOrder": 5},
    ]

    pipeline = mapping.pipeline_from_picklist("at", "Deals", picklists([{"name": "stage", "picklistValues": values}]))

    assert (pipeline.ref, pipeline.name, pipeline.is_synthetic) == (Ref("at", "default"), "Deals", True)
    assert pipeline.stages == tuple(
        Stage(ref=Ref("at", value), name=label, order=order, pipeline_ref=Ref("at", "default"), is_archived=archived)
        for order, (value, label, archived) in enumerate(
            [("29682776", "0. Tender", True), ("9", "5. Also", None), ("12", "5. Verbal order", False), ("18", "7. Closed Lost", False)]
        )
    )


@pytest.mark.parametrize(
    ("data_type", "kind"),
    [
        ("string", CustomFieldType.TEXT),
        ("integer", CustomFieldType.NUMBER),
        ("long", CustomFieldType.NUMBER),
        ("double", CustomFieldType.NUMBER),
        ("Decimal", CustomFieldType.NUMBER),
        ("datetime", CustomFieldType.DATE_TIME),
        ("date", CustomFieldType.DATE),
        ("boolean", CustomFieldType.BOOLEAN),
        ("hologram", CustomFieldType.UNKNOWN),
        (None, CustomFieldType.UNKNOWN),
    ],
)
def test_a_definition_tells_its_type(data_type: str | None, kind: CustomFieldType) -> None:
    row = {"name": "Vessel", "label": "Vessel or berth", "dataType": data_type, "length": 100, "isRequired": True, "isPickList": False}

    (decoded,) = wire.FIELDS.decode(json.dumps({"fields": [row]})).value.entries

    assert mapping.definition_from_wire("at", "account", decoded) == CustomFieldDefinition(
        crm="at",
        key="Vessel",
        label="Vessel or berth",
        applies_to="account",
        type=kind,
        max_length=100,
        is_required=True,
        is_custom=True,
    )


def test_a_definition_with_choices_is_a_select() -> None:
    choices = [{"value": "1", "label": "Bronze"}, {"value": "2", "label": ""}]
    row = {"name": "Level", "dataType": "string", "length": 0, "isPickList": True, "picklistValues": choices}

    (decoded,) = wire.FIELDS.decode(json.dumps({"fields": [row]})).value.entries
    definition = mapping.definition_from_wire("at", "opportunity", decoded)

    assert (definition.type, definition.options, definition.max_length) == (CustomFieldType.SELECT, ("Bronze", "2"), None)


@pytest.mark.parametrize("last", [{}, {"nextPageUrl": None}, {"nextPageUrl": ""}])
def test_a_page_says_whether_more_follow(last: Mapping[str, Any]) -> None:
    following = {"nextPageUrl": "https://webservices22.autotask.net/ATServicesRest/V1.0/Opportunities/query/next?paging=x"}

    assert wire.OPPORTUNITIES.decode(body(details={"count": 0, **last})).value.pageDetails.nextPageUrl is None
    assert wire.OPPORTUNITIES.decode(body(details=following)).value.pageDetails.nextPageUrl == following["nextPageUrl"]
    assert wire.OPPORTUNITIES.decode(b'{"items":[]}').value.pageDetails.nextPageUrl is None


def test_a_zone_has_a_url() -> None:
    raw = '{"zoneName":"America East 3","url":"https://webservices22.autotask.net/ATServicesRest/","webUrl":"https://ww22.autotask.net/"}'

    assert wire.ZONE.decode(raw).value.url == "https://webservices22.autotask.net/ATServicesRest/"


@pytest.mark.parametrize("identifier", [{"no": "id"}, None, "", "twelve", "²", 1.5])
def test_a_row_without_a_number_for_an_id_is_left_out(identifier: object) -> None:
    decoded = wire.OPPORTUNITIES.decode(body({"id": identifier, "title": "Odd"}, OPPORTUNITY))

    assert [row.id for row in decoded.value.items] == ["29701444"]
    assert [row["title"] for row in decoded.dropped] == ["Odd"]


ASKED_FOR: list[tuple[str, set[str]]] = [
    ("title", {"title"}),
    ("description", {"description"}),
    ("amount", {"amount", "companyID"}),
    ("cost", {"cost"}),
    ("probability_percent", {"probability"}),
    ("probability_origin", {"probability"}),
    ("expected_revenue", set()),
    ("status", {"status"}),
    ("status_label", {"status"}),
    ("pipeline_ref", set()),
    ("stage_ref", {"stage"}),
    ("expected_close_date", {"projectedCloseDate"}),
    ("actual_close_date", {"status", "closedDate", "lostDate"}),
    ("close_date", {"status", "closedDate", "lostDate", "projectedCloseDate"}),
    ("closed_at", {"status", "lostDate"}),
    ("loss_reason", {"lossReason", "lossReasonDetail"}),
    ("won_reason", {"winReason", "winReasonDetail"}),
    ("owner_ref", {"ownerResourceID"}),
    ("account_ref", {"companyID"}),
    ("account_refs", {"companyID"}),
    ("account_name", set()),
    ("primary_contact_ref", {"contactID"}),
    ("contact_refs", {"contactID"}),
    ("type", {"opportunityCategoryID"}),
    ("priority", {"rating"}),
    ("lead_source", {"leadSource"}),
    ("created_at", {"createDate", "startDate"}),
    ("last_activity_at", {"lastActivity"}),
    ("created_by_ref", {"creatorResourceID"}),
]


@pytest.mark.parametrize(("attribute", "names"), ASKED_FOR)
def test_an_attribute_needs_just_these_fields_and_is_whole_with_them(attribute: str, names: set[str]) -> None:
    asked = mapping.opportunity_fields(Selection({"Opportunity": frozenset({attribute})})) or []

    assert asked == sorted({"id", *names})
    full, partial = opportunity(OPPORTUNITY), opportunity({name: OPPORTUNITY[name] for name in asked})
    assert getattr(partial, attribute) == getattr(full, attribute)


@pytest.mark.parametrize("attribute", list(AutotaskOpportunityFields.__dataclass_fields__))
def test_one_of_the_vendors_own_fields_needs_one_field(attribute: str) -> None:
    asked = mapping.opportunity_fields(
        Selection({"Opportunity": frozenset({"extension"}), "AutotaskOpportunityFields": frozenset({attribute})})
    )

    assert asked is not None
    assert len(asked) == 2
    partial = opportunity({name: OPPORTUNITY[name] for name in asked})
    assert getattr(own(partial), attribute) == getattr(own(opportunity(OPPORTUNITY)), attribute)


def test_custom_fields_need_the_whole_record() -> None:
    assert mapping.opportunity_fields(Selection({"Opportunity": frozenset({"title", "custom_fields"})})) is None
    assert mapping.opportunity_fields(Selection()) is None
