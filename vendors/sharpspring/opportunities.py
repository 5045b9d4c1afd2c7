"""The vendor's rules for the object that creates or changes an opportunity. Pure: what exists at the vendor is handed in."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from vendors.extension import wire_names
from vendors.model import CustomFieldDefinition, Money, Opportunity
from vendors.sharpspring.contacts import Wish
from vendors.sharpspring.extension import SharpspringOpportunityFields
from vendors.sharpspring.inputs import SharpspringOpportunityInput
from vendors.sharpspring.rules import MAX_DIGITS, MAX_TEXT, Draft, Path
from vendors.writes import UNSET, FieldRule, Maybe, OpportunityValues, RuleCode

# Source: Lead Gen & CRM Open API Schema: Opportunities (vendor help, article 50887), table "Opportunity": there are no such columns.
_NO_PLACE: Final = ("description", "type", "lead_source", "tags")
_NO_PLACE_MESSAGE: Final = "Leave this out; opportunities of Lead Gen & CRM have no such field."
_ON_CHANGE: Final = ("add_contact_ids", "remove_contact_ids")
_ON_CHANGE_MESSAGE: Final = "Leave this out of a new opportunity, and give contact_ids."
_WIRE: Final = wire_names(SharpspringOpportunityInput)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What exists at the vendor, as far as an input refers to it. `pipelines` are those of stages, by stage."""

    pipelines: Mapping[str, str] = field(default_factory=dict[str, str])
    users: Collection[str] = ()
    accounts: Collection[str] = ()
    leads: Collection[str] = ()
    campaigns: Collection[str] = ()
    definitions: Mapping[str, CustomFieldDefinition] = field(default_factory=dict[str, CustomFieldDefinition])


def draft_opportunity(
    draft: Draft, values: OpportunityValues, current: Opportunity | None, wish: Wish, known: Known, *, currency: str | None
) -> None:
    """Check what is asked of an opportunity, and put its object together, but for its custom fields.

    Args:
        draft: The object, and what is wrong with it.
        values: What is asked for.
        current: The opportunity as it is; None when it does not exist yet.
        wish: Its contacts.
        known: What exists.
        currency: Currency of all amounts, where it is known.
    """
    extension = extension_of(values)
    account_path, account_id = account_of(values)
    if current is None:
        draft.refuse_given(values, _ON_CHANGE, _ON_CHANGE_MESSAGE)
    # Source: the same article and table: names, types, lengths, and what is required.
    draft.refuse_given(values, _NO_PLACE, _NO_PLACE_MESSAGE)
    draft.reference(("owner_id",), "ownerID", values.owner_id, known.users, "user", required=True)
    draft.reference(("stage_id",), "dealStageID", values.stage_id, known.pipelines, "stage", required=True)
    _check_pipeline(draft, values, current, known.pipelines)
    _check_accounts(draft, values)
    draft.reference(account_path, "accountID", account_id, known.accounts, "account")
    draft.reference(("extension", "campaign_id"), _WIRE["campaign_id"], extension.campaign_id, known.campaigns, "campaign")
    draft.text(("title",), "opportunityName", values.title, required=True)
    draft.percentage(("probability_percent",), "probability", values.probability_percent)
    _draft_amount(draft, values.amount, currency)
    _draft_flags(draft, extension, current)
    _draft_close_date(draft, values, current)
    path = ("extension", "originating_lead_id")
    draft.reference(path, _WIRE["originating_lead_id"], extension.originating_lead_id, known.leads, "contact")
    _draft_primary(draft, wish, known.leads)


def account_of(values: OpportunityValues) -> tuple[Path, Maybe[str]]:
    """The main account, and the attribute that it comes from."""
    if values.account_ids is UNSET or values.account_id is not UNSET:
        return ("account_id",), values.account_id
    return ("account_ids",), next(iter(values.account_ids or ()), None)


def extension_of(values: OpportunityValues) -> SharpspringOpportunityInput:
    extension = values.extension
    return extension if isinstance(extension, SharpspringOpportunityInput) else SharpspringOpportunityInput()


def _draft_primary(draft: Draft, wish: Wish, leads: Collection[str]) -> None:
    for lead, path in wish.named.items():
        if lead not in leads:
            draft.refuse_unknown(path, "contact", lead)
    path = ("primary_contact_id",)
    if wish.primary is None:
        draft.put(path, "primaryLeadID", None)
    elif isinstance(wish.primary, str) and (wish.primary in leads or wish.primary not in wish.named):
        draft.put(wish.named.get(wish.primary, path), "primaryLeadID", int(wish.primary))


def _draft_amount(draft: Draft, amount: Maybe[Money], currency: str | None) -> None:
    if amount is None or amount is UNSET:
        draft.number(("amount",), "amount", amount)
        return
    draft.number(("amount", "amount"), "amount", amount.amount)
    # Not documented: the currency; the API does not tell it, and takes none.
    if amount.currency not in (None, currency):
        wish = f"Give the amount in {currency}, the currency of this CRM" if currency else "Leave the currency out, or set the CRM's"
        draft.refuse(("amount", "currency"), RuleCode.CURRENCY_NOT_SUPPORTED, f"{wish}; the vendor knows no other.")


def _check_accounts(draft: Draft, values: OpportunityValues) -> None:
    if values.account_ids is UNSET:
        return
    accounts = set(values.account_ids or ())
    if len(accounts) > 1:
        # Source: article 50887, accountID; there is no table that connects opportunities and accounts.
        draft.refuse(("account_ids",), RuleCode.NOT_SUPPORTED, "Give one account; an opportunity of Lead Gen & CRM has no more.")
    main = values.account_id
    if main is not UNSET and (main not in accounts if main is not None else accounts):
        draft.refuse(("account_id",), RuleCode.CONTRADICTION, "Put the account among account_ids, or leave one of the two out.")


def _check_pipeline(draft: Draft, values: OpportunityValues, current: Opportunity | None, pipelines: Mapping[str, str]) -> None:
    """Hold the pipeline against the stage, which alone is written: an opportunity has no pipeline of its own."""
    path, wanted = ("pipeline_id",), values.pipeline_id
    if wanted is None and current is not None:
        draft.refuse(path, RuleCode.REQUIRED, "Leave this out; a stage always has a pipeline.")
    if not isinstance(wanted, str):
        return
    if wanted not in pipelines.values():
        draft.refuse_unknown(path, "pipeline", wanted)
    elif isinstance(values.stage_id, str):
        if pipelines.get(values.stage_id, wanted) != wanted:
            draft.refuse(path, RuleCode.CONTRADICTION, "Give a stage of this pipeline, or leave the pipeline out.")
    elif current is not None and (current.pipeline_ref is None or current.pipeline_ref.local_id != wanted):
        draft.refuse(path, RuleCode.CONTRADICTION, "Give a stage of this pipeline too; the stage that it has is in another one.")


def _draft_flags(draft: Draft, extension: SharpspringOpportunityInput, current: Opportunity | None) -> None:
    for name in ("is_closed", "is_won", "is_active"):
        draft.flag(("extension", name), _WIRE[name], getattr(extension, name))
    named = [name for name in ("is_won", "is_closed") if getattr(extension, name) is not UNSET]
    if named:
        is_closed, is_won = _flags_after(draft, current)
        # Source: article 50887, DealStage: opportunities progress until they are finally won or lost.
        if is_won and not is_closed:
            draft.refuse(("extension", named[0]), RuleCode.CONTRADICTION, "A won opportunity is closed too; set both flags.")


def _draft_close_date(draft: Draft, values: OpportunityValues, current: Opportunity | None) -> None:
    """Write the one date, which is the expected day of the close only as long as the opportunity is open."""
    wanted = values.expected_close_date
    if current is not None and wanted is None and current.expected_close_date is None:
        return
    if current is not None and wanted is not UNSET and any(_flags_after(draft, current)):
        message = "Leave this out; a closed opportunity has only the day of its close, which closing it again as won or lost sets."
        draft.refuse(("expected_close_date",), RuleCode.CONTRADICTION, message)
    else:
        draft.day(("expected_close_date",), "closeDate", wanted, required=True)


def _flags_after(draft: Draft, current: Opportunity | None) -> tuple[bool, bool]:
    """Whether it will be closed and won."""
    extension = None if current is None else current.extension
    now = extension if isinstance(extension, SharpspringOpportunityFields) else SharpspringOpportunityFields()
    return bool(draft.body.get("isClosed", now.is_closed)), bool(draft.body.get("isWon", now.is_won))


def _rule(name: str) -> FieldRule:
    note = _NOTES.get(name)
    return FieldRule(
        name=name,
        is_required=name in ("title", "expected_close_date", "stage_id", "owner_id"),
        is_allowed=name not in (*_NO_PLACE, *_ON_CHANGE),
        max_length=MAX_TEXT if name == "title" else None,
        note=note,
    )


_NOTES: Final = {
    "amount": f"At most {MAX_DIGITS} digits, in the currency of the CRM.",
    "probability_percent": "From 0 to 100; left out, the vendor may take the stage's.",
    "expected_close_date": "The day of the close when the opportunity is created as closed.",
    "pipeline_id": "Only held against the stage's pipeline.",
    "account_ids": "One account at most.",
    "contact_ids": "The first one is the primary contact unless another is named, or null for none.",
    "add_contact_ids": "Give contact_ids instead.",
    "remove_contact_ids": "A new opportunity has no contacts to take out.",
    "custom_fields": "By `systemName`; those that are required have to be given.",
    "extension.is_won": "Only together with is_closed.",
    **dict.fromkeys(_NO_PLACE, "The vendor has no such field."),
}
CREATE_FIELDS: Final = tuple(
    _rule(name)
    for name in (
        *(item.name for item in fields(OpportunityValues) if item.name != "extension"),
        *(f"extension.{item.name}" for item in fields(SharpspringOpportunityInput)),
    )
)
