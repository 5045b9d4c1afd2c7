"""Pipeliner's records, as its sandbox keeps them: opportunities, and the rows that link them to accounts and contacts."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from aiohttp import web
from hypothesis import strategies as st

from tests.resolvers.lists.raw.common import DAYS, MOMENTS, Place, Row, maybe, named, numbered, one_of, titles
from tests.resolvers.lists.reference import Deal
from vendors.pipeliner.sandbox.control import API
from vendors.pipeliner.sandbox.store import Store

_EUR, _USD, _CHF, _KRONEN = (
    "5b18e3f0-23b9-4a66-9f2d-68a7e45c6d66",
    "4bfaa72a-c0c0-4fc9-9242-5194ed4ed2c5",
    "46314232-c275-448e-a65e-20b6341e2278",
    "a899871e-2827-423f-b6f3-7efc0436aa4e",
)
_STEPS: Final = (
    "8918a2fd-4012-46a4-ae84-62577c31c946",
    "b95b8cbb-5cfe-42a7-88ec-fcba7109b094",
    "08c830b6-0dbc-436b-a83f-08beda066e7a",
    "83223652-1174-4c2e-831e-9a6823cd4cf8",
    "9b6c00b6-96a5-408f-923d-8b5a013b9b5b",  # of a pipeline that is deleted
)
_OWNERS: Final = tuple(f"00000000-0000-0000-0000-0000000114{end}" for end in ("10", "1a", "07"))
_ACCOUNTS: Final = ("10239637-ad5d-43c7-b937-4bfb9ff1cfb9", "15603a18-4e78-49cb-a061-1b2af8d111d5", "69eba99e-66f6-4764-ab51-dbedca297d14")
_CONTACTS: Final = ("0eaf72e1-feeb-432d-b8e9-213a916e4cea", "1454689e-1114-4daf-91eb-383a2e1cc101", "1613a947-21b7-499f-8b8a-38d481d59cfc")
_TAGS: Final = ("15df9c8a-1b45-48fd-bb0e-67c38bbfe057", "8fd9a60a-8a11-461e-a38d-4d61e10dc39b")
_OPEN, _LOST, _WON = 1, 2, 3
_MICROSECONDS: Final = (*MOMENTS, datetime(2026, 4, 1, 12, 0, 0, 123456, tzinfo=UTC), datetime(2026, 4, 1, 12, 0, 0, 123457, tzinfo=UTC))
_VALUES: Final = (
    None,
    {"base_value": Decimal("10.00"), "currency_id": _EUR, "value_foreign": Decimal("10.00")},
    {"base_value": Decimal("10.00"), "currency_id": _USD, "value_foreign": Decimal("12.50")},
    {"base_value": Decimal("1000.00"), "currency_id": _USD, "value_foreign": None},
    {"base_value": Decimal("9.00"), "currency_id": _CHF, "value_foreign": Decimal("123456789012345678.90")},
    {"base_value": Decimal("7.00"), "currency_id": _KRONEN, "value_foreign": Decimal("7.00")},
    {"base_value": Decimal("0.00"), "currency_id": _EUR, "value_foreign": Decimal("0.00")},
)

rows: Final = numbered(
    st.fixed_dictionaries(
        {
            "name": titles,
            "status": one_of(_OPEN, _LOST, _WON),
            "step_id": maybe(*_STEPS),
            "owner_id": one_of(*_OWNERS),
            "closing_date": maybe(*DAYS),
            "value": one_of(*_VALUES),
            "won_date": maybe(*_MICROSECONDS),
            "lost_date": maybe(*_MICROSECONDS),
            "is_archived": st.booleans(),
            "is_deleted": one_of(False, False, True),
            "quick_account_name": maybe("Åland Quay", "harbour"),
            "tags": st.lists(one_of(*_TAGS), unique=True, max_size=2).map(tuple),
            "cf_project_code": maybe("4", "Quay"),
            "cf_berths": maybe(2, 4),
            "cf_site_visit": maybe(True, False),
            "created": one_of(*_MICROSECONDS),
            "modified": one_of(*_MICROSECONDS),
            # The first one is the primary one; one that is taken away stays as a deleted link.
            "accounts": st.lists(one_of(*_ACCOUNTS), unique=True, max_size=2),
            "contacts": st.lists(one_of(*_CONTACTS), unique=True, max_size=2),
            "taken_away": maybe(_CONTACTS[0]),
        }
    )
)


def fill(app: web.Application, records: list[Row]) -> None:
    store = app[API].store
    opportunities: list[Row] = []
    links: dict[str, list[Row]] = {"accounts": [], "contacts": []}
    for record in records:
        row = {name: value for name, value in record.items() if value is not None and name not in {*links, "taken_away"}}
        row |= {"id": _uuid("opportunity", record["id"]), "revision": 1, "_step_entered": MOMENTS[0]}
        opportunities.append(row)
        stamps = {"lead_oppty_id": row["id"], "created": MOMENTS[0], "modified": MOMENTS[0], "revision": 1}
        for kind, found in links.items():
            for place, target in enumerate(record[kind]):
                link_id = _uuid(kind, record["id"], place)
                found.append({**stamps, "id": link_id, f"{kind[:-1]}_id": target, "is_primary": place == 0})
        gone = record["taken_away"]
        if gone is not None and gone not in record["contacts"] and not record["is_deleted"]:
            links["contacts"].append({**stamps, "id": _uuid("gone", record["id"]), "contact_id": gone, "is_deleted": True})
    store.tables["Opportunities"].load(opportunities)
    store.tables["LeadOpptyAccountRelations"].load(links["accounts"])
    store.tables["LeadOpptyContactRelations"].load(links["contacts"])


def deals(app: web.Application, crm: str) -> list[Deal]:
    store = app[API].store
    table = store.tables["Opportunities"]
    places = _places(store)
    return [_deal(store, crm, places, table.rows[row_id]) for row_id in sorted(table.rows)]


def _deal(store: Store, crm: str, places: dict[str, Place], row: Row) -> Deal:
    closed = row.get("won_date") if row["status"] == _WON else row.get("lost_date") if row["status"] == _LOST else None
    accounts, contacts = _linked(store, row, "Account"), _linked(store, row, "Contact")
    step = store.row("Steps", row.get("step_id"))
    owner = store.row("Clients", row["owner_id"])
    value: Row = row.get("value") or {}
    is_foreign = value.get("value_foreign") is not None
    code = str(_row(store, "Currencies", value.get("currency_id") if is_foreign else _EUR)["code"])
    place = places.get(row.get("step_id", ""))
    return Deal(
        crm=crm,
        id=row["id"],
        title=row["name"],
        amount=value.get("value_foreign") if is_foreign else value.get("base_value"),
        currency=code if len(code) == 3 else None,
        probability=None if step is None else float(step["percent"]),
        status={_OPEN: "OPEN", _LOST: "LOST", _WON: "WON"}[row["status"]],
        pipeline=None if place is None else place.pipeline,
        pipeline_name=None if place is None else place.pipeline_name,
        **named(places, row.get("step_id")),
        owner=row["owner_id"],
        owner_email=None if owner is None else owner["email"],
        accounts=tuple(accounts),
        account_name=_row(store, "Accounts", accounts[0])["name"] if accounts else row.get("quick_account_name"),
        contacts=tuple(contacts),
        expected_close_date=row.get("closing_date"),
        actual_close_date=None if closed is None else closed.date(),
        created_at=row["created"],
        updated_at=row["modified"],
        tags=tuple(_row(store, "Tags", tag)["name"] for tag in row.get("tags", ())),
        custom_fields={name: row[name] for name in ("cf_project_code", "cf_berths", "cf_site_visit") if name in row},
        is_deleted=bool(row.get("is_deleted")),
        is_archived=bool(row.get("is_archived")),
    )


def _linked(store: Store, row: Row, kind: str) -> list[str]:
    links = store.tables[f"LeadOppty{kind}Relations"].rows.values()
    standing = [link for link in links if link["lead_oppty_id"] == row["id"] and (row.get("is_deleted") or not link.get("is_deleted"))]
    return [link[f"{kind.lower()}_id"] for link in sorted(standing, key=lambda link: (not link.get("is_primary"), link["id"]))]


def _places(store: Store) -> dict[str, Place]:
    steps = [step for step in store.tables["Steps"].rows.values() if step.get("pipeline_id") is not None]
    steps.sort(key=lambda step: (step["sort_order"], step["id"]))
    places: dict[str, Place] = {}
    for pipeline in store.tables["Pipelines"].rows.values():
        mine = [step for step in steps if step["pipeline_id"] == pipeline["id"]]
        places |= {step["id"]: Place(pipeline["id"], pipeline["name"], step["name"], rank) for rank, step in enumerate(mine)}
    return places


def _row(store: Store, path: str, row_id: Any) -> Row:
    row = store.row(path, row_id)
    assert row is not None
    return row


def _uuid(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))
