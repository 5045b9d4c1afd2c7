"""Lead Gen & CRM (SharpSpring), pubapi v1 and v1.2: one URL, stages without a pipeline, amounts without a currency."""

from vendors.registry import Vendor
from vendors.sharpspring.client import Client
from vendors.sharpspring.extension import SharpspringFieldDefinition, SharpspringOpportunityFields, SharpspringStageFields
from vendors.sharpspring.inputs import SharpspringOpportunityInput
from vendors.sharpspring.settings import Settings

VENDOR = Vendor(
    key="sharpspring",
    label="Lead Gen & CRM (SharpSpring)",
    settings=Settings,
    client=Client,
    connect=Client,
    extensions={
        "Opportunity": SharpspringOpportunityFields,
        "Stage": SharpspringStageFields,
        "CustomFieldDefinition": SharpspringFieldDefinition,
    },
    inputs={"Opportunity": SharpspringOpportunityInput},
)
