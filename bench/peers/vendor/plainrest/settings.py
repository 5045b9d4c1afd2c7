from pydantic import Field

from vendors.registry import VendorSettings


class Settings(VendorSettings):
    """Where the files are; there are no credentials."""

    base_url: str = Field(pattern=r"^https?://", description="Folder of the six files, such as http://127.0.0.1:9100/v1.")

    @property
    def origin(self) -> str:
        return self.base_url
