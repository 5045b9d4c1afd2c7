"""What a new opportunity needs and may have, as frontends are told it."""

import dataclasses
from typing import Final

from vendors.autotask.custom_fields import MAX_CUSTOM_FIELDS
from vendors.autotask.inputs import AutotaskOpportunityInput
from vendors.autotask.rules import DESCRIPTION_LENGTH, EXTENSION_LENGTHS, PARTS, TITLE_LENGTH
from vendors.writes import FieldRule, OpportunityValues

_PART_NOTE: Final = "Amount and cost become the totals of their parts: give either parts or totals."
_RULES: Final = (
    FieldRule(name="title", is_required=True, max_length=TITLE_LENGTH),
    FieldRule(name="description", max_length=DESCRIPTION_LENGTH),
    FieldRule(name="amount", note="0 when left out. Its currency is the account's: give that one, or none."),
    FieldRule(name="probability_percent", note="A whole number from 0 to 100; 0 when left out."),
    FieldRule(name="expected_close_date", is_required=True, note="Not before the start date, which is today when left out."),
    FieldRule(name="pipeline_id", note="There is one pipeline, which need not be given."),
    FieldRule(name="stage_id", is_required=True),
    FieldRule(name="owner_id", is_required=True, note="An active user who is a person."),
    FieldRule(name="account_id", is_required=True),
    FieldRule(name="account_ids", note="One account, the same as the main one."),
    FieldRule(name="primary_contact_id", note="An active contact of the account or of its parent."),
    FieldRule(name="contact_ids", note="One contact, the same as the primary one."),
    FieldRule(name="add_contact_ids", note="One contact, the same as the primary one."),
    FieldRule(name="remove_contact_ids", is_allowed=False, note="A new opportunity has no contacts yet."),
    FieldRule(
        name="type", note="Label or value of the opportunity category, which brings default values; the default category when left out."
    ),
    FieldRule(name="lead_source", note="Label or value of the lead source."),
    FieldRule(name="tags", is_allowed=False, note="Opportunities of Autotask have no tags."),
    FieldRule(name="custom_fields", note=f"At most {MAX_CUSTOM_FIELDS}."),
    FieldRule(name="extension.status", note="The active one when left out."),
    FieldRule(name="extension.start_date", note="Today when left out."),
    FieldRule(name="extension.lost_date", note="Only together with the status Lost; then now when left out."),
    FieldRule(name="extension.use_quote_totals", note="False, also when left out: no quote can refer to a new opportunity."),
    FieldRule(name="extension.revenue_spread", note="Only together with a unit."),
    FieldRule(name="extension.cost", note="0 when left out."),
    *(FieldRule(name=f"extension.{part}", note=_PART_NOTE) for part in PARTS),
)


def create_fields() -> list[FieldRule]:
    """What a new opportunity needs and may have, for every attribute of the unified and of the vendor's own input."""
    named = {rule.name: rule for rule in _RULES}
    unified = [item.name for item in dataclasses.fields(OpportunityValues) if item.name != "extension"]
    own = [f"extension.{item.name}" for item in dataclasses.fields(AutotaskOpportunityInput)]
    return [
        named.get(name) or FieldRule(name=name, max_length=EXTENSION_LENGTHS.get(name.removeprefix("extension."))) for name in unified + own
    ]
