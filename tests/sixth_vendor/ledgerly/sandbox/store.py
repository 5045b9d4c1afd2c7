import json
from importlib.resources import files
from typing import Any

API_KEY = "ledger-s3cret"


def deals() -> list[dict[str, Any]]:
    seed = json.loads((files(__package__) / "seed.json").read_text())
    return [{"id": str(number), **row} for number, row in enumerate(seed * 6, start=1)]
