from pydantic import Field, SecretStr

from vendors.registry import VendorSettings


class Settings(VendorSettings):
    base_url: str = Field(pattern=r"^https?://", description="Where the ledger lives.")
    api_key: SecretStr = Field(description="Key of the API.")

    @property
    def origin(self) -> str:
        return self.base_url
