"""How changes are watched and kept; plain values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSettings:
    """Settings of the log of changes.

    Args:
        enabled: Whether Crms are watched; without it there are no events, and webhooks are not taken.
        retention_days: How long events are kept, and so how old a cursor may be.
        most_waiting: Number of events that wait in memory for one subscriber; one that is further behind reads the log.
        lag_seconds: How long a subscriber may be further behind than that before it is told to subscribe again.
        webhook_max_age_seconds: How old a delivery may be that says when it happened; vendors repeat what was not taken for a day.
        webhook_max_bytes: Largest body of a delivery.
    """

    enabled: bool = True
    retention_days: float = 30.0
    most_waiting: int = 1_000
    lag_seconds: float = 30.0
    webhook_max_age_seconds: float = 26 * 3_600.0
    webhook_max_bytes: int = 1024 * 1024
