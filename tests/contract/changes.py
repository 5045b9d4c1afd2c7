"""What other people do to opportunities while a list is read, done to the sandboxes' own stores."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from aiohttp import web

from vendors.apideck.sandbox.store import STORE as APIDECK
from vendors.autotask.sandbox.control import API as AUTOTASK
from vendors.onlyoffice.sandbox.records import Deal
from vendors.onlyoffice.sandbox.routes import PORTAL as ONLYOFFICE
from vendors.onlyoffice.sandbox.store import DealInput
from vendors.pipeliner.sandbox.control import API as PIPELINER
from vendors.sharpspring.sandbox.routes import STORE as SHARPSPRING


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Somebody at work in a Crm. Records are named by their local ids.

    Args:
        remove: Deletes a record.
        copy: Adds a record with the values of another.
        become: Gives a record the values of another.
        rename: Gives a record a title.
    """

    remove: Callable[[str], object]
    copy: Callable[[str], object]
    become: Callable[[str, str], object]
    rename: Callable[[str, str], object]


def hands_in(vendor: str, app: web.Application) -> Hands | None:
    """Somebody at work in a vendor's running sandbox; None for a vendor whose sandbox is not known here."""
    makers = {
        "apideck": _apideck,
        "autotask": _autotask,
        "onlyoffice": _onlyoffice,
        "pipeliner": _pipeliner,
        "sharpspring": _sharpspring,
    }
    return makers[vendor](app) if vendor in makers else None


def _apideck(app: web.Application) -> Hands:
    store = app[APIDECK]
    table = store.tables["opportunities"]

    def put(key: str, values: dict[str, Any]) -> None:
        table.put({**values, "id": key})

    return Hands(
        remove=lambda key: store.delete("opportunities", key),
        copy=lambda key: put(table.next_id(), table.get(key) or {}),
        become=lambda key, other: put(key, table.get(other) or {}),
        rename=lambda key, title: put(key, {**(table.get(key) or {}), "title": title}),
    )


def _autotask(app: web.Application) -> Hands:
    table = app[AUTOTASK].store.tables["Opportunities"]

    def put(key: int, values: dict[str, Any]) -> None:
        table.put({**values, "id": key})

    return Hands(
        remove=lambda key: table.remove(int(key)),
        copy=lambda key: put(table.ids[-1] + 1, table.rows[int(key)]),
        become=lambda key, other: put(int(key), table.rows[int(other)]),
        rename=lambda key, title: put(int(key), {**table.rows[int(key)], "title": title}),
    )


def _onlyoffice(app: web.Application) -> Hands:
    store = app[ONLYOFFICE].store
    admin = next(user for user in store.employees.values() if user.is_admin)

    def put(deal: Deal, values: Deal) -> None:
        store.move(deal.id, values.stage_id)  # forgets the lists that the sandbox keeps
        for name in [field.name for field in fields(Deal) if field.name != "id"]:
            setattr(deal, name, getattr(values, name))

    def created(like: Deal) -> Deal:
        given = DealInput(
            title=like.title,
            description=None,
            responsible_id=admin.id,
            bid_type=0,
            bid_value=0,
            bid_currency=like.bid_currency or "EUR",
            per_period_value=0,
            stage_id=like.stage_id,
            success_probability=0,
            contact_id=0,
            actual_close_date=None,
            expected_close_date=None,
            members=[],
            custom_fields=[],
            is_private=False,
            access_list=[],
        )
        return store.create(admin, given)

    return Hands(
        remove=lambda key: store.delete(admin, int(key)),
        copy=lambda key: put(created(store.deals[int(key)]), store.deals[int(key)]),
        become=lambda key, other: put(store.deals[int(key)], store.deals[int(other)]),
        rename=lambda key, title: put(store.deals[int(key)], replace(store.deals[int(key)], title=title)),
    )


def _pipeliner(app: web.Application) -> Hands:
    store = app[PIPELINER].store
    rows = store.tables["Opportunities"].rows

    def values_of(key: str) -> dict[str, Any]:
        return {name: value for name, value in rows[key].items() if name != "id"}

    def copy(key: str) -> None:
        """Add a copy with its links; ids of this vendor are random, so it may stand anywhere in the list."""
        row = store.insert("Opportunities", {**values_of(key), "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"copy of {key}"))})
        for one in store.tables["Opportunities"].entity.fields:
            if one.kind == "many" and not one.read_only:
                for link in store.linked(one, key):
                    link_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"copy of {link['id']}"))
                    store.insert(one.target, {**link, "id": link_id, one.via: row["id"]})

    return Hands(
        remove=lambda key: store.delete("Opportunities", key),
        copy=copy,
        become=lambda key, other: store.change("Opportunities", key, values_of(other)),
        rename=lambda key, title: store.change("Opportunities", key, {"name": title}),
    )


def _sharpspring(app: web.Application) -> Hands:
    store = app[SHARPSPRING]
    table = store.tables["opportunity"]

    def put(key: int, values: dict[str, Any]) -> None:
        table.put({**values, "id": key})

    return Hands(
        remove=lambda key: store.delete("opportunity", {"id": int(key)}),
        copy=lambda key: put(max(table.rows) + 1, table.rows[int(key)]),
        become=lambda key, other: put(int(key), table.rows[int(other)]),
        rename=lambda key, title: put(int(key), {**table.rows[int(key)], "opportunityName": title}),
    )
