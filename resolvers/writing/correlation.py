"""The mark of an idempotency key in a custom field of the record that it made, by which that record is found again."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from resolvers.types.enums import UserErrorCode
from resolvers.writing.values import Refusal
from resolvers.writing.work import Outcome
from vendors.model import CustomFieldDefinition, CustomFieldType
from vendors.registry import Crm

_LENGTH: Final = 32
_MARK: Final = re.compile(f"[0-9a-f]{{{_LENGTH}}}")
_TEXTS: Final = {CustomFieldType.TEXT, CustomFieldType.LONG_TEXT, CustomFieldType.UNKNOWN}
_MOST_SHOWN: Final = 20


def correlation_of(key: str) -> str:
    """What is written into a Crm's correlation field, so that the record of an idempotency key can be found."""
    return hashlib.sha256(key.encode()).hexdigest()[:_LENGTH]


def is_mark(value: object) -> bool:
    """Whether a custom field's value is the mark of some key."""
    return isinstance(value, str) and _MARK.fullmatch(value) is not None


def is_taken(crm: Crm) -> Refusal:
    """Refuse a value of the client's own for the field."""
    message = "Leave it out, or the `idempotencyKey`; this CRM keeps the mark of the key in this field."
    return Refusal(path=_path(crm), code=UserErrorCode.CONTRADICTION, message=message)


def told_of_the_setting(made: Outcome, crm: Crm) -> Outcome:
    """The outcome with what is wrong with the field said of the setting: no client has named it."""
    return replace(
        made, user_errors=[_of_the_setting(error, crm) if list(error.path) == _path(crm) else error for error in made.user_errors]
    )


def mistake_in(field: str, definitions: Sequence[CustomFieldDefinition]) -> str | None:
    """What is wrong with a correlation field, given the custom fields that there are; None when it can hold a mark."""
    fields = {entry.key: entry for entry in definitions if entry.applies_to == "opportunity" and entry.is_active is not False}
    found = fields.get(field)
    if found is None:
        texts = [key for key, entry in fields.items() if _can_hold_it(entry)]
        there = f" (its text fields are {', '.join(map(repr, texts[:_MOST_SHOWN]))})" if texts else ""
        return f"the CRM has no custom field {field!r} of opportunities{there}; make one for the mark, or leave the setting out"
    if not _can_hold_it(found):
        return f"the custom field {field!r} cannot hold a text of {_LENGTH} characters; name one that can, or leave the setting out"
    return None


def _can_hold_it(field: CustomFieldDefinition) -> bool:
    return field.type in _TEXTS and (field.max_length is None or field.max_length >= _LENGTH)


def _of_the_setting(error: Refusal, crm: Crm) -> Refusal:
    message = (
        f"Tell the operator to mend the setting `correlation_field` of [crms.{crm.key}] (`crmgraph check` says what is wrong): the CRM does"
        f" not take the mark of an idempotency key in its custom field {crm.correlation_field!r}. Without a key it is not written."
    )
    return replace(error, path=["idempotencyKey"], message=message)


def _path(crm: Crm) -> list[str]:
    return ["input", "customFields", crm.correlation_field or ""]
