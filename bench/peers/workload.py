"""What our server has to know to take part in the peers' workload: the question, the answer they expect, and the variants."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

CRMS: Final = 5
VARIANTS: Final[Mapping[str, str]] = {
    "A": "every record is asked of the vendors",
    "B": "records are in memory",
    "C": "as A, and a vendor takes 100 ms",
}
VENDORS_FOLDER: Final = Path(__file__).parent / "vendor"
_QUERY: Final = (Path(__file__).parent / "board.graphql").read_text("utf-8")
_FOREVER_SECONDS: Final = 86_400


def query(variant: str) -> str:
    """Our question; in B records may be as old as they are."""
    return _QUERY.replace("first: 100", f"first: 100, maxAge: {_FOREVER_SECONDS}") if variant == "B" else _QUERY


def expected_form(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Our answer in the form of the peers' schema: a plain list vendor by vendor, without money.

    A list over Crms gives the first row of each, then the second of each, and so on; they have equally many rows here.
    """
    data = answer.get("data")
    if not data or not data["opportunities"]:
        return dict(answer)
    nodes = data["opportunities"]["nodes"]
    rows = [_flat(node) for at in range(CRMS) for node in nodes[at::CRMS]]
    return {**answer, "data": {"opportunities": rows}}


def _flat(node: Mapping[str, Any]) -> dict[str, Any]:
    money = node["amount"]
    if money is None:
        return {**node, "currency": None}
    return {**node, "amount": float(money["amount"]), "currency": money["currency"]}
