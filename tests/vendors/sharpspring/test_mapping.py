"""What becomes of every field of Lead Gen & CRM's rows. Bodies are in the vendor's shape and go through the wire models."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest

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
    Pipeline,
    Ref,
    Selection,
    Stage,
    User,
    ValueOrigin,
)
from vendors.sharpspring import mapping, wire
from vendors.sharpspring.extension import (
    SharpspringFieldDefinition,
    SharpspringLink,
    SharpspringOpportunityFields,
    SharpspringStageFields,
)
from vendors.wire import unknown_fields

T = TypeVar("T")

OSLO = ZoneInfo("Europe/Oslo")
# Source: Lead Gen & CRM Open API Schema: Opportunities (vendor help, article 50887): every field of table "Opportunity", as text.
OPPORTUNITY: dict[str, Any] = {
    "id": "905311001",
    "ownerID": "312000001",
    "dealStageID": "7001",
    "accountID": "40112233445",
    "campaignID": "21600014",
    "opportunityName": "Brewery line &amp; install",
    "probability": "25",
    "amount": "18500.5",
    "isClosed": "0",
    "isWon": "0",
    "isActive": "1",
    "closeDate": "2026-05-31 00:00:00",
    "originatingLeadID": "88038560009",
    "primaryLeadID": "88038560001",
}
# Not in the article: timestamps and custom fields, as clients saw them.
FURTHER: dict[str, Any] = {
    "createTimestamp": "2026-01-02 03:04:05",
    "updateTimestamp": "2026-06-07 08:09:10",
    "project_code_66aa01f3c2b4d": "BX-9 &amp; co",
}
LINKS = [
    {"id": "3945020010", "opportunityID": "905311001", "leadID": "88038560003"},
    {"id": "945020002", "opportunityID": "905311001", "leadID": "88038560002"},
    {"id": "3945020001", "opportunityID": "905311001", "leadID": "88038560001"},
]
# Source: the same article, table "Field".
FIELD: dict[str, Any] = {
    "id": "55001",
    "relationship": "opportunity",
    "systemName": "project_code_66aa01f3c2b4d",
    "label": "Project &quot;code&quot;",
    "source": "user",
    "dataType": "text",
    "dataLength": "255",
    "isRequired": "0",
    "isCustom": "1",
    "isActive": "1",
    "isAvailableInContactManager": "1",
    "isEditableInContactManager": "0",
    "isAvailableInForms": "1",
}


def rows(method: wire.Method[T], *given: object, key: str | None = None) -> list[T]:
    envelope = method.decoder.decode(json.dumps({"result": {key or method.keys[0]: given}, "error": None, "id": "q1"})).value
    found = envelope.rows(method.keys)
    assert found is not None
    return [row for row in found if row is not None]


def links(*given: Mapping[str, Any]) -> list[wire.OpportunityLead]:
    return rows(wire.OPPORTUNITY_LEADS, *given)


def definition(key: str, kind: CustomFieldType) -> CustomFieldDefinition:
    return CustomFieldDefinition(crm="ss", key=key, label=f"The {key}", applies_to="opportunity", type=kind)


def around(**more: Any) -> mapping.Surroundings:
    given: dict[str, Any] = {"currency": "NOK", "zone": UTC, "only_pipeline": Ref("ss", "default"), **more}
    return mapping.Surroundings(**given)


def opportunity(row: Mapping[str, Any], *, linked: Sequence[Mapping[str, Any]] | None = None, **more: Any) -> Opportunity:
    (read,) = rows(wire.OPPORTUNITIES, {"id": "1", **row})
    return mapping.opportunity_from_wire("ss", read, around(**more), links=None if linked is None else links(*linked))


def own(record: Opportunity) -> SharpspringOpportunityFields:
    assert isinstance(record.extension, SharpspringOpportunityFields)
    return record.extension


def test_every_field_of_an_opportunity_has_its_place() -> None:
    lead, second, third, origin = (Ref("ss", f"8803856000{number}") for number in (1, 2, 3, 9))
    key = "project_code_66aa01f3c2b4d"

    assert len(OPPORTUNITY) == 14  # the article's fields
    assert opportunity(
        OPPORTUNITY | FURTHER,
        linked=LINKS,
        pipelines={"7001": Ref("ss", "5101")},
        definitions={key: definition(key, CustomFieldType.TEXT)},
        read_fields=frozenset({"title"}),
    ) == Opportunity(
        ref=Ref("ss", "905311001"),
        read_fields=frozenset({"title"}),
        title="Brewery line & install",
        amount=Money(amount=Decimal("18500.5"), currency="NOK"),
        probability_percent=25.0,
        probability_origin=ValueOrigin.VENDOR,
        status=OpportunityStatus.OPEN,
        status_label="Open",
        pipeline_ref=Ref("ss", "5101"),
        stage_ref=Ref("ss", "7001"),
        expected_close_date=date(2026, 5, 31),
        close_date=date(2026, 5, 31),
        owner_ref=Ref("ss", "312000001"),
        account_ref=Ref("ss", "40112233445"),
        account_refs=(Ref("ss", "40112233445"),),
        primary_contact_ref=lead,
        contact_refs=(lead, second, third),
        custom_fields=(
            CustomField(key=key, label=f"The {key}", type=CustomFieldType.TEXT, value="BX-9 &amp; co", display_value="BX-9 &amp; co"),
        ),
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        updated_at=datetime(2026, 6, 7, 8, 9, 10, tzinfo=UTC),
        extension=SharpspringOpportunityFields(
            campaign_id=VendorId("21600014"),
            originating_lead_id=VendorId("88038560009"),
            originating_lead_ref=origin,
            is_closed=False,
            is_won=False,
            is_active=True,
            links=(
                SharpspringLink(id=VendorId("945020002"), lead_ref=second),
                SharpspringLink(id=VendorId("3945020001"), lead_ref=lead),
                SharpspringLink(id=VendorId("3945020010"), lead_ref=third),
            ),
        ),
    )


@pytest.mark.parametrize("unset", [None, "", " ", "absent"])
def test_null_empty_and_absent_are_alike(unset: str | None) -> None:
    row = {} if unset == "absent" else dict.fromkeys([*(OPPORTUNITY.keys() - {"id", "opportunityName"}), "createTimestamp"], unset)

    assert opportunity({"opportunityName": "Bare", **row}) == Opportunity(
        ref=Ref("ss", "1"),
        title="Bare",
        status=OpportunityStatus.OPEN,
        status_label="Open",
        pipeline_ref=Ref("ss", "default"),
        contact_refs=UNREAD,
        extension=SharpspringOpportunityFields(),
    )


@pytest.mark.parametrize("zero", ["0", 0])
def test_zero_is_no_reference_but_an_amount(zero: object) -> None:
    record = opportunity(dict.fromkeys(["accountID", "primaryLeadID", "originatingLeadID", "campaignID", "amount", "probability"], zero))

    assert (record.account_ref, record.account_refs, record.primary_contact_ref) == (None, (), None)
    assert (own(record).originating_lead_id, own(record).originating_lead_ref, own(record).campaign_id) == (None, None, None)
    assert record.amount == Money(amount=Decimal(0), currency="NOK")
    assert record.probability_percent == 0


def test_numbers_may_come_as_numbers() -> None:
    numbers = {name: json.loads(text) for name, text in OPPORTUNITY.items() if text.replace(".", "").isdigit()}

    assert opportunity(OPPORTUNITY | numbers) == opportunity(OPPORTUNITY)


@pytest.mark.parametrize(
    ("closed", "won", "status", "label"),
    [
        ("0", "0", OpportunityStatus.OPEN, "Open"),
        ("", None, OpportunityStatus.OPEN, "Open"),
        ("1", "1", OpportunityStatus.WON, "Won"),
        (True, True, OpportunityStatus.WON, "Won"),
        (1, 0, OpportunityStatus.LOST, "Lost"),
        ("1", "", OpportunityStatus.LOST, "Lost"),
        ("true", "false", OpportunityStatus.LOST, "Lost"),
    ],
)
def test_the_flags_tell_the_status_and_what_the_date_means(closed: object, won: object, status: OpportunityStatus, label: str) -> None:
    record = opportunity({"isClosed": closed, "isWon": won, "closeDate": "2026-08-28"})

    assert (record.status, record.status_label, record.close_date) == (status, label, date(2026, 8, 28))
    is_open = status is OpportunityStatus.OPEN
    assert record.expected_close_date == (record.close_date if is_open else None)
    assert record.actual_close_date == (None if is_open else record.close_date)


def test_won_without_closed_is_won_and_warned_of() -> None:
    with recording() as recorder:
        record = opportunity({"isClosed": "0", "isWon": "1"})

    assert record.status is OpportunityStatus.WON
    assert [warned.code for warned in recorder.warnings] == ["WON_BUT_NOT_CLOSED"]


@pytest.mark.parametrize(("active", "is_deleted"), [("0", True), (0, True), (False, True), ("1", False), ("", False), (None, False)])
def test_only_what_is_explicitly_inactive_is_deleted(active: object, is_deleted: bool) -> None:  # noqa: FBT001  # a row of the table
    assert opportunity({"isActive": active}).is_deleted is is_deleted


@pytest.mark.parametrize("text", ["2026-12-11 00:00:00", "2026-12-11 23:59:59", "2026-12-11"])
def test_a_close_date_is_the_day_that_is_written(text: str) -> None:
    assert opportunity({"closeDate": text}, zone=OSLO).close_date == date(2026, 12, 11)


def test_a_timestamp_is_in_the_zone_that_the_version_speaks() -> None:
    record = opportunity(FURTHER, zone=OSLO)

    assert record.created_at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert record.updated_at == datetime(2026, 6, 7, 6, 9, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("Light &amp; lift", "Light & lift"),
        ("&quot;Polar&quot; &#039;one&#39;", "\"Polar\" 'one'"),
        ("Boats &amp;lt;24 m &gt; 10 m", "Boats <24 m > 10 m"),
        ("Boats &lt;24 m", "Boats <24 m"),
        ("AT&T &copy; R&notch", "AT&T &copy; R&notch"),
        ("&amp;amp;", "&amp;"),
        ("Plain <b>", "Plain <b>"),
    ],
)
def test_typed_texts_are_unescaped_once_and_custom_fields_never(escaped: str, plain: str) -> None:
    record = opportunity({"opportunityName": escaped, "note_66aa01f3c2b4d": escaped}, definitions={})
    (stage,) = mapping.pipelines_from_wire("ss", "Sales", rows(wire.DEAL_STAGES, {"id": 1, "dealStageName": escaped}))[0].stages

    assert (record.title, stage.name) == (plain, plain)
    assert [field.value for field in record.custom_fields or ()] == [escaped]


@pytest.mark.parametrize("digits", ["0.1", "18500.50", "12345678901234567890.123", "-3"])
def test_amounts_are_exact(digits: str) -> None:
    amount = opportunity({"amount": digits}).amount

    assert amount == Money(amount=Decimal(digits), currency="NOK")


def test_without_a_configured_currency_there_is_none() -> None:
    assert opportunity({"amount": "5"}, currency=None).amount == Money(amount=Decimal(5))


@pytest.mark.parametrize("value", ["-1", "100.5", "140"])
def test_an_impossible_probability_is_null_and_warned_of(value: str) -> None:
    with recording() as recorder:
        record = opportunity({"probability": value})

    assert record.probability_percent is None
    assert [warned.code for warned in recorder.warnings] == ["PERCENT_OUT_OF_RANGE"]


def test_the_primary_lead_comes_first_and_once_and_links_count_once_too() -> None:
    linked = [*LINKS, LINKS[0]]

    assert [ref.local_id for ref in _contacts("88038560003", linked)] == ["88038560003", "88038560002", "88038560001"]
    assert [ref.local_id for ref in _contacts("77", linked)] == ["77", "88038560002", "88038560001", "88038560003"]
    assert [ref.local_id for ref in _contacts(None, linked)] == ["88038560002", "88038560001", "88038560003"]
    assert [ref.local_id for ref in _contacts("77", [])] == ["77"]


def _contacts(primary: str | None, linked: list[dict[str, str]]) -> tuple[Ref, ...]:
    """What a record with links says, and what links that are read later say, which must be the same."""
    record = opportunity({"primaryLeadID": primary}, linked=linked)
    later = mapping.links_of(opportunity({"primaryLeadID": primary}), links(*linked))
    assert record.contact_refs == later.contact_refs
    return later.contact_refs


def test_links_repeat_the_opportunitys_own_account() -> None:
    with_account = mapping.links_of(opportunity(OPPORTUNITY), [])
    without = mapping.links_of(opportunity({}), [])

    assert (with_account.account_ref, with_account.account_refs) == (Ref("ss", "40112233445"), (Ref("ss", "40112233445"),))
    assert (without.account_ref, without.account_refs) == (None, ())


# Custom fields.


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (CustomFieldType.TEXT, "MSW/1", "MSW/1"),
        (CustomFieldType.NUMBER, "24000.75", 24000.75),
        (CustomFieldType.NUMBER, "NaN", "NaN"),
        (CustomFieldType.NUMBER, "1e999", "1e999"),
        (CustomFieldType.NUMBER, "about 5", "about 5"),
        (CustomFieldType.BOOLEAN, "1", True),
        (CustomFieldType.BOOLEAN, "False", False),
        (CustomFieldType.BOOLEAN, "maybe", "maybe"),
        (CustomFieldType.DATE, "2027-02-15 00:00:00", "2027-02-15"),
        (CustomFieldType.DATE, "soon", "soon"),
        (CustomFieldType.DATE_TIME, "2027-02-15 12:00:00", "2027-02-15T11:00:00+00:00"),
        (CustomFieldType.DATE_TIME, "soon", "soon"),
        (CustomFieldType.UNKNOWN, "7", "7"),
    ],
)
def test_a_custom_field_is_converted_by_its_type(kind: CustomFieldType, text: str, value: object) -> None:
    record = opportunity({"depth": text}, definitions={"depth": definition("depth", kind)}, zone=OSLO)

    assert record.custom_fields == (CustomField(key="depth", label="The depth", type=kind, value=value, display_value=text),)


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_custom_field_is_there_without_a_value(empty: str | None) -> None:
    record = opportunity({"depth": empty}, definitions={"depth": definition("depth", CustomFieldType.NUMBER)})

    assert record.custom_fields == (CustomField(key="depth", label="The depth", type=CustomFieldType.NUMBER, value=None),)


def test_a_custom_field_without_definition_is_known_by_its_name_and_other_keys_are_only_counted() -> None:
    before = unknown_fields["sharpspring opportunity", "dealSource"]

    record = opportunity({"berth_no_66aa01f3c2b4d": 4, "dealSource": "web"}, definitions={})

    assert record.custom_fields == (
        CustomField(key="berth_no_66aa01f3c2b4d", label=None, type=CustomFieldType.UNKNOWN, value="4", display_value="4"),
    )
    assert unknown_fields["sharpspring opportunity", "dealSource"] == before + 1


def test_nobody_asked_for_custom_fields() -> None:
    assert opportunity({"berth_no_66aa01f3c2b4d": "4"}).custom_fields == ()


def test_every_field_of_a_definition_has_its_place() -> None:
    (row,) = rows(wire.FIELDS, FIELD)

    assert len(FIELD) == 13  # the article's fields
    assert mapping.definition_from_wire("ss", row) == CustomFieldDefinition(
        crm="ss",
        key="project_code_66aa01f3c2b4d",
        label='Project "code"',
        applies_to="opportunity",
        type=CustomFieldType.TEXT,
        max_length=255,
        is_required=False,
        is_custom=True,
        is_active=True,
        extension=SharpspringFieldDefinition(
            id=VendorId("55001"),
            source="user",
            is_available_in_contact_manager=True,
            is_editable_in_contact_manager=False,
            is_available_in_forms=True,
        ),
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [("isRequired", (True, False, False)), ("isCustom", (False, True, False)), ("isActive", (False, False, True))],
)
def test_a_definitions_flags_are_not_mixed_up(name: str, expected: tuple[bool, bool, bool]) -> None:
    (row,) = rows(wire.FIELDS, FIELD | dict.fromkeys(["isRequired", "isCustom", "isActive"], "0") | {name: "1"})
    made = mapping.definition_from_wire("ss", row)

    assert (made.is_required, made.is_custom, made.is_active) == expected


@pytest.mark.parametrize(
    ("data_type", "kind"),
    [
        ("string", CustomFieldType.TEXT),
        ("textarea", CustomFieldType.LONG_TEXT),
        ("int", CustomFieldType.NUMBER),
        ("Double", CustomFieldType.NUMBER),
        ("boolean", CustomFieldType.BOOLEAN),
        ("date", CustomFieldType.DATE),
        ("timestamp", CustomFieldType.DATE_TIME),
        ("picklist", CustomFieldType.SELECT),
        ("checkbox", CustomFieldType.MULTI_SELECT),
        ("url", CustomFieldType.URL),
        ("email", CustomFieldType.EMAIL),
        ("phone", CustomFieldType.PHONE),
        ("country", CustomFieldType.TEXT),
        ("hologram", CustomFieldType.UNKNOWN),
        (None, CustomFieldType.UNKNOWN),
    ],
)
def test_a_definition_tells_its_type(data_type: str | None, kind: CustomFieldType) -> None:
    (row,) = rows(wire.FIELDS, FIELD | {"dataType": data_type})

    assert mapping.definition_from_wire("ss", row).type is kind


@pytest.mark.parametrize(("relationship", "applies_to"), [("lead", "contact"), ("Account", "account"), ("campaign", "campaign")])
def test_a_definition_applies_to_a_kind_of_the_graph(relationship: str, applies_to: str) -> None:
    (row,) = rows(wire.FIELDS, FIELD | {"relationship": relationship})

    assert mapping.definition_from_wire("ss", row).applies_to == applies_to


# Stages and pipelines.

# Source: article 50887, table "DealStage".
STAGE: dict[str, Any] = {
    "id": "7002",
    "dealStageName": "Terms &amp; slot",
    "description": "A quay &quot;visit&quot;",
    "defaultProbability": "60",
    "weight": "20",
    "isEditable": "0",
}


def test_every_field_of_a_stage_has_its_place() -> None:
    assert len(STAGE) == 6  # the article's fields
    assert mapping.pipelines_from_wire("ss", "Sales", rows(wire.DEAL_STAGES, STAGE)) == [
        Pipeline(
            ref=Ref("ss", "default"),
            name="Sales",
            is_synthetic=True,
            stages=(
                Stage(
                    ref=Ref("ss", "7002"),
                    name="Terms & slot",
                    order=0,
                    pipeline_ref=Ref("ss", "default"),
                    probability_percent=60.0,
                    description='A quay "visit"',
                    extension=SharpspringStageFields(weight=20, is_editable=False),
                ),
            ),
        )
    ]


def test_stages_are_ordered_by_weight_without_weight_last_then_by_id() -> None:
    weights = {"30": "10", "4": None, "5": "", "200": "10", "7": "-5", "3": "9", "12": None}

    (pipeline,) = mapping.pipelines_from_wire(
        "ss", "Sales", rows(wire.DEAL_STAGES, *({"id": key, "weight": weight} for key, weight in weights.items()))
    )

    assert [stage.local_id for stage in pipeline.stages] == ["7", "3", "30", "200", "4", "5", "12"]
    assert [stage.order for stage in pipeline.stages] == [0, 1, 2, 3, 4, 5, 6]


def test_stages_that_name_a_pipeline_are_grouped_by_it() -> None:
    given = {"1": "5102", "2": "5101", "3": "0", "4": "5102", "5": "900"}

    pipelines = mapping.pipelines_from_wire(
        "ss", "Sales", rows(wire.DEAL_STAGES, *({"id": key, "pipelineID": name, "weight": 1} for key, name in given.items()))
    )

    assert [(pipeline.local_id, pipeline.name, pipeline.is_synthetic) for pipeline in pipelines] == [
        ("900", None, False),
        ("5101", None, False),
        ("5102", None, False),
        ("default", "Sales", True),
    ]
    assert [[stage.local_id for stage in pipeline.stages] for pipeline in pipelines] == [["5"], ["2"], ["1", "4"], ["3"]]
    assert [stage.order for stage in pipelines[2].stages] == [0, 1]
    assert {stage.pipeline_ref for stage in pipelines[2].stages} == {Ref("ss", "5102")}


def test_an_account_without_stages_has_its_pipeline_nevertheless() -> None:
    (pipeline,) = mapping.pipelines_from_wire("ss", "Sales", [])

    assert (pipeline.local_id, pipeline.stages) == ("default", ())


def test_with_several_pipelines_an_unknown_stage_is_in_none() -> None:
    record = opportunity({"dealStageID": "9"}, pipelines={"7001": Ref("ss", "5101")}, only_pipeline=None)

    assert (record.stage_ref, record.pipeline_ref) == (Ref("ss", "9"), None)


# People and companies.

USER: dict[str, Any] = {
    "id": 312000001,
    "firstName": "Tove",
    "lastName": "Ek",
    "displayName": "Tove &quot;T&quot; Ek",
    "emailAddress": "tove@example.test",
    "isActive": "1",
}
ACCOUNT: dict[str, Any] = {
    "id": "40112233445",
    "ownerID": "312000001",
    "accountName": "Fjord &amp; Brewing",
    "industry": "Beverages",
    "phone": "+47 55 90 21 00",
    "website": "fjord.example.test",
    "billingStreetAddress": "Strandgaten 18",
    "billingCity": "Bergen",
    "billingState": "Vestland",
    "billingPostalCode": "5013",
    "billingCountry": "Norway",
    "shippingCity": "Oslo",
    "email": "not a field of the vendor",
}
LEAD: dict[str, Any] = {
    "id": "88038560001",
    "accountID": "40112233445",
    "ownerID": "312000001",
    "firstName": "Ida",
    "lastName": "O&#039;Moe",
    "emailAddress": "ida@example.test",
    "title": "Head of &quot;dry&quot; operations",
    "phoneNumber": "+47 900 11 222",
    "officePhoneNumber": "+47 900 00 000",
}


def user(**more: object) -> User:
    (row,) = rows(wire.USER_PROFILES, USER | more)
    return mapping.user_from_wire("ss", row)


def contact(**more: object) -> Contact:
    (row,) = rows(wire.LEADS, LEAD | more)
    return mapping.contact_from_wire("ss", row)


def account(**more: object) -> Account:
    (row,) = rows(wire.ACCOUNTS, ACCOUNT | more)
    return mapping.account_from_wire("ss", row)


def test_every_field_of_a_user_has_its_place() -> None:
    assert user() == User(
        ref=Ref("ss", "312000001"),
        name='Tove "T" Ek',
        first_name="Tove",
        last_name="Ek",
        email="tove@example.test",
        is_active=True,
    )
    assert user(isActive="0").is_active is False


def test_a_user_without_display_name_is_called_by_both_names() -> None:
    assert user(displayName=None).name == "Tove Ek"
    assert user(displayName="", firstName="").name == "Ek"


def test_every_field_of_an_account_has_its_place() -> None:
    assert account() == Account(
        ref=Ref("ss", "40112233445"),
        name="Fjord & Brewing",
        phone="+47 55 90 21 00",
        website="fjord.example.test",
        industry="Beverages",
        owner_ref=Ref("ss", "312000001"),
        address=Address(street="Strandgaten 18", city="Bergen", region="Vestland", postal_code="5013", country="Norway"),
    )


def test_an_account_without_address_has_none() -> None:
    assert account(**dict.fromkeys([name for name in ACCOUNT if name.startswith("billing")], "")).address is None


def test_every_field_of_a_lead_has_its_place() -> None:
    assert contact() == Contact(
        ref=Ref("ss", "88038560001"),
        name="Ida O'Moe",
        first_name="Ida",
        last_name="O'Moe",
        email="ida@example.test",
        phone="+47 900 11 222",
        title='Head of "dry" operations',
        account_ref=Ref("ss", "40112233445"),
        owner_ref=Ref("ss", "312000001"),
    )


def test_a_lead_without_name_is_called_by_its_address() -> None:
    assert contact(firstName=None, lastName="").name == "ida@example.test"
    assert contact(firstName=None, lastName="", emailAddress=None).name is None


@pytest.mark.parametrize("attribute", sorted(Contact.__dataclass_fields__.keys() - {"ref", "read_fields", "extension"}))
def test_an_attribute_of_a_contact_is_whole_with_the_fields_asked_for(attribute: str) -> None:
    names = mapping.contact_fields(Selection({"Contact": frozenset({attribute})}))
    assert names is not None
    (row,) = rows(wire.LEADS, {name: value for name, value in LEAD.items() if name in names})

    partial = mapping.contact_from_wire("ss", row, read_fields=frozenset({attribute}))

    assert "id" in names
    assert set(names) <= LEAD.keys()
    assert getattr(partial, attribute) == getattr(contact(), attribute)
    assert partial.covers(frozenset({attribute}))
    assert not partial.covers(frozenset({attribute, "something"}))


def test_everything_of_a_contact_needs_all_fields() -> None:
    assert mapping.contact_fields(Selection()) is None


# Envelopes.


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"opportunity": [{"id": 7}]}, ["7"]),
        ({"opportunities": [{"id": 7}], "hasMore": False}, ["7"]),
        ({"getWhereopportunities": [{"id": 7}], "hasMore": True, "count": 1}, ["7"]),
        ({"opportunity": [{"id": 7}], "other": [{"id": 8}]}, ["7"]),
        ({"opportunities": [{"id": 7}], "other": [{"id": 8}]}, ["7"]),
        ({"opportunity": []}, []),
        ({"hasMore": False}, []),
        ([], []),
        ({}, []),
        ({"one": [{"id": 7}], "other": [{"id": 8}]}, None),
        ({"opportunity": None}, None),
        ([{"id": 7}], None),
    ],
)
def test_the_rows_are_the_list_of_a_known_name_or_the_only_one(result: object, expected: list[str] | None) -> None:
    method = wire.OPPORTUNITIES
    found = method.decoder.decode(json.dumps({"result": result, "error": None, "id": 1})).value.rows(method.keys)

    assert (None if found is None else [row and row.id for row in found]) == expected


@pytest.mark.parametrize(
    ("method", "seen", "documented"),
    [
        (wire.OPPORTUNITIES, "opportunity", "opportunities"),
        (wire.OPPORTUNITY_LEADS, "getWhereopportunityLeads", "opportunityLeads"),
        (wire.DEAL_STAGES, "dealStage", "dealStages"),
        (wire.USER_PROFILES, "userProfile", "userProfiles"),
        (wire.ACCOUNTS, "account", "accounts"),
        (wire.LEADS, "lead", "leads"),
        (wire.FIELDS, "field", "fields"),
    ],
)
def test_a_list_is_found_under_both_names_beside_others(method: wire.Method[Any], seen: str, documented: str) -> None:
    row = {"id": "5", "opportunityID": "6", "leadID": "7", "systemName": "s"}
    for key in (seen, documented):
        body = {"result": {"others": [], key: [row], "hasMore": False}, "id": "q"}
        found = method.decoder.decode(json.dumps(body)).value.rows(method.keys)
        assert found is not None
        assert [found_row and found_row.id for found_row in found] == ["5"]


@pytest.mark.parametrize(
    "bad", [{"id": {"no": "id"}}, {"opportunityName": "No id"}, {"id": ""}, {"id": "x1"}, {"id": "1" * 19}, None, 17, []]
)
def test_a_row_that_does_not_fit_leaves_the_others_in_their_places(bad: object) -> None:
    method = wire.OPPORTUNITIES
    body = json.dumps({"result": {"opportunity": [{"id": "6"}, bad, {"id": 880385600101}]}, "id": "q"})
    found = method.decoder.decode(body).value.rows(method.keys)

    assert found is not None
    assert [row and row.id for row in found] == ["6", None, "880385600101"]


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        ('{"error": null, "result": {}}', None),
        ('{"error": [], "result": {}}', None),
        ('{"result": {}}', None),
        ('{"error": {"code": null, "message": null, "data": null}, "result": {}}', None),
        ('{"error": {"code": 105, "message": "m", "data": []}, "result": null}', "105"),
        ('{"error": {"code": "105", "message": "m", "data": {}}}', "105"),
        ('{"error": [{"code": 205, "message": "m", "data": []}, {"code": 1}], "result": []}', "205"),
        ('{"error": [{"code": 301, "message": "m"}], "result": {"creates": [{"success": "false"}]}}', None),
        ('{"error": [{"code": 302, "message": "m"}], "result": {"updates": []}}', None),
        ('{"error": [{"code": 404, "message": "m"}], "result": {"deletes": []}}', None),
    ],
)
def test_an_error_has_one_of_five_shapes(envelope: str, code: str | None) -> None:
    assert wire.FAILURE.decode(envelope).value.code() == code
