"""The seed of the Pipeliner sandbox: references resolve but for the ones that are meant not to, and every oddity is there."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import vendors.pipeliner.sandbox as package

SEED: dict[str, list[dict[str, Any]]] = json.loads(Path(package.__file__).with_name("seed.json").read_text(encoding="utf-8"))
DEALS = SEED["Opportunities"]
VISIBLE = [deal for deal in DEALS if not deal.get("is_deleted")]
IDS = {entity: {row["id"] for row in rows} for entity, rows in SEED.items()}
BROKEN = {"00000000-0000-0000-0000-00000001ffff", "00000000-0000-4000-8000-00000000c0de"}
# Source: Pipeliner "Create Opportunity", POST/entities/Opportunities, answer: keys that people or other records fill.
FILLED = [
    *("description", "is_archived", "is_delete_protected", "is_deleted", "is_favorite", "is_value_auto_calculate"),
    *("label_flag", "lost_date", "oppty_recurrence", "oppty_type_id", "product_currency_id", "product_price_list_id"),
    *("product_relations", "product_sections", "qualify_date", "quick_account_email", "quick_account_name"),
    *("quick_account_phone", "quick_contact_name", "quick_email", "quick_phone", "ranking", "reason_of_close_description"),
    *("reason_of_close_id", "revenue_schedule", "share_mode", "sharing_clients", "sharing_units", "status", "documents"),
    *("was_qualified", "won_date"),
]


def primary(entity: str, key: str) -> dict[str, str]:
    """The record that each opportunity's primary link leads to."""
    return {row["lead_oppty_id"]: row[key] for row in SEED[entity] if row["is_primary"]}


ACCOUNT_OF = primary("LeadOpptyAccountRelations", "account_id")
CONTACT_OF = primary("LeadOpptyContactRelations", "contact_id")


def named(name: str) -> dict[str, Any]:
    (deal,) = [deal for deal in DEALS if deal["name"] == name]
    return deal


def test_ids_are_unique_and_rows_are_in_their_order() -> None:
    assert all(len(IDS[entity]) == len(SEED[entity]) for entity in SEED)
    assert [deal["id"] for deal in DEALS] == sorted(IDS["Opportunities"])


def test_it_is_the_size_of_the_other_crms() -> None:
    assert 48 <= len(DEALS) <= 55
    assert 12 <= len(SEED["Contacts"]) <= 27
    assert 10 <= len(SEED["Accounts"]) <= 16
    assert 3 <= len(DEALS) - len(VISIBLE) <= 4


def test_the_first_rows_have_account_contact_and_owner() -> None:
    whole = [
        deal
        for deal in VISIBLE[:25]
        if ACCOUNT_OF.get(deal["id"]) in IDS["Accounts"]
        and CONTACT_OF.get(deal["id"]) in IDS["Contacts"]
        and deal["owner_id"] in IDS["Clients"]
    ]

    assert len(whole) >= 20


@pytest.mark.parametrize(("status", "least"), [(1, 25), (2, 8), (3, 8)])
def test_every_status_is_there(status: int, least: int) -> None:
    assert len([deal for deal in VISIBLE if deal.get("status", 1) == status]) >= least


@pytest.mark.parametrize(
    ("entity", "key", "target"),
    [
        ("Opportunities", "owner_id", "Clients"),
        ("Opportunities", "step_id", "Steps"),
        ("Opportunities", "unit_id", "SalesUnits"),
        ("Opportunities", "oppty_type_id", "OpportunityTypes"),
        ("Opportunities", "reason_of_close_id", "Data"),
        ("Opportunities", "lead_source_id", "Data"),
        ("Opportunities", "cf_segment", "Data"),
        ("Accounts", "owner_id", "Clients"),
        ("Accounts", "parent_account_id", "Accounts"),
        ("Accounts", "industry_id", "Data"),
        ("Accounts", "customer_type_id", "Data"),
        ("Accounts", "account_type_id", "AccountTypes"),
        ("Contacts", "owner_id", "Clients"),
        ("LeadOpptyAccountRelations", "account_id", "Accounts"),
        ("LeadOpptyContactRelations", "contact_id", "Contacts"),
        ("ContactAccountRelations", "account_id", "Accounts"),
        ("ContactAccountRelations", "contact_id", "Contacts"),
        ("Steps", "pipeline_id", "Pipelines"),
        ("StepChecklists", "field_id", "Fields"),
        ("CurrencyExchangeRates", "currency_id", "Currencies"),
    ],
)
def test_references_resolve_but_for_the_broken_ones(entity: str, key: str, target: str) -> None:
    assert {row[key] for row in SEED[entity] if key in row} - IDS[target] <= BROKEN


def test_each_broken_reference_is_there_once() -> None:
    assert [deal["owner_id"] in BROKEN for deal in DEALS].count(True) == 1
    assert [link["contact_id"] in BROKEN for link in SEED["LeadOpptyContactRelations"]].count(True) == 1


def test_links_belong_to_opportunities_or_leads_and_each_has_one_primary() -> None:
    for entity in ("LeadOpptyAccountRelations", "LeadOpptyContactRelations"):
        owners = [link["lead_oppty_id"] for link in SEED[entity]]
        assert set(owners) <= IDS["Opportunities"] | IDS["Leads"]
        assert sorted(link["lead_oppty_id"] for link in SEED[entity] if link["is_primary"]) == sorted(set(owners))


@pytest.mark.parametrize("key", FILLED)
def test_every_key_of_the_document_is_filled_somewhere(key: str) -> None:
    assert [deal for deal in DEALS if deal.get(key) not in (None, "", False, 0, [])]


def test_values_follow_the_exchange_rates() -> None:
    code = {row["id"]: row["code"] for row in SEED["Currencies"]}
    rates = {
        row["currency_id"]: Decimal(row["exchange_rate"]) for row in sorted(SEED["CurrencyExchangeRates"], key=lambda row: row["created"])
    }

    for deal in DEALS:
        value = deal["value"]
        if code[value["currency_id"]] == "EUR":
            assert value["base_value"] == value["value_foreign"]
        elif value["currency_id"] in rates:
            assert Decimal(value["base_value"]) == (Decimal(value["value_foreign"]) / rates[value["currency_id"]]).quantize(Decimal("0.01"))
    assert {code[deal["value"]["currency_id"]] for deal in VISIBLE} == {"EUR", "USD", "CHF", "Kronen"}


def test_amounts_and_dates_are_those_of_the_story() -> None:
    amounts = [Decimal(deal["value"]["value_foreign"]) for deal in DEALS]

    assert (min(amounts), max(amounts)) == (Decimal(0), Decimal(2_400_000))
    assert min(deal["created"] for deal in DEALS) >= "2025-08" and max(deal["modified"] for deal in DEALS) < "2026-11-22"
    assert min(deal["closing_date"] for deal in DEALS) >= "2026-01" and max(deal["closing_date"] for deal in DEALS) <= "2027-09-30"
    assert len([deal for deal in VISIBLE if deal.get("status", 1) == 1 and deal["closing_date"] < "2026-11-21"]) >= 3


@pytest.mark.parametrize(
    ("email", "name", "account"),
    [
        ("lene@fjordshipping.example", "Lene Sorensen", "Fjord Shipping A/S"),
        ("ole@harbourlines.example", "Ole Lund", "Harbour Lines GmbH"),
        ("juergen.mueller@mueller-soehne.example", "Jürgen Müller", "Müller & Söhne Werft GmbH"),
        ("kasia.zielinska@portgdynia.example", "Kasia Zielińska", "Zarząd Portu Gdynia"),
    ],
)
def test_people_and_accounts_of_the_story_are_there(email: str, name: str, account: str) -> None:
    (contact,) = [row for row in SEED["Contacts"] if row.get("email1") == email]
    (link,) = [row for row in SEED["ContactAccountRelations"] if row["contact_id"] == contact["id"]]

    assert f"{contact['first_name']} {contact['last_name']}" == name
    assert [row["name"] for row in SEED["Accounts"] if row["id"] == link["account_id"]] == [account]


def test_owners_are_those_of_the_story_and_one_has_left() -> None:
    assert {row["email"]: bool(row.get("is_deleted")) for row in SEED["Clients"] if row["email"]} == {
        "mira.koenig@nordkai.example": False,
        "karl-heinz.vogt@nordkai.example": False,
        "tove.ek@nordkai.example": False,
        "ewa.nowak@nordkai.example": False,
        "hanno.petersen@nordkai.example": True,
    }
    (gone,) = [row["id"] for row in SEED["Clients"] if row.get("is_deleted")]
    assert len([deal for deal in VISIBLE if deal["owner_id"] == gone]) >= 3


def test_the_odd_values_are_there() -> None:
    percent = {row["id"]: row["percent"] for row in SEED["Steps"]}

    assert named("Anchor handling winch")["status"] == 3 and percent[named("Anchor handling winch")["step_id"]] == 75
    assert "status" not in named("Deck lighting, order in the wrong step") and named("Deck lighting, order in the wrong step")["won_date"]
    assert percent[named("Deck lighting, order in the wrong step")["step_id"]] == 100
    assert named("Harbour crane, used")["status"] == 2 and "lost_date" not in named("Harbour crane, used")
    assert max(len(deal["name"]) for deal in DEALS) > 250
    assert {deal.get("label_flag", 0) for deal in VISIBLE} >= {0, 1, 2, 3, 4, 6, 7}
    assert {deal.get("share_mode", 0) for deal in VISIBLE} == {0, 1, 2, 3}
    assert named("Slipway winch")["id"] not in ACCOUNT_OF
    assert {row.get("gender", 0) for row in SEED["Contacts"]} == {0, 1, 2, 3}
    assert {row.get("account_class", 1) for row in SEED["Accounts"]} == {1, 2, 3, 4, 5}


def test_a_deal_stands_in_a_pipeline_that_was_deleted() -> None:
    deleted = {row["id"] for row in SEED["Pipelines"] if row.get("is_deleted")}
    steps = {row["id"] for row in SEED["Steps"] if row.get("pipeline_id") in deleted}

    assert len(SEED["Pipelines"]) - len(deleted) == 2
    assert [deal["name"] for deal in VISIBLE if deal["step_id"] in steps] == ["Old stock: capstans"]
