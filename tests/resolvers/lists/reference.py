"""What a list of opportunities has to be: plain rules over deals that were read out of the sandboxes' raw records.

Nothing here knows the adapters or the lists of the graph; filters and orders are the JSON that a client sends.
"""

import base64
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

Json = dict[str, Any]

# Units of a currency for one euro. The other currencies of the data have no rate.
RATES: Final[Mapping[str, Fraction]] = {
    "EUR": Fraction(1),
    "USD": Fraction(5, 4),
    "GBP": Fraction(4, 5),
    "NOK": Fraction(25, 2),
    "JPY": Fraction(160),
}
REPORTING_CURRENCY: Final = "EUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """An opportunity as the rules of the graph's model read it from a vendor's record. Ids are the vendor's own."""

    crm: str
    id: str
    title: str
    amount: Decimal | None = None
    currency: str | None = None
    probability: float | None = None
    status: str | None = None
    pipeline: str | None = None
    pipeline_name: str | None = None
    stage: str | None = None
    stage_name: str | None = None
    stage_kind: str | None = None
    stage_rank: int | None = None
    owner: str | None = None
    owner_email: str | None = None
    accounts: tuple[str, ...] = ()
    account_name: str | None = None
    contacts: tuple[str, ...] = ()
    expected_close_date: date | None = None
    actual_close_date: date | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    tags: tuple[str, ...] = ()
    custom_fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_deleted: bool = False
    is_archived: bool | None = None

    @property
    def row(self) -> tuple[str, str]:
        return self.crm, self.id


def global_id(type_name: str, crm: str, local_id: str) -> str:
    return base64.b64encode(f"{type_name}:{crm}:{local_id}".encode()).decode()


def row_of(identifier: str) -> tuple[str, str]:
    _, crm, local_id = base64.b64decode(identifier).decode().split(":", 2)
    return crm, local_id


def the_list(
    deals: Iterable[Deal],
    *,
    filter_: Json | None = None,
    order_by: Sequence[Json] = (),
    include_deleted: bool = False,
    today: date,
) -> list[Deal]:
    """The deals that belong to a list, in its order. `deals` are in the native order of each Crm."""
    wanted = filter_ or {}
    with_deleted = include_deleted or wanted.get("deleted") is True
    found = [deal for deal in deals if (with_deleted or not deal.is_deleted) and fulfils(deal, wanted, today)]
    return in_order(found, order_by) if order_by else interleaved(found)


def interleaved(deals: Iterable[Deal]) -> list[Deal]:
    """By rank in the Crm, then by Crm."""
    ranks: dict[str, int] = {}
    ranked: list[tuple[int, str, Deal]] = []
    for deal in deals:
        ranks[deal.crm] = ranks.get(deal.crm, 0) + 1
        ranked.append((ranks[deal.crm], deal.crm, deal))
    return [deal for _, _, deal in sorted(ranked, key=lambda entry: entry[:2])]


def in_order(deals: Iterable[Deal], order_by: Sequence[Json]) -> list[Deal]:
    """By the keys, those without a value last, then by Crm and id; numbers among ids as numbers."""
    found = sorted(deals, key=lambda deal: (deal.crm, (0, int(deal.id), "") if deal.id.isdecimal() else (1, 0, deal.id)))
    for key in reversed(order_by):
        valued = [(value, deal) for deal in found if (value := compared(deal, key)) is not None]
        valued.sort(key=lambda pair: pair[0], reverse=bool(key.get("descending")))
        found = [deal for _, deal in valued] + [deal for deal in found if compared(deal, key) is None]
    return found


def compared(deal: Deal, key: Json) -> Any:
    """What a key of an order compares."""
    match key["field"]:
        case "TITLE":
            return folded(deal.title)
        case "AMOUNT":
            return amount_in(deal, key.get("currency") or REPORTING_CURRENCY)
        case "STAGE_ORDER":
            return deal.stage_rank
        case name:
            return getattr(deal, name.lower())


def folded(text: str) -> str:
    """A title as orders compare it: neither case nor accents count, nor what comes behind 200 characters."""
    caseless = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(character for character in caseless if not unicodedata.combining(character))[:200]


def amount_in(deal: Deal, currency: str) -> Fraction | None:
    if deal.amount is None or deal.currency is None:
        return None
    if deal.currency == currency:
        return Fraction(deal.amount)
    if deal.currency not in RATES or currency not in RATES:
        return None
    return Fraction(deal.amount) * RATES[currency] / RATES[deal.currency]


def fulfils(deal: Deal, filter_: Json, today: date) -> bool:
    """Whether all that a filter says holds of a deal."""
    return all(_CHECKS[name](deal, wanted, today) for name, wanted in filter_.items())


def _is_among(name: str) -> Callable[[Deal, Any, date], bool]:
    return lambda deal, wanted, _: getattr(deal, name) is not None and getattr(deal, name) in wanted


def _refers(type_name: str, name: str) -> Callable[[Deal, Any, date], bool]:
    def check(deal: Deal, wanted: Any, _: date) -> bool:
        value: Any = getattr(deal, name)
        ids: tuple[str | None, ...] = value if isinstance(value, tuple) else (value,)  # pyright: ignore[reportUnknownVariableType]  # Any
        return any(local_id is not None and global_id(type_name, deal.crm, local_id) in wanted for local_id in ids)

    return check


def _is_named(name: str) -> Callable[[Deal, Any, date], bool]:
    def check(deal: Deal, wanted: Any, _: date) -> bool:
        value: str | None = getattr(deal, name)
        return value is not None and value.casefold() in {text.casefold() for text in wanted}

    return check


def _is_like(name: str) -> Callable[[Deal, Any, date], bool]:
    def check(deal: Deal, wanted: Any, _: date) -> bool:
        value: str | None = getattr(deal, name)
        if value is None:
            return False
        text = value.casefold()
        return (
            wanted.get("contains", "").casefold() in text
            and text.startswith(wanted.get("startsWith", "").casefold())
            and wanted.get("equals", value).casefold() == text
        )

    return check


def _is_within(value: Any, wanted: Json, read: Callable[[Any], Any]) -> bool:
    if value is None:
        return False
    bounds = {name: read(bound) for name, bound in wanted.items() if name != "currency"}
    return (
        ("gte" not in bounds or value >= bounds["gte"])
        and ("gt" not in bounds or value > bounds["gt"])
        and ("lte" not in bounds or value <= bounds["lte"])
        and ("lt" not in bounds or value < bounds["lt"])
    )


def _is_in_range(name: str, read: Callable[[Any], Any]) -> Callable[[Deal, Any, date], bool]:
    return lambda deal, wanted, _: _is_within(getattr(deal, name), wanted, read)


def _is_overdue(deal: Deal, wanted: Any, today: date) -> bool:
    day = deal.expected_close_date
    return (deal.status == "OPEN" and day is not None and day < today) is wanted


def _has_custom_fields(deal: Deal, wanted: Any, _: date) -> bool:
    def has(key: str, sought: Any) -> bool:
        value = deal.custom_fields.get(key)
        values: list[Any] = [value, *value] if isinstance(value, list) else [value]
        return any(one is not None and isinstance(one, bool) is isinstance(sought, bool) and one == sought for one in values)

    return all(has(entry["key"], entry["equals"]) for entry in wanted)


_CHECKS: Final[Mapping[str, Callable[[Deal, Any, date], bool]]] = {
    "crms": _is_among("crm"),
    "status": _is_among("status"),
    "pipelineIds": _refers("Pipeline", "pipeline"),
    "pipelineNames": _is_named("pipeline_name"),
    "stageIds": _refers("Stage", "stage"),
    "stageNames": _is_named("stage_name"),
    "stageKinds": _is_among("stage_kind"),
    "ownerIds": _refers("User", "owner"),
    "ownerEmails": _is_named("owner_email"),
    "accountIds": _refers("Account", "accounts"),
    "accountName": _is_like("account_name"),
    "contactIds": _refers("Contact", "contacts"),
    "title": _is_like("title"),
    "amount": lambda deal, wanted, _: _is_within(amount_in(deal, wanted.get("currency") or REPORTING_CURRENCY), wanted, Fraction),
    "probability": _is_in_range("probability", float),
    "expectedCloseDate": _is_in_range("expected_close_date", date.fromisoformat),
    "actualCloseDate": _is_in_range("actual_close_date", date.fromisoformat),
    "createdAt": _is_in_range("created_at", datetime.fromisoformat),
    "updatedAt": _is_in_range("updated_at", datetime.fromisoformat),
    "tags": lambda deal, wanted, _: any(tag in wanted for tag in deal.tags),
    "deleted": lambda deal, wanted, _: deal.is_deleted is wanted,
    "archived": lambda deal, wanted, _: bool(deal.is_archived) is wanted,
    "overdue": _is_overdue,
    "customFields": _has_custom_fields,
    "not": lambda deal, wanted, today: not fulfils(deal, wanted, today),
}
FILTER_FIELDS: Final = tuple(name for name in _CHECKS if name != "not")
ORDER_FIELDS: Final = ("TITLE", "AMOUNT", "PROBABILITY", "EXPECTED_CLOSE_DATE", "CREATED_AT", "UPDATED_AT", "STAGE_ORDER")
