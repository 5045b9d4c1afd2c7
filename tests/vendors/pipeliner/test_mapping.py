"""From literal answers of the vendor to normalized records, value by value."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from vendors.calls import recording
from vendors.extension import VendorId
from vendors.model import (
    EVERYTHING,
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
    Reason,
    Ref,
    Selection,
    User,
    ValueOrigin,
)
from vendors.pipeliner import mapping, parties, wire
from vendors.pipeliner.custom_fields import Options, definitions_from_wire
from vendors.pipeliner.extension import (
    PipelinerAccountClass,
    PipelinerAccountFields,
    PipelinerContactAccountRelation,
    PipelinerContactFields,
    PipelinerCurrency,
    PipelinerFitness,
    PipelinerGender,
    PipelinerLabel,
    PipelinerOpportunityAccount,
    PipelinerOpportunityContact,
    PipelinerOpportunityFields,
    PipelinerOpportunityValue,
    PipelinerPipelineFields,
    PipelinerShareMode,
    PipelinerStageFields,
    PipelinerUserFields,
)

BASE = "https://us-east.pipelinersales.com/api/v100/rest/spaces/nv3_PipelinerDev/entities"
CREATED = datetime(2019, 1, 30, 11, 44, 23, 586083, tzinfo=UTC)
MODIFIED = datetime(2019, 2, 1, 10, 1, 23, 11709, tzinfo=UTC)
STAMPS = {"modified": "2019-02-01 10:01:23.011709+00:00", "created": "2019-01-30 11:44:23.586083+00:00"}


def uuid(last: str) -> str:
    return f"5a0d1e2b-1111-4000-8000-{last:>012}"


def uri(entity: str, last: str) -> str:
    return f"{BASE}/{entity}/{uuid(last)}"


# Source: Pipeliner "Create Opportunity", Value.currency_id (recorded answer), and a second currency.
CURRENCIES: list[dict[str, Any]] = [
    {
        "is_delete_protected": True,
        "id": "c4ca4238-a0b9-0382-0dcc-509a6f75849b",
        "is_deleted": False,
        **STAMPS,
        "code": "USD",
        "is_base": True,
        "symbol": "$",
        "revision": 18,
        "currency_exchange_rates": [],
    },
    {
        "is_delete_protected": False,
        "id": uuid("e1"),
        "is_deleted": False,
        **STAMPS,
        "code": "EUR",
        "is_base": False,
        "symbol": "\u20ac",
        "revision": 52,
        "currency_exchange_rates": [uri("CurrencyExchangeRates", "e9")],
    },
]
# Source: Pipeliner "Create Opportunity", Step_id (recorded answer).
PIPELINES: list[dict[str, Any]] = [
    {
        "is_delete_protected": False,
        "id": "90be8a83-bae8-401d-9e5e-c4564a986270",
        "is_deleted": False,
        **STAMPS,
        "color": 16233984,
        "name": "Test Pipeline",
        "revision": 66001,
        "steps": [
            {
                "is_delete_protected": True,
                "id": uuid("52"),
                "is_deleted": True,
                **STAMPS,
                "pipeline": f"{BASE}/Pipelines/90be8a83-bae8-401d-9e5e-c4564a986270",
                "name": "Proposal",
                "description": "An offer is out.",
                "percent": 50,
                "pipeline_id": "90be8a83-bae8-401d-9e5e-c4564a986270",
                "sort_order": 4,
                "timeframe": 14,
                "revision": 65655,
                "documents": [uri("CloudObjectStepRelations", "d1")],
                "step_checklists": [uri("StepChecklists", "d2")],
            },
            {
                "is_delete_protected": False,
                "id": "de115511-5dc1-46c3-86d9-f714457208dd",
                "is_deleted": False,
                **STAMPS,
                "pipeline": f"{BASE}/Pipelines/90be8a83-bae8-401d-9e5e-c4564a986270",
                "name": "First",
                "percent": 15,
                "pipeline_id": "90be8a83-bae8-401d-9e5e-c4564a986270",
                "sort_order": 0,
                "timeframe": None,
                "revision": 65654,
                "documents": [],
                "step_checklists": [],
            },
        ],
    }
]
# Source: Pipeliner "Create Opportunity", POST/entities/Opportunities (answer): every key of it, and the relations as they are recorded.
OPPORTUNITY: dict[str, Any] = {
    "is_delete_protected": True,
    "id": uuid("1"),
    "is_deleted": True,
    **STAMPS,
    "oppty_type": uri("OpportunityTypes", "a1"),
    "owner": uri("Clients", "a2"),
    "product_currency": uri("Currencies", "a3"),
    "product_price_list": uri("ProductPriceLists", "a4"),
    "reason_of_close": uri("Data", "a5"),
    "step": uri("Steps", "52"),
    "unit": uri("SalesUnits", "a6"),
    "closing_date": "2026-06-30",
    "description": "Two cranes.",
    "is_archived": True,
    "is_value_auto_calculate": True,
    "label_flag": 3,
    "name": "Harbour cranes retrofit",
    "oppty_type_id": uuid("a1"),
    "owner_id": uuid("a2"),
    "product_currency_id": uuid("a3"),
    "product_price_list_id": uuid("a4"),
    "product_sections": {"sections": [1]},
    "quick_account_email": "office@quick.example",
    "quick_account_name": "Quick & Co",
    "quick_account_phone": "+1",
    "quick_contact_name": "Quentin Quick",
    "quick_email": "q@quick.example",
    "quick_phone": "+2",
    "ranking": 4,
    "reason_of_close_description": "Too dear.",
    "reason_of_close_id": uuid("a5"),
    "share_mode": 1,
    "step_id": uuid("52"),
    "unit_id": uuid("a6"),
    "was_qualified": True,
    "revision": 812,
    "value": {"base_value": "118000.00", "currency_id": uuid("e1"), "value_foreign": "100000.00"},
    "oppty_recurrence": uri("OpptyRecurrences", "a7"),
    "revenue_schedule": uri("RevenueSchedules", "a8"),
    "product_relations": [uri("OpptyProductRelations", "a9")],
    "primary_contact": uri("Contacts", "c2"),
    "primary_account": uri("Accounts", "b2"),
    "contact_relations": [
        {"id": uuid("f1"), "contact_id": uuid("c1"), "is_primary": False, "relationship": 2, "comment": "", "sales_roles": []},
        {
            "id": uuid("f2"),
            "contact_id": uuid("c2"),
            "is_primary": True,
            "relationship": 3,
            "comment": "Signs.",
            "sales_roles": [uri("SalesRoles", "f9")],
        },
        {"id": uuid("f3"), "contact_id": uuid("c3"), "is_primary": False, "is_deleted": True},
    ],
    "account_relations": [
        {"id": uuid("f4"), "account": uri("Accounts", "b1"), "is_primary": False},
        {"id": uuid("f5"), "account_id": uuid("b2"), "is_primary": True},
    ],
    "documents": [uri("CloudObjects", "aa")],
    "status": 2,
    "qualify_date": "2026-01-02 03:04:05",
    "won_date": "2026-05-01T00:00:00",
    "lost_date": "2026-05-02 23:30:00.500000-05:00",
    "days_in_step": 12,
    "is_favorite": True,
    "sharing_units": [uri("OpptySharingSalesUnitRelations", "ab")],
    "sharing_clients": [uri("OpptySharingClientRelations", "ac")],
    "fitness_description": {"is_won": False, "is_overdue": True, "activities_on_time": 1, "scheduled_activity": 2, "fitness": 3},
    "formatted_name": "Harbour cranes",
    # Source: entity Opportunities of the API reference.
    "lead_source_id": uuid("ad"),
    "lead_source": uri("Data", "ad"),
    "modified_by_user": uri("Clients", "ae"),
    "tags": [{"id": uuid("af"), "name": "Crane"}, {"id": uuid("b0"), "name": "Gone", "is_deleted": True}],
}


def decoded(decoder: Any, rows: list[dict[str, Any]]) -> list[Any]:
    answer = decoder.decode(json.dumps({"success": True, "data": rows}))
    assert not answer.dropped
    return list(answer.value.data)


def tables(**more: Any) -> mapping.Tables:
    return mapping.Tables(
        pipelines=mapping.pipelines_from_wire("dach", decoded(wire.PIPELINES, PIPELINES)),
        currencies=mapping.currencies_from_wire(decoded(wire.CURRENCIES, CURRENCIES)),
        types={uuid("a1"): "New equipment"},
        options=Options.of(
            decoded(wire.DATA, [{"id": uuid("a5"), "option_name": "Price"}, {"id": uuid("ad"), "option_name": "Trade fair"}])
        ),
        **more,
    )


def mapped(changes: dict[str, Any] | None = None, *, without: tuple[str, ...] = (), **more: Any) -> Opportunity:
    row = {name: value for name, value in {**OPPORTUNITY, **(changes or {})}.items() if name not in without}
    return mapping.opportunity_from_wire("dach", decoded(wire.OPPORTUNITIES, [row])[0], tables=tables(**more))


def extension(record: Opportunity) -> PipelinerOpportunityFields:
    assert isinstance(record.extension, PipelinerOpportunityFields)
    return record.extension


def test_every_field_of_an_opportunity() -> None:
    euro = PipelinerCurrency(
        id=VendorId(uuid("e1")),
        code="EUR",
        symbol="\u20ac",
        is_base=False,
        is_delete_protected=False,
        is_deleted=False,
        revision=52,
        created=CREATED,
        modified=MODIFIED,
        exchange_rate_ids=(VendorId(uuid("e9")),),
    )

    assert mapped() == Opportunity(
        ref=Ref("dach", uuid("1")),
        title="Harbour cranes retrofit",
        description="Two cranes.",
        amount=Money(amount=Decimal("100000.00"), currency="EUR"),
        amount_base=Money(amount=Decimal("118000.00"), currency="USD"),
        probability_percent=50.0,
        probability_origin=ValueOrigin.DERIVED,
        status=OpportunityStatus.LOST,
        status_label="Lost",
        pipeline_ref=Ref("dach", "90be8a83-bae8-401d-9e5e-c4564a986270"),
        stage_ref=Ref("dach", uuid("52")),
        expected_close_date=date(2026, 6, 30),
        actual_close_date=date(2026, 5, 2),
        close_date=date(2026, 5, 2),
        closed_at=datetime(2026, 5, 3, 4, 30, 0, 500000, tzinfo=UTC),
        loss_reason=Reason(id=uuid("a5"), label="Price", detail="Too dear."),
        owner_ref=Ref("dach", uuid("a2")),
        account_ref=Ref("dach", uuid("b2")),
        account_refs=(Ref("dach", uuid("b2")), Ref("dach", uuid("b1"))),
        primary_contact_ref=Ref("dach", uuid("c2")),
        contact_refs=(Ref("dach", uuid("c2")), Ref("dach", uuid("c1"))),
        type="New equipment",
        priority="Priority, Hot",
        lead_source="Trade fair",
        tags=("Crane",),
        custom_fields=None,
        is_deleted=True,
        is_archived=True,
        is_private=True,
        created_at=CREATED,
        updated_at=MODIFIED,
        updated_by_ref=Ref("dach", uuid("ae")),
        revision="812",
        extension=PipelinerOpportunityFields(
            formatted_name="Harbour cranes",
            is_delete_protected=True,
            is_favorite=True,
            is_value_auto_calculate=True,
            was_qualified=True,
            label_flag=3,
            labels=(PipelinerLabel.PRIORITY, PipelinerLabel.HOT),
            ranking=4,
            days_in_step=12,
            qualify_date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            won_date=datetime(2026, 5, 1, tzinfo=UTC),
            lost_date=datetime(2026, 5, 3, 4, 30, 0, 500000, tzinfo=UTC),
            oppty_type_id=VendorId(uuid("a1")),
            unit_id=VendorId(uuid("a6")),
            product_currency_id=VendorId(uuid("a3")),
            product_price_list_id=VendorId(uuid("a4")),
            reason_of_close_id=VendorId(uuid("a5")),
            reason_of_close_description="Too dear.",
            product_sections={"sections": [1]},
            quick_account_name="Quick & Co",
            quick_account_email="office@quick.example",
            quick_account_phone="+1",
            quick_contact_name="Quentin Quick",
            quick_email="q@quick.example",
            quick_phone="+2",
            share_mode=PipelinerShareMode.PRIVATE,
            revision=812,
            value=PipelinerOpportunityValue(base_value=Decimal(118000), value_foreign=Decimal(100000), currency=euro),
            fitness=PipelinerFitness(is_won=False, is_overdue=True, activities_on_time=1, scheduled_activity=2, fitness=3),
            oppty_recurrence=VendorId(uuid("a7")),
            revenue_schedule=VendorId(uuid("a8")),
            product_relations=(VendorId(uuid("a9")),),
            documents=(VendorId(uuid("aa")),),
            sharing_units=(VendorId(uuid("ab")),),
            sharing_clients=(VendorId(uuid("ac")),),
            account_relations=(
                PipelinerOpportunityAccount(id=VendorId(uuid("f4")), is_primary=False, account_ref=Ref("dach", uuid("b1"))),
                PipelinerOpportunityAccount(id=VendorId(uuid("f5")), is_primary=True, account_ref=Ref("dach", uuid("b2"))),
            ),
            contact_relations=(
                PipelinerOpportunityContact(id=VendorId(uuid("f1")), is_primary=False, contact_ref=Ref("dach", uuid("c1")), relationship=2),
                PipelinerOpportunityContact(
                    id=VendorId(uuid("f2")),
                    is_primary=True,
                    contact_ref=Ref("dach", uuid("c2")),
                    relationship=3,
                    comment="Signs.",
                    sales_roles=(VendorId(uuid("f9")),),
                ),
                PipelinerOpportunityContact(id=VendorId(uuid("f3")), is_primary=False, contact_ref=Ref("dach", uuid("c3"))),
            ),
        ),
    )


@pytest.mark.parametrize(
    "twin",
    [
        *("oppty_type", "owner", "product_currency", "product_price_list", "reason_of_close", "step", "unit"),
        "lead_source",
    ],
)
def test_an_opportunity_has_the_same_ids_without_either_of_the_twins(twin: str) -> None:
    assert mapped(without=(twin,)) == mapped(without=(f"{twin}_id",)) == mapped()
    assert mapped({twin: {"id": OPPORTUNITY[f"{twin}_id"]}}, without=(f"{twin}_id",)) == mapped()
    assert mapped(without=(twin, f"{twin}_id")) != mapped()


# Source: Pipeliner "Create Opportunity", POST/entities/Opportunities: its answer as printed, with URLs that lead nowhere.
def test_the_printed_answer_of_the_vendor_is_read() -> None:
    links = dict.fromkeys(("oppty_type", "owner", "step", "primary_contact", "primary_account", "unit"), "https://example.com")
    lists = {name: ["https://example.com"] for name in ("contact_relations", "account_relations", "documents", "sharing_units")}

    record = mapped({**links, **lists, "modified": "2019-01-01T00:00:00", "value": {"base_value": "4.32", "value_foreign": None}})

    assert record.account_ref is None
    assert record.primary_contact_ref is None
    assert record.account_refs is UNREAD
    assert record.updated_at == datetime(2019, 1, 1, tzinfo=UTC)
    assert record.amount == Money(amount=Decimal("4.32"), currency="USD")
    assert extension(record).documents == ()


@pytest.mark.parametrize(
    ("link", "found"),
    [
        (f"{BASE}/Clients/{uuid('1')}", uuid("1")),
        (f"http://eu-central.api.pipelinersales.com/x/Clients/{uuid('1')}/?a=b", uuid("1")),
        (uuid("1"), uuid("1")),
        ("https://example.com", None),
        ("https://example.com/", None),
        ("", None),
        (None, None),
        (17, None),
        ({"id": uuid("1"), "name": "x"}, uuid("1")),
        ({"id": None}, None),
        ({}, None),
    ],
)
def test_an_id_is_found_in_a_uri_or_an_expanded_record(link: object, found: str | None) -> None:
    assert wire.id_in(link) == found


@pytest.mark.parametrize(
    ("status", "unified", "label"),
    [
        (1, OpportunityStatus.OPEN, "Open"),
        (2, OpportunityStatus.LOST, "Lost"),
        (3, OpportunityStatus.WON, "Won"),
        (None, None, None),
        (9, None, None),
    ],
)
def test_status_comes_from_its_number_alone(status: int | None, unified: OpportunityStatus | None, label: str | None) -> None:
    record = mapped({"status": status})

    assert (record.status, record.status_label) == (unified, label)
    assert (record.loss_reason is not None) == (status == 2)
    assert (record.won_reason is not None) == (status == 3)


def test_dates_that_do_not_fit_the_status_do_not_count() -> None:
    still_open = mapped({"status": 1})
    won = mapped({"status": 3})
    lost_some_day = mapped({"status": 2, "lost_date": None})

    assert (still_open.closed_at, still_open.actual_close_date, still_open.close_date) == (None, None, date(2026, 6, 30))
    assert (won.closed_at, won.actual_close_date) == (datetime(2026, 5, 1, tzinfo=UTC), date(2026, 5, 1))
    assert (lost_some_day.closed_at, lost_some_day.close_date) == (None, date(2026, 6, 30))


@pytest.mark.parametrize(
    ("value", "amount", "base"),
    [
        (None, None, None),
        ({"base_value": 118.5, "currency_id": uuid("e1"), "value_foreign": 100.25}, ("100.25", "EUR"), ("118.5", "USD")),
        ({"base_value": "7", "currency_id": uuid("e1"), "value_foreign": None}, ("7", "USD"), ("7", "USD")),
        ({"base_value": None, "currency_id": uuid("dead"), "value_foreign": "7"}, ("7", None), None),
        ({"base_value": "", "currency_id": None, "value_foreign": "0.00"}, ("0", None), None),
        (
            {"base_value": "12345678901234567890.12", "currency_id": uuid("e1"), "value_foreign": "0"},
            ("0", "EUR"),
            ("12345678901234567890.12", "USD"),
        ),
    ],
)
def test_money_is_the_foreign_value_in_its_currency_else_the_base_value(value: Any, amount: Any, base: Any) -> None:
    record = mapped({"value": value})

    assert record.amount == (None if amount is None else Money(amount=Decimal(amount[0]), currency=amount[1]))
    assert record.amount_base == (None if base is None else Money(amount=Decimal(base[0]), currency=base[1]))


@pytest.mark.parametrize(("code", "shown"), [("EUR", "EUR"), (" eur ", "EUR"), ("Euro", None), ("", None), (None, None)])
def test_a_currency_that_is_no_code_is_left_out(code: str | None, shown: str | None) -> None:
    currencies = mapping.currencies_from_wire(decoded(wire.CURRENCIES, [{**CURRENCIES[0], "code": code}]))

    assert currencies.base == shown
    assert currencies.code(CURRENCIES[0]["id"]) == shown


@pytest.mark.parametrize(
    ("flag", "priority", "labels"),
    [(None, None, 0), (0, None, 0), ("4", "Stalled", 1), (7, "Priority, Hot, Stalled", 3), (8, None, 0)],
)
def test_labels_are_bits(flag: object, priority: str | None, labels: int) -> None:
    record = mapped({"label_flag": flag})

    assert record.priority == priority
    assert len(extension(record).labels) == labels


@pytest.mark.parametrize(
    ("mode", "own", "private"),
    [
        (0, PipelinerShareMode.STANDARD, False),
        (2, PipelinerShareMode.ALL_VIEW, False),
        (3, PipelinerShareMode.ALL_EDIT, False),
        (None, None, None),
    ],
)
def test_share_mode_one_is_private(mode: int | None, own: PipelinerShareMode | None, private: bool | None) -> None:  # noqa: FBT001  # a value
    record = mapped({"share_mode": mode})

    assert record.is_private is private
    assert extension(record).share_mode is own


def test_empty_and_missing_values_are_none() -> None:
    record = mapped(
        {
            "name": "",
            "formatted_name": "",
            "description": "",
            "fitness_description": None,
            "account_relations": None,
            "contact_relations": [],
        }
    )
    bare = mapping.opportunity_from_wire("dach", decoded(wire.OPPORTUNITIES, [{"id": uuid("1")}])[0], tables=mapping.Tables())

    assert (record.title, record.description, extension(record).fitness) == ("", None, None)
    assert (record.account_refs, record.contact_refs) == ((), ())
    assert (bare.title, bare.is_deleted, bare.is_archived, bare.stage_ref, bare.probability_origin) == ("", False, None, None, None)


def test_the_formatted_name_stands_in_for_a_name() -> None:
    assert mapped({"name": ""}).title == "Harbour cranes"


def test_links_that_are_uris_leave_the_relation_unread_and_keep_their_ids() -> None:
    record = mapped(
        {
            "account_relations": [uri("LeadOpptyAccountRelations", "f4")],
            "contact_relations": [uri("LeadOpptyContactRelations", "f1"), OPPORTUNITY["contact_relations"][1]],
            "tags": [uri("Tags", "af")],
        }
    )

    assert (record.account_refs, record.contact_refs, record.tags) == (UNREAD, UNREAD, None)
    assert [link.id for link in extension(record).account_relations] == [uuid("f4")]
    assert [link.contact_ref for link in extension(record).contact_relations] == [None, Ref("dach", uuid("c2"))]


def test_links_that_were_asked_for_and_did_not_come_are_unread() -> None:
    row = {name: value for name, value in OPPORTUNITY.items() if name not in {"account_relations", "contact_relations"}}
    (wired,) = decoded(wire.OPPORTUNITIES, [row])

    asked = mapping.opportunity_from_wire("dach", wired, tables=tables(), names=frozenset({"account_relations.id"}))

    assert (asked.account_refs, asked.contact_refs) == (UNREAD, ())


def test_the_typed_company_counts_where_no_account_is_linked() -> None:
    assert mapped().account_name is None
    assert mapped({"primary_account": None}).account_name == "Quick & Co"


def test_a_step_that_nobody_knows_leaves_pipeline_and_probability_open() -> None:
    record = mapped({"step_id": uuid("dead")})

    assert record.stage_ref == Ref("dach", uuid("dead"))
    assert (record.pipeline_ref, record.probability_percent, record.probability_origin) == (None, None, None)


def test_every_field_of_a_pipeline_and_its_stages() -> None:
    (pipeline,) = tables().pipelines.all

    assert (pipeline.ref, pipeline.name, pipeline.is_synthetic) == (
        Ref("dach", "90be8a83-bae8-401d-9e5e-c4564a986270"),
        "Test Pipeline",
        False,
    )
    assert pipeline.is_archived is False
    assert pipeline.extension == PipelinerPipelineFields(
        color=16233984, revision=66001, is_delete_protected=False, is_deleted=False, created=CREATED, modified=MODIFIED
    )
    first, proposal = pipeline.stages
    assert (first.name, first.order, first.probability_percent, first.kind, first.is_archived) == ("First", 0, 15.0, None, False)
    assert (proposal.ref, proposal.name, proposal.order, proposal.probability_percent) == (Ref("dach", uuid("52")), "Proposal", 1, 50.0)
    assert (proposal.pipeline_ref, proposal.description, proposal.is_archived) == (pipeline.ref, "An offer is out.", True)
    assert proposal.extension == PipelinerStageFields(
        sort_order=4,
        timeframe=14,
        documents=(VendorId(uuid("d1")),),
        step_checklists=(VendorId(uuid("d2")),),
        revision=65655,
        is_delete_protected=True,
        is_deleted=True,
        created=CREATED,
        modified=MODIFIED,
    )


@pytest.mark.parametrize("by", ["pipeline_id", "pipeline"])
def test_steps_that_pipelines_only_link_to_are_put_in_their_place(by: str) -> None:
    pipelines = [{**PIPELINES[0], "steps": [uri("Steps", "52")]}]
    of_pipeline = {"pipeline_id": PIPELINES[0]["id"], "pipeline": f"{BASE}/Pipelines/{PIPELINES[0]['id']}"}
    steps = [
        {"id": uuid("52"), "name": "Proposal", by: of_pipeline[by]},
        {"id": uuid("53"), "name": "Of leads", "pipeline_id": None, "lead_process_id": uuid("97")},
        {"id": uuid("54"), "name": "Of quotes", "pipeline_id": PIPELINES[0]["id"], "quote_process_id": uuid("98")},
        {"id": uuid("55"), "name": "Of quotes", "pipeline_id": PIPELINES[0]["id"], "quote_process": uri("QuoteProcesses", "98")},
        {"id": uuid("56"), "name": "Of leads", "pipeline_id": PIPELINES[0]["id"], "lead_process": uri("LeadProcesses", "97")},
        {"id": uuid("57"), "name": "Of leads", "pipeline_id": PIPELINES[0]["id"], "lead_process_id": uuid("97")},
    ]

    made = mapping.pipelines_from_wire("dach", decoded(wire.PIPELINES, pipelines), decoded(wire.STEPS, steps))

    assert [stage.name for stage in made.all[0].stages] == ["Proposal"]
    assert set(made.stages) == {uuid("52")}


def test_steps_are_ranked_by_sort_order_then_id_and_odd_percentages_are_warned_of() -> None:
    steps = [
        {"id": uuid(last), "sort_order": order, "percent": percent}
        for last, order, percent in [("1", None, 140), ("3", 2, 0), ("2", 2, None)]
    ]

    with recording() as recorder:
        made = mapping.pipelines_from_wire("dach", decoded(wire.PIPELINES, [{**PIPELINES[0], "steps": steps}]))

    assert [(stage.local_id, stage.probability_percent) for stage in made.all[0].stages] == [
        (uuid("2"), None),
        (uuid("3"), 0.0),
        (uuid("1"), None),
    ]
    assert [warned.code for warned in recorder.warnings] == ["PERCENT_OUT_OF_RANGE"]


# Source: Pipeliner "Create Opportunity", Owner_id, and the entity Clients of the API reference.
CLIENT: dict[str, Any] = {
    "id": "00000000-0000-0000-0000-000000011a7d",
    "default_unit_id": "aba4a358-f3f8-4f55-b3ed-dd5cf589103b",
    "email": "mira.k@example.test",
    "first_name": "Mira",
    "last_name": "K",
    "formatted_name": "Mira K.",
    "is_deleted": False,
}


def test_every_field_of_a_user() -> None:
    (row,) = decoded(wire.CLIENTS, [CLIENT])

    assert parties.user_from_wire("dach", row) == User(
        ref=Ref("dach", "00000000-0000-0000-0000-000000011a7d"),
        name="Mira K.",
        first_name="Mira",
        last_name="K",
        email="mira.k@example.test",
        is_active=True,
        extension=PipelinerUserFields(default_unit_id=VendorId("aba4a358-f3f8-4f55-b3ed-dd5cf589103b")),
    )


def test_a_user_without_formatted_name_has_the_parts_of_the_name() -> None:
    rows = decoded(wire.CLIENTS, [{**CLIENT, "formatted_name": ""}, {"id": uuid("2"), "is_deleted": True}])

    users = [parties.user_from_wire("dach", row) for row in rows]

    assert [(user.name, user.is_active) for user in users] == [("Mira K", True), (None, False)]


# Source: Pipeliner "Create Opportunity", Account_id (recorded answer), with every field filled.
ACCOUNT: dict[str, Any] = {
    "is_delete_protected": True,
    "id": "0bc376a4-c579-413a-9221-e86e4a134766",
    "is_deleted": True,
    **STAMPS,
    "account_type": uri("AccountTypes", "01"),
    "customer_type": uri("Data", "02"),
    "industry": uri("Data", "a5"),
    "owner": uri("Clients", "03"),
    "parent_account": uri("Accounts", "04"),
    "parent_account_relation_type": uri("AccountRelationTypes", "05"),
    "picture": uri("CloudObjects", "06"),
    "unit": uri("SalesUnits", "07"),
    "account_class": 5,
    "account_type_id": uuid("01"),
    "address": "7 Lillian Plaza",
    "city": "Coronda",
    "zip_code": "2240",
    "state_province": "Santa Fe",
    "comments": "Careful.",
    "country": "Argentina",
    "customer_type_id": uuid("02"),
    "email1": "info@ziemann-and-sons.de",
    "email2": "",
    "email3": "3@ziemann-and-sons.de",
    "email4": "4@ziemann-and-sons.de",
    "email5": "5@ziemann-and-sons.de",
    "health_category": 2,
    "health_status": "good",
    "home_page": "www.ziemannandsons.com",
    "industry_id": uuid("a5"),
    "name": "Ziemann and Sons",
    "owner_id": uuid("03"),
    "parent_account_id": uuid("04"),
    "parent_account_relation_type_id": uuid("05"),
    "unit_id": uuid("07"),
    "phone1": "+1 (888) 500-8000",
    "phone2": "+2",
    "phone3": "+3",
    "phone4": "+4",
    "phone5": "+5",
    "revision": 640,
}
# Source: Pipeliner "Create Opportunity", Contact_id (recorded answer), with every field filled.
LINK: dict[str, Any] = {
    "is_delete_protected": True,
    "id": "7bb50668-badb-4c4b-a184-2f2be3df4fd8",
    "is_deleted": True,
    **STAMPS,
    "account": f"{BASE}/Accounts/0bc376a4-c579-413a-9221-e86e4a134766",
    "contact": f"{BASE}/Contacts/02bdc9f6-4dfb-479e-84ba-f6c3b96c39ba",
    "account_id": "0bc376a4-c579-413a-9221-e86e4a134766",
    "comment": "Knows everybody.",
    "contact_id": "02bdc9f6-4dfb-479e-84ba-f6c3b96c39ba",
    "is_assistant": True,
    "is_primary": True,
    "is_sibling": True,
    "position": "Buyer",
    "relationship": 2,
    "revision": 184,
    "account_roles": [uri("AccountRoles", "11")],
}
OWN_LINK = PipelinerContactAccountRelation(
    id=VendorId("7bb50668-badb-4c4b-a184-2f2be3df4fd8"),
    account_ref=Ref("dach", "0bc376a4-c579-413a-9221-e86e4a134766"),
    contact_ref=Ref("dach", "02bdc9f6-4dfb-479e-84ba-f6c3b96c39ba"),
    comment="Knows everybody.",
    is_assistant=True,
    is_primary=True,
    is_sibling=True,
    position="Buyer",
    relationship=2,
    account_roles=(VendorId(uuid("11")),),
    revision=184,
    is_deleted=True,
    is_delete_protected=True,
    created=CREATED,
    modified=MODIFIED,
)


def account(changes: dict[str, Any] | None = None, without: tuple[str, ...] = ()) -> Account:
    row = {name: value for name, value in {**ACCOUNT, **(changes or {})}.items() if name not in without}
    links = decoded(wire.CONTACT_ACCOUNT_RELATIONS, [LINK])
    return parties.account_from_wire("dach", decoded(wire.ACCOUNTS, [row])[0], labels={uuid("a5"): "Shipping"}, contact_relations=links)


def test_every_field_of_an_account() -> None:
    assert account() == Account(
        ref=Ref("dach", "0bc376a4-c579-413a-9221-e86e4a134766"),
        name="Ziemann and Sons",
        email="info@ziemann-and-sons.de",
        phone="+1 (888) 500-8000",
        website="www.ziemannandsons.com",
        industry="Shipping",
        owner_ref=Ref("dach", uuid("03")),
        parent_ref=Ref("dach", uuid("04")),
        address=Address(street="7 Lillian Plaza", city="Coronda", region="Santa Fe", postal_code="2240", country="Argentina"),
        extension=PipelinerAccountFields(
            account_type_id=VendorId(uuid("01")),
            customer_type_id=VendorId(uuid("02")),
            industry_id=VendorId(uuid("a5")),
            parent_account_id=VendorId(uuid("04")),
            parent_account_relation_type_id=VendorId(uuid("05")),
            picture_id=VendorId(uuid("06")),
            unit_id=VendorId(uuid("07")),
            account_class=PipelinerAccountClass.D,
            comments="Careful.",
            emails=("info@ziemann-and-sons.de", "3@ziemann-and-sons.de", "4@ziemann-and-sons.de", "5@ziemann-and-sons.de"),
            phones=("+1 (888) 500-8000", "+2", "+3", "+4", "+5"),
            health_category="2",
            health_status="good",
            is_delete_protected=True,
            is_deleted=True,
            revision=640,
            created=CREATED,
            modified=MODIFIED,
            contact_relations=(OWN_LINK,),
        ),
    )


@pytest.mark.parametrize(
    "twin", ["owner", "industry", "parent_account", "account_type", "customer_type", "parent_account_relation_type", "unit"]
)
def test_an_account_has_the_same_ids_without_either_of_the_twins(twin: str) -> None:
    assert account(without=(twin,)) == account(without=(f"{twin}_id",)) == account()
    assert account(without=(twin, f"{twin}_id")) != account()


def test_an_account_with_little_in_it() -> None:
    bare = {name: "" if isinstance(value, str) and name != "id" else None for name, value in ACCOUNT.items() if name != "id"}
    second = account({"email1": "", "email2": "2@ziemann-and-sons.de"}).extension

    assert account(bare).address is None
    assert account(bare).name is None
    assert isinstance(second, PipelinerAccountFields)
    assert second.emails[0] == "2@ziemann-and-sons.de"


# Source: entity Contacts of the API reference, with every field filled.
CONTACT: dict[str, Any] = {
    "id": "02bdc9f6-4dfb-479e-84ba-f6c3b96c39ba",
    "is_deleted": True,
    "is_delete_protected": True,
    **STAMPS,
    "first_name": "Ole",
    "middle_name": "M.",
    "last_name": "Lund",
    "formatted_name": "Ole M. Lund",
    "title": "Dr.",
    "position": "Buyer",
    "account_position": "Head of buying",
    "gender": 3,
    "email1": "ole@example.test",
    "email2": "2@example.test",
    "email3": "3@example.test",
    "email4": "4@example.test",
    "email5": "5@example.test",
    "phone1": "+1",
    "phone2": "+2",
    "phone3": "+3",
    "phone4": "+4",
    "phone5": "+5",
    "primary_account": f"{BASE}/Accounts/0bc376a4-c579-413a-9221-e86e4a134766",
    "account_relations": [LINK, uri("ContactAccountRelations", "12")],
    "owner_id": uuid("03"),
    "owner": uri("Clients", "03"),
    "revision": 641,
}


def contact(without: tuple[str, ...] = (), **changes: Any) -> Contact:
    row = {name: value for name, value in {**CONTACT, **changes}.items() if name not in without}
    return parties.contact_from_wire("dach", decoded(wire.CONTACTS, [row])[0])


def test_every_field_of_a_contact() -> None:
    assert contact() == Contact(
        ref=Ref("dach", "02bdc9f6-4dfb-479e-84ba-f6c3b96c39ba"),
        name="Ole M. Lund",
        first_name="Ole",
        last_name="Lund",
        email="ole@example.test",
        phone="+1",
        title="Buyer",
        account_ref=Ref("dach", "0bc376a4-c579-413a-9221-e86e4a134766"),
        owner_ref=Ref("dach", uuid("03")),
        extension=PipelinerContactFields(
            middle_name="M.",
            title="Dr.",
            account_position="Head of buying",
            gender=PipelinerGender.NON_BINARY,
            emails=("ole@example.test", "2@example.test", "3@example.test", "4@example.test", "5@example.test"),
            phones=("+1", "+2", "+3", "+4", "+5"),
            is_delete_protected=True,
            is_deleted=True,
            revision=641,
            created=CREATED,
            modified=MODIFIED,
            account_relations=(OWN_LINK, PipelinerContactAccountRelation(id=VendorId(uuid("12")))),
        ),
    )
    assert contact(without=("owner",)) == contact(without=("owner_id",)) == contact()
    assert contact(formatted_name="").name == "Ole Lund"
    assert contact(gender=None, primary_account=None).account_ref is None


@pytest.mark.parametrize("twin", ["account", "contact"])
def test_a_link_has_the_same_ends_without_either_of_the_twins(twin: str) -> None:
    for left_out in (twin, f"{twin}_id"):
        (row,) = decoded(wire.CONTACT_ACCOUNT_RELATIONS, [{name: value for name, value in LINK.items() if name != left_out}])
        assert parties.contact_relation_from_wire("dach", row) == OWN_LINK


# Source: Pipeliner "Fields" and its type ids.
FIELDS: list[dict[str, Any]] = [
    {"id": uuid("f00"), "entity_name": "Opportunity", "api_name": "name", "name": "Name", "type_id": "input"},
    {"id": uuid("f01"), "entity_name": "Opportunity", "api_name": "cf_berth", "name": "Berth", "type_id": "input", "is_deleted": False},
    {"id": uuid("f02"), "entity_name": "Opportunity", "api_name": "cf_note", "name": "Note", "type_id": "text_area"},
    {"id": uuid("f03"), "entity_name": "Opportunity", "api_name": "cf_tons", "name": "Tons", "type_id": "float"},
    {"id": uuid("f04"), "entity_name": "Opportunity", "api_name": "cf_units", "name": "Units", "type_id": "integer"},
    {"id": uuid("f05"), "entity_name": "Opportunity", "api_name": "cf_bond", "name": "Bond", "type_id": "currency"},
    {"id": uuid("f06"), "entity_name": "Opportunity", "api_name": "cf_deposit", "name": "Deposit", "type_id": "currency_foreign"},
    {"id": uuid("f07"), "entity_name": "Opportunity", "api_name": "cf_urgent", "name": "Urgent", "type_id": "checkbox"},
    {"id": uuid("f08"), "entity_name": "Opportunity", "api_name": "cf_visit", "name": "Visit", "type_id": "date"},
    {"id": uuid("f09"), "entity_name": "Opportunity", "api_name": "cf_call", "name": "Call", "type_id": "datetime"},
    {
        "id": uuid("f10"),
        "entity_name": "Opportunity",
        "api_name": "cf_port",
        "name": "Port",
        "type_id": "dropdown",
        "data_set": [{"id": uuid("0a1"), "option_name": "Kiel"}, {"id": uuid("0a2"), "option_name": "Riga"}],
    },
    {
        "id": uuid("f11"),
        "entity_name": "Opportunity",
        "api_name": "cf_crew",
        "name": "Crew",
        "type_id": "radio",
        "data_set_id": uuid("0d5"),
    },
    {
        "id": uuid("f12"),
        "entity_name": "Opportunity",
        "api_name": "cf_gear",
        "name": "Gear",
        "type_id": "multiselect_checkbox",
        "data_set": [uri("Data", "0a1"), uri("Data", "0a2")],
    },
    {"id": uuid("f13"), "entity_name": "Opportunity", "api_name": "cf_mail", "name": "Mail", "type_id": "email"},
    {"id": uuid("f14"), "entity_name": "Opportunity", "api_name": "cf_phone", "name": "Phone", "type_id": "phone"},
    {"id": uuid("f15"), "entity_name": "Opportunity", "api_name": "cf_number", "name": "", "type_id": "sequence"},
    {"id": uuid("f16"), "entity_name": "Opportunity", "api_name": "cf_site", "name": "Site", "type_id": "url"},
    {"id": uuid("f17"), "entity_name": "Opportunity", "api_name": "cf_new", "name": "New", "type_id": "hologram"},
    {"id": uuid("f18"), "entity_name": "Account", "api_name": "home_page", "name": "Home page", "type_id": "url"},
    {"id": uuid("f19"), "entity_name": "Account", "api_name": "cf_fleet", "name": "Fleet", "type_id": "integer", "is_deleted": True},
    {"id": uuid("f20"), "entity_name": "Contact", "api_name": "cf_langs", "name": "Languages", "type_id": "input"},
    {"id": uuid("f21"), "entity_name": "Quote", "api_name": "cf_term", "name": "Term", "type_id": "input"},
]
DATA: list[dict[str, Any]] = [
    {"id": uuid("0a1"), "option_name": "Kiel", "data_set_id": uuid("0d1")},
    {"id": uuid("0a2"), "option_name": "Riga", "data_set_id": uuid("0d1")},
    {"id": uuid("0a5"), "option_name": "Small", "data_set_id": uuid("0d5")},
    {"id": uuid("0a6"), "option_name": "Large", "data_set_id": uuid("0d5")},
    {"id": uuid("0a7"), "option_name": "Huge", "data_set_id": uuid("0d5"), "is_deleted": True},
]


def definitions() -> list[CustomFieldDefinition]:
    return definitions_from_wire("dach", decoded(wire.FIELDS, FIELDS), Options.of(decoded(wire.DATA, DATA)))


def test_definitions_are_of_custom_fields_of_the_three_kinds_of_records() -> None:
    found = {(each.applies_to, each.key): each for each in definitions()}

    assert {key for applies_to, key in found if applies_to == "opportunity"} == {each["api_name"] for each in FIELDS[1:18]}
    assert {pair for pair in found if pair[0] != "opportunity"} == {("account", "cf_fleet"), ("contact", "cf_langs")}
    assert found["opportunity", "cf_berth"] == CustomFieldDefinition(
        crm="dach", key="cf_berth", label="Berth", applies_to="opportunity", type=CustomFieldType.TEXT, is_custom=True, is_active=True
    )
    assert found["account", "cf_fleet"].is_active is False
    assert found["opportunity", "cf_number"].label == "cf_number"
    assert [found["opportunity", f"cf_{name}"].options for name in ("port", "gear", "crew")] == [
        ("Kiel", "Riga"),
        ("Kiel", "Riga"),
        ("Small", "Large"),
    ]


@pytest.mark.parametrize(
    ("key", "raw", "kind", "value", "shown"),
    [
        ("cf_berth", "4", CustomFieldType.TEXT, "4", "4"),
        ("cf_berth", "", CustomFieldType.TEXT, None, None),
        ("cf_berth", None, CustomFieldType.TEXT, None, None),
        ("cf_note", "a\nb", CustomFieldType.LONG_TEXT, "a\nb", "a\nb"),
        ("cf_tons", "12.50", CustomFieldType.NUMBER, 12.5, "12.50"),
        ("cf_tons", 12.5, CustomFieldType.NUMBER, 12.5, "12.5"),
        ("cf_tons", "heavy", CustomFieldType.NUMBER, "heavy", "heavy"),
        ("cf_tons", "NaN", CustomFieldType.NUMBER, "NaN", "NaN"),
        ("cf_units", 3, CustomFieldType.NUMBER, 3, "3"),
        ("cf_bond", "100.00", CustomFieldType.NUMBER, 100, "100.00"),
        (
            "cf_deposit",
            {"base_value": "118.00", "currency_id": uuid("e1"), "value_foreign": "100.00"},
            CustomFieldType.JSON,
            {"base_value": "118.00", "value_foreign": "100.00", "currency_id": uuid("e1")},
            "100.00 EUR",
        ),
        ("cf_deposit", "100", CustomFieldType.JSON, "100", "100"),
        ("cf_urgent", False, CustomFieldType.BOOLEAN, False, "false"),
        ("cf_visit", "2026-12-01", CustomFieldType.DATE, "2026-12-01", "2026-12-01"),
        ("cf_visit", "soon", CustomFieldType.DATE, "soon", "soon"),
        ("cf_call", "2026-12-01 08:00:00", CustomFieldType.DATE_TIME, "2026-12-01T08:00:00+00:00", "2026-12-01 08:00:00"),
        ("cf_port", uuid("0a2"), CustomFieldType.SELECT, uuid("0a2"), "Riga"),
        ("cf_port", uuid("dead"), CustomFieldType.SELECT, uuid("dead"), None),
        ("cf_crew", uri("Data", "0a5"), CustomFieldType.SELECT, uuid("0a5"), "Small"),
        ("cf_gear", [uuid("0a1"), uuid("0a2")], CustomFieldType.MULTI_SELECT, [uuid("0a1"), uuid("0a2")], "Kiel, Riga"),
        ("cf_gear", f"{uuid('0a1')},{uuid('0a2')}", CustomFieldType.MULTI_SELECT, [uuid("0a1"), uuid("0a2")], "Kiel, Riga"),
        ("cf_gear", [], CustomFieldType.MULTI_SELECT, [], None),
        ("cf_mail", "a@example.test", CustomFieldType.EMAIL, "a@example.test", "a@example.test"),
        ("cf_phone", "+1", CustomFieldType.PHONE, "+1", "+1"),
        ("cf_number", "OP-7", CustomFieldType.TEXT, "OP-7", "OP-7"),
        ("cf_site", "a.example", CustomFieldType.URL, "a.example", "a.example"),
        ("cf_new", {"x": 1}, CustomFieldType.UNKNOWN, {"x": 1}, "{'x': 1}"),
    ],
)
def test_further_keys_are_custom_fields_by_their_definition(
    key: str, raw: object, kind: CustomFieldType, value: object, shown: str | None
) -> None:
    own = {each.key: each for each in definitions() if each.applies_to == "opportunity"}
    known = mapping.Tables(
        currencies=mapping.currencies_from_wire(decoded(wire.CURRENCIES, CURRENCIES)),
        options=Options.of(decoded(wire.DATA, DATA)),
        custom_fields=own,
    )
    (row,) = decoded(wire.OPPORTUNITIES, [{"id": uuid("1"), key: raw, "table_name": "OPPTY"}])

    record = mapping.opportunity_from_wire("dach", row, tables=known)

    assert record.custom_fields == (CustomField(key=key, label=own[key].label, type=kind, value=value, display_value=shown),)


def test_a_key_that_nothing_explains_is_counted_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (row,) = decoded(wire.OPPORTUNITIES, [{"id": uuid("1"), "brand_new_key": 1, "active_quote_id": None}])

    record = mapping.opportunity_from_wire("dach", row, tables=mapping.Tables(custom_fields={}))

    assert record.custom_fields == ()
    assert "brand_new_key" in caplog.text
    assert "active_quote_id" not in caplog.text


EXPANDED: dict[str, Any] = {
    **OPPORTUNITY,
    "owner": CLIENT,
    "owner_id": CLIENT["id"],
    "primary_account": uri("Accounts", "b2"),
    "account_relations": [{"id": uuid("f4"), "is_primary": True, "account": {"id": uuid("b2"), "name": "Nordkai AG"}}],
    "contact_relations": [
        {"id": uuid("f1"), "is_primary": True, "contact": {"id": uuid("c1"), "first_name": "Ole", "last_name": "Lund", "email1": ""}},
        {"id": uuid("f2"), "is_primary": False, "contact": uri("Contacts", "c2")},
        {"id": uuid("f3"), "is_primary": False, "contact": None},
    ],
}


def test_expanded_records_are_seeds_that_say_what_they_were_read_with() -> None:
    selection = Selection(
        {
            "Opportunity": frozenset({"owner_ref", "account_refs", "contact_refs"}),
            "User": frozenset({"name", "email"}),
            "Account": frozenset({"name", "currency", "phone"}),
            "Contact": frozenset({"name", "first_name", "email"}),
        }
    )
    rows = decoded(wire.OPPORTUNITIES, [EXPANDED, EXPANDED])

    seeds = mapping.seeds_from_wire("dach", rows, selection=selection, labels={})
    record = mapping.opportunity_from_wire("dach", rows[0], tables=mapping.Tables())

    (user,), (own_account,), (own_contact,) = seeds.users, seeds.accounts, seeds.contacts
    assert (user.name, user.read_fields) == ("Mira K.", frozenset({"name", "email", "extension"}))
    assert (own_account.name, own_account.read_fields) == ("Nordkai AG", frozenset({"name", "currency", "extension"}))
    assert (own_contact.name, own_contact.read_fields) == ("Ole Lund", frozenset({"first_name", "email", "extension"}))
    assert record.owner_ref == user.ref
    assert record.account_refs == (own_account.ref,)
    assert record.contact_refs == (own_contact.ref, Ref("dach", uuid("c2")))


def test_an_expanded_account_never_covers_its_links_to_contacts() -> None:
    rows = decoded(wire.OPPORTUNITIES, [{**EXPANDED, "primary_account": ACCOUNT}])

    seeds = mapping.seeds_from_wire("dach", rows, selection=EVERYTHING, labels={})

    whole = next(each for each in seeds.accounts if each.local_id == ACCOUNT["id"])
    assert whole.read_fields is not None
    assert whole.read_fields >= {"name", "email", "address"}
    assert "extension" not in whole.read_fields
