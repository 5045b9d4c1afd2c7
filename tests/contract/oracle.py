"""What a list has to hold, worked out here: conditions evaluated on records in memory, and the values that are worth asking for."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from operator import ge, gt, le, lt
from typing import Any, Final

from tests.contract.reading import sound
from vendors.capabilities import LinksOpportunities
from vendors.model import EVERYTHING, UNREAD, Opportunity, OpportunityStatus, Record, Ref, Unread
from vendors.query import Condition, Field, Operator

ATTRIBUTES: Final[Mapping[Field, tuple[str, ...]]] = {
    Field.STATUS: ("status",),
    Field.PIPELINE: ("pipeline_ref",),
    Field.STAGE: ("stage_ref",),
    Field.OWNER: ("owner_ref",),
    Field.ACCOUNT: ("account_ref", "account_refs"),
    Field.CONTACT: ("primary_contact_ref", "contact_refs"),
    Field.TITLE: ("title",),
    Field.NAME: ("name",),
    Field.PROBABILITY: ("probability_percent",),
    Field.EXPECTED_CLOSE_DATE: ("expected_close_date",),
    Field.ACTUAL_CLOSE_DATE: ("actual_close_date",),
    Field.CREATED_AT: ("created_at",),
    Field.UPDATED_AT: ("updated_at",),
}
"""Attributes of records that hold a field."""

_COMPARISONS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.GTE: ge,
    Operator.GT: gt,
    Operator.LTE: le,
    Operator.LT: lt,
}
_TEXTS: Final = (Field.TITLE, Field.NAME)
_DAYS: Final = (Field.EXPECTED_CLOSE_DATE, Field.ACTUAL_CLOSE_DATE)
_INSTANTS: Final = (Field.CREATED_AT, Field.UPDATED_AT)
_UNKNOWN_IDS: Final = (
    "999999999999",
    "00000000-0000-4000-8000-000000000000",
    "no such id",
    "",
    "-1",
    "0",
    "1,2",
    "٣",
    "&limit=1 'ø'",
    "..",
    "\x00",
    "\ud800",
    "9" * 40,
)
_ELSEWHERE: Final = timezone(timedelta(hours=5, minutes=30))


def attributes_of(record_class: type[Record], field: Field) -> tuple[str, ...]:
    return tuple(name for name in ATTRIBUTES[field] if name in record_class.__dataclass_fields__)


def values_of(record: Record, field: Field) -> tuple[Any, ...]:
    """The values of a record's field, ids for refs; what it leaves UNREAD and what it has no value for is not among them."""
    held: list[Any] = []
    for name in attributes_of(type(record), field):
        value = getattr(record, name)
        held += value if isinstance(value, tuple) and not isinstance(value, Ref) else [value]
    known = [value for value in held if value is not None and not isinstance(value, Unread)]
    return tuple(dict.fromkeys(value.local_id if isinstance(value, Ref) else value for value in known))


def is_told(record: Record, field: Field) -> bool:
    """Whether nothing of the field is left UNREAD."""
    return all(not isinstance(getattr(record, name), Unread) for name in attributes_of(type(record), field))


def fulfils(record: Record, condition: Condition) -> bool:
    """Whether a record fulfils a condition; without a value it does not."""
    values = values_of(record, condition.field)
    match condition.operator:
        case Operator.ANY_OF:
            return any(value in condition.values for value in values)
        case Operator.CONTAINS:
            needle = str(condition.values[0]).casefold()
            return any(needle in str(value).casefold() for value in values)
        case _:
            compare = _COMPARISONS[condition.operator]
            return any(compare(value, condition.values[0]) for value in values)


def fulfilling(records: Iterable[Record], conditions: Sequence[Condition]) -> list[Ref]:
    """The records that fulfil all conditions."""
    return [record.ref for record in records if all(fulfils(record, condition) for condition in conditions)]


async def completed(client: object, records: Sequence[Opportunity]) -> list[Opportunity]:
    """The records with the relations that they leave UNREAD."""
    unread = [record for record in records if UNREAD in (record.account_ref, record.account_refs, record.contact_refs)]
    if not unread:
        return list(records)
    assert isinstance(client, LinksOpportunities), "a record leaves relations UNREAD that nothing reads"
    links = await client.opportunity_links(unread, EVERYTHING)
    assert set(links) == {record.local_id for record in unread}
    return [_linked(record, sound(links[record.local_id])) if record.local_id in links else record for record in records]


def _linked(record: Opportunity, links: Any) -> Opportunity:
    names = ("account_ref", "account_refs", "contact_refs")
    return replace(record, **{name: getattr(links, name) for name in names if isinstance(getattr(record, name), Unread)})


def asked_of(records: Sequence[Record], field: Field, operator: Operator) -> Iterator[Condition]:
    """Conditions worth asking, the most telling first. Values are of the field's own type, from the records and from outside of them."""
    found = Counter(value for record in records for value in values_of(record, field))
    ranked = [value for value, _ in sorted(found.items(), key=lambda item: (-item[1], str(item[0])))]
    if operator is Operator.ANY_OF:
        chosen = _sets(ranked, _absent(field, found))
    elif operator is Operator.CONTAINS:
        chosen = [(needle,) for needle in _needles([str(value) for value in ranked])]
    elif field in _TEXTS or field not in (Field.PROBABILITY, *_DAYS, *_INSTANTS):
        chosen = [(value,) for value in ranked[:2]]
    else:
        chosen = [(value,) for value in _bounds(field, sorted(found))]
    for values in dict.fromkeys(chosen):
        yield Condition(field, operator, values)


def fulfilled_by(record: Record, fields: Iterable[Field]) -> list[Condition]:
    """Conditions that a record fulfils: each of its values, each range that begins or ends with it, and the middle of each text."""
    conditions: list[Condition] = []
    for field in fields:
        for value in values_of(record, field)[:1]:
            if field in (Field.PROBABILITY, *_DAYS, *_INSTANTS):
                conditions += [Condition(field, operator, (value,)) for operator in (Operator.GTE, Operator.LTE)]
            elif field in _TEXTS:
                conditions.append(Condition(field, Operator.CONTAINS, (value[1:-1] or value,)))
            else:
                conditions.append(Condition(field, Operator.ANY_OF, (value,)))
    return conditions


def _absent(field: Field, found: Mapping[Any, int]) -> list[Any]:
    """Values that nothing has."""
    if field is Field.STATUS:
        return [status for status in OpportunityStatus if status not in found]
    if field is Field.PROBABILITY:
        return [12.125]
    if field in _DAYS:
        return [date(1999, 12, 31)]
    if field in _INSTANTS:
        return [datetime(1999, 12, 31, tzinfo=UTC)]
    return [value for value in _UNKNOWN_IDS if value not in found]


def _sets(ranked: Sequence[Any], absent: Sequence[Any]) -> list[tuple[Any, ...]]:
    most, least = ranked[:1], ranked[-1:]
    sets = [most, absent[:1], [*most, *least], least, [*most, *absent[:1]], absent[:2], *([value] for value in absent[1:])]
    many = [str(10_000_000 + number) for number in range(600)] if absent and isinstance(absent[0], str) else []
    sets += [ranked, [*ranked, *absent], [*ranked[:3], *many[:190]], [*many, *ranked], *([value] for value in ranked)]
    return [tuple(dict.fromkeys(values)) for values in sets if values]


def _needles(texts: Sequence[str]) -> list[str]:
    """Pieces of texts in other letters, pieces that are no words, and pieces that mean something to a database or to a URL."""
    if not texts:
        return ["a"]
    longest, shortest = max(texts, key=len), min(texts, key=len)
    words = longest.split()
    pieces = [words[0].swapcase(), "no text has this", longest[1:-1], shortest, longest.upper(), words[-1][1:] or words[-1]]
    pieces += [text[at - 1 : at + 2].swapcase() for text in texts for at, letter in enumerate(text) if not letter.isalnum() and at > 0][:40]
    pieces += [letter for text in texts for letter in text if not letter.isascii()][:5]
    # Letters that fold to others.
    pieces += [text.casefold() for text in texts if text.casefold() != text.lower()][:3]
    return [*pieces, "e", "%", "_", "\\", "'", "a%b", ",", "&", "x" * 300]


def _bounds(field: Field, values: Sequence[Any]) -> list[Any]:
    middle = [values[len(values) // 2], values[0], values[-1]] if values else []
    if field is Field.PROBABILITY:
        return [*middle, *(value + step for value in middle[:1] for step in (0.5, -0.5, 0.001)), 0.0, 100.0, -1.0, 101.0, 33.3]
    if field in _DAYS:
        near = [value + timedelta(days=step) for value in middle[:1] for step in (1, -1)]
        return [*middle, *near, date(2000, 2, 29), date.max, date.min]
    steps = (timedelta(microseconds=1), timedelta(microseconds=-1), timedelta(milliseconds=500), timedelta(days=1))
    near = [value + step for value in middle[:1] for step in steps]
    elsewhere = [value.astimezone(_ELSEWHERE) for value in middle[:2]]
    return [*middle, *near, *elsewhere, datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]


def unified(record: Record) -> dict[str, object]:
    """The unified attributes of a record that it was read with; relations that an opportunity may leave UNREAD aside."""
    left_out = {"extension", "read_fields"}
    if isinstance(record, Opportunity):
        left_out |= {"account_ref", "account_refs", "contact_refs"}
    names = type(record).__dataclass_fields__.keys() - left_out
    return {name: getattr(record, name) for name in names if record.read_fields is None or name in record.read_fields}
