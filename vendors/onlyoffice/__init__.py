"""ONLYOFFICE CRM (Community Server API 2.0): one list that embeds most of what it refers to, many records in one batch, one pipeline."""

from vendors.onlyoffice.client import Client
from vendors.onlyoffice.extension import (
    OnlyofficeCustomFieldFields,
    OnlyofficeOpportunityFields,
    OnlyofficeStageFields,
    OnlyofficeUserFields,
)
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
)
