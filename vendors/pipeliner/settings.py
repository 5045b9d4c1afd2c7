"""What has to be configured for a Crm of Pipeliner."""

from typing import Final
from urllib.parse import quote

from pydantic import Field, SecretStr

from vendors.registry import VendorSettings

# Source: Pipeliner "Create Opportunity", request lines: /api/v100/rest/spaces/<space_id>/entities/...
_API: Final = "/api/v100/"


class Settings(VendorSettings):
    """Credentials of an application of a team space, as "Show API Access" tells them."""

    service_url: str = Field(
        pattern=r"^(https?://)?[^\s/?#@:]+(:\d+)?(/[^\s?#@]*)?$",
        description="Service URL; the scheme and the path may be left out.",
    )
    space_id: str = Field(min_length=1, pattern=r"^[^\s/?#]+$", description="Id of the team space, such as `demo_space`.")
    username: str = Field(min_length=1, description="Generated user name of the application.")
    password: SecretStr = Field(description="Generated password of the application.")

    @property
    def origin(self) -> str:
        return self.service_url if "://" in self.service_url else f"https://{self.service_url}"

    @property
    def base_url(self) -> str:
        """Where the space's entities live. A path that was copied with the service URL is kept up to the API's own part."""
        return f"{f'{self.origin}/'.partition(_API)[0].rstrip('/')}{_API}rest/spaces/{quote(self.space_id, safe='')}/entities/"
