"""Query parameters of the API, checked as its document states them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vendors.apideck.sandbox.answers import Presentation, RefusedError, refused_for
from vendors.apideck.sandbox.fields import FilterRule, Resource
from vendors.apideck.sandbox.search import Search
from vendors.apideck.sandbox.shapes import Problem, is_date_time

DEFAULT_LIMIT = 20
MAX_LIMIT = 200
_NESTED = re.compile(r"(filter|sort|pass_through)\[([^\[\]]+)\]")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request. `limit` is None when it was not given."""

    raw: bool = False
    fields: tuple[tuple[str, ...], ...] = ()
    limit: int | None = None
    cursor: str = ""
    search: Search = field(default_factory=Search)


def list_parameters(resource: Resource, query: Iterable[tuple[str, str]], presentation: Presentation) -> Parameters:
    """Check the parameters of a list request.

    Raises:
        RefusedError: One is unknown or has a wrong value, or the connector cannot do what it asks.
    """
    plain, nested = _split(query)
    problems = list(_unknown(plain, {"raw", "fields", "limit", "cursor"}))
    filters = nested.get("filter", {})
    problems += [Problem("invalid", f"filter[{key}]", "unknown filter") for key in filters if key not in resource.filters]
    problems += [problem for key, value in filters.items() if (problem := _filter_problem(key, value, resource.filters.get(key)))]
    sort = nested.get("sort", {})
    problems += list(_sort_problems(sort, resource))
    limit = plain.get("limit")
    if limit is not None and not (re.fullmatch(r"[0-9]{1,9}", limit) and 1 <= int(limit) <= MAX_LIMIT):
        problems.append(Problem("invalid", "limit", f"must be an integer from 1 to {MAX_LIMIT}"))
    problems += _shared_problems(plain, resource)
    if problems:
        raise refused_for(problems)
    parameters = Parameters(
        raw=plain.get("raw") == "true",
        fields=_paths(plain.get("fields")),
        limit=None if limit is None else int(limit),
        cursor=plain.get("cursor", ""),
        # Source: Apideck CRM API, schema SortDirection: asc unless given.
        search=Search(tuple(sorted(filters.items())), sort.get("by"), sort.get("direction") == "desc"),
    )
    _refuse_unsupported(resource, parameters, presentation)
    return parameters


def one_parameters(resource: Resource, query: Iterable[tuple[str, str]], *, allow_fields: bool) -> Parameters:
    """Check the parameters of a request for one record; a write takes `raw` alone.

    Raises:
        RefusedError: One is unknown or has a wrong value.
    """
    plain, nested = _split(query)
    problems = list(_unknown(plain, {"raw", "fields"} if allow_fields else {"raw"}))
    # Source: Apideck CRM API, operation contactsOne lists `filter` among its parameters; it has no effect here.
    allowed = {"filter"} if resource.name == "contacts" and allow_fields else set[str]()
    problems += [Problem("invalid", name, "unknown parameter") for name in nested if name not in allowed]
    problems += _shared_problems(plain, resource)
    if problems:
        raise refused_for(problems)
    return Parameters(raw=plain.get("raw") == "true", fields=_paths(plain.get("fields")))


def _split(query: Iterable[tuple[str, str]]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    plain: dict[str, str] = {}
    nested: dict[str, dict[str, str]] = {}
    for name, value in query:
        match = _NESTED.fullmatch(name)
        if match:
            nested.setdefault(match[1], {})[match[2]] = value
        else:
            plain[name] = value
    return plain, nested


def _unknown(plain: Mapping[str, str], known: set[str]) -> Iterable[Problem]:
    # Not documented; refused, so that a misspelt parameter is noticed.
    return (Problem("invalid", name, "unknown parameter") for name in plain if name not in known)


def _filter_problem(key: str, value: str, rule: FilterRule | None) -> Problem | None:
    if rule == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return Problem("invalid", f"filter[{key}]", "must be a number")
    if rule == "since" and not is_date_time(value):
        return Problem("invalid", f"filter[{key}]", "must be a date-time (ISO 8601)")
    return None


def _sort_problems(sort: Mapping[str, str], resource: Resource) -> Iterable[Problem]:
    for key, value in sort.items():
        if not resource.sorts or key not in ("by", "direction"):
            yield Problem("invalid", f"sort[{key}]", "unknown parameter")
        elif key == "by" and value not in resource.sorts:
            yield Problem("invalid", "sort[by]", f"must be one of {', '.join(resource.sorts)}")
        elif key == "direction" and value not in ("asc", "desc"):
            yield Problem("invalid", "sort[direction]", "must be asc or desc")
    if "direction" in sort and "by" not in sort:
        # Not documented; refused, because there is nothing to order by.
        yield Problem("missing", "sort[by]", "required with sort[direction]")


def _shared_problems(plain: Mapping[str, str], resource: Resource) -> list[Problem]:
    problems: list[Problem] = []
    if plain.get("raw", "false") not in ("true", "false"):
        problems.append(Problem("invalid", "raw", "must be true or false"))
    for path in _paths(plain.get("fields")):
        known = resource.shape.fields.get(path[0])
        # Not documented; refused, so that a misspelt field is noticed.
        if known is None or known.write_only or "" in path:
            problems.append(Problem("invalid", "fields", f"unknown field {'.'.join(path)!r}"))
    return problems


def _paths(fields: str | None) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in fields.split(",")) if fields else ()


def _refuse_unsupported(resource: Resource, parameters: Parameters, presentation: Presentation) -> None:
    status = presentation.unsupported_status
    # Source: Apideck change log: users filters came to zoho-crm first; other connectors refuse them. Opportunities: an option.
    if parameters.search.filters and (resource.name == "users" or not presentation.filters_supported):
        keys = [key for key, _ in parameters.search.filters]
        message = f"The connector does not support these filters: {', '.join(keys)}"
        raise RefusedError(status, "UnsupportedFiltersError", message, {"unsupported_filters": keys})
    if parameters.search.sort_by is not None and not presentation.sorts_supported:
        message = f"The connector does not support sorting by {parameters.search.sort_by}"
        raise RefusedError(status, "UnsupportedSortFieldError", message, {"unsupported_sort_field": parameters.search.sort_by})
    if resource.name == "pipelines" and not presentation.pipelines_paged and (parameters.limit is not None or parameters.cursor):
        message = "The connector does not support pagination for pipelines"
        raise RefusedError(status, "PaginationNotSupportedError", message, {"unsupported": ["limit", "cursor"]})
