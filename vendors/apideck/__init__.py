"""Apideck's unified CRM API: one dialect for many CRMs, with opaque cursors and a call for every id."""

from vendors.apideck.client import Client
from vendors.apideck.extension import ApideckCustomFieldFields, ApideckOpportunityFields, ApideckPipelineFields, ApideckStageFields
from vendors.apideck.inputs import ApideckOpportunityInput
from vendors.apideck.settings import Settings
from vendors.registry import Vendor

VENDOR = Vendor(
    key="apideck",
    label="Apideck",
    settings=Settings,
    client=Client,
    connect=Client,
    extensions={
        "Opportunity": ApideckOpportunityFields,
        "Pipeline": ApideckPipelineFields,
        "Stage": ApideckStageFields,
        "CustomField": ApideckCustomFieldFields,
    },
    inputs={"Opportunity": ApideckOpportunityInput},
    # Source: Apideck CRM API, "Pagination": cursors are opaque; what they do while records change is up to the connector.
    has_strict_pages=False,
)
