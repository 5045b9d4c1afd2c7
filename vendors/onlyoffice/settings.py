"""What has to be configured for a Crm of ONLYOFFICE."""

from pydantic import Field, SecretStr

from vendors.registry import VendorSettings


class Settings(VendorSettings):
    """A portal, and a user of it without a second factor."""

    portal_url: str = Field(pattern=r"^https?://", description="Address of the portal, without `/api/2.0`.")
    username: str = Field(min_length=1, description="The user's login name, which is an e-mail address.")
    password: SecretStr = Field(description="The user's password.")
    pipeline_name: str = Field(default="Sales", description="Name of the one pipeline, which the vendor itself does not have.")
    base_currency: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{3}$",
        description="Currency that the portal's own totals are in; the API marks several as basic and does not tell which one it is.",
    )
    owns_by_default: bool = Field(
        default=False, description="Whether an opportunity that is created without an owner belongs to the configured user."
    )
    # Not documented: how the portal writes dates of custom fields.
    custom_date_format: str | None = Field(
        default=None, description="How custom fields of kind Date are written where it is not 2026-12-31, such as %m/%d/%Y."
    )

    @property
    def origin(self) -> str:
        return self.portal_url
