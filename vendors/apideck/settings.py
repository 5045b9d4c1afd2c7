"""What has to be configured for a Crm behind Apideck's unified API."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from vendors.auth import HeaderSecret
from vendors.model import OpportunityStatus, StageKind
from vendors.registry import VendorSettings

_HeaderText = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]*[!-~])?$")]


class Settings(VendorSettings):
    """An application, the consumer whose connection is used, and the connector."""

    base_url: str = Field(default="https://unify.apideck.com", pattern=r"^https?://", description="Where Apideck's unified API lives.")
    api_key: HeaderSecret = Field(description="API key of the application.")
    app_id: _HeaderText = Field(description="Id of the Unify application.")
    consumer_id: _HeaderText = Field(description="Id of the consumer that has the connection.")
    service_id: _HeaderText = Field(description="The connector behind it, such as `hubspot` or `salesforce`.")
    base_currency: str | None = Field(
        default=None, pattern=r"^[A-Z]{3}$", description="Currency of the CRM's own totals; Apideck does not tell it."
    )
    status_map: Mapping[str, OpportunityStatus] = Field(
        default_factory=dict[str, OpportunityStatus],
        description="What the connector's own status words mean, in any case: `open`, `won` or `lost`. Words not listed are guessed.",
    )
    stage_kinds: Mapping[str, StageKind] = Field(
        default_factory=dict[str, StageKind],
        description="What being in a stage means, by the connector's stage id: `open`, `won` or `lost`.",
    )

    @field_validator("status_map")
    @classmethod
    def _without_case(cls, words: Mapping[str, OpportunityStatus]) -> Mapping[str, OpportunityStatus]:
        return {text.strip().lower(): status for text, status in words.items()}

    @property
    def origin(self) -> str:
        return self.base_url
