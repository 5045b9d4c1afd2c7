"""Pipeliner (REST API v100): one list call with its relations expanded, pipelines and currencies from kept tables."""

from vendors.pipeliner.client import Client
from vendors.pipeliner.extension import (
    PipelinerAccountFields,
    PipelinerContactFields,
    PipelinerOpportunityFields,
    PipelinerPipelineFields,
    PipelinerStageFields,
    PipelinerUserFields,
)
from vendors.pipeliner.inputs import PipelinerOpportunityInput
from vendors.pipeliner.settings import Settings
from vendors.registry import Vendor

VENDOR = Vendor(
    key="pipeliner",
    label="Pipeliner",
    settings=Settings,
    client=Client,
    connect=Client,
    extensions={
        "Opportunity": PipelinerOpportunityFields,
        "Pipeline": PipelinerPipelineFields,
        "Stage": PipelinerStageFields,
        "User": PipelinerUserFields,
        "Account": PipelinerAccountFields,
        "Contact": PipelinerContactFields,
    },
    inputs={"Opportunity": PipelinerOpportunityInput},
)
