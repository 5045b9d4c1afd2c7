"""What to measure of changes of stage, and how much of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure.

    Args:
        deals: Number of deals in each sandbox.
        moves: Number of moves in each Crm for the latency, and of those that a loaded server is measured with.
        idle: Number of idle subscribers.
        idle_seconds: How long they are looked at; None for as long as it takes until each has been pinged.
        busy: Number of subscribers who want every event.
        events: Number of events that are replayed.
        paged_events: Number of those that are read page by page besides.
        nested_events: Number of those that are replayed with their opportunities.
        stalled_seconds: How long a subscriber reads nothing that comes back.
    """

    deals: int = 200
    moves: int = 100
    idle: int = 1_000
    idle_seconds: float | None = None
    busy: int = 100
    events: int = 100_000
    paged_events: int = 10_000
    nested_events: int = 200
    stalled_seconds: float = 8.0
