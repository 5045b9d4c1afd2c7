"""The method table: what each method takes, and what it does to the store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from vendors.sandbox import OptionValue
from vendors.sharpspring.sandbox.errors import RefusedError
from vendors.sharpspring.sandbox.leads import update_lead, update_lead_v2
from vendors.sharpspring.sandbox.schema import Column
from vendors.sharpspring.sandbox.store import Store
from vendors.sharpspring.sandbox.table import Row, Table
from vendors.sharpspring.sandbox.values import flag, instant, integer, is_list, is_object

# Source: Lead Gen & CRM Open API, overview article: rows of a page, objects of a write, leads of a lead-processing call.
MAX_ROWS = 500
MAX_OBJECTS = 500
MAX_LEADS = 100
# One client's page size after pages of 500 failed.
_SAFE_ROWS = 200

Kind = Literal["list", "one", "range", "create", "update", "delete", "subscribe"]


class BrokenPageError(Exception):
    """The page is too large for the vendor, whose answer is no JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method.

    Args:
        kind: What it does, which decides its parameters.
        table: The table it does it to.
        key: Its key in `result`, as seen on the wire.
        documented_key: The key that the documentation gives it.
        write: What it does with each object, when that is not the store's own way.
    """

    kind: Kind
    table: str
    key: str
    documented_key: str
    write: Callable[[Store, Mapping[str, Any], ZoneInfo], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a reading method found. `columns` are those asked for; `has_more` is None for methods that never say."""

    method: Method
    rows: list[Row]
    columns: tuple[str, ...] | None = None
    has_more: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of each object of a write: the id of a new row, None, or its refusal."""

    method: Method
    outcomes: list[int | RefusedError | None]


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A URL was taken down."""


def _list(table: str, documented_key: str, *, key: str = "") -> Method:
    return Method(kind="list", table=table, key=key or table, documented_key=documented_key)


def _one(table: str) -> Method:
    return Method(kind="one", table=table, key=table, documented_key=table)


def _range(table: str, documented_key: str) -> Method:
    return Method(kind="range", table=table, key=table, documented_key=documented_key)


def _write(kind: Literal["create", "update", "delete"], table: str, write: Callable[..., None] | None = None) -> Method:
    return Method(kind=kind, table=table, key=f"{kind}s", documented_key=f"{kind}s", write=write)


# Sources of the names and keys: method articles of the Open API, and the keys that clients found on the wire where these differ.
# The documented plurals are known for dealStages and accounts; the others follow their pattern.
METHODS: dict[str, Method] = {
    "getOpportunities": _list("opportunity", "opportunities"),
    "getOpportunity": _one("opportunity"),
    "getOpportunitiesDateRange": _range("opportunity", "opportunities"),
    "createOpportunities": _write("create", "opportunity"),
    "updateOpportunities": _write("update", "opportunity"),
    "deleteOpportunities": _write("delete", "opportunity"),
    "getOpportunityLeads": _list("opportunityLead", "opportunityLeads", key="getWhereopportunityLeads"),
    "getOpportunityLead": _one("opportunityLead"),
    "getOpportunityLeadsDateRange": _range("opportunityLead", "opportunityLeads"),
    "createOpportunityLeads": _write("create", "opportunityLead"),
    "deleteOpportunityLeads": _write("delete", "opportunityLead"),
    "getDealStages": _list("dealStage", "dealStages"),
    "getDealStage": _one("dealStage"),
    "getDealStagesDateRange": _range("dealStage", "dealStages"),
    "createDealStages": _write("create", "dealStage"),
    "deleteDealStages": _write("delete", "dealStage"),
    "getUserProfiles": _list("userProfile", "userProfiles"),
    "getAccounts": _list("account", "accounts"),
    "getAccount": _one("account"),
    "getAccountsDateRange": _range("account", "accounts"),
    "createAccounts": _write("create", "account"),
    "updateAccounts": _write("update", "account"),
    "deleteAccounts": _write("delete", "account"),
    "getLeads": _list("lead", "leads"),
    "getLead": _one("lead"),
    "getLeadsDateRange": _range("lead", "leads"),
    "createLeads": _write("create", "lead"),
    "updateLeads": _write("update", "lead", update_lead),
    "updateLeadsV2": _write("update", "lead", update_lead_v2),
    "deleteLeads": _write("delete", "lead"),
    "getFields": _list("field", "fields"),
    "getCampaigns": _list("campaign", "campaigns"),
    "subscribeToLeadUpdates": Method(kind="subscribe", table="lead", key="success", documented_key="success"),
}

# Not documented what an unknown parameter does; refused, so that a misspelt one cannot pass.
_PARAMS: dict[Kind, frozenset[str]] = {
    "list": frozenset({"where", "limit", "offset"}),
    "one": frozenset({"id"}),
    "range": frozenset({"startDate", "endDate", "timestamp", "limit", "offset"}),
    "create": frozenset({"objects"}),
    "update": frozenset({"objects"}),
    "delete": frozenset({"objects"}),
    "subscribe": frozenset({"url"}),
}
_TAKES_FIELDS = ("getLeads", "getLeadsDateRange")


class Methods:
    """Runs methods on one account."""

    def __init__(self, store: Store, options: Mapping[str, OptionValue]) -> None:
        self._store = store
        self._options = options

    def run(self, name: str, params: Mapping[str, Any], zone: ZoneInfo) -> Read | Written | Subscribed:
        """Run a method.

        Args:
            name: Its name, case-sensitive.
            params: Its parameters, as they came.
            zone: The time zone that this version of the API speaks.

        Raises:
            RefusedError: The whole call is refused and nothing was done.
            BrokenPageError: The page is too large.
        """
        method = METHODS.get(name)
        if method is None:
            raise RefusedError(204, {"method": name})
        allowed = _PARAMS[method.kind]
        unknown = next((param for param in params if param not in allowed and not (param == "fields" and name in _TAKES_FIELDS)), None)
        if unknown is not None:
            raise RefusedError(205, {"param": unknown})
        match method.kind:
            case "list":
                return self._list(method, params)
            case "one":
                return self._one(method, params)
            case "range":
                return self._range(method, params, zone)
            case "create" | "update" | "delete":
                return self._write(method, params, zone)
            case "subscribe":
                return self._subscribe(params)

    def _list(self, method: Method, params: Mapping[str, Any]) -> Read:
        table = self._store.tables[method.table]
        where = self._where(table, params)
        limit = min(_count(params, "limit", default=MAX_ROWS, least=1), MAX_ROWS)
        offset = _count(params, "offset", default=0, least=0)
        columns = _fields(table, params)
        inactive = "id" in where or (method.table == "opportunity" and self._options["inactive_rows"] == "listed")
        found = table.find(where, inactive=inactive)
        if not found and method.table == "lead" and len(where.get("id", ())) == 1:
            found = self._nobody(table)
        rows = self._page(found, limit, offset, params)
        return Read(method=method, rows=rows, columns=columns, has_more=offset + len(rows) < len(found))

    def _one(self, method: Method, params: Mapping[str, Any]) -> Read:
        table = self._store.tables[method.table]
        row = table.rows.get(_value(table.columns["id"], _needed(params, "id")))
        if row is None and method.table == "opportunity" and self._options["not_found"] == "404":
            raise RefusedError(404)
        missing = self._nobody(table) if method.table == "lead" else []
        return Read(method=method, rows=missing if row is None else [row])

    def _range(self, method: Method, params: Mapping[str, Any], zone: ZoneInfo) -> Read:
        table = self._store.tables[method.table]
        start, end = (instant(_needed(params, name), zone) for name in ("startDate", "endDate"))
        stamp = {"create": "createTimestamp", "update": "updateTimestamp"}.get(str(_needed(params, "timestamp")))
        if start is None or end is None or stamp is None:
            raise RefusedError(205)
        limit = _count(params, "limit", default=MAX_ROWS, least=1)
        offset = _count(params, "offset", default=0, least=0)
        columns = _fields(table, params)
        # Observed for leads: limit and offset work, and a limit may exceed 500. Not known of the others; an option of the sandbox.
        if method.table != "lead" and self._options["range_paging"] == "ignored":
            limit, offset = MAX_ROWS, 0
        inactive = self._options["inactive_rows"] == "listed"
        found = [row for row in table.find({}, inactive=inactive) if row[stamp] is not None and start <= row[stamp] <= end]
        if self._options["range_bounds"] == "out":
            found = [row for row in found if row[stamp] not in (start, end)]
        return Read(method=method, rows=self._page(found, limit, offset, params), columns=columns)

    def _write(self, method: Method, params: Mapping[str, Any], zone: ZoneInfo) -> Written:
        objects = params.get("objects")
        if not is_list(objects) or not objects:
            raise RefusedError(207)
        if not all(is_object(item) for item in objects):
            raise RefusedError(208)
        if len(objects) > MAX_OBJECTS:
            raise RefusedError(209)
        if method.table == "lead" and method.kind != "delete" and len(objects) > MAX_LEADS:
            raise RefusedError(222)
        return Written(method=method, outcomes=[self._write_one(method, item, zone) for item in objects])

    def _write_one(self, method: Method, given: Mapping[str, Any], zone: ZoneInfo) -> int | RefusedError | None:
        try:
            if method.write is not None:
                method.write(self._store, given, zone)
            elif method.kind == "create":
                return self._store.create(method.table, given, zone)
            elif method.kind == "update":
                self._store.update(method.table, given, zone)
            else:
                self._store.delete(method.table, given)
        except RefusedError as refused:
            return refused
        return None

    def _subscribe(self, params: Mapping[str, Any]) -> Subscribed:
        url = _needed(params, "url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise RefusedError(205, {"param": "url"})
        self._store.lead_update_urls.append(url)
        return Subscribed()

    def _where(self, table: Table, params: Mapping[str, Any]) -> dict[str, frozenset[Any]]:
        where = _needed(params, "where")
        # Clients write an empty `where` in all three ways.
        if where in ({}, [], ""):
            return {}
        if not is_object(where):
            raise RefusedError(205, {"param": "where"})
        unknown = next((name for name in where if name not in table.spec.where), None)
        if unknown is not None or (table.spec.one_key and len(where) > 1):
            raise RefusedError(205, {"param": unknown or "where"})
        lists = {name: value for name, value in where.items() if is_list(value)}
        for values in lists.values():
            self._refuse_long_list(table, values)
        # Observed for leads: scalar members are ignored beside lists.
        return {
            name: frozenset(_value(table.columns[name], value) for value in lists.get(name, [where[name]])) for name in (lists or where)
        }

    def _refuse_long_list(self, table: Table, values: list[Any]) -> None:
        is_lead = table.spec.name == "lead"
        if self._options["array_where"] != "all" and not (is_lead and self._options["array_where"] == "leads_only"):
            raise RefusedError(210)
        if len(values) > MAX_OBJECTS:
            raise RefusedError(209)
        if is_lead and len(values) > MAX_LEADS and self._options["lead_ids_per_call"] == "100":
            raise RefusedError(222)

    def _page(self, found: list[Row], limit: int, offset: int, params: Mapping[str, Any]) -> list[Row]:
        if self._options["row_order"] == "descending":
            end = max(0, len(found) - offset)
            rows = found[max(0, end - limit) : end][::-1]
        else:
            rows = found[offset : offset + limit]
        asked = limit if "limit" in params else 0
        if self._options["page_limit_500"] == "fails" and max(asked, len(rows)) > _SAFE_ROWS:
            raise BrokenPageError
        return rows

    def _nobody(self, table: Table) -> list[Row]:
        """Answer for an unknown lead: nothing, or a row of defaults without id. Source: observed in lead look-ups by a client's author."""
        if self._options["lead_without_id"] == "off":
            return []
        columns = table.columns.values()
        return [
            {column.name: "" if column.custom else column.default for column in columns if column.custom or column.name == "leadStatus"}
        ]


def _needed(params: Mapping[str, Any], name: str) -> Any:
    if params.get(name) is None:
        raise RefusedError(206, {"param": name})
    return params[name]


def _count(params: Mapping[str, Any], name: str, *, default: int, least: int) -> int:
    if name not in params:
        return default
    count = integer(params[name])
    # Not documented what a senseless number does; refused.
    if count is None or count < least:
        raise RefusedError(205, {"param": name})
    return count


def _value(column: Column, given: Any) -> Any:
    """Read a value that rows are compared with."""
    if isinstance(given, list | dict):
        raise RefusedError(210, {"param": column.name})
    value = {"text": lambda: given if isinstance(given, str) else None, "flag": lambda: flag(given)}.get(
        column.kind, lambda: integer(given)
    )()
    if value is None:
        raise RefusedError(205, {"param": column.name})
    return value


def _fields(table: Table, params: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Read the columns asked for; None for all of them."""
    if "fields" not in params:
        return None
    names = params["fields"]
    if not is_list(names) or not names or not all(isinstance(name, str) and name in table.columns for name in names):
        raise RefusedError(205, {"param": "fields"})
    return tuple(names)
