"""What is asked for follows from what is read, and nothing more."""

import pytest

from vendors.model import EVERYTHING, Selection
from vendors.pipeliner.projection import (
    ACCOUNT,
    USER,
    Ask,
    ask_for_account_relations,
    ask_for_accounts,
    ask_for_contact_relations,
    ask_for_contacts,
    ask_for_opportunities,
    reads_currencies,
    reads_labels,
    reads_steps,
)


def reading(*names: str, **more: set[str]) -> Selection:
    return Selection({"Opportunity": frozenset(names), **{name: frozenset(attributes) for name, attributes in more.items()}})


BOARD = reading(
    *("title", "amount", "status", "pipeline_ref", "stage_ref", "owner_ref", "account_ref", "contact_refs"),
    Money={"amount", "currency"},
    User={"name", "email"},
    Account={"name", "currency"},
    Contact={"name", "email"},
)


BOARD_FIELDS = [
    *("id", "is_deleted", "name", "formatted_name", "value", "status", "step_id", "owner_id"),
    *("owner.id", "owner.formatted_name", "owner.first_name", "owner.last_name", "owner.email"),
    *("primary_account.id", "primary_account.name"),
    *("contact_relations.id", "contact_relations.is_deleted", "contact_relations.is_primary", "contact_relations.contact_id"),
    *(f"contact_relations.contact.{name}" for name in ("id", "formatted_name", "first_name", "last_name", "email1")),
]


def test_titles_alone_expand_nothing() -> None:
    assert ask_for_opportunities(reading("title"), seeds=True) == Ask(only=frozenset({"id", "is_deleted", "name", "formatted_name"}))


def test_a_board_is_asked_for_in_one_call() -> None:
    expand, load_only = ask_for_opportunities(BOARD, seeds=True).params()

    assert expand == ("expand", "contact_relations.contact,owner,primary_account")
    assert load_only == ("load-only", ",".join(sorted(BOARD_FIELDS)))


def test_without_seeds_only_links_are_expanded() -> None:
    ask = ask_for_opportunities(BOARD, seeds=False)

    assert ask.expand == {"contact_relations"}
    assert ask.only is not None
    assert not [name for name in ask.only if name.startswith(("owner.", "primary_account.", "contact_relations.contact."))]
    assert ask.only >= {"owner_id", "primary_account"}


def test_all_accounts_hold_the_main_one() -> None:
    ask = ask_for_opportunities(reading("account_ref", "account_refs", "tags", Account={"name"}), seeds=True)

    assert ask.expand == {"account_relations.account", "tags"}
    assert ask.only is not None
    assert ask.only >= {"primary_account", "account_relations.account.name", "tags.name"}


@pytest.mark.parametrize("selection", [EVERYTHING, reading("custom_fields", "owner_ref")])
def test_whole_records_are_asked_for_where_no_names_are_known(selection: Selection) -> None:
    ask = ask_for_opportunities(selection, seeds=True)

    assert ask.only is None
    assert [name for name, _ in ask.params()] == ["expand"]


def test_everything_expands_every_relation() -> None:
    assert ask_for_opportunities(EVERYTHING, seeds=True).expand == {
        "owner",
        "account_relations.account",
        "contact_relations.contact.account_relations",
        "tags",
    }


def test_own_fields_are_asked_for_by_their_own_names() -> None:
    own = {"labels", "value", "share_mode", "won_date", "ranking", "documents", "account_relations", "fitness", "unit_id"}
    ask = ask_for_opportunities(reading("extension", PipelinerOpportunityFields=own), seeds=True)

    assert ask.expand == {"account_relations.account"}
    assert ask.only is not None
    assert {name for name in ask.only if "." not in name} == {
        *("id", "is_deleted", "label_flag", "value", "share_mode", "won_date", "ranking", "documents", "fitness_description", "unit_id")
    }


def test_own_fields_of_links_are_asked_for_only_when_read() -> None:
    ask = ask_for_opportunities(reading("extension", PipelinerOpportunityFields={"contact_relations"}), seeds=False)

    assert ask.only is not None
    assert ask.only >= {f"contact_relations.{name}" for name in ("relationship", "comment", "sales_roles", "contact_id")}


def test_own_fields_of_related_records_come_along() -> None:
    ask = ask_for_opportunities(
        reading(
            *("owner_ref", "primary_contact_ref", "account_ref"),
            PipelinerUserFields={"default_unit_id"},
            PipelinerContactFields={"account_relations", "gender"},
            PipelinerAccountFields={"emails", "account_class"},
        ),
        seeds=True,
    )

    assert ask.expand == {"owner", "primary_account", "primary_contact.account_relations"}
    assert ask.only is not None
    assert ask.only >= {"owner.default_unit_id", "primary_contact.gender", "primary_contact.account_relations", "primary_account.email5"}


def test_the_records_behind_a_relation_are_asked_for_through_it() -> None:
    below = ask_for_opportunities(reading("title", "owner_ref"), seeds=True).below("oppty", ["id"])

    assert below.expand == {"oppty.owner"}
    assert set(below.only or ()) == {
        "id",
        "oppty.id",
        "oppty.is_deleted",
        "oppty.name",
        "oppty.formatted_name",
        "oppty.owner_id",
        "oppty.owner.id",
    }
    assert Ask().below("oppty", ["id"]) == Ask(frozenset({"oppty"}))


def test_links_and_parties_are_asked_for_by_what_is_read_of_them() -> None:
    selection = reading(Account={"address", "industry"}, Contact={"title", "account_ref"})

    assert set(ask_for_accounts(selection).only or ()) == {"id", "address", "city", "zip_code", "state_province", "country", "industry_id"}
    assert ask_for_contacts(selection) == Ask(only=frozenset({"id", "position", "primary_account"}))
    assert ask_for_accounts(EVERYTHING) == Ask()
    assert ask_for_contacts(EVERYTHING) == Ask(frozenset({"account_relations"}))
    assert ask_for_account_relations(selection).expand == {"account"}
    assert set(ask_for_contact_relations(selection).only or ()) == {
        *("contact.id", "contact.position", "contact.primary_account"),
        *("id", "is_deleted", "is_primary", "contact_id", "lead_oppty_id"),
    }


def test_a_record_covers_what_its_fields_are_enough_for() -> None:
    selection = reading(Account={"name", "phone", "currency"}, PipelinerAccountFields={"comments"})

    assert ACCOUNT.covered(selection, frozenset({"id", "name"})) == {"name", "currency"}
    assert ACCOUNT.covered(selection, frozenset({"id", "name", "phone1", "comments"})) == {"name", "phone", "currency", "extension"}
    assert USER.covered(EVERYTHING, frozenset({"id", "email", "default_unit_id"})) == {"email", "extension"}


@pytest.mark.parametrize(
    ("selection", "steps", "currencies", "labels"),
    [
        (reading("title", "stage_ref"), False, False, False),
        (reading("pipeline_ref"), True, False, False),
        (reading("probability_percent"), True, False, False),
        (reading("amount"), False, True, False),
        (reading("extension", PipelinerOpportunityFields={"value"}), False, True, False),
        (reading("lead_source"), False, False, True),
        (reading("account_ref", Account={"industry"}), False, False, True),
        (reading("custom_fields"), False, True, True),
        (EVERYTHING, True, True, True),
    ],
)
def test_tables_are_needed_only_for_what_they_tell(selection: Selection, *, steps: bool, currencies: bool, labels: bool) -> None:
    assert (reads_steps(selection), reads_currencies(selection), reads_labels(selection)) == (steps, currencies, labels)
