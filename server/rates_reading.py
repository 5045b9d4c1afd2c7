"""Reads the European Central Bank's euro foreign exchange reference rates.

These are `eurofxref-daily`, `-hist` and `-hist-90d`, as XML, as CSV, or as the zip that holds the CSV. Which of them a file is, its content
tells. No message quotes what stands in the file: it may be another file.
"""

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final
from xml.parsers import expat

from resolvers.rates import MAX_RATE_DIGITS, RateTable
from vendors.errors import ConfigError

MAX_BYTES: Final = 32 * 1024 * 1024
"""The largest file that is read, packed or not; 27 years of rates are 9 MB of XML."""

CURRENCY: Final = re.compile(r"[A-Z]{3}")

_BASE: Final = "EUR"
_CHUNK_BYTES: Final = 1 << 16
_NUMBER: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,30})?")
_ISO_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Source: European Central Bank, euro foreign exchange reference rates, eurofxref.csv: its date is written in English.
_ENGLISH_DAY: Final = re.compile(r"([0-9]{1,2}) ([A-Z][a-z]+) ([0-9]{4})")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NOT_QUOTED: Final = frozenset({"", "N/A"})
_AGAIN: Final = "download the file again"
_UNKNOWN: Final = (
    "is no file of the European Central Bank's reference rates; download eurofxref-hist.zip, eurofxref-hist.xml or a daily one"
)

_Day = tuple[date, Mapping[str, Decimal]]


def rate_table(content: bytes) -> RateTable:
    """The rates of a file.

    Raises:
        ConfigError: It is too large or not such a file; the message says where the mistake is and what to mend.
    """
    if content.startswith(b"PK"):
        content = _unpacked(content)
    _refuse_large(content)
    start = content[:_CHUNK_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    table = RateTable(_BASE, _each_once(_xml_days(content) if start.startswith(b"<") else _csv_days(content)))
    if table.latest is None:
        raise ConfigError(f"has no day with rates; {_AGAIN}")
    return table


def rate_of(text: str) -> Decimal:
    """The rate that a text is.

    Raises:
        ValueError: It is none; the message says what it must be.
    """
    rate = Decimal(text) if _NUMBER.fullmatch(text) else Decimal(0)
    if not rate or (len(text) > MAX_RATE_DIGITS and len(rate.as_tuple().digits) > MAX_RATE_DIGITS):
        raise ValueError(f"must be a number above 0, written like 1.0850, with at most {MAX_RATE_DIGITS} digits")
    return rate


def _refuse_large(content: bytes) -> None:
    if len(content) > MAX_BYTES:
        raise ConfigError(f"is larger than {MAX_BYTES // 1024 // 1024} MB; {_AGAIN}")


def _unpacked(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")]
            if len(files) != 1:
                raise ConfigError(f"is a zip of {len(files)} files instead of one; {_AGAIN}, or unpack it and name the one with the rates")
            with archive.open(files[0]) as file:
                return file.read(MAX_BYTES + 1)
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        RuntimeError,
        ValueError,
    ):  # what damaged or locked ones raise
        raise ConfigError(f"is a zip that cannot be unpacked; {_AGAIN}") from None


def _each_once(days: Iterator[tuple[str, _Day]]) -> Iterator[_Day]:
    """The days without the place where they stand, and without those that have no rate at all."""
    seen: set[date] = set()
    for place, (day, rates) in days:
        if day in seen:
            raise ConfigError(f"{place}: the day {day} stands there twice; keep one of them")
        seen.add(day)
        if rates:
            yield day, rates


def _day(text: str, place: str) -> date:
    english = _ENGLISH_DAY.fullmatch(text)
    try:
        if english and english[2] in _MONTHS:
            return date(int(english[3]), _MONTHS.index(english[2]) + 1, int(english[1]))
        if _ISO_DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ConfigError(f"{place}: the date must be a day, written like 2026-11-20")


def _currency(text: str, place: str) -> str:
    if not CURRENCY.fullmatch(text) or text == _BASE:
        raise ConfigError(f"{place}: a currency must be three capital letters, and not {_BASE}, which the rates are based on")
    return text


def _put(rates: dict[str, Decimal], currency: str, text: str, place: str) -> None:
    try:
        rates[currency] = rate_of(text)
    except ValueError as error:
        raise ConfigError(f"{place}: the rate of {currency} {error}") from None


# CSV: a line "Date, USD, JPY, ..." and a line for each day, the newest first; N/A where a currency was not quoted; each ends with a comma.
# Source: European Central Bank, euro foreign exchange reference rates, eurofxref.csv and eurofxref-hist.csv.


def _csv_days(content: bytes) -> Iterator[tuple[str, _Day]]:
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise ConfigError(_UNKNOWN) from None
    first, *names = _cells(lines[0])
    if first != "Date" or not names:
        raise ConfigError(_UNKNOWN)
    currencies = [_currency(name, "is wrong in line 1") for name in names]
    if len(set(currencies)) < len(currencies):
        raise ConfigError("is wrong in line 1: a currency stands there twice; keep one of its columns")
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        place = f"is wrong in line {number}"
        date_text, *values = _cells(line)
        if len(values) != len(currencies):
            raise ConfigError(f"{place}: there are {len(values)} values for the {len(currencies)} currencies of line 1; {_AGAIN}")
        rates: dict[str, Decimal] = {}
        for currency, value in zip(currencies, values, strict=True):
            if value not in _NOT_QUOTED:
                _put(rates, currency, value, place)
        yield place, (_day(date_text, place), rates)


def _cells(line: str) -> list[str]:
    """The values of a line, without the empty one behind its last comma."""
    cells = [cell.strip() for cell in line.split(",")]
    return cells[:-1] if len(cells) > 1 and not cells[-1] else cells


# XML: <Cube> around a <Cube time="2026-11-20"> for each day, around a <Cube currency="USD" rate="1.0850"/> for each currency.
# Source: European Central Bank, euro foreign exchange reference rates, eurofxref-daily.xml and eurofxref-hist.xml.


def _xml_days(content: bytes) -> Iterator[tuple[str, _Day]]:
    """The days, read piece by piece so that the file's elements are never all in memory."""
    cubes = _Cubes()
    try:
        for start in range(0, len(content), _CHUNK_BYTES):
            cubes.parser.Parse(content[start : start + _CHUNK_BYTES], False)
            yield from cubes.complete_days()
        cubes.parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise ConfigError(f"is wrong in line {error.lineno}: it is no well-formed XML; {_AGAIN}") from None
    yield from cubes.complete_days()


class _Cubes:
    """Takes the elements of a file as its parser comes to them. Entities cannot be declared, so that none is ever expanded or fetched."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._open: list[date | None] = []  # what the elements around have as their day
        self._days: list[tuple[str, _Day]] = []
        self._rates: dict[str, Decimal] = {}

    def complete_days(self) -> list[tuple[str, _Day]]:
        """The days that have ended since the last call."""
        days, self._days = self._days, []
        return days

    def _place(self) -> str:
        return f"is wrong in line {self.parser.CurrentLineNumber}"

    def _doctype(self, *_: Any) -> None:
        raise ConfigError(f"{self._place()}: a document type has no place in such a file; {_AGAIN}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        day = self._open[-1] if self._open else None
        if name.rpartition(":")[2] != "Cube":
            if not self._open and name.rpartition(":")[2] != "Envelope":
                raise ConfigError(_UNKNOWN)
        elif "time" in attributes:
            if day is not None:
                raise ConfigError(f"{self._place()}: a <Cube> with a time stands in another one; {_AGAIN}")
            day, self._rates = _day(attributes["time"], self._place()), {}
        elif attributes:
            self._take(attributes, day)
        self._open.append(day)

    def _take(self, attributes: dict[str, str], day: date | None) -> None:
        if day is None:
            raise ConfigError(f'{self._place()}: a <Cube> with a currency must stand in one with a time="2026-11-20"; {_AGAIN}')
        place = f"{self._place()}, day {day}"
        if not {"currency", "rate"} <= attributes.keys():
            raise ConfigError(f'{place}: a <Cube> must have a currency="USD" and a rate="1.0850"; {_AGAIN}')
        currency = _currency(attributes["currency"], place)
        if currency in self._rates:
            raise ConfigError(f"{place}: {currency} stands there twice; keep one of them")
        _put(self._rates, currency, attributes["rate"], place)

    def _end(self, _: str) -> None:
        day = self._open.pop()
        if day is not None and (not self._open or self._open[-1] is None):
            self._days.append((self._place(), (day, self._rates)))
