"""What is known of a vendor, each fact with its source: the vendor's `quality.toml`, read by tests and by the table in the README."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any


class QualityState(StrEnum):
    """Whether the vendor can do it, cannot, or nobody knows."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One capability or fact. `test` names the test that shows a supported one; `note` says how an unconfirmed one is coped with."""

    state: QualityState
    source: str
    test: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """All facts of a vendor; `limits` are numbers and words for people."""

    capabilities: Mapping[str, Fact]
    facts: Mapping[str, Fact]
    limits: Mapping[str, object]


def quality_of(vendor: str) -> Quality:
    """Read a vendor's quality file.

    Raises:
        FileNotFoundError: It has none.
        ValueError: It has a state or key that does not exist.
    """
    data = tomllib.loads((files(f"vendors.{vendor}") / "quality.toml").read_text("utf-8"))
    unknown = data.keys() - {"capability", "fact", "limits"}
    if unknown:
        raise ValueError(f"quality.toml of {vendor!r} has unknown tables {sorted(unknown)}")
    return Quality(capabilities=_facts(data.get("capability", {})), facts=_facts(data.get("fact", {})), limits=data.get("limits", {}))


def _facts(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Fact]:
    return {name: Fact(**{**table, "state": QualityState(table["state"])}) for name, table in tables.items()}
