"""What has to be configured for a Crm of Pipeliner."""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from vendors.pipeliner.wire import is_id
from vendors.registry import VendorSettings

# Source: Pipeliner "Create Opportunity", request lines: /api/v100/rest/spaces/<space_id>/entities/...
_API: Final = "/api/v100/"
# Source: Pipeliner "Create Opportunity", parameter `validation-level`, a bit mask.
_LEVELS: Final = 30


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _are_ids(ids: tuple[str, ...]) -> tuple[str, ...]:
    if not all(map(is_id, ids)):
        raise ValueError("the id of a stage is a UUID")
    return ids


_Stages = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_are_ids)]


def _is_mask(level: int | None) -> int | None:
    if level is not None and level & ~_LEVELS:
        raise ValueError("a validation level is 0, or a sum of 2, 4, 8 and 16")
    return level


def _is_uuid(signature: SecretStr | None) -> SecretStr | None:
    """Spell it as the vendor spells its ids, for it is a key letter by letter."""
    try:
        return None if signature is None else SecretStr(str(UUID(signature.get_secret_value())))
    except ValueError:
        raise ValueError("the signature of webhooks is a UUID") from None  # the cause quotes it


class Settings(VendorSettings):
    """Credentials of an application of a team space, as "Show API Access" tells them."""

    service_url: str = Field(
        pattern=r"^(https?://)?[^\s/?#@:]+(:\d+)?(/[^\s?#@]*)?$",
        description="Service URL; the scheme and the path may be left out.",
    )
    space_id: str = Field(min_length=1, pattern=r"^[^\s/?#]+$", description="Id of the team space, such as `demo_space`.")
    username: str = Field(min_length=1, description="Generated user name of the application.")
    password: SecretStr = Field(description="Generated password of the application.")
    won_stage_id: _Stages = Field(
        default=(),
        description="Id of the stage that wins a deal; of several pipelines, the ids of their stages. Without it deals cannot be won.",
    )
    lost_stage_id: _Stages = Field(
        default=(),
        description="Id of the stage that loses a deal; of several pipelines, the ids of their stages. Without it deals cannot be lost.",
    )
    validation_level: Annotated[int | None, AfterValidator(_is_mask)] = Field(
        default=None,
        ge=0,
        description="What the vendor checks of writes, a sum: 2 only changed fields, 4 only its own fields; 8 lets read-only fields be "
        "set, 16 lets deleted records be linked. Without it, or with 0, it checks every field.",
    )
    webhook_signature: Annotated[SecretStr | None, AfterValidator(_is_uuid)] = Field(
        default=None,
        description="What webhooks are signed with: a UUID of your own, kept secret. Without it webhooks are refused.",
    )

    @property
    def origin(self) -> str:
        return self.service_url if "://" in self.service_url else f"https://{self.service_url}"

    @property
    def base_url(self) -> str:
        """Where the space's entities live. A path that was copied with the service URL is kept up to the API's own part."""
        return f"{f'{self.origin}/'.partition(_API)[0].rstrip('/')}{_API}rest/spaces/{quote(self.space_id, safe='')}/entities/"

    @property
    def write_params(self) -> Sequence[tuple[str, str]]:
        """Parameters of creates and updates."""
        return () if self.validation_level is None else (("validation-level", str(self.validation_level)),)
