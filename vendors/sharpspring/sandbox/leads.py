"""How lead updates behave: several that should fail succeed silently instead.

Source: observed behaviour of updateLeads on API 1.117, written down by a client's author; updateLeadsV2 exists because of it.
"""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from vendors.sharpspring.sandbox.errors import RefusedError
from vendors.sharpspring.sandbox.store import Store
from vendors.sharpspring.sandbox.table import Row
from vendors.sharpspring.sandbox.values import integer


def update_lead(store: Store, given: Mapping[str, Any], zone: ZoneInfo) -> None:
    """Update a lead by id, or by its e-mail address when no id is given; an unknown one is a success that changes nothing."""
    lead = _find(store, given)
    if lead is None:
        return
    email = given.get("emailAddress", lead["emailAddress"])
    if any(other["id"] != lead["id"] for other in _with_email(store, email)):
        store.touch("lead", lead["id"])
        return
    values = {name: value for name, value in given.items() if name != "id"}
    if lead["leadStatus"] == "contactWithOpp" and values.get("leadStatus") == "contact":
        values.pop("leadStatus")
        if not values:
            return
    store.update("lead", {"id": lead["id"], **values}, zone)


def update_lead_v2(store: Store, given: Mapping[str, Any], zone: ZoneInfo) -> None:
    """Update a lead like `update_lead`, but fail for an unknown one.

    Raises:
        RefusedError: 404 for an unknown lead, and those of `Store.update`.
    """
    if _find(store, given) is None:
        raise RefusedError(404)
    update_lead(store, given, zone)


def _find(store: Store, given: Mapping[str, Any]) -> Row | None:
    if "id" in given:
        return store.tables["lead"].rows.get(integer(given["id"]) or 0)
    return next(iter(_with_email(store, given.get("emailAddress"))), None)


def _with_email(store: Store, email: object) -> list[Row]:
    return store.tables["lead"].find({"emailAddress": frozenset({email})}, inactive=True) if isinstance(email, str) and email else []
