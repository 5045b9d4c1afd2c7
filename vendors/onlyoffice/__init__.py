"""ONLYOFFICE CRM (Community Server API 2.0): a list that embeds what it refers to, batches, one pipeline, updates that replace all."""

from vendors.onlyoffice.client import Client
from vendors.onlyoffice.extension import (
    OnlyofficeCustomFieldFields,
    OnlyofficeOpportunityFields,
    OnlyofficeStageFields,
    OnlyofficeUserFields,
)
from vendors.onlyoffice.inputs import OnlyofficeOpportunityInput
from vendors.onlyoffice.settings import Settings
from vendors.registry import Vendor

VENDOR = Vendor(
    key="onlyoffice",
    label="ONLYOFFICE CRM",
    settings=Settings,
    client=Client,
    connect=Client,
    extensions={
        "Opportunity": OnlyofficeOpportunityFields,
        "Stage": OnlyofficeStageFields,
        "User": OnlyofficeUserFields,
        "CustomField": OnlyofficeCustomFieldFields,
    },
    inputs={"Opportunity": OnlyofficeOpportunityInput},
)
