"""What has to be configured for a Crm of Lead Gen & CRM (SharpSpring)."""

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from vendors.auth import HeaderSecret, HeaderText
from vendors.registry import VendorSettings


class Settings(VendorSettings):
    """Credentials of the Open API, and what the API itself does not tell."""

    base_url: str = Field(default="https://api.sharpspring.com", pattern=r"^https?://", description="Host of the API.")
    account_id: HeaderText = Field(min_length=1, description="Account id of the API credentials.")
    secret_key: HeaderSecret = Field(description="Secret key of the API credentials.")
    currency: str | None = Field(
        default=None, pattern=r"^[A-Z]{3}$", description="Currency of all amounts, ISO 4217 letters; the API does not tell it."
    )
    # Source: Lead Gen & CRM Open API, overview article: v1 speaks the time zone of the Company Profile, v1.2 UTC.
    api_version: Literal["v1", "v1.2"] = Field(default="v1.2", description="Version of the API.")
    time_zone: str = Field(default="UTC", description="Time zone of the Company Profile, such as `Europe/Oslo`; only v1 speaks it.")
    # Source: the same article: at most 500 rows. One client's author had to go down to 200; the client here does so by itself.
    page_size: int = Field(default=500, ge=100, le=500, description="Rows that are asked for at once.")
    pipeline_name: str = Field(default="Sales", description="Name of the one pipeline, which the vendor itself does not have.")

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as cause:
            raise ValueError(f"there is no time zone {name!r}; write it like 'Europe/Oslo'") from cause
        return name

    @property
    def origin(self) -> str:
        return self.base_url

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that timestamps are written in."""
        return ZoneInfo(self.time_zone if self.api_version == "v1" else "UTC")
