"""What a vendor's folder tells about changes of its opportunities: how to watch for them, and what its webhooks say.

No vendor sends what an opportunity was before. So whatever a poll or a webhook names is only a hint that something may have happened; what
did happen is found by reading the record and comparing it with what was known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vendors.model import Opportunity, Ref

if TYPE_CHECKING:
    from vendors.capabilities import Page, PageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """How a Crm is watched, where its settings say nothing else.

    Args:
        poll_seconds: Time from one poll to the next.
        sweep_seconds: Time from one reading of all opportunities to the next. It finds what polls do not tell, such as deleted ones.
        overlap_seconds: How far a poll reaches back behind the beginning of the last one, because the vendor's clock, or the order in which
            it lets changes be seen, is not exact.
        calls_per_hour: Number of calls that watching may make on the average, so that enough of the vendor's budget is left for people.
        polls_tell_deletions: Whether polls tell of deleted opportunities too, and not sweeps alone.
    """

    poll_seconds: float = 60.0
    sweep_seconds: float = 900.0
    overlap_seconds: float = 60.0
    calls_per_hour: float = 600.0
    polls_tell_deletions: bool = False


WATCHING = Watching()
"""For vendors that say nothing about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFacts:
    """What a record that was just found in another stage or status tells about that change; None where it tells nothing."""

    changed_at: datetime | None = None
    changed_by: Ref | None = None


@runtime_checkable
class WatchesOpportunities(Protocol):
    def watching(self) -> Watching:
        """Tell how to watch the Crm."""
        ...

    def change_facts(self, record: Opportunity) -> ChangeFacts:
        """Tell when and by whom the record was moved, given that its stage or status has changed since it was read before."""
        ...


@runtime_checkable
class PollsOpportunities(Protocol):
    async def changed_opportunities(self, since: datetime, request: "PageRequest") -> "Page[Opportunity]":
        """Read a page of the opportunities that were created or changed since a moment by the vendor's clock.

        Deleted ones are among them where the vendor still shows them. The request has no conditions and no order; over all pages every
        such opportunity comes at least once, in any order.

        Raises:
            UnsupportedError: This Crm cannot be asked for that, though others of its vendor can; it is swept instead.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What an authenticated webhook says.

    Args:
        opportunity_ids: The opportunities that it names; none when it is about something else.
        key: The vendor's own mark of it, the same when it is sent again.
        occurred_at: When it says that it happened.
    """

    opportunity_ids: Sequence[str]
    key: str | None = None
    occurred_at: datetime | None = None


class WebhookRefusedError(Exception):
    """A delivery is not the vendor's, as far as its signature tells. The message may be shown to anybody."""


class WebhookMalformedError(Exception):
    """A delivery with a right signature is none. The message may be shown to anybody."""


@runtime_checkable
class ReceivesWebhooks(Protocol):
    def receives_webhooks(self) -> bool:
        """Tell whether the Crm's settings hold what deliveries are signed with."""
        ...

    def delivery(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """Check a delivery's signature in constant time, over the body as it came, and read it. Names of headers are in lower case.

        Raises:
            WebhookRefusedError: The signature is missing or wrong.
            WebhookMalformedError: The body is not what the vendor sends.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A registered receiver of webhooks, as the vendor tells it."""

    local_id: str
    url: str
    events: Sequence[str]
    is_enabled: bool
    note: str | None = None


@runtime_checkable
class RegistersWebhooks(Protocol):
    async def webhooks(self) -> Sequence[Webhook]:
        """Read the registered receivers."""
        ...

    async def register_webhook(self, url: str) -> Webhook:
        """Let the vendor send what happens to opportunities to a URL, signed with what the settings hold."""
        ...

    async def remove_webhook(self, local_id: str) -> None:
        """End a registration."""
        ...
