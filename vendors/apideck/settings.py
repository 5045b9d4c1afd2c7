"""What has to be configured for a Crm behind Apideck's unified API."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints, ValidationInfo, field_validator

from vendors.apideck.demands import status_is_taken
from vendors.auth import HeaderSecret
from vendors.model import OpportunityStatus, StageKind
from vendors.registry import VendorSettings

_Word = Annotated[str, StringConstraints(pattern=r"\S")]
_HeaderText = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]*[!-~])?$")]


class Settings(VendorSettings):
    """An application, the consumer whose connection is used, and the connector."""

    base_url: str = Field(default="https://unify.apideck.com", pattern=r"^https?://", description="Where Apideck's unified API lives.")
    api_key: HeaderSecret = Field(description="API key of the application.")
    app_id: _HeaderText = Field(description="Id of the Unify application.")
    consumer_id: _HeaderText = Field(description="Id of the consumer that has the connection.")
    service_id: _HeaderText = Field(description="The connector behind it, such as `hubspot` or `salesforce`.")
    webhook_secret: SecretStr | None = Field(
        default=None, description="What webhooks are signed with, where that is not the API key.", min_length=1
    )
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
    won_status: _Word | None = Field(
        default=None,
        examples=["closedwon"],
        description="The connector's status word that wins an opportunity; without it none can be won through the graph.",
    )
    lost_status: _Word | None = Field(
        default=None,
        examples=["closedlost"],
        description="The connector's status word that loses an opportunity; without it none can be lost through the graph.",
    )
    open_status: _Word | None = Field(
        default=None,
        examples=["open"],
        description="The connector's status word that opens an opportunity again; without it none can be.",
    )
    require_primary_contact: bool = Field(
        default=False,
        description="Whether an opportunity needs a primary contact, also where the connector is not among those known to demand one.",
    )

    @field_validator("status_map")
    @classmethod
    def _without_case(cls, words: Mapping[str, OpportunityStatus]) -> Mapping[str, OpportunityStatus]:
        return {text.strip().lower(): status for text, status in words.items()}

    @field_validator("won_status", "lost_status", "open_status")
    @classmethod
    def _of_one_meaning(cls, word: str | None, info: ValidationInfo) -> str | None:
        """Check a word against the settings before it: it has to mean the same when it is read."""
        if word is None:
            return None
        text, status = word.strip().lower(), OpportunityStatus(str(info.field_name).removesuffix("_status"))
        others = [info.data.get(f"{each.value}_status") for each in OpportunityStatus if each is not status]
        if text in [other.strip().lower() for other in others if other] or info.data.get("status_map", {}).get(text, status) is not status:
            raise ValueError("must not mean something else in another setting")
        if not status_is_taken(word, info.data.get("service_id", "")):
            raise ValueError("must be a word that the connector takes")
        return word

    @property
    def words(self) -> Mapping[OpportunityStatus, str]:
        """The connector's word for each status, as far as it is told."""
        named = {OpportunityStatus.OPEN: self.open_status, OpportunityStatus.WON: self.won_status, OpportunityStatus.LOST: self.lost_status}
        return {status: word for status, word in named.items() if word is not None}

    @property
    def meanings(self) -> Mapping[str, OpportunityStatus]:
        """What the connector's words mean, in small letters; a word that is written means the same when it is read."""
        return {**{word.strip().lower(): status for status, word in self.words.items()}, **self.status_map}

    @property
    def origin(self) -> str:
        return self.base_url
