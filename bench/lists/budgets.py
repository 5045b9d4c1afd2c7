"""What operations and scans may take: our defaults, and what is raised for a size."""

from collections.abc import Mapping
from typing import Final

from server.config_crms import CrmSettings
from server.config_server import ServerSettings

# Everything is answered at once here, however long it takes: the greatest deadline that a configuration may name.
DEADLINE_SECONDS: Final = 300.0
_KEPT_FOREVER_SECONDS: Final = 86_400.0


def budgets(size: int) -> Mapping[str, float]:
    """What a Crm of that size may be scanned for: the defaults, and more only where they do not reach."""
    defaults = _defaults()
    return {
        "scan_max_rows": max(int(defaults["scan_max_rows"]), size + 1_000),
        "scan_max_calls": max(int(defaults["scan_max_calls"]), size // 20),
        "scan_seconds": defaults["scan_seconds"] if size <= 10_000 else DEADLINE_SECONDS,  # found by running it
        "index_ttl_seconds": _KEPT_FOREVER_SECONDS,  # so that a walk is measured with one scan, however slow the machine is
    }


def raised_budgets(size: int) -> str:
    raised = [f"{name} {value:g}" for name, value in budgets(size).items() if value != _defaults()[name]]
    if ServerSettings.model_fields["deadline_seconds"].default != DEADLINE_SECONDS:
        raised.append(f"deadline_seconds {DEADLINE_SECONDS:g}")
    return f"raised are {', '.join(raised)}"


def _defaults() -> Mapping[str, float]:
    names = ("scan_max_rows", "scan_max_calls", "scan_seconds", "index_ttl_seconds")
    return {name: CrmSettings.model_fields[name].default for name in names}
