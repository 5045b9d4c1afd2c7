"""From bodies in the shape of the vendor's documents to normalized records, field by field."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from vendors.calls import recording
from vendors.extension import VendorId
from vendors.model import (
    UNREAD,
    Account,
    Address,
    Contact,
    CustomField,
    CustomFieldDefinition,
    CustomFieldType,
    Money,
    Opportunity,
    OpportunityStatus,
    Ref,
    Stage,
    StageKind,
    User,
    ValueOrigin,
)
from vendors.onlyoffice import links, mapping, wire
from vendors.onlyoffice.custom_fields import definition_from_wire
from vendors.onlyoffice.extension import (
    OnlyofficeBidType,
    OnlyofficeContactBase,
    OnlyofficeCurrency,
    OnlyofficeCustomFieldFields,
    OnlyofficeFieldType,
    OnlyofficeOpportunityFields,
    OnlyofficeShareType,
    OnlyofficeStageFields,
    OnlyofficeStageType,
    OnlyofficeUserFields,
)

# Source of the shape: API page "Create an opportunity", Responses; keys as Community Server writes them.
EURO: dict[str, Any] = {"title": "Euro", "symbol": "€", "abbreviation": "EUR", "cultureName": "EU", "isConvertable": True, "isBasic": True}
ANNA: dict[str, Any] = {
    "id": "aaaaaaaa-0000-4000-8000-000000000001",
    "displayName": "Anna O&#39;Neil &amp; Fran&#231;ois",
    "title": "Key account manager",
    "avatarSmall": "/photo/32.png",
    "profileUrl": "https://portal.example/profile?user=anna",
}
IVO: dict[str, Any] = {"id": "aaaaaaaa-0000-4000-8000-000000000002", "displayName": "Ivo", "avatarSmall": "/i.png", "profileUrl": ""}
WERFT: dict[str, Any] = {
    "smallFotoUrl": "/foto?ps=1",
    "mediumFotoUrl": "/foto?ps=2",
    "displayName": "Müller & Söhne",
    "isCompany": True,
    "accessList": [IVO],
    "isPrivate": True,
    "isShared": False,
    "shareType": 2,
    "currency": EURO,
    "canEdit": True,
    "canDelete": False,
    "id": 13,
}
LENE: dict[str, Any] = {
    "displayName": "Lene Holm",
    "isCompany": False,
    "isPrivate": False,
    "isShared": True,
    "shareType": 1,
    "currency": None,
    "id": 52,
}
OPPORTUNITY: dict[str, Any] = {
    "createBy": IVO,
    "created": "2026-08-03T01:20:41.0000000+03:00",
    "members": [WERFT, LENE],
    "contact": WERFT,
    "title": "Hull <coating> & paint",
    "description": "Two coats",
    "responsible": ANNA,
    "bidType": 4,
    "bidValue": 1250.25,
    "bidCurrency": EURO,
    "perPeriodValue": 36,
    "stage": {
        "successProbability": 100,
        "stageType": 1,
        "title": "Closed",
        "description": "Signed",
        "color": "#6bbd72",
        "sortOrder": 7,
        "id": 8,
    },
    "successProbability": 75,
    "actualCloseDate": "2026-09-01T00:30:10.5000000+03:00",
    "expectedCloseDate": "2026-12-15T00:00:00.0000000+03:00",
    "isPrivate": True,
    "accessList": [ANNA, IVO],
    "canEdit": False,
    "customFields": [
        {
            "entityId": 103,
            "label": "Dock",
            "fieldValue": "Dry dock",
            "fieldType": 2,
            "position": 4,
            "mask": '["Dry dock","Slip"]',
            "id": 24,
        },
        {"entityId": 103, "label": "Diver", "fieldValue": "true", "fieldType": 3, "position": 5, "mask": None, "id": 25},
        {"entityId": 0, "label": "Logistics", "fieldValue": None, "fieldType": 4, "position": 6, "mask": None, "id": 23},
    ],
    "id": 103,
}
PERSON: dict[str, Any] = {
    "firstName": "Lene",
    "lastName": "Holm",
    "company": WERFT,
    "title": "Buyer",
    "industry": "",
    "commonData": [
        {"infoType": 1, "category": 1, "data": "second@holm.example", "categoryName": "Work", "isPrimary": False, "id": 76},
        {"infoType": 1, "category": 1, "data": "lene@holm.example", "categoryName": "Work", "isPrimary": True, "id": 77},
        {"infoType": 0, "category": 2, "data": "+49 40 555 01", "categoryName": "Mobile", "isPrimary": False, "id": 78},
    ],
    **LENE,
}
COMPANY: dict[str, Any] = {
    "companyName": "Müller & Söhne GmbH",
    "personsCount": 2,
    "industry": "Shipbuilding",
    "commonData": [
        {"infoType": 0, "data": "+49 381 555", "isPrimary": True, "id": 1},
        {"infoType": 1, "data": "werft@example.test", "isPrimary": True, "id": 2},
        {"infoType": 2, "data": "https://werft.example", "isPrimary": True, "id": 3},
    ],
    "addresses": [
        {"street": "Other 1", "city": "Kiel"},
        {"street": "Werftstraße 7", "city": "Rostock", "state": "MV", "zip": "18057", "country": "Germany", "isPrimary": True},
    ],
    **WERFT,
}
BARE: dict[str, Any] = {
    "createBy": ANNA,
    "created": "2026-08-03T11:20:41.0000000Z",
    "members": [],
    "title": "",
    "description": "",
    "responsible": {"id": "00000000-0000-0000-0000-000000000000", "displayName": "", "avatarSmall": "", "profileUrl": ""},
    "actualCloseDate": "0001-01-01T00:00:00.0000000Z",
    "expectedCloseDate": "0001-01-01T00:00:00.0000000Z",
    "isPrivate": False,
    "canEdit": True,
    "customFields": [],
    "id": 104,
}


def envelope(response: object) -> bytes:
    return json.dumps({"count": 1, "status": 0, "statusCode": 200, "response": response}).encode()


def opportunity(**changes: object) -> Opportunity:
    row = wire.OPPORTUNITY.decode(envelope({**OPPORTUNITY, **changes})).value.response
    return mapping.opportunity_from_wire("baltic", row)


def ref(local_id: object) -> Ref:
    return Ref("baltic", str(local_id))


EURO_FIELDS = OnlyofficeCurrency(title="Euro", symbol="€", abbreviation="EUR", culture_name="EU", is_convertable=True, is_basic=True)
WERFT_FIELDS = OnlyofficeContactBase(
    id=VendorId("13"),
    display_name="Müller & Söhne",
    is_company=True,
    small_foto_url="/foto?ps=1",
    medium_foto_url="/foto?ps=2",
    access_list_refs=(ref(IVO["id"]),),
    is_private=True,
    is_shared=False,
    share_type=OnlyofficeShareType.READ,
    currency=EURO_FIELDS,
    can_edit=True,
    can_delete=False,
)
LENE_FIELDS = OnlyofficeContactBase(
    id=VendorId("52"),
    display_name="Lene Holm",
    is_company=False,
    is_private=False,
    is_shared=True,
    share_type=OnlyofficeShareType.READ_WRITE,
)

UNIFIED: dict[str, object] = {
    "ref": ref(103),
    "title": "Hull <coating> & paint",
    "description": "Two coats",
    "amount": Money(amount=Decimal(45009), currency="EUR"),
    "amount_base": None,
    "cost": None,
    "probability_percent": 75.0,
    "probability_origin": ValueOrigin.VENDOR,
    "expected_revenue": None,
    "status": OpportunityStatus.WON,
    "status_label": "ClosedAndWon",
    "pipeline_ref": ref("default"),
    "stage_ref": ref(8),
    "stage_changed_at": None,
    "expected_close_date": date(2026, 12, 15),
    "actual_close_date": date(2026, 9, 1),
    "close_date": date(2026, 9, 1),
    "closed_at": datetime(2026, 8, 31, 21, 30, 10, 500_000, tzinfo=UTC),
    "loss_reason": None,
    "won_reason": None,
    "owner_ref": ref(ANNA["id"]),
    "account_ref": ref(13),
    "account_name": "Müller & Söhne",
    "account_refs": (ref(13),),
    "primary_contact_ref": None,
    "contact_refs": (ref(52),),
    "type": None,
    "priority": None,
    "lead_source": None,
    "tags": None,
    "custom_fields": (
        CustomField(
            key="24",
            label="Dock",
            type=CustomFieldType.SELECT,
            value="Dry dock",
            display_value="Dry dock",
            extension=OnlyofficeCustomFieldFields(
                entity_id=VendorId("103"), field_type=OnlyofficeFieldType.SELECT_BOX, position=4, mask='["Dry dock","Slip"]'
            ),
        ),
        CustomField(
            key="25",
            label="Diver",
            type=CustomFieldType.BOOLEAN,
            value=True,
            display_value="true",
            extension=OnlyofficeCustomFieldFields(
                entity_id=VendorId("103"), field_type=OnlyofficeFieldType.CHECK_BOX, position=5, mask=None
            ),
        ),
    ),
    "is_deleted": False,
    "is_archived": None,
    "is_private": True,
    "can_edit": False,
    "created_at": datetime(2026, 8, 2, 22, 20, 41, tzinfo=UTC),
    "updated_at": None,
    "last_activity_at": None,
    "created_by_ref": ref(IVO["id"]),
    "updated_by_ref": None,
    "revision": None,
}
OWN: dict[str, object] = {
    "bid_type": OnlyofficeBidType.PER_MONTH,
    "bid_value": Decimal("1250.25"),
    "per_period_value": 36,
    "bid_currency": EURO_FIELDS,
    "contact": WERFT_FIELDS,
    "members": (WERFT_FIELDS, LENE_FIELDS),
    "access_list_refs": (ref(ANNA["id"]), ref(IVO["id"])),
    "is_private": True,
    "can_edit": False,
}


@pytest.mark.parametrize("name", UNIFIED)
def test_an_opportunity_has_every_unified_field(name: str) -> None:
    assert getattr(opportunity(), name) == UNIFIED[name]


@pytest.mark.parametrize("name", OWN)
def test_an_opportunity_has_every_field_of_the_vendor(name: str) -> None:
    assert getattr(opportunity().extension, name) == OWN[name]


def test_no_field_is_left_out_of_these_tests() -> None:
    assert {*UNIFIED, "read_fields", "extension"} == set(Opportunity.__dataclass_fields__)
    assert set(OWN) == set(OnlyofficeOpportunityFields.__dataclass_fields__)


# Source: API page "Create an opportunity", Responses; the page prints them with a capital and `ID`.
@pytest.mark.parametrize(
    ("model", "names"),
    [
        (
            wire.Opportunity,
            """CreateBy Created Members Contact Title Description Responsible BidType BidValue BidCurrency PerPeriodValue Stage
            SuccessProbability ActualCloseDate ExpectedCloseDate IsPrivate AccessList CanEdit CustomFields ID""",
        ),
        (wire.Employee, "Id DisplayName Title AvatarSmall ProfileUrl"),
        (
            wire.ContactBase,
            "SmallFotoUrl MediumFotoUrl DisplayName IsCompany AccessList IsPrivate IsShared ShareType Currency CanEdit CanDelete ID",
        ),
        (wire.Currency, "Title Symbol Abbreviation CultureName IsConvertable IsBasic"),
        (wire.Stage, "SuccessProbability StageType Title Description Color SortOrder ID"),
        (wire.CustomField, "EntityId Label FieldValue FieldType Position Mask ID"),
    ],
)
def test_every_field_of_the_vendors_page_is_read(model: type[BaseModel], names: str) -> None:
    read = {name.lower() for name in model.model_fields}

    assert {name.lower() for name in names.split()} <= read


def test_left_out_members_mean_their_default() -> None:
    row = wire.OPPORTUNITY.decode(envelope(BARE)).value.response
    record = mapping.opportunity_from_wire("baltic", row)

    assert record.amount == Money(amount=Decimal(0), currency=None)
    assert record.probability_percent == 0
    assert record.extension == OnlyofficeOpportunityFields(
        bid_type=OnlyofficeBidType.FIXED_BID, bid_value=Decimal(0), per_period_value=0, is_private=False, can_edit=True
    )
    assert (record.expected_close_date, record.actual_close_date, record.closed_at) == (None, None, None)
    assert (record.title, record.description, record.owner_ref, record.status, record.stage_ref) == ("", None, None, None, None)
    assert (record.account_ref, record.account_refs, record.contact_refs) == (None, (), ())


def test_sent_defaults_mean_the_same_as_left_out_ones() -> None:
    sent = {**BARE, "bidType": 0, "bidValue": 0, "perPeriodValue": 0, "successProbability": 0}
    sent |= dict.fromkeys(["contact", "bidCurrency", "stage", "accessList"])

    left_out, given = (wire.OPPORTUNITY.decode(envelope(row)).value.response for row in (BARE, sent))

    assert mapping.opportunity_from_wire("baltic", left_out) == mapping.opportunity_from_wire("baltic", given)


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        ({"bidType": 0, "perPeriodValue": 36}, "1250.25"),
        ({"bidType": 1, "perPeriodValue": 0}, "0"),
        ({"bidType": 5, "perPeriodValue": 3}, "3750.75"),
    ],
)
def test_the_amount_counts_all_periods(changes: dict[str, Any], amount: str) -> None:
    assert opportunity(**changes).amount == Money(amount=Decimal(amount), currency="EUR")


@pytest.mark.parametrize(
    ("number", "status", "label"),
    [
        (0, OpportunityStatus.OPEN, "Open"),
        (1, OpportunityStatus.WON, "ClosedAndWon"),
        (2, OpportunityStatus.LOST, "ClosedAndLost"),
        (9, None, None),
    ],
)
def test_the_stage_decides_the_status(number: int, status: OpportunityStatus | None, label: str | None) -> None:
    record = opportunity(stage={"id": 8, "stageType": number})

    assert (record.status, record.status_label) == (status, label)


def test_a_close_date_at_midnight_of_the_portal_is_a_day_without_a_moment() -> None:
    record = opportunity(actualCloseDate="2026-09-01T00:00:00.0000000-05:00")

    assert (record.actual_close_date, record.closed_at) == (date(2026, 9, 1), None)


def test_an_odd_probability_is_null_and_warned_of() -> None:
    with recording() as recorder:
        record = opportunity(successProbability=140)

    assert record.probability_percent is None
    assert [warned.code for warned in recorder.warnings] == ["PERCENT_OUT_OF_RANGE"]


@pytest.mark.parametrize(
    ("contact", "members", "account", "accounts", "contacts"),
    [
        (WERFT, [LENE], ref(13), (ref(13),), (ref(52),)),
        (LENE, [LENE, WERFT], UNREAD, UNREAD, (ref(52),)),
        (None, [LENE, WERFT], ref(13), (ref(13),), (ref(52),)),
        (None, [LENE], None, (), (ref(52),)),
    ],
)
def test_the_account_is_the_company_that_is_nearest(
    contact: object, members: object, account: object, accounts: object, contacts: object
) -> None:
    record = opportunity(contact=contact, members=members)

    assert (record.account_ref, record.account_refs, record.contact_refs) == (account, accounts, contacts)


def test_a_primary_contact_is_a_person() -> None:
    assert opportunity(contact=LENE).primary_contact_ref == ref(52)


def test_a_persons_company_comes_before_companies_that_take_part() -> None:
    other = {**WERFT, "id": 14, "displayName": "Other"}
    record = opportunity(contact=LENE, members=[LENE, other])
    person = wire.CONTACT.decode(envelope(PERSON)).value.response

    found = links.links_of("baltic", record, {"52": person})

    assert (found.account_ref, found.account_refs, found.contact_refs) == (ref(13), (ref(13), ref(14)), (ref(52),))
    assert found.seeds is not None
    assert {account.ref: account.name for account in found.seeds.accounts} == {ref(13): "Müller & Söhne", ref(14): "Other"}
    assert [contact.read_fields for contact in found.seeds.contacts] == [None]


def test_a_person_without_a_company_leaves_the_account_to_those_who_take_part() -> None:
    record = opportunity(contact=LENE, members=[LENE, WERFT])
    person = wire.CONTACT.decode(envelope({**PERSON, "company": None})).value.response

    assert links.links_of("baltic", record, {"52": person}).account_ref == ref(13)
    assert links.links_of("baltic", record, {}).account_ref == ref(13)


def test_whom_a_row_embeds_is_a_seed_with_what_its_short_form_holds() -> None:
    row = wire.OPPORTUNITY.decode(envelope(OPPORTUNITY)).value.response

    seeds = links.seeds_of("baltic", [row, row])

    assert [(user.ref, user.name) for user in seeds.users] == [(ref(IVO["id"]), "Ivo"), (ref(ANNA["id"]), "Anna O'Neil & François")]
    assert [(account.ref, account.name) for account in seeds.accounts] == [(ref(13), "Müller & Söhne")]
    assert [(contact.ref, contact.name) for contact in seeds.contacts] == [(ref(52), "Lene Holm")]
    assert seeds.users[0].covers(frozenset({"name", "extension"})) and not seeds.users[0].covers(frozenset({"email"}))
    assert seeds.accounts[0].covers(frozenset({"name", "currency"})) and not seeds.accounts[0].covers(frozenset({"phone"}))
    assert seeds.contacts[0].covers(frozenset({"name"})) and not seeds.contacts[0].covers(frozenset({"first_name"}))


def test_a_removed_user_is_all_that_there_is() -> None:
    lost = {**IVO, "id": mapping.LOST_USER_ID, "displayName": "Profile has been removed"}
    row = wire.OPPORTUNITY.decode(envelope({**BARE, "responsible": lost})).value.response

    [_, user] = links.seeds_of("baltic", [row]).users

    assert (user.name, user.is_active, user.read_fields) == ("Profile has been removed", False, None)


def test_a_person_is_a_contact() -> None:
    row = wire.CONTACT.decode(envelope(PERSON)).value.response

    assert mapping.contact_from_wire("baltic", row) == Contact(
        ref=ref(52),
        name="Lene Holm",
        first_name="Lene",
        last_name="Holm",
        email="lene@holm.example",
        phone="+49 40 555 01",
        title="Buyer",
        account_ref=ref(13),
    )


def test_a_company_is_an_account() -> None:
    row = wire.CONTACT.decode(envelope(COMPANY)).value.response

    assert mapping.account_from_wire("baltic", row) == Account(
        ref=ref(13),
        name="Müller & Söhne",
        email="werft@example.test",
        phone="+49 381 555",
        website="https://werft.example",
        industry="Shipbuilding",
        address=Address(street="Werftstraße 7", city="Rostock", region="MV", postal_code="18057", country="Germany"),
    )


def test_a_contact_without_a_shown_name_has_its_own() -> None:
    company, person = (wire.CONTACT.decode(envelope({**row, "displayName": None})).value.response for row in (COMPANY, PERSON))

    assert mapping.account_from_wire("baltic", company).name == "Müller & Söhne GmbH"
    assert mapping.contact_from_wire("baltic", person).name == "Lene Holm"


def test_stages_keep_the_order_of_the_list() -> None:
    open_stage = {"successProbability": 20, "stageType": 0, "title": "Need assessment", "id": 4}
    rows = wire.STAGES.decode(envelope([OPPORTUNITY["stage"], open_stage])).value.response

    pipeline = mapping.pipeline_from_stages("baltic", "Sales", rows)

    assert (pipeline.ref, pipeline.name, pipeline.is_synthetic) == (ref("default"), "Sales", True)
    assert pipeline.stages == (
        Stage(
            ref=ref(8),
            name="Closed",
            order=0,
            pipeline_ref=ref("default"),
            probability_percent=100.0,
            kind=StageKind.WON,
            description="Signed",
            color="#6bbd72",
            extension=OnlyofficeStageFields(stage_type=OnlyofficeStageType.CLOSED_AND_WON, sort_order=7, color="#6bbd72"),
        ),
        Stage(
            ref=ref(4),
            name="Need assessment",
            order=1,
            pipeline_ref=ref("default"),
            probability_percent=20.0,
            kind=StageKind.OPEN,
            extension=OnlyofficeStageFields(stage_type=OnlyofficeStageType.OPEN),
        ),
    )


@pytest.mark.parametrize(("status", "is_active"), [(1, True), (2, False), (4, False), (5, True)])
def test_a_user_has_every_field(status: int, is_active: bool) -> None:  # noqa: FBT001  # a parameter of the table
    row = {**ANNA, "firstName": "Anna", "lastName": "O'Neil", "email": "anna@example.test", "status": status}

    user = mapping.user_from_wire("baltic", wire.PEOPLE.decode(envelope([row])).value.response[0])

    assert user == User(
        ref=ref(ANNA["id"]),
        name="Anna O'Neil & François",
        first_name="Anna",
        last_name="O'Neil",
        email="anna@example.test",
        is_active=is_active,
        extension=OnlyofficeUserFields(
            title="Key account manager", avatar_small="/photo/32.png", profile_url="https://portal.example/profile?user=anna"
        ),
    )


@pytest.mark.parametrize(
    ("field_type", "text", "date_format", "kind", "value"),
    [
        (0, "Berth 4", None, CustomFieldType.TEXT, "Berth 4"),
        (1, "two\nlines", None, CustomFieldType.LONG_TEXT, "two\nlines"),
        (3, "false", None, CustomFieldType.BOOLEAN, False),
        (3, "perhaps", None, CustomFieldType.BOOLEAN, "perhaps"),
        (5, "2026-12-01", None, CustomFieldType.DATE, "2026-12-01"),
        (5, "12/1/2026", None, CustomFieldType.DATE, "12/1/2026"),
        (5, "12/1/2026", "%m/%d/%Y", CustomFieldType.DATE, "2026-12-01"),
        (5, "soon", "%m/%d/%Y", CustomFieldType.DATE, "soon"),
        (17, "new kind", None, CustomFieldType.UNKNOWN, "new kind"),
        (0, "", None, CustomFieldType.TEXT, None),
    ],
)
def test_a_custom_field_is_converted_by_its_type(
    field_type: int, text: str, date_format: str | None, kind: CustomFieldType, value: object
) -> None:
    entry = {"entityId": 104, "label": "F", "fieldValue": text, "fieldType": field_type, "position": 1, "mask": None, "id": 21}
    row = wire.OPPORTUNITY.decode(envelope({**BARE, "customFields": [entry]})).value.response

    [field] = list(mapping.opportunity_from_wire("baltic", row, date_format=date_format).custom_fields or ())

    assert (field.key, field.label, field.type, field.value, field.display_value) == ("21", "F", kind, value, text or None)


def test_a_definition_has_the_choices_of_its_mask() -> None:
    rows = wire.CUSTOM_FIELDS.decode(envelope(OPPORTUNITY["customFields"])).value.response

    assert definition_from_wire("baltic", rows[0]) == CustomFieldDefinition(
        crm="baltic",
        key="24",
        label="Dock",
        applies_to="opportunity",
        type=CustomFieldType.SELECT,
        is_custom=True,
        options=("Dry dock", "Slip"),
    )


@pytest.mark.parametrize("mask", ['{"size":40}', "no json", None])
def test_other_masks_hold_no_choices(mask: str | None) -> None:
    [row] = wire.CUSTOM_FIELDS.decode(envelope([{"id": 21, "label": "Berth", "fieldType": 0, "mask": mask}])).value.response

    assert definition_from_wire("baltic", row).options == ()


@pytest.mark.parametrize(("basic", "code"), [([], None), (["EUR"], "EUR"), (["EUR", "SEK"], None)])
def test_the_base_currency_is_the_only_basic_one(basic: list[str], code: str | None) -> None:
    rows = [{**EURO, "abbreviation": name, "isBasic": name in basic} for name in ("EUR", "SEK", "PLN")]

    assert mapping.base_currency_of(wire.CURRENCIES.decode(envelope(rows)).value.response) == code


PASCAL = rb"""{"count":1,"status":0,"statusCode":200,"response":{
"CreateBy":{"Id":"aaaaaaaa-0000-4000-8000-000000000002","DisplayName":"Ivo"},
"Members":[{"SmallFotoUrl":"\/f","DisplayName":"Say \"Hello\": now","IsCompany":true,"ID":13}],"Title":"The \"Title\": a \"Name\" : b",
"BidValue":12345678901234567.89,"Stage":{"StageType":1,"ID":8},"ExpectedCloseDate":"2026-12-15T00:00:00.0000000+03:00","ID":103}}"""


def test_keys_may_have_a_capital_and_texts_stay_as_they_are() -> None:
    row = wire.OPPORTUNITY.decode(PASCAL).value.response

    assert (row.id, row.title, row.bidValue) == ("103", 'The "Title": a "Name" : b', Decimal("12345678901234567.89"))
    assert row.createBy is not None and row.createBy.id == "aaaaaaaa-0000-4000-8000-000000000002"
    assert row.members is not None and (row.members[0].id, row.members[0].displayName) == ("13", 'Say "Hello": now')
    assert row.stage is not None and row.stage.stageType == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"response":[],"status":0}',
        b'{"response":["Tag","Other"],"status":0}',
        b'{"response":[{"title":"Response","id":1}]}',
        b'{"status":1,"error":{"message":"Not found","Data":{}}}',
        b"17",
        b"",
    ],
)
def test_a_body_in_camel_case_is_left_alone(body: bytes) -> None:
    assert wire.in_camel_case(body) == body


def test_an_envelope_with_capitals_is_read_too() -> None:
    assert wire.TAGS.decode(b'{"Count":1,"Status":0,"Response":["Tender"]}').value.response == ["Tender"]
