"""The README's tables, made from the data that the tests hold. `python -m tests.readme.tables` prints them."""

import asyncio
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from resolvers.types.inputs import CreateOpportunityInput
from resolvers.writing.values import graph_name
from tests.playground import playground
from vendors.capabilities import Capability, ListsOpportunities
from vendors.changes import WATCHING, PollsOpportunities, ReceivesWebhooks, RegistersWebhooks, WatchesOpportunities
from vendors.model import OpportunityStatus
from vendors.quality import QualityState, quality_of
from vendors.query import Condition, Field, Operator, Pushdown, Sort
from vendors.registry import all_vendors
from vendors.writes import CreatesOpportunities, FieldRule

CALLS = Path(__file__).parents[1] / "board" / "calls.toml"
_WORDS = {QualityState.SUPPORTED: "yes", QualityState.UNSUPPORTED: "no", QualityState.UNCONFIRMED: "unconfirmed"}
_LIMITS: Final = {
    "calls": "calls over time",
    "concurrency": "calls at once",
    "page": "largest page",
    "ids_in_one_call": "records read by id in one call",
}
"""Limits of `quality.toml` that most vendors have, as people call them."""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def capabilities() -> str:
    """Vendors by what they can do."""
    qualities = [quality_of(key) for key in all_vendors()]
    rows = [
        [capability.value.replace("_", " "), *(_WORDS[quality.capabilities[capability.value].state] for quality in qualities)]
        for capability in Capability
    ]
    return _table(["", *(vendor.label for vendor in all_vendors().values())], rows)


def limits() -> str:
    """Vendors by how much they may be asked, and how much is used of it."""
    qualities = [quality_of(key) for key in all_vendors()]
    rows = [[name, *(str(quality.limits.get(key, "not stated")) for quality in qualities)] for key, name in _LIMITS.items()]
    return _table(["", *(vendor.label for vendor in all_vendors().values())], rows)


def calls() -> str:
    """Vendor calls of the board, by vendor and option."""
    data: Mapping[str, Any] = tomllib.loads(CALLS.read_text())
    rows: list[list[str]] = []
    for key, vendor in all_vendors().items():
        of = data[key]
        rows.append([vendor.label, "defaults", str(of["login"]), str(of["cold"]), str(of["warm"]), of["cold_calls"]])
        for position, changed in of.get("positions", {}).items():
            numbers = {**of, **changed}
            what = "all the hardest" if position == "hardest" else f"`{position}`"
            rows.append(["", what, str(numbers["login"]), str(numbers["cold"]), str(numbers["warm"]), changed.get("because", "")])
    return _table(["vendor", "option", "login", "cold", "warm", "which"], rows)


async def pushdowns() -> str:
    """Vendors by what they evaluate of a list of opportunities, as their clients say when they are asked for it."""
    columns: list[list[str]] = []
    for key in all_vendors():
        async with playground(key) as it:
            client = it.crm.client
            assert isinstance(client, ListsOpportunities)
            ask = client.opportunities_pushdown
            columns.append(
                [
                    *(_choice(ask, field, values) for field, values in _CHOICES.values()),
                    _words(ask, [Condition(Field.TITLE, Operator.CONTAINS, ("crane",))]),
                    *(_range(ask, field, value) for field, value in _RANGES.values()),
                    _together(ask),
                    *("yes" if _is_sorted(ask, field) else "" for field in _ORDERS.values()),
                ]
            )
    names = [*_CHOICES, "`title`", *_RANGES, "`ownerIds` with `accountIds`", *_ORDERS]
    rows = [[name, *(column[index] for column in columns)] for index, name in enumerate(names)]
    return _table(["", *(vendor.label for vendor in all_vendors().values())], rows)


async def inputs() -> str:
    """Vendors by what a new opportunity requires and may have, as their clients tell forms."""
    columns: list[dict[str, str]] = []
    for key in all_vendors():
        async with playground(key) as it:
            client = it.crm.client
            assert isinstance(client, CreatesOpportunities)
            rules = await client.create_fields()
            said = {f"`{graph_name(rule.name, it.crm)}`": _rule(rule) for rule in rules}
            own = [name for name in said if name.startswith(f"`{key}.")]
            columns.append({**said, "an input of its own": f"`{key}`, {len(own)} keys"})
    names = [f"`{_camel(item.name)}`" for item in fields(CreateOpportunityInput) if item.name not in {"crm", *all_vendors()}]
    rows = [[name, *(column[name] for column in columns)] for name in [*names, "an input of its own"]]
    return _table(["", *(vendor.label for vendor in all_vendors().values())], rows)


async def watching() -> str:
    """Vendors by how their Crms are watched, where the settings say nothing else."""
    rows: list[list[str]] = []
    for key, vendor in all_vendors().items():
        async with playground(key) as it:
            client = it.crm.client
            how = client.watching() if isinstance(client, WatchesOpportunities) else WATCHING
            rows.append(
                [
                    vendor.label,
                    f"{how.poll_seconds:g} s" if isinstance(client, PollsOpportunities) else "",
                    f"{how.sweep_seconds:,g} s",
                    f"{how.calls_per_hour:,g}",
                    "yes" if isinstance(client, ReceivesWebhooks) and isinstance(client, RegistersWebhooks) else "",
                ]
            )
    return _table(["vendor", "polled every", "swept every", "calls an hour", "webhooks"], rows)


def _rule(rule: FieldRule) -> str:
    words = "required" if rule.is_required else "yes" if rule.is_allowed else ""
    return words if rule.max_length is None else f"{words}, {rule.max_length:,} characters"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


_Ask = Callable[[Sequence[Condition], Sort | None], Pushdown]

_IDS: Final = ("1", "2", "3")
_CHOICES: Final[Mapping[str, tuple[Field, tuple[Any, ...]]]] = {
    "`status`": (Field.STATUS, tuple(OpportunityStatus)),
    "`pipelineIds`, `pipelineNames`": (Field.PIPELINE, _IDS),
    "`stageIds`, `stageNames`, `stageKinds`": (Field.STAGE, _IDS),
    "`ownerIds`, `ownerEmails`": (Field.OWNER, _IDS),
    "`accountIds`": (Field.ACCOUNT, _IDS),
    "`contactIds`": (Field.CONTACT, _IDS),
}
_DAY, _MOMENT = date(2027, 1, 1), datetime(2027, 1, 1, tzinfo=UTC)
_RANGES: Final[Mapping[str, tuple[Field, Any]]] = {
    "`probability`": (Field.PROBABILITY, 50.0),
    "`expectedCloseDate`": (Field.EXPECTED_CLOSE_DATE, _DAY),
    "`actualCloseDate`": (Field.ACTUAL_CLOSE_DATE, _DAY),
    "`createdAt`": (Field.CREATED_AT, _MOMENT),
    "`updatedAt`": (Field.UPDATED_AT, _MOMENT),
}
_ORDERS: Final = {
    "`orderBy` TITLE": Field.TITLE,
    "`orderBy` PROBABILITY": Field.PROBABILITY,
    "`orderBy` EXPECTED_CLOSE_DATE": Field.EXPECTED_CLOSE_DATE,
    "`orderBy` CREATED_AT": Field.CREATED_AT,
    "`orderBy` UPDATED_AT": Field.UPDATED_AT,
}
_COUNTS: Final = {1: "one value", 2: "two values", 3: "yes"}


def _words(ask: _Ask, conditions: Sequence[Condition], said: str = "yes") -> str:
    """What is said of conditions that are taken together; nothing where they are not."""
    found = ask(conditions, None)
    if not set(conditions) <= set(found.conditions):
        return ""
    return said if found.is_exact else "wider" if said == "yes" else f"{said}, wider"


def _choice(ask: _Ask, field: Field, values: tuple[Any, ...]) -> str:
    said = (_words(ask, [Condition(field, Operator.ANY_OF, values[:count])], _COUNTS[count]) for count in (3, 2, 1))
    return next(filter(None, said), "")


def _range(ask: _Ask, field: Field, value: Any) -> str:
    bounds = [Condition(field, Operator.GTE, (value,)), Condition(field, Operator.LT, (value,))]
    of_status = [[Condition(Field.STATUS, Operator.ANY_OF, (status,))] for status in OpportunityStatus]
    return (
        _words(ask, bounds)
        or next(filter(None, (_words(ask, [bound], "one bound") for bound in bounds)), "")
        or next((f"{words}, with `status`" for status in of_status if (words := _words(ask, [*status, *bounds]))), "")
    )


def _together(ask: _Ask) -> str:
    both = [Condition(Field.OWNER, Operator.ANY_OF, ("1",)), Condition(Field.ACCOUNT, Operator.ANY_OF, ("1",))]
    taken = len(ask(both, None).conditions)
    return {2: "yes", 1: "one of them"}.get(taken, "")


def _is_sorted(ask: _Ask, field: Field) -> bool:
    return all(ask([], Sort(field, descending)).is_sorted for descending in (False, True))


if __name__ == "__main__":
    print(capabilities(), limits(), *(asyncio.run(made()) for made in (pushdowns, inputs, watching)), calls(), sep="\n\n")  # noqa: T201  # it is there to be pasted
