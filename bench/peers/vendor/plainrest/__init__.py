"""The backend of the peers' workload as a vendor: a CRM whose API is six files of JSON."""

from vendors.registry import Vendor

from .client import Client
from .extension import PlainrestOpportunityFields
from .settings import Settings

VENDOR = Vendor(
    key="plainrest",
    label="Plain REST",
    settings=Settings,
    client=Client,
    connect=Client,
    extensions={"Opportunity": PlainrestOpportunityFields},
)
