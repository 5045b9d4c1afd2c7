"""Positions between the vendor's cursors, and where the API lives."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from vendors.pipeliner import wire
from vendors.pipeliner.places import Place, Slice, Spot, cut
from vendors.pipeliner.settings import Settings
from vendors.wire import Decoded

# Source: the vendor's cursors are base64 of a JSON array that holds the id: ["5a0d..."].
END = "WyI1YTBkMWUyYi0xMTExLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEiXQ=="


def answer(*ids: str, info: dict[str, Any] | None) -> Decoded[wire.Rows[wire.Opportunity]]:
    return wire.OPPORTUNITIES.decode(json.dumps({"success": True, "data": [{"id": each} for each in ids], "page_info": info}))


def taken_from(page: Decoded[wire.Rows[wire.Opportunity]], place: Place, size: int, *, repeats: bool = False) -> Slice[wire.Opportunity]:
    """Cut a page in the order of ids, all of whose rows are shown."""
    return cut(page, [Spot(row, index) for index, row in enumerate(page.value.data)], place, size, repeats=repeats)


def more(cursor: str | None = END) -> dict[str, Any]:
    return {"end_cursor": cursor, "has_next_page": True}


LAST = {"end_cursor": END, "has_next_page": False}


def taken(found: Slice[wire.Opportunity]) -> list[str]:
    return [row.id for row, _ in found.rows]


def test_a_position_is_short_printable_and_read_back() -> None:
    place = Place(END, "5a0d1e2b-1111-4000-8000-000000000001", 99, "2026-02-03T08:59:33.462293+00:00")

    assert Place.at(place.position) == place
    assert Place.at(None) == Place()
    assert place.position.isascii() and place.position.isprintable() and len(place.position) < 200


def test_the_end_of_a_page_goes_on_at_its_cursor() -> None:
    found = taken_from(answer("a", "b", "c", info=more()), Place(), 3)

    assert taken(found) == ["a", "b", "c"]
    assert [Place.at(position) for _, position in found.rows] == [Place(None, "a", 1), Place(None, "b", 2), Place(END)]
    assert (found.has_more, found.position) == (True, Place(END).position)


def test_the_middle_of_a_page_goes_on_behind_the_row() -> None:
    found = taken_from(answer("a", "b", "c", "d", info=LAST), Place("x", "b", 2), 1)

    assert taken(found) == ["c"]
    assert (found.has_more, found.position) == (True, Place("x", "c", 3).position)


@pytest.mark.parametrize("info", [LAST, None, more(None), more(""), {"end_cursor": END}])
def test_a_list_ends_unless_the_vendor_says_where_it_goes_on(info: dict[str, Any] | None) -> None:
    assert taken_from(answer("a", info=info), Place(), 5).has_more is False


def test_an_empty_page_ends_the_list_whatever_it_says() -> None:
    found = taken_from(answer(info=more()), Place(END), 5)

    assert (taken(found), found.has_more, found.position) == ([], False, None)


def test_a_row_that_is_gone_is_passed_by_its_id() -> None:
    assert taken(taken_from(answer("a", "c", "d", info=LAST), Place(None, "b", 2), 5)) == ["c", "d"]
    assert taken(taken_from(answer("a", info=LAST), Place(None, "b", 2), 5)) == []


def test_a_page_seen_to_its_end_goes_on_with_the_next() -> None:
    found = taken_from(answer("a", "b", info=more()), Place(None, "b", 2), 5)

    assert (taken(found), found.has_more, found.position) == ([], True, Place(END).position)


def test_rows_that_were_left_out_do_not_end_the_list() -> None:
    body = {"data": [{"id": {"no": "id"}}], "page_info": more()}

    found = taken_from(wire.OPPORTUNITIES.decode(json.dumps(body)), Place(), 1)

    assert (found.dropped, found.has_more, found.position) == (1, True, Place(END).position)


def dated(*rows: tuple[str, str | None]) -> list[Spot[wire.Opportunity]]:
    return [Spot(wire.Opportunity(id=row_id), index, value) for index, (row_id, value) in enumerate(rows)]


def test_in_another_order_a_row_that_has_moved_is_passed_by_its_old_value() -> None:
    page = answer("c", "a", "d", "b", info=LAST)
    rows = dated(("c", "2026-01-01"), ("a", "2026-02-01"), ("d", "2026-03-01"), ("b", "2026-09-01"))

    behind = cut(page, rows, Place(None, "b", 2, "2026-01-15"), 9)
    with_ties = cut(page, rows, Place(None, "b", 2, "2026-02-01"), 9)

    assert taken(behind) == ["a", "d", "b"]
    assert taken(with_ties) == ["d", "b"]
    assert Place.at(behind.rows[0][1]) == Place(None, "a", 2, "2026-02-01")


def test_in_a_descending_order_greater_values_are_behind_and_rows_without_one_before() -> None:
    page = answer("n", "c", "a", info=LAST)
    rows = dated(("n", None), ("c", "2026-03-01"), ("a", "2026-01-01"))

    def behind(place: Place) -> list[str]:
        return taken(cut(page, rows, place, 9, descending=True))

    assert behind(Place(None, "x", 1, "2026-02-01")) == ["a"]
    assert behind(Place(None, "m", 1, None)) == ["n", "c", "a"]
    assert behind(Place(None, "o", 1, None)) == ["c", "a"]
    assert taken(cut(page, rows[::-1], Place(None, "o", 1, None), 9)) == []
    assert taken(cut(page, rows[::-1], Place(None, "x", 1, "2026-02-01"), 9)) == ["c", "n"]


def test_a_record_that_two_pages_hold_is_taken_once() -> None:
    first = taken_from(answer("a", "b", info=more()), Place(), 2, repeats=True)

    second = taken_from(answer("b", "c", info=LAST), Place.at(first.position), 2, repeats=True)

    assert (taken(first), taken(second)) == (["a", "b"], ["c"])
    assert Place.at(first.position) == Place(END, "b")


def test_a_page_without_a_record_to_show_keeps_what_was_seen_last() -> None:
    found = cut(answer("x", "y", info=more()), dated(), Place("start", "b"), 2, repeats=True)

    assert (taken(found), found.has_more, found.position) == ([], True, Place(END, "b").position)


@pytest.mark.parametrize(
    ("service_url", "base_url"),
    [
        ("eu-central.api.pipelinersales.com", "https://eu-central.api.pipelinersales.com/api/v100/rest/spaces/nv3_PipelinerDev/entities/"),
        ("https://us-east.pipelinersales.com/", "https://us-east.pipelinersales.com/api/v100/rest/spaces/nv3_PipelinerDev/entities/"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v100/rest/spaces/nv3_PipelinerDev/entities/"),
        ("https://crm.example/proxy", "https://crm.example/proxy/api/v100/rest/spaces/nv3_PipelinerDev/entities/"),
        ("https://crm.example/api/v100", "https://crm.example/api/v100/rest/spaces/nv3_PipelinerDev/entities/"),
        ("crm.example/api/v100/rest/spaces/other", "https://crm.example/api/v100/rest/spaces/nv3_PipelinerDev/entities/"),
    ],
)
def test_the_service_url_may_have_a_scheme_and_a_path(service_url: str, base_url: str) -> None:
    settings = Settings.model_validate({"service_url": service_url, "space_id": "nv3_PipelinerDev", "username": "u", "password": "p"})

    assert settings.base_url == base_url
    assert base_url.startswith(settings.origin.partition("/api/")[0].rstrip("/"))


@pytest.mark.parametrize(
    ("key", "value"), [("space_id", "a/../b"), ("space_id", ""), ("service_url", "https://u:p@host"), ("service_url", "ftp://host/x?y")]
)
def test_settings_that_would_lead_elsewhere_are_refused(key: str, value: str) -> None:
    given = {"service_url": "crm.example", "space_id": "fr_Myself", "username": "u", "password": "p", key: value}

    with pytest.raises(ValidationError):
        Settings.model_validate(given)
