"""From a filter of opportunities to what it means in one Crm."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any, Final, cast

from resolvers.listing.criteria import Criteria, Criterion, any_of, given_in, ids_in, involved, row_criterion, text_criterion
from resolvers.listing.entries import Entry
from resolvers.listing.moment import Moment
from resolvers.loaders.pipelines import pipelines_of
from resolvers.types.filters import AmountRange, OpportunityFilter
from vendors.capabilities import ListsUsers, supported
from vendors.model import OpportunityStatus, Pipeline, Stage
from vendors.query import Condition, Field, Operator
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"gte": ge, "gt": gt, "lte": le, "lt": lt}
_LOOKED_UP: Final = frozenset({"pipeline_names", "stage_names", "stage_kinds", "owner_emails"})


def needs_tables(filter_: OpportunityFilter | None) -> bool:
    """Whether what a filter means in a Crm can only be told with the Crm's tables."""
    given = given_in(filter_)
    return not _LOOKED_UP.isdisjoint(given) or ("not_" in given and needs_tables(given["not_"]))


async def opportunity_criteria(context: "Context", crm: Crm, filter_: OpportunityFilter | None, moment: Moment) -> Criteria:
    """What a filter means in a Crm. Names and e-mail addresses are looked up in the Crm's kept tables.

    Raises:
        VendorError: A table could not be read, or the Crm has none.
    """
    given = given_in(filter_)
    inner = given.pop("not_", None)
    criteria: list[Criterion] = []
    for name, value in given.items():
        if name == "crms":
            if crm.key not in value:
                return None
            continue
        found = await _opportunity_criterion(crm, name, value, moment)
        if found is None:
            return None
        criteria += found
    if inner is not None:
        excluded = await opportunity_criteria(context, crm, inner, moment)
        if excluded is not None:
            criteria.append(_none_of(excluded))
    return criteria


async def _opportunity_criterion(crm: Crm, name: str, value: Any, moment: Moment) -> list[Criterion] | None:  # noqa: C901, PLR0911, PLR0912  # a table of the fields
    match name:
        case "status":
            return any_of("status", Field.STATUS, "status", value)
        case "pipeline_ids":
            return any_of("pipelineIds", Field.PIPELINE, "pipeline", ids_in(crm, value))
        case "pipeline_names":
            named = _named(value, await pipelines_of(crm))
            return any_of("pipelineNames", Field.PIPELINE, "pipeline", named)
        case "stage_ids":
            return any_of("stageIds", Field.STAGE, "stage", ids_in(crm, value))
        case "stage_names":
            return any_of("stageNames", Field.STAGE, "stage", _named(value, await _stages(crm)))
        case "stage_kinds":
            return any_of("stageKinds", Field.STAGE, "stage", [stage.local_id for stage in await _stages(crm) if stage.kind in value])
        case "owner_ids":
            return any_of("ownerIds", Field.OWNER, "owner", ids_in(crm, value))
        case "owner_emails":
            return any_of("ownerEmails", Field.OWNER, "owner", await _users_of(crm, value))
        case "account_ids":
            return involved("accountIds", Field.ACCOUNT, ("account", "accounts"), ids_in(crm, value))
        case "contact_ids":
            return involved("contactIds", Field.CONTACT, ("contacts",), ids_in(crm, value))
        case "account_name":
            return [text_criterion("accountName", None, lambda entry: entry.account_name, frozenset({"account_name"}), value)]
        case "title":
            return [text_criterion("title", Field.TITLE, lambda entry: entry.title, frozenset({"title"}), value)]
        case "amount":
            return [_amount(value, moment)]
        case "probability":
            return _range("probability", Field.PROBABILITY, "probability", value)
        case "expected_close_date":
            return _range("expectedCloseDate", Field.EXPECTED_CLOSE_DATE, "expected_close_date", value)
        case "actual_close_date":
            return _range("actualCloseDate", Field.ACTUAL_CLOSE_DATE, "actual_close_date", value)
        case "created_at":
            return _range("createdAt", Field.CREATED_AT, "created_at", value)
        case "updated_at":
            return _range("updatedAt", Field.UPDATED_AT, "updated_at", value)
        case "tags":
            wanted = set(value)
            return None if not wanted else [row_criterion("tags", {"tags"}, lambda entry: not wanted.isdisjoint(entry.tags or ()))]
        case "deleted":
            return [row_criterion("deleted", {"is_deleted"}, lambda entry: entry.is_deleted is value)]
        case "archived":
            return [row_criterion("archived", {"is_archived"}, lambda entry: bool(entry.is_archived) is value)]
        case "overdue":
            return [_overdue(value, moment.today)]
        case _:
            return [_custom(field.key, field.equals) for field in value]


def _range(label: str, field: Field, column: str, wanted: Any) -> list[Criterion]:
    bounds = given_in(wanted)

    def matches(entry: Entry) -> bool:
        value = getattr(entry, column)
        return value is not None and all(_COMPARISONS[name](value, bound) for name, bound in bounds.items())

    conditions = tuple(Condition(field, Operator(name), (bound,)) for name, bound in bounds.items())
    return [Criterion(label=label, matches=matches, columns=frozenset({column}), conditions=conditions)]


def _amount(wanted: AmountRange, moment: Moment) -> Criterion:
    bounds = given_in(wanted)
    bounds.pop("currency", None)
    converter = moment.convert(wanted.currency)

    def matches(entry: Entry) -> bool:
        amount = converter.amount(entry)
        return amount is not None and all(_COMPARISONS[name](amount, bound) for name, bound in bounds.items())

    return row_criterion("amount", {"amount", "currency"}, matches)


def _overdue(wanted: bool, today: date) -> Criterion:  # noqa: FBT001
    def is_overdue(entry: Entry) -> bool:
        day = entry.expected_close_date
        return entry.status is OpportunityStatus.OPEN and day is not None and day < today

    conditions = (
        Condition(Field.STATUS, Operator.ANY_OF, (OpportunityStatus.OPEN,)),
        Condition(Field.EXPECTED_CLOSE_DATE, Operator.LT, (today,)),
    )
    return Criterion(
        label="overdue",
        matches=lambda entry: is_overdue(entry) is wanted,
        columns=frozenset({"status", "expected_close_date"}),
        conditions=conditions if wanted else (),
    )


def _custom(key: str, wanted: Any) -> Criterion:
    def matches(entry: Entry) -> bool:
        value = None if entry.custom_fields is None else entry.custom_fields.get(key)
        return value is not None and (
            _same(value, wanted) or (isinstance(value, list | tuple) and any(_same(item, wanted) for item in cast("Sequence[Any]", value)))
        )

    return row_criterion("customFields", {"custom_fields"}, matches)


def _same(value: Any, wanted: Any) -> bool:
    """Whether two JSON values are equal; numbers by value, whichever type holds them, and true is not 1."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, int | float | Decimal) and isinstance(wanted, int | float | Decimal):
        return Decimal(str(value)) == Decimal(str(wanted))
    return bool(value == wanted)


def _none_of(excluded: Sequence[Criterion]) -> Criterion:
    return row_criterion(
        "not",
        frozenset[str]().union(*(criterion.columns for criterion in excluded)),
        lambda entry: not all(criterion.matches(entry) for criterion in excluded),
    )


def _named(names: Iterable[str], records: Iterable[Pipeline | Stage]) -> list[str]:
    wanted = {name.casefold() for name in names}
    return [record.local_id for record in records if record.name is not None and record.name.casefold() in wanted]


async def _stages(crm: Crm) -> list[Stage]:
    return [stage for pipeline in await pipelines_of(crm) for stage in pipeline.stages]


async def _users_of(crm: Crm, emails: Iterable[str]) -> list[str]:
    wanted = {email.casefold() for email in emails}
    users = await supported(crm.client, ListsUsers, crm=crm.key, what="list users, so ask by `ownerIds`").users()
    return [user.local_id for user in users if user.email is not None and user.email.casefold() in wanted]
