"""Filters and orders that fit some data: what they name occurs in it, mostly."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from tests.resolvers.lists.raw.common import AMOUNTS, DAYS, MOMENTS
from tests.resolvers.lists.reference import FILTER_FIELDS, ORDER_FIELDS, Deal, Json, global_id

Strategy = st.SearchStrategy[Any]

_BOUNDS: Final = ("gte", "gt", "lte", "lt")


def filters_of(name: str, deals: Sequence[Deal], crms: Sequence[str]) -> Strategy:
    """Values of one field of a filter."""
    return _VALUES[name](deals, crms)


def filters(deals: Sequence[Deal], crms: Sequence[str], *, depth: int = 1) -> st.SearchStrategy[Json]:
    """Filters of several fields, and of what must not hold."""
    fields = {name: filters_of(name, deals, crms) for name in FILTER_FIELDS}
    chosen = st.lists(st.sampled_from(FILTER_FIELDS), unique=True, max_size=2).flatmap(
        lambda names: st.fixed_dictionaries({name: fields[name] for name in names})
    )
    if not depth:
        return chosen
    inner = st.one_of(st.none(), filters(deals, crms, depth=depth - 1))
    return st.tuples(chosen, inner).map(lambda both: both[0] if both[1] is None else {**both[0], "not": both[1]})


def order_keys(name: str) -> st.SearchStrategy[Json]:
    """One key of an order, in either direction."""
    key: dict[str, Strategy] = {"field": st.just(name), "descending": st.booleans()}
    return st.fixed_dictionaries(key | ({"currency": st.sampled_from([None, "USD", "EUR", "JPY"])} if name == "AMOUNT" else {}))


orders: Final = st.lists(st.sampled_from(ORDER_FIELDS), unique=True, min_size=1, max_size=2).flatmap(
    lambda names: st.tuples(*map(order_keys, names)).map(list)
)


def _some(values: Iterable[Any], *more: Any) -> Strategy:
    """A list of one or a few of the values, or of none."""
    return st.lists(st.sampled_from([*dict.fromkeys(values), *more]), max_size=3)


def _known(name: str, *more: Any) -> Callable[[Sequence[Deal], Sequence[str]], Strategy]:
    def values(deals: Sequence[Deal], _: Sequence[str]) -> Strategy:
        return _some((value for deal in deals if (value := getattr(deal, name)) is not None), *more)

    return values


def _ids(type_name: str, name: str) -> Callable[[Sequence[Deal], Sequence[str]], Strategy]:
    def values(deals: Sequence[Deal], crms: Sequence[str]) -> Strategy:
        found: dict[str, None] = {}
        for deal in deals:
            value: Any = getattr(deal, name)
            ids: tuple[str | None, ...] = value if isinstance(value, tuple) else (value,)  # pyright: ignore[reportUnknownVariableType]  # any
            found |= {global_id(type_name, deal.crm, one): None for one in ids if one is not None}
        return _some(found, *(global_id(type_name, crm, local_id) for crm, local_id in zip(crms, ("0", "1", "%", "~"), strict=False)))

    return values


def _texts(name: str) -> Callable[[Sequence[Deal], Sequence[str]], Strategy]:
    def values(deals: Sequence[Deal], _: Sequence[str]) -> Strategy:
        known: list[str] = sorted({getattr(deal, name) for deal in deals} - {None}) or ["crane"]
        some = st.sampled_from(known)
        swapped = st.tuples(some, st.booleans()).map(lambda both: both[0].swapcase() if both[1] else both[0])
        part = st.tuples(swapped, st.integers(0, 3), st.integers(1, 4)).map(lambda cut: cut[0][cut[1] : cut[1] + cut[2]])
        start = swapped.map(lambda text: text[:2])
        return st.one_of(
            st.fixed_dictionaries({"contains": part}),
            st.fixed_dictionaries({"startsWith": start}),
            st.fixed_dictionaries({"equals": swapped}),
            st.fixed_dictionaries({"contains": part, "startsWith": start}),
        )

    return values


def _ranges(name: str, more: Sequence[Any], written: Callable[[Any], Any]) -> Callable[[Sequence[Deal], Sequence[str]], Strategy]:
    def bounds(drawn: tuple[Any, Any, str, str]) -> Json:
        low, high = sorted(drawn[:2])
        if low == high:
            return {drawn[2]: written(low)}
        return {"gte" if drawn[2] in {"gte", "lte"} else "gt": written(low), "lte" if drawn[3] in {"gte", "lte"} else "lt": written(high)}

    def values(deals: Sequence[Deal], _: Sequence[str]) -> Strategy:
        pool = st.sampled_from(sorted({value for deal in deals if (value := getattr(deal, name)) is not None}.union(more)))
        one = st.tuples(st.sampled_from(_BOUNDS), pool).map(lambda bound: {bound[0]: written(bound[1])})
        return st.one_of(one, st.tuples(pool, pool, st.sampled_from(_BOUNDS), st.sampled_from(_BOUNDS)).map(bounds))

    return values


def _amounts(deals: Sequence[Deal], crms: Sequence[str]) -> Strategy:
    ranges = _ranges("amount", [Decimal(str(amount)) for amount in AMOUNTS], str)(deals, crms)
    currencies = st.sampled_from([{}, {"currency": "USD"}, {"currency": "JPY"}, {"currency": "PLN"}])
    return st.tuples(ranges, currencies).map(lambda both: {**both[0], **both[1]})


def _custom_fields(deals: Sequence[Deal], _: Sequence[str]) -> Strategy:
    pairs: list[tuple[str, Any]] = [("berth", "4"), ("21", "Quay"), ("cf_berths", 4), ("cf_berths", 4.0), ("scope", "cabin")]
    pairs += [(key, value) for deal in deals for key, value in deal.custom_fields.items() if value is not None]
    return st.lists(st.sampled_from(pairs).map(lambda pair: {"key": pair[0], "equals": pair[1]}), min_size=1, max_size=2)


def _days(name: str) -> Callable[[Sequence[Deal], Sequence[str]], Strategy]:
    return _ranges(name, [*DAYS, date(1, 1, 1), date(9999, 12, 31)], date.isoformat)


def _moments(name: str) -> Callable[[Sequence[Deal], Sequence[str]], Strategy]:
    return _ranges(name, MOMENTS, datetime.isoformat)


def _either(_: Sequence[Deal], __: Sequence[str]) -> Strategy:
    return st.booleans()


_VALUES: Final[Mapping[str, Callable[[Sequence[Deal], Sequence[str]], Strategy]]] = {
    "crms": lambda _, crms: _some(crms),
    "status": lambda _, __: _some(("OPEN", "WON", "LOST")),
    "pipelineIds": _ids("Pipeline", "pipeline"),
    "pipelineNames": _known("pipeline_name", "sALES", "nowhere"),
    "stageIds": _ids("Stage", "stage"),
    "stageNames": _known("stage_name", "NEGOTIATION", "nowhere"),
    "stageKinds": lambda _, __: _some(("OPEN", "WON", "LOST")),
    "ownerIds": _ids("User", "owner"),
    "ownerEmails": _known("owner_email", "MIRA.koenig@nordkai.example", "nobody@nowhere.example"),
    "accountIds": _ids("Account", "accounts"),
    "accountName": _texts("account_name"),
    "contactIds": _ids("Contact", "contacts"),
    "title": _texts("title"),
    "amount": _amounts,
    "probability": _ranges("probability", (-1.0, 0.0, 33.3, 50.0, 100.0, 140.0), float),
    "expectedCloseDate": _days("expected_close_date"),
    "actualCloseDate": _days("actual_close_date"),
    "createdAt": _moments("created_at"),
    "updatedAt": _moments("updated_at"),
    "tags": lambda _, __: _some(("crane", "Crane", "tender", "green port", "none has it")),
    "deleted": _either,
    "archived": _either,
    "overdue": _either,
    "customFields": _custom_fields,
}
assert _VALUES.keys() == set(FILTER_FIELDS)
