"""The README's tables, made from the data that the tests hold. `python -m tests.readme.tables` prints them."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vendors.capabilities import Capability
from vendors.quality import QualityState, quality_of
from vendors.registry import all_vendors

CALLS = Path(__file__).parents[1] / "board" / "calls.toml"
_WORDS = {QualityState.SUPPORTED: "yes", QualityState.UNSUPPORTED: "no", QualityState.UNCONFIRMED: "unconfirmed"}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def capabilities() -> str:
    """Vendors by what they can do, and their limits."""
    qualities = {key: quality_of(key) for key in all_vendors()}
    rows = [
        [capability.value.replace("_", " "), *(_WORDS[quality.capabilities[capability.value].state] for quality in qualities.values())]
        for capability in Capability
    ]
    limits = sorted({name for quality in qualities.values() for name in quality.limits})
    rows += [[name.replace("_", " "), *(str(quality.limits.get(name, "not stated")) for quality in qualities.values())] for name in limits]
    return _table(["", *(vendor.label for vendor in all_vendors().values())], rows)


def calls() -> str:
    """Vendor calls of the board, by vendor and option."""
    data: Mapping[str, Any] = tomllib.loads(CALLS.read_text())
    rows: list[list[str]] = []
    for key, vendor in all_vendors().items():
        of = data[key]
        rows.append([vendor.label, "defaults", str(of["login"]), str(of["cold"]), str(of["warm"]), of["cold_calls"]])
        for position, changed in of.get("positions", {}).items():
            numbers = {**of, **changed}
            what = "all the hardest" if position == "hardest" else f"`{position}`"
            rows.append(["", what, str(numbers["login"]), str(numbers["cold"]), str(numbers["warm"]), changed.get("because", "")])
    return _table(["vendor", "option", "login", "cold", "warm", "which"], rows)


if __name__ == "__main__":
    print(capabilities(), calls(), sep="\n\n")  # noqa: T201  # it is there to be pasted
