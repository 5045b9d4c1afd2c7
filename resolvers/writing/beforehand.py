"""What is wrong with a new opportunity as far as nobody has to be called to know it.

Told beside ids that are refused, because with those no vendor is asked, and so nothing is planned. It is what `Crm.createFields` tells
whoever builds a form; the rest of the vendor's rules is told once the ids are right.
"""

from collections.abc import Sequence
from typing import Final

from resolvers.writing.values import Refusal, graph_name, refusal_of
from vendors.calls import CallWithheldError, without_calls
from vendors.registry import Crm
from vendors.writes import UNSET, CreatesOpportunities, FieldRule, OpportunityValues, RuleCode, Violation

# Where the main one is not named by itself, it is the first of these.
_ELSE_FIRST_OF: Final = {"account_id": "account_ids", "primary_contact_id": "contact_ids"}
_NOTHING: Final = (UNSET, None, "", ())


async def told_beforehand(crm: Crm, client: CreatesOpportunities, values: OpportunityValues, refused: Sequence[Refusal]) -> list[Refusal]:
    """What else is wrong with values out of which some were refused; nothing more is said of the fields of those."""
    try:
        with without_calls():
            rules = await client.create_fields()
    except CallWithheldError:  # what is required is not known yet
        return []
    broken: list[Violation] = []
    for rule in rules:
        names = [rule.name, *filter(None, [_ELSE_FIRST_OF.get(rule.name)])]
        if not any(_is_about(name, crm, refusal) for name in names for refusal in refused):
            broken += _broken(rule, [_value(name, values) for name in names])
    return [refusal_of(violation, crm) for violation in broken]


def _broken(rule: FieldRule, given: Sequence[object]) -> list[Violation]:
    """The rule as broken by a value, if it is; behind that stand those that it may come from instead."""
    path, value = tuple(rule.name.split(".")), given[0]
    if rule.is_required and all(each in _NOTHING for each in given):
        return [Violation(path=path, code=RuleCode.REQUIRED, message="Give it; no opportunity is created here without it.")]
    if not rule.is_allowed and value not in _NOTHING:
        return [Violation(path=path, code=RuleCode.NOT_SUPPORTED, message="Leave it out; a new opportunity cannot have it here.")]
    if rule.max_length is not None and isinstance(value, str) and len(value) > rule.max_length:
        return [Violation(path=path, code=RuleCode.TOO_LONG, message=f"Use at most {rule.max_length} characters.")]
    return []


def _value(name: str, values: OpportunityValues) -> object:
    *extension, attribute = name.split(".")
    return getattr(values.extension if extension else values, attribute, UNSET)


def _is_about(name: str, crm: Crm, refusal: Refusal) -> bool:
    path = ["input", *graph_name(name, crm).split(".")]
    return list(refusal.path[: len(path)]) == path
