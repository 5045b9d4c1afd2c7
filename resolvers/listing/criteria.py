"""From a filter to what it means in one Crm: what can be asked of the vendor, and what decides about a row here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any, Final, cast

from resolvers.errors import bad_input
from resolvers.listing.entries import Entry
from resolvers.listing.money import Converter, comparison_currency
from resolvers.loaders.pipelines import pipelines_of
from resolvers.node_id import decode
from resolvers.types.filters import AccountFilter, AmountRange, ContactFilter, OpportunityFilter, TextFilter, UserFilter
from vendors.capabilities import ListsUsers, supported
from vendors.model import Account, Contact, OpportunityStatus, Pipeline, Stage, User
from vendors.query import Condition, Field, Operator
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"gte": ge, "gt": gt, "lte": le, "lt": lt}
_MOST_VALUES: Final = 200
_LOOKED_UP: Final = frozenset({"pipeline_names", "stage_names", "stage_kinds", "owner_emails"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One part of a filter, in one Crm.

    Args:
        label: Its name in the graph.
        matches: Decides about a row.
        columns: What it looks at in a row.
        conditions: What it means in the vendor's terms; empty where it cannot be put so. Rows that fulfil it fulfil all of them.
        is_trusted: Whether a vendor that evaluates it knows more about it than its rows tell.
    """

    label: str
    matches: Callable[[Any], bool]
    columns: frozenset[str] = frozenset()
    conditions: tuple[Condition, ...] = ()
    is_trusted: bool = False


Criteria = Sequence[Criterion] | None
"""The parts of a filter; None when no row of the Crm can fulfil it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a list takes as now, on all its pages.

    Args:
        today: The day, in UTC.
        convert: Makes a converter to a currency, by the rates of that day; for None, to the server's own.
        converters: Those that were made, for what they could not convert.
    """

    today: date
    convert: Callable[[str | None], Converter]
    converters: list[Converter]


def moment_of(context: "Context", today: date) -> Moment:
    """The moment of a list that began on that day."""
    converters: list[Converter] = []

    def convert(currency: str | None) -> Converter:
        converters.append(Converter(context, comparison_currency(context, currency), today))
        return converters[-1]

    return Moment(today=today, convert=convert, converters=converters)


def checked_filter(filter_: object, context: "Context") -> None:
    """Refuse a filter that cannot be meant, whatever the Crms hold.

    Raises:
        UserError: A range is empty or a list too long (BAD_USER_INPUT), an id is malformed or of another type (INVALID_ID) or of a Crm that
            is not there (UNKNOWN_CRM).
    """
    for name, value in _given(filter_).items():
        if isinstance(value, list):
            _check_list(name, cast("Sequence[Any]", value), context)
        elif name == "not_":
            checked_filter(value, context)
        elif hasattr(value, "gte"):
            _check_range(name, value)
            if isinstance(value, AmountRange):
                comparison_currency(context, value.currency)


def needs_tables(filter_: OpportunityFilter | None) -> bool:
    """Whether what a filter means in a Crm can only be told with the Crm's tables."""
    given = _given(filter_)
    return not _LOOKED_UP.isdisjoint(given) or ("not_" in given and needs_tables(given["not_"]))


async def opportunity_criteria(context: "Context", crm: Crm, filter_: OpportunityFilter | None, moment: Moment) -> Criteria:
    """What a filter means in a Crm. Names and e-mail addresses are looked up in the Crm's kept tables.

    Raises:
        VendorError: A table could not be read, or the Crm has none.
    """
    given = _given(filter_)
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


def account_criteria(crm: Crm, filter_: AccountFilter | None) -> Criteria:
    """What a filter of accounts means in a Crm."""
    return _party_criteria(
        crm, filter_, text_of=lambda record: (record.name, record.email, record.phone, record.website), columns=_ACCOUNT_TEXT
    )


def contact_criteria(crm: Crm, filter_: ContactFilter | None) -> Criteria:
    """What a filter of contacts means in a Crm."""
    return _party_criteria(
        crm, filter_, text_of=lambda record: (record.name, record.email, record.phone, record.title), columns=_CONTACT_TEXT
    )


def user_criteria(crm: Crm, filter_: UserFilter | None) -> Criteria:
    """What a filter of users means in a Crm."""
    return _party_criteria(crm, filter_, text_of=lambda record: (record.name, record.email), columns=frozenset({"name", "email"}))


_ACCOUNT_TEXT: Final = frozenset({"name", "email", "phone", "website"})
_CONTACT_TEXT: Final = frozenset({"name", "email", "phone", "title"})


def _party_criteria(  # noqa: C901  # a table of the fields
    crm: Crm,
    filter_: AccountFilter | ContactFilter | UserFilter | None,
    *,
    text_of: Callable[[Any], tuple[str | None, ...]],
    columns: frozenset[str],
) -> Criteria:
    criteria: list[Criterion] = []
    for name, value in _given(filter_).items():
        match name:
            case "crms":
                if crm.key not in value:
                    return None
            case "text":
                criteria.append(_row("text", columns, _any_holds(text_of, value)))
            case "name":
                criteria.append(_text("name", Field.NAME, lambda record: record.name, frozenset({"name"}), value))
            case "emails":
                if not value:
                    return None
                criteria.append(_row("emails", {"email"}, _has_email(value)))
            case "active":
                criteria.append(_row("active", {"is_active"}, _is_active(value)))
            case "account_ids":
                ids = _ids_in(crm, value)
                if not ids:
                    return None
                # A contact may belong to further accounts than the one that its record names; who lists by account knows.
                criteria.append(_reference("accountIds", Field.ACCOUNT, "account_ref", ids, is_trusted=True))
            case _:
                ids = _ids_in(crm, value)
                if not ids:
                    return None
                criteria.append(_reference("ownerIds", Field.OWNER, "owner_ref", ids))
    return criteria


def _any_holds(text_of: Callable[[Any], tuple[str | None, ...]], wanted: str) -> Callable[[Any], bool]:
    needle = wanted.casefold()
    return lambda record: any(needle in text.casefold() for text in text_of(record) if text)


def _has_email(emails: Iterable[str]) -> Callable[[Any], bool]:
    wanted = {email.casefold() for email in emails}
    return lambda record: record.email is not None and record.email.casefold() in wanted


def _is_active(wanted: bool) -> Callable[[Any], bool]:  # noqa: FBT001
    return lambda record: record.is_active is wanted


async def _opportunity_criterion(crm: Crm, name: str, value: Any, moment: Moment) -> list[Criterion] | None:  # noqa: C901, PLR0911, PLR0912  # a table of the fields
    match name:
        case "status":
            return _any_of("status", Field.STATUS, "status", value)
        case "pipeline_ids":
            return _any_of("pipelineIds", Field.PIPELINE, "pipeline", _ids_in(crm, value))
        case "pipeline_names":
            named = _named(value, await pipelines_of(crm))
            return _any_of("pipelineNames", Field.PIPELINE, "pipeline", named)
        case "stage_ids":
            return _any_of("stageIds", Field.STAGE, "stage", _ids_in(crm, value))
        case "stage_names":
            return _any_of("stageNames", Field.STAGE, "stage", _named(value, await _stages(crm)))
        case "stage_kinds":
            return _any_of("stageKinds", Field.STAGE, "stage", [stage.local_id for stage in await _stages(crm) if stage.kind in value])
        case "owner_ids":
            return _any_of("ownerIds", Field.OWNER, "owner", _ids_in(crm, value))
        case "owner_emails":
            return _any_of("ownerEmails", Field.OWNER, "owner", await _users_of(crm, value))
        case "account_ids":
            return _involved("accountIds", Field.ACCOUNT, ("account", "accounts"), _ids_in(crm, value))
        case "contact_ids":
            return _involved("contactIds", Field.CONTACT, ("contacts",), _ids_in(crm, value))
        case "account_name":
            return [_text("accountName", None, lambda entry: entry.account_name, frozenset({"account_name"}), value)]
        case "title":
            return [_text("title", Field.TITLE, lambda entry: entry.title, frozenset({"title"}), value)]
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
            return None if not wanted else [_row("tags", {"tags"}, lambda entry: not wanted.isdisjoint(entry.tags or ()))]
        case "deleted":
            return [_row("deleted", {"is_deleted"}, lambda entry: entry.is_deleted is value)]
        case "archived":
            return [_row("archived", {"is_archived"}, lambda entry: bool(entry.is_archived) is value)]
        case "overdue":
            return [_overdue(value, moment.today)]
        case _:
            return [_custom(field.key, field.equals) for field in value]


def _any_of(label: str, field: Field, column: str, values: Iterable[Any]) -> list[Criterion] | None:
    wanted = tuple(dict.fromkeys(values))
    if not wanted:
        return None
    allowed = frozenset(wanted)
    condition = Condition(field, Operator.ANY_OF, wanted)
    return [
        Criterion(
            label=label, matches=lambda entry: getattr(entry, column) in allowed, columns=frozenset({column}), conditions=(condition,)
        )
    ]


def _involved(label: str, field: Field, columns: tuple[str, ...], ids: Sequence[str]) -> list[Criterion] | None:
    if not ids:
        return None
    wanted = frozenset(ids)

    def matches(entry: Entry) -> bool:
        found = entry.contacts if field is Field.CONTACT else entry.accounts
        return (field is Field.ACCOUNT and entry.account in wanted) or (isinstance(found, tuple) and not wanted.isdisjoint(found))

    return [
        Criterion(label=label, matches=matches, columns=frozenset(columns), conditions=(Condition(field, Operator.ANY_OF, tuple(ids)),))
    ]


def _reference(label: str, field: Field, attribute: str, ids: Sequence[str], *, is_trusted: bool = False) -> Criterion:
    wanted = frozenset(ids)

    def matches(record: Account | Contact | User) -> bool:
        ref = getattr(record, attribute)
        return ref is not None and ref.local_id in wanted

    condition = Condition(field, Operator.ANY_OF, tuple(ids))
    return Criterion(label=label, matches=matches, columns=frozenset({attribute}), conditions=(condition,), is_trusted=is_trusted)


def _text(label: str, field: Field | None, text_of: Callable[[Any], Any], columns: frozenset[str], wanted: TextFilter) -> Criterion:
    contains, starts, equals = (None if text is None else text.casefold() for text in (wanted.contains, wanted.starts_with, wanted.equals))

    def matches(row: Any) -> bool:
        text = text_of(row)
        if not isinstance(text, str):
            return False
        folded = text.casefold()
        return (
            (contains is None or contains in folded)
            and (starts is None or folded.startswith(starts))
            and (equals is None or folded == equals)
        )

    # What begins with a text, or is it, also holds it.
    needles = [text for text in (wanted.contains, wanted.starts_with, wanted.equals) if text]
    longest = max(needles, key=len, default=None)
    conditions = () if field is None or longest is None else (Condition(field, Operator.CONTAINS, (longest,)),)
    return Criterion(label=label, matches=matches, columns=columns, conditions=conditions)


def _range(label: str, field: Field, column: str, wanted: Any) -> list[Criterion]:
    bounds = _given(wanted)

    def matches(entry: Entry) -> bool:
        value = getattr(entry, column)
        return value is not None and all(_COMPARISONS[name](value, bound) for name, bound in bounds.items())

    conditions = tuple(Condition(field, Operator(name), (bound,)) for name, bound in bounds.items())
    return [Criterion(label=label, matches=matches, columns=frozenset({column}), conditions=conditions)]


def _amount(wanted: AmountRange, moment: Moment) -> Criterion:
    bounds = _given(wanted)
    bounds.pop("currency", None)
    converter = moment.convert(wanted.currency)

    def matches(entry: Entry) -> bool:
        amount = converter.amount(entry)
        return amount is not None and all(_COMPARISONS[name](amount, bound) for name, bound in bounds.items())

    return _row("amount", {"amount", "currency"}, matches)


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

    return _row("customFields", {"custom_fields"}, matches)


def _same(value: Any, wanted: Any) -> bool:
    """Whether two JSON values are equal; numbers by value, whichever type holds them, and true is not 1."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, int | float | Decimal) and isinstance(wanted, int | float | Decimal):
        return Decimal(str(value)) == Decimal(str(wanted))
    return bool(value == wanted)


def _row(label: str, columns: Iterable[str], matches: Callable[[Any], bool]) -> Criterion:
    return Criterion(label=label, matches=matches, columns=frozenset(columns))


def _none_of(excluded: Sequence[Criterion]) -> Criterion:
    return _row(
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


def _ids_in(crm: Crm, ids: Iterable[str]) -> list[str]:
    return [node.ref.local_id for node in map(decode, ids) if node.ref.crm == crm.key]


def _given(filter_: Any) -> dict[str, Any]:
    """What a filter says, without what it leaves open."""
    if filter_ is None:
        return {}
    return {name: value for name in filter_.__dataclass_fields__ if (value := getattr(filter_, name)) is not None}


_TYPES: Final = {"pipeline_ids": "Pipeline", "stage_ids": "Stage", "owner_ids": "User", "account_ids": "Account", "contact_ids": "Contact"}


def _check_list(name: str, values: Sequence[Any], context: "Context") -> None:
    if len(values) > _MOST_VALUES:
        raise bad_input(f"`{_graph_name(name)}` may hold at most {_MOST_VALUES} values, not {len(values)}; ask in several queries.")
    if name == "crms":
        for key in values:
            context.crm(key)
    elif name in _TYPES:
        for text in values:
            context.crm(decode(text, _TYPES[name]).ref.crm)


def _check_range(name: str, wanted: Any) -> None:
    bounds = _given(wanted)
    lower = [(bounds[key], key) for key in ("gte", "gt") if key in bounds]
    upper = [(bounds[key], key) for key in ("lte", "lt") if key in bounds]
    for low, low_key in lower:
        for high, high_key in upper:
            if low > high or (low == high and (low_key, high_key) != ("gte", "lte")):
                relation = "is" if low == high else "is above"
                raise bad_input(f"Nothing can be in the range of `{_graph_name(name)}`: its `{low_key}` {relation} its `{high_key}`.")
    if any(isinstance(bound, float) and bound != bound for bound in bounds.values()):  # noqa: PLR0124  # not a number
        raise bad_input(f"A bound of `{_graph_name(name)}` is not a number.")


def _graph_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


_REFERRING: Final = {
    Field.OWNER: ("owner", ("owner",)),
    Field.STAGE: ("stage", ("stage",)),
    Field.PIPELINE: ("pipeline", ("pipeline",)),
    Field.ACCOUNT: ("account", ("account", "accounts")),
    Field.CONTACT: ("contact", ("contacts",)),
}


def refers_to(field: Field, local_id: str, *, kind: str = "opportunity") -> Criterion:
    """That a row refers to a record of its own Crm."""
    if kind == "contact":
        return _reference("account", field, "account_ref", [local_id], is_trusted=True)
    label, columns = _REFERRING[field]
    found = (
        _involved(label, field, columns, [local_id])
        if field in {Field.ACCOUNT, Field.CONTACT}
        else _any_of(label, field, columns[0], [local_id])
    )
    assert found is not None, "there is an id"
    return found[0]
