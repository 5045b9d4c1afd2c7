"""Rows that nobody touches come exactly once, whatever happens to the others between two pages, and whichever Crm is away for a while.

The rule holds for the vendors whose pages are strict. Apideck's cursors of filtered and ordered lists count rows downstream, so that its
pages are promised as BEST_EFFORT only; its rows are looked at where an index or the plain list, whose cursors name ids, gives them.
"""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.changes import Hands, hands_in
from tests.resolvers.lists.asking import Asked, LocalRow, Page, World, examples, page_sizes
from tests.resolvers.lists.filters import filters, orders
from tests.resolvers.lists.reference import Deal
from vendors.sandbox import Fault

pytestmark = pytest.mark.asyncio(loop_scope="module")

_MOST_CHANGES = 4
_KINDS = ("remove", "copy", "become", "rename")


class Others:
    """Other people at work, who leave some deals alone."""

    def __init__(self, world: World, deals: Sequence[Deal], data: st.DataObject) -> None:
        self._world = world
        self._data = data
        self._hands = {key: _hands(world, key) for key in world.keys}
        touchable = data.draw(
            st.sets(st.sampled_from([deal.row for deal in deals])) if deals else st.just(set[LocalRow]()), label="touched"
        )
        self._alive = sorted(touchable)
        self._all = {key: [deal.id for deal in deals if deal.crm == key] for key in world.keys}
        self.untouched = {deal.row for deal in deals} - touchable

    def work(self) -> None:
        """Do some things between two pages, and sometimes let the indexes expire."""
        for _ in range(self._data.draw(st.integers(0, _MOST_CHANGES), label="changes")):
            if not self._alive:
                break
            crm, local_id = self._data.draw(st.sampled_from(self._alive), label="row")
            hands = self._hands[crm]
            match self._data.draw(st.sampled_from(_KINDS), label="change"):
                case "remove":
                    hands.remove(local_id)
                    self._alive.remove((crm, local_id))
                    self._all[crm].remove(local_id)
                case "copy":
                    hands.copy(local_id)
                case "become":
                    hands.become(local_id, self._data.draw(st.sampled_from(self._all[crm]), label="like"))
                case _:
                    hands.rename(local_id, self._data.draw(st.sampled_from(["aaa", "zzz", "crane"]), label="title"))
        if self._data.draw(st.booleans(), label="let indexes expire"):
            self._world.age()


def _hands(world: World, key: str) -> Hands:
    hands = hands_in(world.vendor(key), world.graph.grounds[key].sandbox.app)
    assert hands is not None
    return hands


def is_strict(world: World, asked: Asked, row: LocalRow) -> bool:
    """Whether the rule holds for a row of a list that is read forwards: not where Apideck itself filters or orders."""
    return world.vendor(row[0]) != "apideck" or not (asked.filter or asked.order_by)


@examples(15)
@given(data=st.data())
async def test_unchanged_rows_come_once_while_others_change(world: World, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))
    is_forward = data.draw(st.booleans(), label="forwards")
    asked = Asked(
        filter=data.draw(st.one_of(st.none(), filters(deals, world.keys))),
        order_by=data.draw(st.one_of(st.just([]), orders)),
        include_deleted=data.draw(st.booleans()),
    )
    expected = world.expected(deals, asked)
    sizes = data.draw(page_sizes(len(expected)), label="page sizes")
    others = Others(world, deals, data)
    pages: list[Page] = []
    cursor: str | None = None

    while not pages or (pages[-1].has_next if is_forward else pages[-1].has_previous):
        if pages:
            others.work()
        size = next(sizes)
        pages.append(await (world.page(asked, first=size, after=cursor) if is_forward else world.page(asked, last=size, before=cursor)))
        assert pages[-1].failed() == {}
        cursor = (pages[-1].end if is_forward else pages[-1].start) or cursor
        assert len(pages) < 100

    given_rows = Counter(row for page in pages for row in page.rows)
    owed = [row for row in expected if row in others.untouched and (not is_forward or is_strict(world, asked, row))]
    assert {row: given_rows[row] for row in owed} == dict.fromkeys(owed, 1)
    strange = [row for row in given_rows if row in others.untouched and row not in expected]
    assert strange == []


@examples(8)
@given(data=st.data())
async def test_a_crm_that_fails_on_one_page_loses_no_row(world: World, data: st.DataObject) -> None:
    deals = world.begin(data.draw(world.contents))
    is_forward = data.draw(st.booleans(), label="forwards")
    asked = Asked(filter=data.draw(st.one_of(st.none(), filters(deals, world.keys))), order_by=data.draw(st.one_of(st.just([]), orders)))
    expected = world.expected(deals, asked)
    sizes = data.draw(page_sizes(len(expected)), label="page sizes")
    failing = data.draw(st.dictionaries(st.integers(0, 4), st.sampled_from(world.keys), max_size=3), label="failing")
    pages: list[Page] = []
    cursor: str | None = None

    # A page on which a Crm failed may promise nothing behind it, so one is asked for all the same.
    while len(pages) <= max(failing, default=0) + 1 or (pages[-1].has_next if is_forward else pages[-1].has_previous):
        key = failing.get(len(pages))
        if key is not None:
            world.graph.break_down(key, Fault(kind="status", status=400))
            world.age()
        size = next(sizes)
        page = await (world.page(asked, first=size, after=cursor) if is_forward else world.page(asked, last=size, before=cursor))
        assert set(page.failed()) <= {key}
        if key is not None:
            world.graph.mend(key)
        cursor = (page.end if is_forward else page.start) or cursor
        pages.append(page)
        assert len(pages) < 100

    given_rows = Counter(row for page in pages for row in page.rows)
    assert given_rows == Counter(expected)
