"""What is kept of a Crm, for how long, and whom it serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from vendors.cache import KeptPage, MemoryCache, Wish
from vendors.capabilities import Page, Row
from vendors.model import Contact, Ref

NAME: Wish = frozenset({("Contact", "name")})
NAME_AND_EMAIL: Wish = frozenset({("Contact", "name"), ("Contact", "email")})


@dataclass(slots=True)
class SetClock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def contact(number: int) -> Contact:
    return Contact(ref=Ref("left", str(number)), name=f"Contact {number}")


def page(*numbers: int, read_at: float = 1_000.0) -> KeptPage:
    return KeptPage(Page(rows=[Row(contact(number), str(number)) for number in numbers], has_more=False), read_at, NAME)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def cache(clock: SetClock) -> MemoryCache:
    return MemoryCache(ttl_seconds=300, clock=clock, most_records=5)


def keep(cache: MemoryCache, records: Mapping[str, Any], *, wish: Wish = NAME, read_at: float | None = None) -> None:
    cache.keep("Contact", records, wish=wish, read_at=cache.now() if read_at is None else read_at, revision=cache.revision)


def kept(cache: MemoryCache, *ids: str, wish: Wish = NAME, max_age: float = 60) -> list[str]:
    return list(cache.take("Contact", ids, wish=wish, max_age=max_age).records)


def test_records_are_given_in_the_order_of_the_ids_with_the_age_of_the_oldest(cache: MemoryCache, clock: SetClock) -> None:
    keep(cache, {"1": contact(1)})
    clock.now += 20
    keep(cache, {"2": contact(2), "3": None})
    clock.now += 10

    taken = cache.take("Contact", ["3", "2", "1", "4"], wish=NAME, max_age=60)

    assert list(taken.records.items()) == [("3", None), ("2", contact(2)), ("1", contact(1))]
    assert taken.age == 30


def test_what_is_older_than_is_allowed_is_not_given(cache: MemoryCache, clock: SetClock) -> None:
    keep(cache, {"1": contact(1)})
    clock.now += 61

    assert kept(cache, "1", max_age=60) == []
    assert kept(cache, "1", max_age=61) == ["1"]


def test_nothing_is_given_that_is_older_than_anything_may_be_kept(cache: MemoryCache, clock: SetClock) -> None:
    keep(cache, {"1": contact(1)})
    cache.keep_page("Contact", "key", page(1), revision=cache.revision)
    clock.now += 301

    assert kept(cache, "1", max_age=3_600) == []
    assert cache.page("Contact", "key", wish=NAME, max_age=3_600) is None


def test_what_a_small_table_told_serves_as_long_as_the_table_does(cache: MemoryCache, clock: SetClock) -> None:
    cache.keep("User", {"1": contact(1)}, wish=NAME, read_at=clock.now, revision=cache.revision, until=clock.now + 200)
    clock.now += 199

    assert cache.take("User", ["1"], wish=NAME, max_age=1).age == 199
    clock.now += 1
    assert not cache.take("User", ["1"], wish=NAME, max_age=1).records


@pytest.mark.parametrize("max_age", [1, 60, 250, 3_600])
@pytest.mark.parametrize("table_until", [0, 80, 400])
def test_what_is_given_is_told_with_the_moment_at_which_it_is_not_any_more(
    max_age: float, table_until: float, cache: MemoryCache, clock: SetClock
) -> None:
    begun = clock.now
    cache.keep("User", {"1": contact(1)}, wish=NAME, read_at=begun, revision=cache.revision, until=begun + table_until)
    cache.keep("User", {"2": None}, wish=NAME, read_at=begun + 0.5, revision=cache.revision)
    clock.now += 0.75

    taken = cache.take("User", ["1", "2"], wish=NAME, max_age=max_age)
    told: list[float] = []
    while len(taken.records) == 2:
        told.append(taken.span[1])
        clock.now = taken.span[1] - 0.25
        assert len(cache.take("User", ["1", "2"], wish=NAME, max_age=max_age).records) == 2
        clock.now = taken.span[1] + 0.25
        taken = cache.take("User", ["1", "2"], wish=NAME, max_age=max_age)

    assert told
    assert told[-1] == min(begun + max(min(max_age, 300), table_until), begun + 0.5 + min(max_age, 300))


def test_a_page_is_given_up_to_the_moment_that_is_told(cache: MemoryCache, clock: SetClock) -> None:
    cache.keep_page("Contact", "key", page(1), revision=cache.revision)
    for max_age in (60, 3_600):
        clock.now = cache.span(1_000.0, max_age=max_age)[1]
        assert cache.page("Contact", "key", wish=NAME, max_age=max_age) is not None
        clock.now += 0.25
        assert cache.page("Contact", "key", wish=NAME, max_age=max_age) is None


def test_whatever_is_kept_or_dropped_makes_it_another_version(cache: MemoryCache) -> None:
    versions = [cache.version]
    keep(cache, {"1": contact(1)})
    versions.append(cache.version)
    keep(cache, {"1": contact(1)})
    versions.append(cache.version)
    cache.keep_page("Contact", "key", page(1), revision=cache.revision)
    versions.append(cache.version)
    cache.keep_page("Contact", "key", page(2), revision=cache.revision)
    versions.append(cache.version)
    cache.forget_page("Contact", "key")
    versions.append(cache.version)
    keep(cache, {str(number): contact(number) for number in range(9)})  # more than there is room for
    versions.append(cache.version)
    cache.drop(["1"])
    versions.append(cache.version)
    assert len(set(versions)) == len(versions)

    kept(cache, "1", "2")
    cache.page("Contact", "key", wish=NAME, max_age=60)
    keep(cache, {}, wish=NAME)
    cache.keep_page("Contact", "key", page(3), revision=cache.revision - 1)

    assert cache.version == versions[-1]


def test_a_record_serves_only_who_asks_no_more_than_was_read(cache: MemoryCache) -> None:
    keep(cache, {"1": contact(1)}, wish=NAME)
    keep(cache, {"2": contact(2)}, wish=NAME_AND_EMAIL)
    keep(cache, {"3": contact(3)}, wish=None)
    keep(cache, {"4": None}, wish=NAME)

    assert kept(cache, "1", "2", "3", "4", wish=NAME) == ["1", "2", "3", "4"]
    assert kept(cache, "1", "2", "3", "4", wish=NAME_AND_EMAIL) == ["2", "3"]
    assert kept(cache, "1", "2", "3", "4", wish=None) == ["3"]


def test_a_page_serves_only_who_asks_no_more_than_was_read(cache: MemoryCache) -> None:
    cache.keep_page("Contact", "key", page(1), revision=cache.revision)

    assert cache.page("Contact", "key", wish=NAME, max_age=60) is not None
    assert cache.page("Contact", "key", wish=NAME_AND_EMAIL, max_age=60) is None
    assert cache.page("Contact", "other key", wish=NAME, max_age=60) is None
    assert cache.page("Account", "key", wish=NAME, max_age=60) is None


def test_a_change_drops_its_records_and_all_pages_and_leaves_the_others(cache: MemoryCache) -> None:
    keep(cache, {"1": contact(1), "2": contact(2)})
    cache.keep_page("Contact", "key", page(2), revision=cache.revision)

    cache.drop(["1"])

    assert kept(cache, "1", "2") == ["2"]
    assert cache.page("Contact", "key", wish=NAME, max_age=60) is None


def test_what_began_to_be_read_before_a_change_is_not_kept(cache: MemoryCache) -> None:
    begun = cache.revision
    cache.drop(["7"])

    cache.keep("Contact", {"1": contact(1)}, wish=NAME, read_at=cache.now(), revision=begun)
    cache.keep_page("Contact", "key", page(1), revision=begun)

    assert kept(cache, "1") == []
    assert cache.page("Contact", "key", wish=NAME, max_age=60) is None


def test_a_slow_reading_does_not_take_the_place_of_one_that_began_later(cache: MemoryCache, clock: SetClock) -> None:
    newer = Contact(ref=Ref("left", "1"), name="New")
    keep(cache, {"1": newer}, read_at=clock.now)
    keep(cache, {"1": contact(1)}, read_at=clock.now - 5)

    assert cache.take("Contact", ["1"], wish=NAME, max_age=60).records["1"] is newer


def test_who_asks_for_one_thing_leaves_what_was_read_for_another(cache: MemoryCache) -> None:
    email: Wish = frozenset({("Contact", "email")})
    keep(cache, {"1": contact(1)}, wish=NAME)
    keep(cache, {"1": contact(1)}, wish=email)

    assert kept(cache, "1", wish=NAME) == ["1"]
    assert kept(cache, "1", wish=email) == ["1"]
    assert kept(cache, "1", wish=NAME_AND_EMAIL) == []


def test_what_was_read_last_is_given(cache: MemoryCache, clock: SetClock) -> None:
    newer = Contact(ref=Ref("left", "1"), name="New", email="new@example.com")
    keep(cache, {"1": contact(1), "2": contact(2)}, wish=NAME)
    clock.now += 10
    keep(cache, {"1": newer}, wish=NAME_AND_EMAIL)

    taken = cache.take("Contact", ["1", "2"], wish=NAME, max_age=60)

    assert taken.records == {"1": newer, "2": contact(2)}
    assert taken.age == 10


def test_the_number_of_records_is_bounded_and_the_first_ones_go_first(cache: MemoryCache) -> None:
    for number in range(100):
        keep(cache, {str(number): contact(number)})

    assert kept(cache, *map(str, range(100))) == ["95", "96", "97", "98", "99"]


def test_the_number_of_wishes_is_bounded_with_it(cache: MemoryCache) -> None:
    for number in range(100):
        keep(cache, {"1": contact(1)}, wish=frozenset({("Contact", str(number))}))

    wishes = [frozenset({("Contact", str(number))}) for number in range(100)]
    assert [number for number, wish in enumerate(wishes) if kept(cache, "1", wish=wish)] == [95, 96, 97, 98, 99]


def test_the_number_of_rows_on_pages_is_bounded_and_the_first_ones_go_first(cache: MemoryCache) -> None:
    for number in range(100):
        cache.keep_page("Contact", number, page(number), revision=cache.revision)
    cache.keep_page("Contact", 99, page(99), revision=cache.revision)

    assert [number for number in range(100) if cache.page("Contact", number, wish=NAME, max_age=60)] == [98, 99]


def test_a_page_that_is_more_than_may_be_kept_is_not_kept(cache: MemoryCache) -> None:
    cache.keep_page("Contact", "key", page(*range(6)), revision=cache.revision)

    assert cache.page("Contact", "key", wish=NAME, max_age=60) is None


def test_what_only_a_client_could_have_made_up_is_not_kept(cache: MemoryCache) -> None:
    made_up = "7" * 201
    cache.keep("Contact", {made_up: None, "1": None}, wish=NAME, read_at=1_000.0, revision=0)
    assert set(cache.take("Contact", [made_up, "1"], wish=NAME, max_age=60).records) == {"1"}
    for key in ("short", "x" * 1_001):
        cache.keep_page("Contact", key, page(), revision=0)
    assert cache.page("Contact", "short", wish=NAME, max_age=60) is not None
    assert cache.page("Contact", "x" * 1_001, wish=NAME, max_age=60) is None
