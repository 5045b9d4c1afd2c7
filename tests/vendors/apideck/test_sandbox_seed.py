"""The seed of the Apideck sandbox: references resolve but for the ones that are meant not to, and every oddity is there."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import vendors.apideck.sandbox as package

SEED: dict[str, list[dict[str, Any]]] = json.loads(Path(package.__file__).with_name("seed.json").read_text(encoding="utf-8"))
DEALS = SEED["opportunities"]
IDS = {resource: {record["id"] for record in records} for resource, records in SEED.items()}
STAGES = {(pipeline["id"], stage["id"]) for pipeline in SEED["pipelines"] for stage in pipeline["stages"]}
BROKEN = {"999999", "71009999", "6214499999"}


def values(key: str) -> list[Any]:
    return [deal[key] for deal in DEALS if deal.get(key) is not None]


def test_ids_are_unique() -> None:
    assert all(len(IDS[resource]) == len(SEED[resource]) for resource in SEED)


def test_it_is_the_size_of_the_other_crms() -> None:
    assert 48 <= len(DEALS) <= 55
    assert 12 <= len(SEED["contacts"]) <= 27
    assert 10 <= len(SEED["companies"]) <= 16


def test_at_least_twenty_visible_deals_have_account_contact_and_owner() -> None:
    whole = [
        deal
        for deal in DEALS
        if not deal["deleted"]
        and deal["company_id"] in IDS["companies"]
        and deal["primary_contact_id"] in IDS["contacts"]
        and deal["owner_id"] in IDS["users"]
    ]

    assert len(whole) >= 20


@pytest.mark.parametrize(
    ("key", "resource"),
    [
        ("company_id", "companies"),
        ("owner_id", "users"),
        ("primary_contact_id", "contacts"),
        ("contact_id", "contacts"),
        ("created_by", "users"),
        ("updated_by", "users"),
        ("pipeline_id", "pipelines"),
    ],
)
def test_references_resolve_but_for_the_broken_ones(key: str, resource: str) -> None:
    assert set(values(key)) - IDS[resource] <= BROKEN


def test_stages_are_in_their_pipelines_but_for_the_broken_one() -> None:
    astray = [
        deal["id"]
        for deal in DEALS
        if deal.get("pipeline_id") is not None and (deal["pipeline_id"], deal["pipeline_stage_id"]) not in STAGES
    ]

    assert astray == ["9017442152"]


def test_contacts_and_companies_refer_to_what_exists() -> None:
    assert {contact["company_id"] for contact in SEED["contacts"] if contact.get("company_id")} <= IDS["companies"]
    assert {company["parent_id"] for company in SEED["companies"] if company.get("parent_id")} - IDS["companies"] == {"6214499999"}
    assert {company["owner_id"] for company in SEED["companies"] if company.get("owner_id")} <= IDS["users"]


def test_the_story_is_told() -> None:
    emails = {email["email"] for user in SEED["users"] for email in user["emails"]}
    contact = next(contact for contact in SEED["contacts"] if contact["name"] == "Marcus Reed")

    assert {f"{name}@nordkai.example" for name in ("mira.koenig", "anna.oneil", "priya.raman", "diego.santos")} <= emails
    assert contact["company_name"] == "Atlantic Crane Co."
    assert "Baltic Timber and Freight" in {company["name"] for company in SEED["companies"]}
    assert set(values("currency")) == {"USD", "CAD", "BRL", "UNKNOWN_CURRENCY"}
    assert Counter(deal.get("currency") for deal in DEALS)["UNKNOWN_CURRENCY"] == 1
    assert (min(values("monetary_amount")), max(values("monetary_amount"))) == (0, 2_400_000)
    assert (min(values("created_at"))[:7], max(values("created_at"))[:7]) == ("2025-08", "2026-11")
    assert (min(values("close_date"))[:7], max(values("close_date"))[:7]) == ("2026-01", "2027-09")


def test_every_odd_value_of_the_document_is_there() -> None:
    titles = [deal["title"] for deal in DEALS]
    pairs = [(deal.get("primary_contact_id"), deal.get("contact_id")) for deal in DEALS]

    assert "" in titles
    assert max(map(len, titles)) > 200
    assert any(not title.isascii() for title in titles)
    assert any(first and first == second for first, second in pairs)
    assert any(first and second and first != second for first, second in pairs)
    assert any(deal["company_id"] is None and deal["company_name"] for deal in DEALS if "company_name" in deal)
    assert any("pipeline_id" not in deal and deal["pipeline_stage_id"] for deal in DEALS)
    assert any(deal["status"] == "closedwon" and deal["win_probability"] == 60 for deal in DEALS)
    assert any(deal["win_probability"] is not None and deal["win_probability"] > 100 for deal in DEALS)
    assert sum(deal["deleted"] for deal in DEALS) == 3
    assert {deal["status"] for deal in DEALS} >= {"open", "Open", "In progress", "closedwon", "closedlost", "Closed", None}
    assert any(user["status"] == "inactive" for user in SEED["users"])
    assert any(deal.get("updated_at") is None for deal in DEALS)
    assert any(stamp.endswith("-05:00") for stamp in values("created_at"))
    assert any(deal.get("stage_last_changed_at") != deal.get("date_stage_changed") for deal in DEALS)
    assert any(deal.get("tags", []) is None for deal in DEALS)
    assert any(deal.get("custom_mappings") for deal in DEALS)


def test_custom_fields_have_every_kind_of_value_and_lack_either_key() -> None:
    fields = [field for deal in DEALS for field in deal.get("custom_fields", [])]

    assert {type(field["value"]) for field in fields} == {str, int, float, bool, dict, list, type(None)}
    assert any("name" not in field for field in fields)
    assert any("id" not in field for field in fields)
    assert any("description" in field for field in fields)
