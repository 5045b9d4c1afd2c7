"""The parts of Pipeliner's writes that need no server: bodies, links, values of custom fields, settings."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from vendors.model import OpportunityStatus
from vendors.pipeliner import wire
from vendors.pipeliner.bodies import Draft, encoded, instant_text, is_writable_number, shown
from vendors.pipeliner.closing import ClosingStages
from vendors.pipeliner.custom_fields import Options
from vendors.pipeliner.custom_inputs import MisfitError, custom_value_to_wire
from vendors.pipeliner.links import ACCOUNTS, CONTACTS, Standing, Wish, put_links, standing_from_wire
from vendors.pipeliner.settings import Settings
from vendors.vendor_clock import VendorClock

IDS = [f"00000000-0000-4000-8000-0000000000{number:02x}" for number in range(4)]
SETTINGS: dict[str, Any] = {"service_url": "pipeliner.example", "space_id": "demo_space", "username": "user", "password": "secret"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal(100), "100"),
        (Decimal("1E+2"), "100"),
        (Decimal("0.10"), "0.10"),
        (Decimal("12345678901234567890.123456789"), "12345678901234567890.123456789"),
        ({"a": [Decimal("1.50"), None, True, 'ü\n"']}, '{"a": [1.50, null, true, "ü\\n\\""]}'),
        ((), "[]"),
        (0.1, "0.1"),
    ],
)
def test_bodies_are_json_with_exact_numbers(value: Any, text: str) -> None:
    assert encoded(value) == text.encode()


@pytest.mark.parametrize("value", ["\ud800", float("nan"), {"\ud800": 1}, [float("inf")]])
def test_what_is_no_json_is_refused_where_it_is_given(value: Any) -> None:
    draft = Draft()

    draft.put("name", value, ("title",))

    assert draft.body == {} and [violation.path for violation in draft.violations] == [("title",)]


def test_instants_are_written_in_utc_without_offset() -> None:
    assert instant_text(datetime(2026, 3, 1, 2, tzinfo=timezone(timedelta(hours=5)))) == "2026-02-28T21:00:00"
    assert instant_text(datetime(2026, 3, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-03-01T02:03:04.000005"
    assert instant_text(datetime(2026, 3, 1)) == "2026-03-01T00:00:00"  # noqa: DTZ001  # a time without an offset is in UTC


def test_numbers_that_would_take_forever_are_not_written() -> None:
    assert is_writable_number(Decimal("9" * 50)) and is_writable_number(Decimal("0." + "1" * 50)) and is_writable_number(Decimal(-1))
    assert not any(is_writable_number(Decimal(text)) for text in ("1E+50", "1E-51", "NaN", "sNaN", "-Infinity"))


def test_long_values_are_shortened_in_messages() -> None:
    assert shown("short") == "'short'"
    assert len(shown("x" * 10_000)) < 100


def test_links_that_stand_are_read_with_the_main_one_first() -> None:
    rows = [
        wire.AccountRelation.model_validate({"id": "a", "account_id": IDS[0], "is_primary": False}),
        wire.AccountRelation.model_validate({"id": "b", "account": f"https://host/entities/Accounts/{IDS[1]}", "is_primary": True}),
        wire.AccountRelation.model_validate({"id": "c", "account_id": IDS[2], "is_deleted": True}),
        wire.AccountRelation.model_validate({"id": "d"}),
    ]

    assert standing_from_wire(rows) == [Standing("b", IDS[1], is_main=True), Standing("a", IDS[0], is_main=False)]
    contact = wire.ContactRelation.model_validate({"id": "e", "contact": {"id": IDS[3]}})
    assert standing_from_wire([contact]) == [Standing("e", IDS[3], is_main=False)]


def planned(wish: Wish, *standing: Standing, known: tuple[str, ...] = tuple(IDS)) -> tuple[Any, list[str], list[str]]:
    """The list to send, the links to delete, and the attributes that are refused."""
    draft = Draft()
    removals = put_links(draft, CONTACTS, wish, standing=standing, known=known)
    return draft.body.get("contact_relations"), [removal.link_id for removal in removals], [each.path[0] for each in draft.violations]


def test_the_main_link_is_deleted_last() -> None:
    main, other = Standing("m", IDS[0], is_main=True), Standing("o", IDS[1], is_main=False)

    assert planned(Wish(all=()), main, other) == (None, ["o", "m"], [])


def test_a_list_without_a_main_link_gets_one() -> None:
    """Such lists break the vendor's rule, and the next change mends them."""
    first, other = Standing("f", IDS[0], is_main=False), Standing("o", IDS[1], is_main=False)

    assert planned(Wish(add=(IDS[0],)), first, other) == ([{"id": "f", "is_primary": True}, {"id": "o", "is_primary": False}], [], [])


def test_two_links_to_the_same_record_have_one_main() -> None:
    main, twin = Standing("m", IDS[0], is_main=True), Standing("t", IDS[0], is_main=True)

    sent, deleted, _ = planned(Wish(main=IDS[0]), main, twin)

    assert (sent, deleted) == ([{"id": "m", "is_primary": True}, {"id": "t", "is_primary": False}], [])


def test_what_is_linked_need_not_be_known() -> None:
    main = Standing("m", IDS[0], is_main=True)

    assert planned(Wish(all=(IDS[0],)), main, known=()) == (None, [], [])
    assert planned(Wish(all=(IDS[0], IDS[1])), main, known=()) == (None, [], ["contact_ids"])


def test_nothing_wanted_changes_nothing() -> None:
    draft = Draft()

    assert put_links(draft, ACCOUNTS, Wish(), standing=[], known=()) == [] and draft == Draft()


def field(type_id: str | None, **more: Any) -> wire.Field:
    return wire.Field.model_validate({"id": "f", "api_name": "cf_x", "entity_name": "Opportunity", "type_id": type_id, **more})


DELETED = {"id": IDS[1], "option_name": "Old", "is_deleted": True}
OPTIONS = Options.of([wire.Data.model_validate({"id": IDS[0], "option_name": "One", "data_set_id": "s"})])


@pytest.mark.parametrize(
    ("type_id", "value", "sent"),
    [
        ("float", 1.1, Decimal("1.1")),
        ("currency", "12.50", Decimal("12.50")),
        ("integer", "3", 3),
        ("dropdown", "One", IDS[0]),
        ("radio", IDS[0], IDS[0]),
        ("multiselect_checkbox", ["One", IDS[0]], [IDS[0]]),
        (
            "currency_foreign",
            {"base_value": 1, "value_foreign": "2", "currency_id": "c"},
            {"value_foreign": Decimal(2), "currency_id": "c"},
        ),
        ("currency_foreign", {"base_value": 1, "currency_id": "c"}, {"base_value": Decimal(1), "currency_id": "c"}),
        ("new_in_2027", {"any": 1}, {"any": 1}),
        (None, "x", "x"),
        *[(kind, None, "") for kind in ("email", "input", "phone", "text_area", "url")],
        *[(kind, None, None) for kind in ("checkbox", "currency", "date", "datetime", "dropdown", "float", "integer", "radio")],
    ],
)
def test_custom_values_by_their_type(type_id: str | None, value: Any, sent: Any) -> None:
    found = custom_value_to_wire(field(type_id, data_set_id="s"), value, OPTIONS)

    assert found == sent and type(found) is type(sent)


def test_options_may_come_with_their_field() -> None:
    own = field("dropdown", data_set=[{"id": IDS[2], "option_name": "Three"}, DELETED, f"https://host/entities/Data/{IDS[0]}"])

    assert OPTIONS.choices(own) == {IDS[2]: "Three", IDS[0]: "One"}
    with pytest.raises(MisfitError):
        custom_value_to_wire(own, "Old", OPTIONS)


@pytest.mark.parametrize("value", [{}, [], "x", {"base_value": 1, "currency_id": "c", "more": 1}, {"base_value": "x", "currency_id": "c"}])
def test_money_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(MisfitError):
        custom_value_to_wire(field("currency_foreign"), value, OPTIONS)


@pytest.mark.parametrize("value", [IDS[0], f"{IDS[0]}, {IDS[1]}", [IDS[0], IDS[1]]])
def test_closing_stages_are_one_id_or_several(value: Any) -> None:
    settings = Settings.model_validate({**SETTINGS, "won_stage_id": value})

    assert settings.won_stage_id[0] == IDS[0] and settings.lost_stage_id == ()


@pytest.mark.parametrize(
    "wrong", [{"won_stage_id": "Closed/Won"}, {"lost_stage_id": ["x"]}, {"validation_level": 1}, {"validation_level": 32}]
)
def test_settings_of_writes_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({**SETTINGS, **wrong})


def test_without_a_validation_level_the_vendor_decides() -> None:
    assert Settings.model_validate(SETTINGS).write_params == ()
    assert Settings.model_validate({**SETTINGS, "validation_level": 0}).write_params == (("validation-level", "0"),)


def test_what_can_be_closed_follows_from_the_settings() -> None:
    won, lost, opened = OpportunityStatus.WON, OpportunityStatus.LOST, OpportunityStatus.OPEN

    assert ClosingStages().statuses == frozenset()
    assert ClosingStages(won=("a",)).statuses == {won, opened}
    assert ClosingStages(won=("a",), lost=("b",)).statuses == {won, lost, opened}


def test_the_vendors_clock_goes_on_between_its_answers() -> None:
    seconds = 10.0
    clock = VendorClock(lambda: seconds)
    first = clock.now()
    clock.note({"Date": "Sat, 21 Nov 2026 08:00:00 GMT"})
    seconds = 75.9
    clock.note({})
    clock.note({"Date": "soon"})

    assert (first, clock.now()) == (None, datetime(2026, 11, 21, 8, 1, 5, tzinfo=UTC))
    clock.note({"Date": "Sat, 21 Nov 2026 09:00:00 -0000"})
    assert clock.now() == datetime(2026, 11, 21, 9, tzinfo=UTC)
