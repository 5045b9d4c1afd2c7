"""Autotask PSA (REST API 1.0): batched queries by ids, one synthetic pipeline, labels from picklists."""

from vendors.autotask.client import Client
from vendors.autotask.extension import AutotaskOpportunityFields
from vendors.autotask.inputs import AutotaskOpportunityInput
from vendors.autotask.settings import Settings
from vendors.registry import Vendor

VENDOR = Vendor(
    key="autotask",
    label="Autotask PSA",
    settings=Settings,
    client=Client,
    connect=Client,
    extensions={"Opportunity": AutotaskOpportunityFields},
    inputs={"Opportunity": AutotaskOpportunityInput},
)
