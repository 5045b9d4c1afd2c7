"""What the portal's database holds, and how the seed becomes it. All instants are aware UTC datetimes; None is the vendor's year 0001."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

_SEED = Path(__file__).with_name("seed.json")


@dataclass(slots=True, kw_only=True)
class Employee:
    """A portal user. `status` 1 is active, 2 terminated; `crm` says whether the CRM module is open to them."""

    id: str
    user_name: str
    first_name: str
    last_name: str
    email: str
    title: str = ""
    department: str = ""
    status: int = 1
    terminated: datetime | None = None
    work_from: datetime | None = None
    is_admin: bool = False
    is_owner: bool = False
    mobile_phone: str | None = None
    crm: bool = True

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"


@dataclass(slots=True, kw_only=True)
class Stage:
    """A row of the portal's one list of stages. `stage_type` 0 is open, 1 won, 2 lost. `sort_order` may repeat."""

    id: int
    title: str
    description: str = ""
    color: str = "#cccccc"
    success_probability: int = 0
    stage_type: int = 0
    sort_order: int = 0


@dataclass(slots=True, kw_only=True)
class CustomField:
    """Definition of a custom field of opportunities. `field_type` 0 text, 1 text area, 2 select, 3 check box, 4 heading, 5 date."""

    id: int
    label: str
    field_type: int
    position: int
    mask: str | None = None


@dataclass(slots=True, kw_only=True)
class Contact:
    """A person or a company: both live in one id space. `share_type` 0 is nobody but the access list, 1 read and write, 2 read.

    `still_listed_by` are companies that the person was added to before `company_id`, and that still list it among their people.
    """

    id: int
    is_company: bool
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    company_id: int = 0
    still_listed_by: list[int] = field(default_factory=list[int])
    title: str | None = None
    about: str = ""
    industry: str = ""
    currency: str | None = None
    share_type: int = 1
    access_list: list[str] = field(default_factory=list[str])
    create_by: str
    created: datetime
    status_id: int = 0
    type_id: int = 0
    info: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    addresses: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    tags: list[str] = field(default_factory=list[str])
    task_count: int = 0
    have_late_tasks: bool = False

    @property
    def display_name(self) -> str:
        return self.name if self.is_company else f"{self.first_name} {self.last_name}".strip()


@dataclass(slots=True, kw_only=True)
class Deal:
    """An opportunity. A deal is private exactly when its access list is not empty. `modified` never reaches the wire."""

    id: int
    title: str
    description: str | None = ""
    contact_id: int = 0
    members: list[int] = field(default_factory=list[int])
    responsible_id: str
    bid_type: int = 0
    bid_value: Decimal = Decimal(0)
    bid_currency: str | None = None
    per_period_value: int = 0
    stage_id: int
    success_probability: int = 0
    actual_close_date: datetime | None = None
    expected_close_date: datetime | None = None
    create_by: str
    created: datetime
    modified: datetime
    access_list: list[str] = field(default_factory=list[str])
    fields: dict[int, str] = field(default_factory=dict[int, str])
    tags: list[str] = field(default_factory=list[str])


@dataclass(slots=True, kw_only=True)
class Seed:
    """The whole content of a portal."""

    employees: dict[str, Employee]
    currencies: dict[str, dict[str, Any]]
    rates: dict[str, float]
    stages: dict[int, Stage]
    custom_fields: dict[int, CustomField]
    contact_statuses: dict[int, dict[str, Any]]
    contact_types: dict[int, dict[str, Any]]
    contacts: dict[int, Contact]
    deals: dict[int, Deal]


def load_seed(zone: timezone) -> Seed:
    """Read the seed. A plain day in it is midnight in the portal's time zone."""
    raw = json.loads(_SEED.read_text(encoding="utf-8"))
    return Seed(
        employees={row["id"]: Employee(**_dated(row, zone)) for row in raw["employees"]},
        currencies={row["abbreviation"]: row for row in raw["currencies"]},
        rates=raw["rates"],
        stages={row["id"]: Stage(**row) for row in raw["stages"]},
        custom_fields={row["id"]: CustomField(**row) for row in raw["custom_fields"]},
        contact_statuses={row["id"]: row for row in raw["contact_statuses"]},
        contact_types={row["id"]: row for row in raw["contact_types"]},
        contacts={row["id"]: Contact(**_dated(row, zone)) for row in raw["contacts"]},
        deals={row["id"]: _deal(row, zone) for row in raw["opportunities"]},
    )


def deal_as_json(deal: Deal, zone: timezone) -> dict[str, Any]:
    """Give a stored opportunity as plain JSON values, instants in the portal's time zone, the bid as text."""
    values: dict[str, Any] = {f.name: getattr(deal, f.name) for f in fields(deal)}
    values["bid_value"] = str(deal.bid_value)
    return {name: value.astimezone(zone).isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


_DATES = ("terminated", "work_from", "created", "modified", "actual_close_date", "expected_close_date")


def _dated(row: Mapping[str, Any], zone: timezone) -> dict[str, Any]:
    return {name: _instant(value, zone) if name in _DATES and value is not None else value for name, value in row.items()}


def _instant(text: str, zone: timezone) -> datetime:
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        parsed = datetime.combine(parsed.date(), time(), tzinfo=zone)
    return parsed.astimezone(UTC)


def _deal(row: Mapping[str, Any], zone: timezone) -> Deal:
    values = _dated(row, zone)
    values["bid_value"] = Decimal(str(values.get("bid_value", 0)))
    values["fields"] = {int(key): value for key, value in values.get("fields", {}).items()}
    values.setdefault("modified", values["actual_close_date"] if values.get("actual_close_date") else values["created"])
    return Deal(**values)
