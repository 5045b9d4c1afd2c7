"""What the connectors demand of an opportunity beyond Apideck's own schema."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

# Source: Apideck CRM API, schema Opportunity, required.
_ALWAYS: Final = frozenset({"title"})
# Source: Apideck CRM API, opportunitiesAdd, connector notes: "The primary_contact_id is required in the request body".
_WITH_PRIMARY_CONTACT: Final = frozenset(
    {"act", "activecampaign", "copper", "microsoft-dynamics", "pipedrive", "teamleader", "zoho-books"},
)
# Source: Apideck CRM API, opportunitiesAdd, connector notes, salesforce: without a close date it would become 2021-12-31.
_DEMANDED: Final[Mapping[str, AbstractSet[str]]] = {"salesforce": frozenset({"expected_close_date", "stage_id"})}
# Source: Apideck CRM API, opportunitiesAdd and opportunitiesUpdate, connector notes, planhat.
STATUS_WORDS: Final[Mapping[str, tuple[str, ...]]] = {"planhat": ("active", "won", "lost")}

WIRE_NAMES: Final[Mapping[str, str]] = {
    "title": "title",
    "primary_contact_id": "primary_contact_id",
    "expected_close_date": "close_date",
    "stage_id": "pipeline_stage_id",
}
"""The vendor's names of attributes that may be demanded."""


def demanded(service_id: str, *, require_primary_contact: bool) -> frozenset[str]:
    """Attributes that an opportunity always has.

    Args:
        service_id: The connector.
        require_primary_contact: Whether a primary contact is demanded whatever the connector. Source: Apideck SDK for C#, Opportunity,
            PrimaryContactId: required in its first edition, and no more in the API's present document.
    """
    needs_contact = require_primary_contact or service_id in _WITH_PRIMARY_CONTACT
    return _ALWAYS.union(_DEMANDED.get(service_id, ()), ["primary_contact_id"] if needs_contact else [])


def status_is_taken(word: str | None, service_id: str) -> bool:
    """Whether the connector takes this word as a status; those without a list take any."""
    return service_id not in STATUS_WORDS or word in STATUS_WORDS[service_id]
