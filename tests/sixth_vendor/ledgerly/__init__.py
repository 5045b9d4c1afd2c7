"""Ledgerly, an invented vendor: the smallest adapter that lists opportunities and reads them by id."""

from vendors.ledgerly.client import Client
from vendors.ledgerly.extension import LedgerlyOpportunityFields
from vendors.ledgerly.settings import Settings
from vendors.registry import Vendor

VENDOR = Vendor(
    key="ledgerly",
    label="Ledgerly",
    settings=Settings,
    client=Client,
    connect=Client,
    extensions={"Opportunity": LedgerlyOpportunityFields},
)
