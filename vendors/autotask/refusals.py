"""What the vendor says when it refuses a write, as rules of our own: its texts name fields, and are never passed on.

Source: `Reference value on field: contactID of type: Contact does not exist or is invalid.`, seen by public clients. The vendor documents
no texts; the others are matched loosely by the fields and words in them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from vendors.autotask import custom_fields
from vendors.autotask.drafts import Draft, Path
from vendors.autotask.inputs import AutotaskOpportunityInput
from vendors.errors import RejectedRequestError
from vendors.extension import wire_names
from vendors.writes import RuleCode, Violation


class RefusalError(RejectedRequestError):
    """The vendor refused a request in words of its own. `texts` are not to be shown."""

    texts: tuple[str, ...] = ()


_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_KINDS: Final[Sequence[tuple[str, RuleCode, str]]] = (
    ("reference value", RuleCode.INVALID_REFERENCE, "Give the id of a record that exists and may be used here."),
    ("required", RuleCode.REQUIRED, "Give a value: Autotask needs it."),
    ("read-only", RuleCode.READ_ONLY, "Leave this out: Autotask keeps it itself."),
    ("read only", RuleCode.READ_ONLY, "Leave this out: Autotask keeps it itself."),
    ("longer", RuleCode.TOO_LONG, "Give a shorter text."),
    ("length", RuleCode.TOO_LONG, "Give a shorter text."),
    ("picklist", RuleCode.INVALID_REFERENCE, "Give a value that Autotask's picklist has and that is active."),
)
_OTHERWISE: Final = "Mend the input: Autotask refused it for a rule of its own."
_OPPORTUNITY_PATHS: Final[Mapping[str, Path]] = {
    "title": ("title",),
    "description": ("description",),
    "amount": ("amount",),
    "probability": ("probability_percent",),
    "projectedCloseDate": ("expected_close_date",),
    "stage": ("stage_id",),
    "ownerResourceID": ("owner_id",),
    "companyID": ("account_id",),
    "contactID": ("primary_contact_id",),
    "opportunityCategoryID": ("type",),
    "leadSource": ("lead_source",),
    custom_fields.NAME: ("custom_fields",),
    **{wire: ("extension", attribute) for attribute, wire in wire_names(AutotaskOpportunityInput).items()},
}


def violations_of(texts: Iterable[str], draft: Draft, *, is_opportunity: bool) -> list[Violation]:
    """Say which rules a refused body breaks: one for each text, and one at least."""
    paths = {**(_OPPORTUNITY_PATHS if is_opportunity else {}), **draft.origins}
    found = [_violation(text, draft, paths) for text in texts]
    return list(dict.fromkeys(found)) or [Violation(path=(), code=RuleCode.REJECTED_BY_VENDOR, message=_OTHERWISE)]


def _violation(text: str, draft: Draft, paths: Mapping[str, Path]) -> Violation:
    lowered = text.lower()
    code, message = next(
        ((code, message) for words, code, message in _KINDS if words in lowered), (RuleCode.REJECTED_BY_VENDOR, _OTHERWISE)
    )
    return Violation(path=_path(text, draft, paths), code=code, message=message)


def _path(text: str, draft: Draft, paths: Mapping[str, Path]) -> Path:
    """Where the field that a text names came from: one that was sent rather than another, and the first of several."""
    named: list[str] = [entry["name"] for entry in draft.body.get(custom_fields.NAME, ()) if entry["name"] in text]
    if named:
        return ("custom_fields", max(named, key=len))
    by_word = {name.lower(): name for name in paths}
    words = [by_word[word] for word in map(str.lower, _WORD.findall(text)) if word in by_word]
    sent = [name for name in words if name in draft.body]
    return paths[(sent or words)[0]] if words else ()
