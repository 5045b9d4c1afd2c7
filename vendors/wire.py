"""Reading bodies into a vendor's wire models, and the values that vendors write in odd ways.

Bodies go straight from bytes into the typed models. Two cases take a slower way: a row that does not fit costs only that row, and a number
literal with more digits than a float holds is read exactly. An answer that is the same as before is not read again, and of the same row the
same record is made.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import repeat
from operator import attrgetter, is_not, itemgetter
from typing import Annotated, Any, Concatenate, Final, Generic, NamedTuple, ParamSpec, TypeVar, cast, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetPydanticSchema, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema

from vendors.calls import Warned, recording_all_warnings, warn, warn_again
from vendors.http import Reply, Request, VendorHttp
from vendors.values import dataclass

log = logging.getLogger(__name__)

E = TypeVar("E")
M = TypeVar("M", bound="WireModel")
P = ParamSpec("P")
R = TypeVar("R")

# pydantic's JSON reader takes a number for a Decimal field through a float, which is exact up to 15 significant digits.
_DIGITS: Final = bytes.maketrans(b"123456789.", b"0" * 10)
_LONG_NUMBER: Final = b"0" * 16  # once all digits are zeros; it may also be a part of a text
_MAX_DIGITS: Final = 50  # of a number that means anything; writing out 1e999999999 would take forever
_SMALLEST: Final = 10.0**-_MAX_DIGITS
_GREATEST: Final = 10.0**_MAX_DIGITS
_ALIKE_A_MINUTE: Final = 3
_ID_SHOWN: Final = 64  # characters
_MOST_PARTS: Final = 64
_MADE: Final = "_made"
_OF_ROW: Final = itemgetter(_MADE)

unknown_fields: Counter[tuple[str, str]] = Counter()
"""How often a record was made of a row with a wire field that we do not know, by (entity, field)."""


class WireModel(BaseModel):
    """Base of the vendors' wire models: the vendor's spelling, unknown keys tolerated."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True, defer_build=True)


class _Made(NamedTuple):
    """What was made of a row, all besides the row that it was made with, and what was odd. A copy of the row has it too, by mistake."""

    row_id: int
    record: Any
    around: object
    warnings: Sequence[Warned]


_ROW_ID: Final = attrgetter("row_id")
_RECORD: Final = attrgetter("record")
_AROUND: Final = attrgetter("around")
_WARNINGS: Final = attrgetter("warnings")


def records_of(make: Callable[Concatenate[str, M, P], R], crm: str, rows: Iterable[M], /, *arguments: P.args, **named: P.kwargs) -> list[R]:
    """Make records of rows: of the same row the same record, as long as all else that it is made with is equal.

    Rows stay the same while an answer does (`vendors.readings`). What is odd in a row is told each time.

    Args:
        make: Makes a record of nothing but its arguments.
        crm: Key of the Crm, for `make`.
        rows: For `make`, one by one.
        arguments: More for `make`.
        named: More for `make`.
    """
    around: object = make, crm, arguments, named
    rows = list(rows)
    made_before = _made_before(rows, around)
    if made_before is not None:
        return made_before
    records: list[R] = []
    with recording_all_warnings() as recorder:
        for row in rows:
            # As `functools.cached_property` does it: pydantic compares and prints models without it.
            made: _Made | None = vars(row).get(_MADE)
            if made is not None and made.row_id == id(row) and (made.around is around or made.around == around):
                around = made.around  # so that the next row is recognized at a glance
                if made.warnings:
                    warn_again(made.warnings)
            else:
                record = make(crm, row, *arguments, **named)
                made = vars(row)[_MADE] = _Made(id(row), record, around, tuple(recorder.warnings))
            if recorder.warnings:
                recorder.clear()  # the next row has its own, which may be the same
            records.append(made.record)
    return records


def _made_before(rows: list[M], around: object) -> list[Any] | None:
    """What was made of all rows, if it was made of all of them together with the same, and nothing was odd."""
    try:
        made = list(map(_OF_ROW, map(vars, rows)))
    except KeyError:
        return None
    if not made or list(map(_ROW_ID, made)) != list(map(id, rows)) or any(map(_WARNINGS, made)):
        return None
    first = made[0].around
    if not (first is around or first == around) or any(map(is_not, map(_AROUND, made), repeat(first))):
        return None
    return list(map(_RECORD, made))


@dataclass(frozen=True, slots=True)
class Decoded(Generic[E]):
    """A body as its envelope model.

    `dropped` holds the rows that did not fit their model and were left out, as they came; `misfits` what did not fit in each of them.
    `made` is for its readers: what they have made of it, which stays as long as answers are the same.
    """

    value: E
    dropped: Sequence[Mapping[str, Any]] = ()
    misfits: Sequence[Sequence[str]] = ()
    made: dict[Hashable, Any] = field(default_factory=dict[Hashable, Any], repr=False, compare=False)


def only(model: type[BaseModel], names: Iterable[str]) -> type[BaseModel]:
    """The model with these fields read and all others left at their defaults, for rows of which no more is needed.

    Fields without a default are always read.
    """
    kept = {name for name, field in model.model_fields.items() if field.is_required()}.union(names)

    class Part(model):  # type: ignore[misc, valid-type]
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
            whole: Any = handler(source)
            fields = whole["schema"]["fields"]
            part = {**whole["schema"], "fields": {name: field for name, field in fields.items() if name in kept}}
            return cast("CoreSchema", {**whole, "schema": part})

    Part.__name__ = Part.__qualname__ = model.__name__
    for name, told in model.model_fields.items():
        if name not in kept:
            setattr(Part, name, told.default)  # where an instance finds what was not read
    return Part


class Decoder(Generic[E]):
    """Reads answers of one shape.

    Args:
        envelope: Type of the whole body.
        rows: Keys that lead to the list of rows inside the body; empty when there is none, and a misfit then fails the whole.
        row: Type of one row.
    """

    def __init__(self, envelope: type[E], *, rows: Sequence[str] = (), row: Any = None) -> None:
        self._envelope: TypeAdapter[E] = TypeAdapter(envelope)
        self._rows = rows
        self._row: TypeAdapter[Any] | None = None if row is None else TypeAdapter(row)
        self._types: tuple[type[E], Any] = envelope, row
        self._asking = lru_cache(maxsize=_MOST_PARTS)(self._part)

    def asking(self, names: frozenset[str] | None) -> "Decoder[E]":
        """The decoder that reads these fields of a row and no others; None for all."""
        return self if names is None else self._asking(names)

    def _part(self, names: frozenset[str]) -> "Decoder[E]":
        envelope, row = self._types
        assert row is not None, "there are rows"
        part = only(row, names)
        generic: Any = getattr(envelope, "__pydantic_generic_metadata__", {}).get("origin") or get_origin(envelope)
        return Decoder(generic[part], rows=self._rows, row=part)

    def read(self, http: VendorHttp, request: Request, reply: Reply) -> Decoded[E]:
        """Read an answer, or take what it was read as when it came the last time: nobody may change it.

        Raises:
            MalformedReplyError: It is no JSON, or not of this shape.
        """
        question, gist = request.key(), self.gist(reply.body)
        decoded: Decoded[E] | None = http.readings.find(self, question, gist)
        if decoded is None:
            try:
                decoded = self.decode(reply.body)
            except (ValueError, RecursionError) as cause:
                log.warning("CRM %r answered %s with an unreadable body (%s)", http.crm, request.operation, type(cause).__name__)
                raise http.malformed(request, reply) from None  # the cause quotes the body
            http.readings.keep(self, question, gist, decoded)
        http.health.was_read(request.operation)
        for row, misfit in zip(decoded.dropped, decoded.misfits, strict=True):
            _log_misfit(http, request.operation, row, misfit)
        return decoded

    def gist(self, body: bytes) -> bytes:
        """A body without what every answer says anew and no model reads: those that have this in common are read as the same."""
        return body

    def decode(self, body: bytes | str) -> Decoded[E]:
        """Read a body (raises ValueError or RecursionError)."""
        raw = body.encode() if isinstance(body, str) else body
        if _LONG_NUMBER not in raw.translate(_DIGITS):
            try:
                return Decoded(self._envelope.validate_json(raw))
            except ValidationError:
                if self._row is None:
                    raise
        return self._exact(json.loads(raw, parse_float=Decimal))

    def _exact(self, data: Any) -> Decoded[E]:
        rows = _at(data, self._rows)
        if self._row is None or rows is None:
            return Decoded(self._envelope.validate_python(data))
        good: list[Any] = []
        dropped: list[Mapping[str, Any]] = []
        misfits: list[Sequence[str]] = []
        for row in rows:
            try:
                good.append(self._row.validate_python(row))
            except ValidationError as error:
                dropped.append(cast("dict[str, Any]", row) if isinstance(row, dict) else {})
                misfits.append(_places(error))
        rows[:] = good
        return Decoded(self._envelope.validate_python(data), dropped, misfits)


def _log_misfit(http: VendorHttp, operation: str, row: Mapping[str, Any], misfit: Sequence[str]) -> None:
    """Name a row that was left out; of rows with the same misfit, a few a minute."""
    count = http.notices.count((operation, *misfit))
    if count > _ALIKE_A_MINUTE:
        return
    local_id = row.get("id")
    which = f"the row with id {str(local_id)[:_ID_SHOWN]!r}" if isinstance(local_id, str | int) else "a row without a readable id"
    more = "; more like it are not logged for a minute" if count == _ALIKE_A_MINUTE else ""
    log.warning("CRM %r answered %s with %s, left out since it does not fit: %s%s", http.crm, operation, which, ", ".join(misfit), more)


def _at(data: Any, keys: Sequence[str]) -> list[Any] | None:
    for key in keys:
        data = cast("dict[str, Any]", data).get(key) if isinstance(data, dict) else None
    if not isinstance(data, list):
        return None
    rows: list[Any] = data  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
    return rows


def note_unknown(entity: str, names: Iterable[str]) -> None:
    """Count wire fields that no model and no custom field explains; each is logged the first time."""
    for name in names:
        if unknown_fields[entity, name] == 0:
            log.info("%s carries the unknown field %r", entity, name)
        unknown_fields[entity, name] += 1


def _places(error: ValidationError) -> list[str]:
    found = error.errors(include_input=False, include_url=False)[:5]
    return [": ".join(filter(None, (".".join(map(str, item["loc"])), item["type"]))) for item in found]


def _none_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _id_text(value: Any) -> Any:
    whole = _whole(Decimal(value)) if isinstance(value, float | Decimal) else None
    return _none_if_blank(value) if whole is None or whole != value else str(whole)


def _unless(pattern: str, function: Callable[[Any], Any], *, is_optional: bool, is_text: bool) -> GetPydanticSchema:
    """Let the function see a value first, unless it is text of that form, or a number of that form where it is an id: those need no change.

    That is most of them, and a call to Python takes longer than all else about a value.
    """

    def schema(_: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = handler(str | None) if is_optional else core_schema.str_schema(min_length=1)
        read = core_schema.no_info_before_validator_function(function, text)
        plain = core_schema.str_schema(pattern=pattern, strict=is_text)
        either = core_schema.union_schema([plain, read], mode="left_to_right", custom_error_type="string_type")
        return core_schema.nullable_schema(either) if is_optional else either

    return GetPydanticSchema(schema)


def _text_of(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _lenient_decimal(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value)) if _SMALLEST < abs(value) < _GREATEST or not value else None
    if value is None or isinstance(value, bool) or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = Decimal(value if isinstance(value, int) else str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < _MAX_DIGITS else None


def _lenient_bool(value: Any) -> Any:
    if isinstance(value, str):
        return {"1": True, "true": True, "0": False, "false": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, int | float | Decimal) else None


def _lenient_int(value: Any) -> Any:
    number = _lenient_decimal(value)
    return None if number is None else _whole(number)


def _whole(number: Decimal) -> int | None:
    return int(number) if number.is_finite() and number.adjusted() < _MAX_DIGITS else None


_NOT_BLANK: Final = r"[^\s\x1c-\x1f]"
# What looks like a fraction or a power, -0, or is longer than an id, may be a whole number that was written in another way.
_PLAIN_ID: Final = r"^[^.+\-\s\x1c-\x1f][^.+]{0,39}$"

Text = Annotated[str | None, _unless(_NOT_BLANK, _none_if_blank, is_optional=True, is_text=True)]
"""Text whose empty form means nothing."""
Key = Annotated[str, _unless(_PLAIN_ID, _id_text, is_optional=False, is_text=False)]
"""The id of a row, a JSON string or number, kept as text; a row without one does not fit."""
Id = Annotated[str | None, _unless(_PLAIN_ID, _id_text, is_optional=True, is_text=False)]
"""An id that may be missing, a JSON string or number, kept as text."""
Number = Annotated[Decimal | None, BeforeValidator(_lenient_decimal)]
"""A decimal sent as a number or a string; what is no number is None."""
Flag = Annotated[bool | None, BeforeValidator(_lenient_bool)]
"""A boolean sent as such, as 0 or 1, or as text; anything else is None."""
Whole = Annotated[int | None, BeforeValidator(_lenient_int)]
"""An integer sent as a number or a string; what is no number is None."""


Raw = Annotated[str | None, BeforeValidator(_text_of)]
"""Text as it came; what is no text is None."""


def instant(text: str | None, *, naive_in: Any = UTC) -> datetime | None:
    """Read a date and time: `T` or a space, 0 to 9 fraction digits, an offset or none (then `naive_in`). None when it is none."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is UTC:
            return moment
        moment = moment if moment.tzinfo else moment.replace(tzinfo=naive_in)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def day(text: str | None) -> date | None:
    """The calendar day of a date, or of a date and time in the offset it was written with. None when it is none."""
    if not text:
        return None
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None


Instant = Annotated[datetime | None, BeforeValidator(lambda value: instant(_text_of(value)))]
"""A date and time, in UTC; without an offset it is taken as UTC."""
Day = Annotated[date | None, BeforeValidator(lambda value: day(_text_of(value)))]
"""A calendar day."""


def percent(value: Decimal | float | None, *, crm: str, kind: str, local_id: str, name: str = "probability") -> float | None:
    """A percentage from 0 to 100. Outside it is None and warned of: clamping it would invent a number.

    Args:
        value: What the vendor sent.
        crm: Key of the Crm.
        kind: What kind of record it belongs to, in the vendor's word, for the warning.
        local_id: The record's id.
        name: What it says of the record, in the vendor's word.
    """
    if value is None or 0 <= value <= 100:  # noqa: PLR2004
        return None if value is None else float(value)
    message = f"The {name} of {kind} {local_id!r} is {value} and not from 0 to 100; it is shown as null."
    warn(crm, "PERCENT_OUT_OF_RANGE", message, local_id=local_id)
    return None


def joined(*parts: str | None) -> str | None:
    """Names joined by a space, blanks left out; None when nothing is left."""
    return " ".join(part.strip() for part in parts if part and part.strip()) or None
