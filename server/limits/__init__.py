"""What one operation may ask for: shape, cost and time, checked before anything runs."""

from server.limits.cost import cost
from server.limits.deadline import DeadlineExtension, RunningOperation, running_operation
from server.limits.extension import LimitsExtension, operation_extensions
from server.limits.model import Limits

__all__ = [
    "DeadlineExtension",
    "Limits",
    "LimitsExtension",
    "RunningOperation",
    "cost",
    "operation_extensions",
    "running_operation",
]
