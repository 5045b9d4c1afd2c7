"""Small readings that contract tests share."""

from typing import TypeVar

import pytest

from vendors.capabilities import ListsOpportunities, PageRequest
from vendors.errors import VendorError
from vendors.model import EVERYTHING, Opportunity, Selection
from vendors.registry import Crm

P = TypeVar("P")


def client_as(crm: Crm, protocol: type[P]) -> P:
    """The client as that protocol; a vendor that cannot do it, as its quality file then has to say, skips the test."""
    if not isinstance(crm.client, protocol):
        pytest.skip(f"{crm.vendor.key} does not implement {protocol.__name__}")
    return crm.client


async def whole_list(crm: Crm, *, size: int = 100, selection: Selection = EVERYTHING, include_deleted: bool = False) -> list[Opportunity]:
    client = client_as(crm, ListsOpportunities)
    records: list[Opportunity] = []
    position: str | None = None
    for _ in range(200):
        page = await client.opportunities_page(
            PageRequest(size=size, position=position, selection=selection, include_deleted=include_deleted)
        )
        assert len(page.rows) <= size
        records += [row.record for row in page.rows]
        if not page.has_more:
            return records
        assert page.position is not None and page.position != position, "a page that does not get on"
        position = page.position
    raise AssertionError("the list does not end")


def sound(value: P | VendorError) -> P:
    assert not isinstance(value, VendorError), value
    return value
