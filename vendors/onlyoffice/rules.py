"""What a portal takes: limits of texts, numbers and days, and how custom fields are spelled. Pure."""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, localcontext
from typing import Any, Final

from vendors.model import CustomFieldDefinition, CustomFieldType
from vendors.onlyoffice.extension import OnlyofficeBidType
from vendors.writes import RuleCode, Violation

Path = tuple[str, ...]

# Source: Community Server, onlyoffice.sql: varchar(255), and `text`, which holds bytes.
MAX_NAME: Final = 255
_MAX_TEXT_BYTES: Final = 65_535
# Source: Community Server, onlyoffice.sql, crm_deal: bid_value decimal(50,9); .NET Decimal holds 28 digits.
_MAX_DECIMALS: Final = 9
_MAX_DIGITS: Final = 28
# Source: Community Server, parameters of the type Int32.
_MAX_INT: Final = 2**31 - 1
# Source: MySQL, datetime. The last day is left out, since a day begins in the portal's time zone and is kept in UTC.
_FIRST_DAY, _LAST_DAY = date(1000, 1, 2), date(9999, 12, 30)
# Source: Community Server, ApiArgumentBuilder turns JSON into XML, which has no control characters and no halves of a pair.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SHOWN: Final = 64  # characters of an id


class Rules:
    """Collects the rules that an input breaks."""

    def __init__(self) -> None:
        self.broken: list[Violation] = []

    def breaks(self, path: Path, code: RuleCode, message: str) -> None:
        self.broken.append(Violation(path=path, code=code, message=message))

    def text(self, path: Path, text: str, *, max_length: int | None = None) -> str:
        """Look at a text: its length in characters (in bytes without a limit of its own), and what is in it."""
        if max_length is not None and len(text) > max_length:
            self.breaks(path, RuleCode.TOO_LONG, f"Use at most {max_length} characters.")
        elif len(text.encode(errors="replace")) > _MAX_TEXT_BYTES:
            self.breaks(path, RuleCode.TOO_LONG, f"Use at most {_MAX_TEXT_BYTES} bytes of UTF-8.")
        if _NOT_XML.search(text):
            self.breaks(path, RuleCode.INVALID_VALUE, "Leave out control characters and halves of surrogate pairs.")
        return text

    def day(self, path: Path, day: date) -> str:
        """Source: Community Server, ApiDateTime: a plain day is midnight in the portal's time zone."""
        if not _FIRST_DAY <= day <= _LAST_DAY:
            self.breaks(path, RuleCode.OUT_OF_RANGE, f"Use a day from {_FIRST_DAY} to {_LAST_DAY}.")
        return day.isoformat()

    def decimal(self, path: Path, value: Decimal) -> Decimal:
        if not fits(value):
            self.breaks(path, RuleCode.OUT_OF_RANGE, f"Use at most {_MAX_DIGITS} digits, {_MAX_DECIMALS} of them behind the point.")
        return value

    def count(self, path: Path, value: int) -> int:
        if not 0 <= value <= _MAX_INT:
            self.breaks(path, RuleCode.OUT_OF_RANGE, f"Use a whole number from 0 to {_MAX_INT}.")
        return value

    def percent(self, path: Path, value: float) -> int:
        """Source: Community Server, CRMApi.Deals: a whole number, which is cut to 0 and 100 without a word."""
        if not 0 <= value <= 100:  # noqa: PLR2004
            self.breaks(path, RuleCode.OUT_OF_RANGE, "Use a whole number from 0 to 100.")
            return 0
        if value != int(value):
            self.breaks(path, RuleCode.INVALID_VALUE, "Use a whole number; the portal keeps no fractions of a percent.")
        return int(value)

    def unsupported(self, **given: object) -> None:
        """Refuse values of attributes that the vendor does not have; to clear what cannot be there is fine."""
        for name, value in given.items():
            if value:
                self.breaks((name,), RuleCode.NOT_SUPPORTED, "Leave it out; ONLYOFFICE has no such field.")

    def unknown(self, path: Path, what: str, ids: Iterable[str]) -> None:
        for local_id in ids:
            shown = repr(local_id[:_SHOWN])
            self.breaks(path, RuleCode.INVALID_REFERENCE, f"Name another {what}; the configured user sees none with the id {shown}.")


def bid_of(amount: Decimal, bid_type: OnlyofficeBidType, periods: int) -> Decimal | None:
    """The bid that makes an amount; None when there is none that the portal can hold. Source: API page "Create an opportunity", bidType."""
    if bid_type is OnlyofficeBidType.FIXED_BID:
        return amount
    if periods == 0:
        return amount if amount == 0 else None
    if not fits(amount):
        return None
    with localcontext(prec=120):
        bid = amount / periods
    return bid if fits(bid) and amount_of(bid, bid_type, periods) == amount else None


def amount_of(bid: Decimal, bid_type: OnlyofficeBidType, periods: int) -> Decimal:
    with localcontext(prec=120):
        return bid if bid_type is OnlyofficeBidType.FIXED_BID else bid * periods


def custom_text(definition: CustomFieldDefinition, value: Any, *, date_format: str | None) -> str | None:
    """Spell a value as the portal keeps it, which is always text; None when it does not fit its field."""
    match definition.type:
        case CustomFieldType.BOOLEAN:
            return {True: "true", False: "false"}[value] if isinstance(value, bool) else None
        case CustomFieldType.DATE:
            return _day_text(value, date_format)
        case CustomFieldType.SELECT:
            return value if isinstance(value, str) and value in definition.options else None
        case _:
            return value if isinstance(value, str) else None


def is_blank(text: str | None) -> bool:
    return text is None or not text.strip()


def _day_text(value: Any, date_format: str | None) -> str | None:
    try:
        day = date.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    return day.isoformat() if date_format is None else day.strftime(date_format)


def fits(value: Decimal) -> bool:
    """Whether the portal can hold a number with all its digits."""
    if not value.is_finite() or abs(value.adjusted()) > _MAX_DIGITS:
        return not value.is_nan() and value == 0
    whole, _, decimals = format(value.copy_abs(), "f").partition(".")
    decimals = decimals.rstrip("0")
    return len(decimals) <= _MAX_DECIMALS and len(whole.lstrip("0") + decimals) <= _MAX_DIGITS
