"""What has to be configured for a Crm behind Apideck's unified API."""

from collections.abc import Mapping

from pydantic import Field, SecretStr

from vendors.model import OpportunityStatus, StageKind
from vendors.registry import VendorSettings


class Settings(VendorSettings):
    """An application, the consumer whose connection is used, and the connector."""

    base_url: str = Field(default="https://unify.apideck.com", pattern=r"^https?://", description="Where Apideck's unified API lives.")
    api_key: SecretStr = Field(description="API key of the application.")
    app_id: str = Field(min_length=1, description="Id of the Unify application.")
    consumer_id: str = Field(min_length=1, description="Id of the consumer that has the connection.")
    service_id: str = Field(min_length=1, description="The connector behind it, such as `hubspot` or `salesforce`.")
    base_currency: str | None = Field(
        default=None, pattern=r"^[A-Z]{3}$", description="Currency of the CRM's own totals; Apideck does not tell it."
    )
    status_map: Mapping[str, OpportunityStatus] = Field(
        default_factory=dict[str, OpportunityStatus],
        description="What the connector's own status words mean, in lower case: `open`, `won` or `lost`. Words not listed are guessed.",
    )
    stage_kinds: Mapping[str, StageKind] = Field(
        default_factory=dict[str, StageKind],
        description="What being in a stage means, by the connector's stage id: `open`, `won` or `lost`.",
    )

    @property
    def origin(self) -> str:
        return self.base_url
