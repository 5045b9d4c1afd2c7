"""What Apideck says when it refuses a write, as rules of our own: its texts name fields, and are never passed on.

Source: Apideck CRM API, schemas BadRequest and Unprocessable: `detail` is a text, or an object such as
`{"missing": [{"title": "required"}]}`; `downstream_errors` is what the connector said.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vendors.apideck import wire
from vendors.apideck.demands import WIRE_NAMES
from vendors.apideck.drafts import Path
from vendors.apideck.inputs import ApideckOpportunityInput
from vendors.extension import wire_names
from vendors.writes import RuleCode, Violation

_PATHS: Final[Mapping[str, Path]] = {
    **{name: (attribute,) for attribute, name in WIRE_NAMES.items()},
    **{name: (name,) for name in ("description", "type", "owner_id", "pipeline_id", "contact_ids", "lead_source", "tags", "custom_fields")},
    **{name: (name,) for name in ("name", "first_name", "last_name")},
    "monetary_amount": ("amount", "amount"),
    "currency": ("amount", "currency"),
    "win_probability": ("probability_percent",),
    "company_id": ("account_id",),
    "emails": ("email",),
    "phone_numbers": ("phone",),
    "websites": ("website",),
    "pass_through": ("extension", "pass_through"),
    **{name: ("extension", attribute) for attribute, name in wire_names(ApideckOpportunityInput).items()},
}
_WORD: Final = re.compile(r"\w+")
_SEPARATOR: Final = re.compile(r"[;\n]|, (?=\w+: )")
# Of the connectors' codes, those that look like constants; others might be anything.
_CODE: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
_OTHERWISE: Final = "Mend the input: the CRM refused it for a rule of its own."
_MESSAGES: Final[Mapping[RuleCode, str]] = {
    RuleCode.REQUIRED: "Give a value: the CRM needs it.",
    RuleCode.READ_ONLY: "Leave this out: the CRM keeps it itself.",
    RuleCode.INVALID_VALUE: "Give another value: the CRM does not take this one.",
    RuleCode.REJECTED_BY_VENDOR: _OTHERWISE,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that the vendor says is broken: by which of its fields, where it names one that we write, and its code, if it has one."""

    name: str | None
    code: RuleCode
    vendor_code: str | None = None


def refusals_of(failure: wire.Failure) -> tuple[Refusal, ...]:
    """Read what an error's body says, without its texts; nothing where it tells no more than its type."""
    found = [*_of_detail(failure), *(refusal for error in failure.downstream_errors for refusal in _of_downstream(error))]
    return tuple(dict.fromkeys(found))


def violations_of(refusals: Sequence[Refusal], origins: Mapping[str, Path], *, vendor_code: str | None) -> list[Violation]:
    """Say which rules a refused body breaks; one at least."""
    found = refusals or (Refusal(None, RuleCode.REJECTED_BY_VENDOR),)
    return [
        Violation(
            path=() if refusal.name is None else origins.get(refusal.name, _PATHS[refusal.name]),
            code=refusal.code,
            message=_MESSAGES[refusal.code],
            vendor_code=refusal.vendor_code or vendor_code,
        )
        for refusal in found
    ]


def _of_detail(failure: wire.Failure) -> Iterator[Refusal]:
    detail = failure.detail
    if detail is not None:
        yield from (Refusal(name, RuleCode.REQUIRED) for name in _names(place for place, _ in detail.missing))
        for place, rule in detail.invalid:
            yield from (Refusal(name, _kind(rule)) for name in _names([place]))
    for part in _SEPARATOR.split(failure.detail_text or ""):
        yield from (Refusal(name, _kind(part)) for name in _mentioned(part)[:1])


def _of_downstream(error: wire.DownstreamError) -> Iterator[Refusal]:
    code = error.code if error.code is not None and _CODE.fullmatch(error.code) else None
    name = next(iter(_mentioned(f"{error.message or ''} {error.detail or ''}")), None)
    if code is not None or name is not None:
        yield Refusal(name, RuleCode.REJECTED_BY_VENDOR, code)


def _names(places: Iterable[str]) -> list[str]:
    """The fields that places such as `emails[0].email` are in."""
    return [match[0] for place in places if (match := _WORD.match(place)) is not None and match[0] in _PATHS]


def _mentioned(text: str) -> list[str]:
    # Words of a sentence that are also names, such as `name` and `type`, mean no field there.
    return [word for word in _WORD.findall(text) if word in _PATHS and ("_" in word or text.lstrip().startswith(f"{word}:"))]


def _kind(rule: str) -> RuleCode:
    lowered = rule.lower()
    if "required" in lowered or "missing" in lowered:
        return RuleCode.REQUIRED
    return RuleCode.READ_ONLY if "read-only" in lowered or "read only" in lowered else RuleCode.INVALID_VALUE
