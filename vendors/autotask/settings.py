"""What has to be configured for a Crm of Autotask PSA."""

from pydantic import Field

from vendors.auth import HeaderSecret, HeaderText
from vendors.registry import VendorSettings


class Settings(VendorSettings):
    """Credentials of an API-only user, and where to ask for its zone."""

    username: HeaderText = Field(min_length=1, description="Name of the API-only user; looks like an e-mail address.")
    integration_code: HeaderSecret = Field(description="Tracking identifier of the integration.")
    secret: HeaderSecret = Field(description="Password of the API-only user.")
    # Source: Autotask REST, "Zone information" (vendor help): any zone's host answers for every user.
    zone_url: str = Field(
        default="https://webservices2.autotask.net", pattern=r"^https?://", description="Host that is asked for the user's zone."
    )
    zone_origins: tuple[str, ...] = Field(
        default=(), description="Further origins that the zone's answer may name; those of autotask.net are always accepted."
    )
    pipeline_name: str = Field(default="Opportunities", description="Name of the one pipeline, which the vendor itself does not have.")
    company_type: str | None = Field(
        default=None, min_length=1, description="Type of the accounts that are created: its label or value; the vendor's default otherwise."
    )

    @property
    def origin(self) -> str:
        return self.zone_url
