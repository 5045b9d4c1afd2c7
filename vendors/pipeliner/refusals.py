"""What the vendor says is wrong with a record, as violations in our attributes and our words. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from vendors.extension import wire_names
from vendors.pipeliner import wire
from vendors.pipeliner.bodies import Path
from vendors.pipeliner.inputs import PipelinerOpportunityInput
from vendors.writes import RuleCode, Violation

# Source: Pipeliner, recorded answers 422: codes of the reasons.
_MISSING: Final = 119
_NO_RELATION: Final = 120
_RULES: Final = {
    _MISSING: (RuleCode.REQUIRED, "Give a value: the vendor does not take the record without it."),
    _NO_RELATION: (RuleCode.INVALID_REFERENCE, "Choose a record that exists: the vendor does not know this one, or it is deleted."),
}
_OTHER: Final = (RuleCode.INVALID_VALUE, "Give another value: the vendor does not take this one.")
# The attributes that the vendor's fields come from, for those that an input did not name. Fields of links are named by their own entities.
_OPPORTUNITY: Final[Mapping[str, Path]] = {
    **{wire_name: ("extension", name) for name, wire_name in wire_names(PipelinerOpportunityInput).items()},
    "name": ("title",),
    "description": ("description",),
    "value": ("amount",),
    "closing_date": ("expected_close_date",),
    "step_id": ("stage_id",),
    "owner_id": ("owner_id",),
    "account_relations": ("account_ids",),
    "contact_relations": ("contact_ids",),
    "lead_source_id": ("lead_source",),
}
_DEFAULTS: Final[Mapping[str, Mapping[str, Path]]] = {
    "Opportunity": _OPPORTUNITY,
    "Contact": {"account_relations": ("account_id",)},
}
# What a refused link was part of.
_LISTS: Final = {
    "LeadOpptyAccountRelation": "account_relations",
    "LeadOpptyContactRelation": "contact_relations",
    "ContactAccountRelation": "account_relations",
}
_CUSTOM: Final = re.compile(r"\w{1,100}", re.ASCII)
_STEP: Final = "step_id"


def violations_from(refusal: wire.Refusal, entity: str, paths: Mapping[str, Path]) -> list[Violation]:
    """Tell what was refused.

    Args:
        refusal: The vendor's body.
        entity: Name of the record's entity, as the vendor's errors have it.
        paths: Attributes that led to the fields that were sent.
    """
    known = {**_DEFAULTS.get(entity, {}), **paths}
    linked = _LISTS.get(refusal.entity_name or "")
    found = [_of_checklist(item, known) for item in refusal.step_checklist_errors]
    for each in refusal.field_errors:
        path = known.get(linked or each.field_name or "", ())
        found += [_of_field(problem, path) for problem in each.errors or (each,)]
    found += [_of_record(problem.code) for problem in refusal.entity_errors]
    return list(_each_once(found)) or [_of_record(refusal.code)]


def _of_field(problem: wire.Problem, path: Path) -> Violation:
    code, message = _RULES.get(problem.code or 0, _OTHER)
    return Violation(path=path, code=code, message=message, vendor_code=_text(problem.code))


def _of_record(code: int | None) -> Violation:
    message = "Change the values: the vendor refused them and named no field."
    return Violation(path=(), code=RuleCode.REJECTED_BY_VENDOR, message=message, vendor_code=_text(code))


def _of_checklist(item: wire.Problem, known: Mapping[str, Path]) -> Violation:
    """Source: Pipeliner, entity Steps, `step_checklists`: what has to be done before a step is left. Labels are the space's own words."""
    name = item.field_name or ""
    missing = known.get(name) or (("custom_fields", name) if _CUSTOM.fullmatch(name) else ())
    what = f"fill in {'.'.join(missing)!r}, which" if missing else "finish in the vendor's pages what"
    return Violation(
        path=known.get(_STEP, ()),
        code=RuleCode.STAGE_CHECKLIST_INCOMPLETE,
        message=f"First {what} the stage's checklist asks for.",
        vendor_code=_text(item.code),
    )


def _each_once(found: Iterable[Violation]) -> Iterable[Violation]:
    return dict.fromkeys(found)


def _text(code: int | None) -> str | None:
    return None if code is None else str(code)
