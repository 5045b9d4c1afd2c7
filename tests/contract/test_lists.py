"""What every vendor evaluates of a list is what it was asked for, in every position of its options.

One file, because all of it is compared with one list, read without conditions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any, Generic, TypeVar

import pytest

from tests.contract import oracle
from tests.contract.changes import Hands, hands_in
from tests.contract.oracle import asked_of, completed, fulfilled_by, fulfilling, fulfils
from tests.contract.reading import Listing, accounts_of, client_as, contacts_of, opportunities_of, sound, walk, whole_list
from tests.playground import Playground, playground
from vendors.capabilities import ById, ListsUsers, PageRequest, ReadsAccounts, ReadsContacts, ReadsUsers, Row
from vendors.errors import UnsupportedError
from vendors.model import EVERYTHING, UNREAD, Opportunity, Record, Ref, Selection
from vendors.quality import QualityState, quality_of
from vendors.query import Condition, Field, Operator, Pushdown, Sort
from vendors.registry import Crm, all_sandboxes
from vendors.sandbox import OptionValue

R = TypeVar("R", bound=Record)

_LEAN_CASES = 2
_LEAN_PAIRS = 3
_PAIRS = 40
_LARGE = 1_000
_MANY_ROWS = 8
_FEW_ROWS = 7
_SCALE = 90
_TITLES = Selection({"Opportunity": frozenset({"title"})})


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth(Generic[R]):
    """A list as it is without conditions, in the vendor's own order, with all relations; with deleted records and without."""

    listing: Listing[R]
    records: Mapping[bool, Sequence[R]]

    def refs(self, *, include_deleted: bool) -> list[Ref]:
        return [record.ref for record in self.records[include_deleted]]

    def asked(self, field: Field, operator: Operator) -> Iterator[Condition]:
        return asked_of(self.records[True], field, operator)


async def truth_of_opportunities(crm: Crm) -> Truth[Opportunity]:
    listing = opportunities_of(crm)
    records = {wish: await completed(crm.client, (await walk(listing, 100, include_deleted=wish)).records) for wish in (False, True)}
    return Truth(listing=listing, records=records)


async def truth_of(listing: Listing[R]) -> Truth[R]:
    return Truth(listing=listing, records={wish: (await walk(listing, 100, include_deleted=wish)).records for wish in (False, True)})


@pytest.fixture(scope="module")
def truths() -> dict[str, Mapping[bool, Sequence[Opportunity]]]:
    """What `truth` has read, by the position of the sandbox."""
    return {}


@pytest.fixture
async def truth(ground: Playground, truths: dict[str, Mapping[bool, Sequence[Opportunity]]]) -> Truth[Opportunity]:
    """The opportunities of the vendor as nobody has changed them."""
    position = f"{ground.crm.vendor.key} {ground.sandbox.options}"
    if position not in truths:
        truths[position] = (await truth_of_opportunities(ground.crm)).records
    return Truth(listing=opportunities_of(ground.crm), records=truths[position])


@pytest.fixture
def is_plain(ground: Playground) -> bool:
    """Whether the sandbox is in its default options, in which the cases are many; elsewhere they are few."""
    return ground.sandbox.options == ground.sandbox.kind.complete_options()


async def test_conditions_on_opportunities_bring_what_fulfils_them(
    ground: Playground, truth: Truth[Opportunity], *, is_plain: bool
) -> None:
    taken = await check_conditions(truth, is_plain=is_plain)

    stated = quality_of(ground.crm.vendor.key).facts.get("filters")
    is_without = stated is not None and stated.state is QualityState.UNSUPPORTED
    assert taken or is_without, "a vendor that evaluates nothing says so: [fact.filters], unsupported, in its quality.toml"


async def test_conditions_on_accounts_and_contacts_bring_what_fulfils_them(ground: Playground, *, is_plain: bool) -> None:
    await check_conditions(await truth_of(accounts_of(ground.crm)), is_plain=is_plain)
    await check_conditions(await truth_of(contacts_of(ground.crm)), is_plain=is_plain)


async def test_conditions_that_hold_together_are_evaluated_together(truth: Truth[Opportunity], *, is_plain: bool) -> None:
    sample = truth.records[False][:: len(truth.records[False]) // 4 + 1]
    sets = [fulfilled_by(record, truth.listing.fields) for record in (sample if is_plain else sample[:1])]
    pairs = [pair for conditions in sets for pair in combinations(conditions, 2) if can_take(truth.listing, pair)]
    for index, conditions in enumerate([*sets, *pairs[:: len(pairs) // (_PAIRS if is_plain else _LEAN_PAIRS) + 1]]):
        pushed = truth.listing.pushdown(conditions, None)
        assert set(pushed.conditions) <= set(conditions)

        await check_pushed(truth, pushed, size=(3, 100)[index % 2], include_deleted=index % 4 < 2)
        # What was taken together may be asked for in parts, which need not be exact.
        if is_plain and len(pushed.conditions) > 1:
            part = Pushdown(conditions=pushed.conditions[index % 2 :: 2], is_exact=False)
            await check_pushed(truth, part, size=100, include_deleted=False)


def can_take(listing: Listing[R], conditions: Sequence[Condition]) -> bool:
    """Whether the vendor evaluates one of the conditions."""
    return bool(listing.pushdown(conditions, None).conditions)


async def check_conditions(truth: Truth[R], *, is_plain: bool) -> set[str]:
    """Ask for every field with every operator; gives those that the vendor takes."""
    taken: set[str] = set()
    for field in truth.listing.fields:
        for operator in Operator:
            cases = [condition for condition in truth.asked(field, operator) if can_take(truth.listing, [condition])]
            for index, condition in enumerate(cases if is_plain else cases[:_LEAN_CASES]):
                pushed = truth.listing.pushdown([condition], None)
                assert pushed.conditions == (condition,)
                taken.add(str(condition))
                for size, include_deleted in _walks(index, is_plain=is_plain):
                    await check_pushed(truth, pushed, size=size, include_deleted=include_deleted)
    return taken


def _walks(index: int, *, is_plain: bool) -> list[tuple[int, bool]]:
    """Sizes of pages, and whether deleted records belong to the list."""
    if not is_plain:
        return [((7, 50)[index % 2], index % 2 == 1)]
    return [(1, False), (3, True), (100, False), (100, True)] if index == 0 else [((7, 100)[index % 2], index % 4 < 2)]


async def check_pushed(truth: Truth[R], pushed: Pushdown, *, size: int, include_deleted: bool) -> None:
    """Read a list that the vendor evaluates, and compare it with what it has to hold."""
    records = {record.ref: record for record in truth.records[include_deleted]}
    wanted = set(fulfilling(records.values(), pushed.conditions))
    if size == 1 and len(wanted) > _MANY_ROWS:
        size = 5
    # Small pages are read as whoever checks the rows reads them: with nothing but what the conditions are about.
    fields = [condition.field for condition in pushed.conditions]
    selection = EVERYTHING if size == 100 else _selection(truth, fields)

    found = await walk(
        truth.listing, size, selection=selection, include_deleted=include_deleted, where=pushed.conditions, count=size != 100
    )

    label = f"{pushed.conditions}, size {size}, include_deleted {include_deleted}"
    assert len(found.refs) == len(set(found.refs)), f"{label}: rows come twice"
    assert wanted <= set(found.refs), f"{label}: {sorted(wanted - set(found.refs))} are missing"
    assert set(found.refs) <= records.keys(), f"{label}: rows are not in the list without conditions"
    assert found.refs == [ref for ref in records if ref in set(found.refs)], f"{label}: another order"
    if pushed.is_exact and not _lists_by_link(truth, fields):
        assert set(found.refs) == wanted, f"{label}: {sorted(set(found.refs) - wanted)} do not fulfil it"
    assert set(found.totals) <= {None, len(found.refs)}, f"{label}: {found.totals} of {len(found.refs)}"
    for record in found.records:
        check_values(record, records[record.ref], label)
        for condition in pushed.conditions:
            if record.ref in wanted and oracle.is_told(record, condition.field):
                assert fulfils(record, condition), f"{label}: {record.ref} does not show it"


def check_values(record: Record, whole: Record, label: str) -> None:
    """A record of a list with conditions is the same record; what it tells of its relations is true."""
    mine, theirs = oracle.unified(record), oracle.unified(whole)
    assert mine == {name: theirs[name] for name in mine}, label
    for name in ("account_ref", "account_refs", "contact_refs"):
        value = getattr(record, name, UNREAD)
        if isinstance(record, Opportunity) and value is not UNREAD and record.covers(frozenset({name})):
            assert value == getattr(whole, name), f"{label}: {record.ref} tells {name} {value}, it is {getattr(whole, name)}"


def _lists_by_link(truth: Truth[R], fields: Iterable[Field]) -> bool:
    """Whether it is a list of an account's contacts, which may hold some that are linked to it besides their own account."""
    return truth.listing.name == "Contact" and Field.ACCOUNT in fields


def _selection(truth: Truth[R], fields: Iterable[Field]) -> Selection:
    record_class = type(truth.records[True][0])
    return Selection({truth.listing.name: frozenset(name for field in fields for name in oracle.attributes_of(record_class, field))})


async def test_an_order_that_the_vendor_gives_is_that_order(truth: Truth[Opportunity], *, is_plain: bool) -> None:
    for sort in orders_of(truth):
        for size in (2, 100) if is_plain else (7,):
            await check_sorted(truth, (), sort, size=size, include_deleted=sort.descending)
        if truth.listing.pushdown((), sort).is_sorted:
            await check_resumes(truth, sort=sort, include_deleted=sort.descending)


async def test_an_order_and_conditions_are_evaluated_together(truth: Truth[Opportunity], *, is_plain: bool) -> None:
    sample = truth.records[False][len(truth.records[False]) // 3]
    asked = [
        (condition, sort)
        for condition in fulfilled_by(sample, truth.listing.fields)
        for sort in orders_of(truth)
        if can_take(truth.listing, [condition]) and truth.listing.pushdown([condition], sort).is_sorted
    ]
    for condition, sort in asked if is_plain else asked[:: len(asked) // _LEAN_PAIRS + 1]:
        await check_sorted(truth, [condition], sort, size=5, include_deleted=False)


def orders_of(truth: Truth[Opportunity]) -> list[Sort]:
    """The orders that the vendor gives, as far as is known."""
    orders = [Sort(field, descending) for field in truth.listing.fields for descending in (False, True)]
    return [sort for sort in orders if truth.listing.pushdown((), sort).is_sorted]


async def check_sorted(truth: Truth[Opportunity], conditions: Sequence[Condition], sort: Sort, *, size: int, include_deleted: bool) -> None:
    """Read a list in an order that the vendor gives; one that it turns out to refuse is not offered again."""
    pushed = truth.listing.pushdown(conditions, sort)
    if not pushed.is_sorted:
        return
    selection = EVERYTHING if size == 100 else _selection(truth, [sort.field])
    try:
        found = await walk(
            truth.listing, size, selection=selection, sort=sort, where=pushed.conditions, include_deleted=include_deleted, count=True
        )
    except UnsupportedError:
        assert not truth.listing.pushdown(conditions, sort).is_sorted
        return

    label = f"{pushed.conditions}, {sort}, size {size}"
    wanted = set(fulfilling(truth.records[include_deleted], pushed.conditions))
    assert len(found.refs) == len(set(found.refs)), label
    assert wanted <= set(found.refs) <= set(truth.refs(include_deleted=include_deleted)), label
    assert set(found.refs) == wanted or not pushed.is_exact, label
    assert set(found.totals) <= {None, len(found.refs)}, label
    check_order(found.records, sort)


def check_order(records: Sequence[Record], sort: Sort) -> None:
    values: list[Any] = [value for record in records for value in oracle.values_of(record, sort.field)[:1]]
    for one, other in pairwise(values):
        assert one >= other if sort.descending else one <= other, f"{sort}: {one} before {other}"


async def check_resumes(truth: Truth[R], *, sort: Sort | None, include_deleted: bool) -> None:
    """A position in the middle of a page is as good as one at its end."""
    selection = _selection(truth, [Field.OWNER])
    page = await truth.listing.page(PageRequest(size=10, selection=selection, sort=sort, include_deleted=include_deleted))
    seen = [row.record.ref for row in page.rows[:4]]

    rest = await walk(truth.listing, 50, selection=selection, sort=sort, include_deleted=include_deleted, position=page.rows[3].position)

    assert sorted([*seen, *rest.refs]) == sorted(truth.refs(include_deleted=include_deleted))


async def test_the_vendors_count_is_that_of_the_list(ground: Playground) -> None:
    listing = opportunities_of(ground.crm)
    for include_deleted in (False, True):
        found = await walk(listing, 20, selection=_TITLES, include_deleted=include_deleted, count=True)
        uncounted = await walk(listing, _LARGE, selection=_TITLES, include_deleted=include_deleted)

        assert len(found.totals) > 2
        assert set(found.totals) <= {None, len(found.refs)}
        assert found.refs == uncounted.refs


async def test_lists_of_accounts_contacts_and_users_are_whole(ground: Playground, truth: Truth[Opportunity]) -> None:
    crm = ground.crm
    accounts, contacts = await truth_of(accounts_of(crm)), await truth_of(contacts_of(crm))
    users = await client_as(crm, ListsUsers).users()

    await check_whole(accounts)
    await check_whole(contacts)
    ids = {
        field: sorted({value for record in truth.records[True] for value in oracle.values_of(record, field)})
        for field in (Field.ACCOUNT, Field.CONTACT, Field.OWNER)
    }
    # A vendor whose lists hide records that are read by id says so.
    hides = "inactive_rows" in quality_of(crm.vendor.key).facts
    check_known(accounts, await client_as(crm, ReadsAccounts).accounts_by_ids(ids[Field.ACCOUNT], EVERYTHING), hides=hides)
    check_known(contacts, await client_as(crm, ReadsContacts).contacts_by_ids(ids[Field.CONTACT], EVERYTHING), hides=hides)
    assert len({user.ref for user in users}) == len(users) > 2
    owners = await client_as(crm, ReadsUsers).users_by_ids(ids[Field.OWNER], EVERYTHING)
    listed = {user.ref: user for user in users}
    for owner in map(sound, owners.values()):
        if owner.ref in listed:
            assert oracle.unified(owner) == oracle.unified(listed[owner.ref])
        else:
            assert owner.is_active is False


async def check_whole(truth: Truth[R]) -> None:
    """The list is the same by pages of any size, and from any place on."""
    for size, include_deleted in ((5, False), (9, True), (_LARGE, False)):
        refs = truth.refs(include_deleted=include_deleted)
        assert len(refs) == len(set(refs)) > 5
        found = await walk(truth.listing, size, include_deleted=include_deleted, count=True)
        assert found.refs == refs, f"{truth.listing.name} by {size}, include_deleted {include_deleted}"
        assert set(found.totals) <= {None, len(refs)}, truth.listing.name
    assert set(truth.refs(include_deleted=False)) <= set(truth.refs(include_deleted=True))
    await check_resumes(truth, sort=None, include_deleted=False)


def check_known(truth: Truth[Any], found: ById[Any], *, hides: bool) -> None:
    """What opportunities refer to is listed, deleted records only where they are wanted, and is the same by id."""
    listed = {record.ref: record for record in truth.records[True]}
    shown = set(truth.refs(include_deleted=False))
    records = [sound(record) for record in found.values()]
    known = [record for record in records if record.ref in listed]
    assert known
    assert len(known) == len(records) or (hides and len(known) > len(records) * 0.9)
    for record in known:
        assert record.ref in shown or getattr(record.extension, "is_deleted", False), record.ref
        assert oracle.unified(record) == oracle.unified(listed[record.ref])


@pytest.fixture(params=["defaults", "hardest"])
def options(request: pytest.FixtureRequest, vendor: str) -> Mapping[str, OptionValue]:
    """The default options of a vendor, and the hardest ones together."""
    return all_sandboxes()[vendor].positions()[0 if request.param == "defaults" else -1]


async def test_a_text_that_folds_to_other_letters_is_found(vendor: str, options: Mapping[str, OptionValue]) -> None:
    titles = ("Große Straße", "ﬁne ﬂow", "İstanbul depot", "100 % a_b", "ΣΊΣΥΦΟΣ ς", "\u212aelvin")
    needles = ("SS", "strass", "fi", "i", "istan", "% a", "a_b", "_", "σίσυφοσ", "k", "kelv")
    async with playground(vendor, options=options) as ground:
        hands, listing = hands_of(ground), opportunities_of(ground.crm)
        asked = [listing.pushdown([Condition(Field.TITLE, Operator.CONTAINS, (needle,))], None) for needle in needles]
        if not any(pushed.conditions for pushed in asked):
            pytest.skip(f"{vendor} looks for no texts")
        for record, title in zip(await whole_list(ground.crm), titles, strict=False):
            hands.rename(record.local_id, title)

        truth = await truth_of_opportunities(ground.crm)

        for pushed in [pushed for pushed in asked if pushed.conditions]:
            await check_pushed(truth, pushed, size=20, include_deleted=False)


async def test_what_nobody_touches_comes_once_while_a_list_changes(vendor: str, options: Mapping[str, OptionValue]) -> None:
    async with playground(vendor, options=options, scale=_SCALE) as ground:
        truth = await truth_of_opportunities(ground.crm)
    lists = [pushed.conditions for pushed in frequent(truth) if len(fulfilling(truth.records[False], pushed.conditions)) > _FEW_ROWS]
    for where in [(), *lists]:
        async with playground(vendor, options=options, scale=_SCALE) as ground:
            others = Others(hands_of(ground), fulfilling(truth.records[False], where), truth.refs(include_deleted=False))

            found = await walk(opportunities_of(ground.crm), 4, selection=_TITLES, where=where, between=others.work)

            untouched = [ref for ref in others.matching if ref not in others.touched]
            assert len(others.touched) >= 2 and len(untouched) >= 2
            assert [ref for ref in found.refs if ref in untouched] == untouched, where
            assert len(found.refs) == len(set(found.refs)), where


def frequent(truth: Truth[R]) -> list[Pushdown]:
    """For every field and operator that the vendor takes, one condition that many records fulfil."""
    asked = [next(truth.asked(field, operator), None) for field in truth.listing.fields for operator in Operator]
    pushed = [truth.listing.pushdown([condition], None) for condition in asked if condition is not None]
    return [one for one in pushed if one.conditions]


class Others:
    """People who change opportunities between the pages of a list, some that were seen and some that will be.

    Args:
        hands: How they do it.
        matching: Records that belong to the list, in its order.
        everything: All records.
    """

    def __init__(self, hands: Hands, matching: Sequence[Ref], everything: Sequence[Ref]) -> None:
        self.matching = matching
        self.touched: set[Ref] = set()
        self._hands = hands
        self._strangers = [ref for ref in everything if ref not in set(matching)]
        self._rounds = 0

    def work(self, seen: Sequence[Row[Opportunity]]) -> None:
        """Change some records, never the same one twice."""
        refs = {row.record.ref for row in seen}
        before = [ref for ref in self.matching if ref in refs and ref not in self.touched]
        behind = [ref for ref in self.matching if ref not in refs and ref not in self.touched]
        match self._rounds % 3:
            case 0:  # the record that the list stopped at goes, with the one before it, and a new one comes
                self._hands.copy((behind or before)[0].local_id)
                self._remove(before[-2:])
            case 1:  # the next one leaves the list, and one that stands before all enters it
                self._swap(behind[:1], self._strangers[:1], before or behind)
            case _:  # the next one goes, the first one leaves the list, and one from the end enters it
                self._remove(behind[:1])
                self._swap(before[:1], self._strangers[-1:], behind[1:] or before[1:])
        self._rounds += 1

    def _remove(self, refs: Sequence[Ref]) -> None:
        for ref in refs:
            self._hands.remove(ref.local_id)
            self.touched.add(ref)

    def _swap(self, leaving: Sequence[Ref], entering: Sequence[Ref], models: Sequence[Ref]) -> None:
        """Let one record take the values of one outside of the list, and one outside take those of one inside."""
        model = next((ref for ref in models if ref not in leaving), None)
        for ref in entering if model is not None else ():
            assert model is not None
            self._hands.become(ref.local_id, model.local_id)
            self._strangers.remove(ref)
        for ref in leaving if self._strangers else ():
            self._hands.become(ref.local_id, self._strangers[len(self._strangers) // 2].local_id)
            self.touched.add(ref)


def hands_of(ground: Playground) -> Hands:
    hands = hands_in(ground.crm.vendor.key, ground.sandbox.app)
    if hands is None:
        pytest.skip(f"nobody works in the sandbox of {ground.crm.vendor.key}")
    return hands
