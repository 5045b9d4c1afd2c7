"""Unified values as bodies of the vendor's writes, with every rule that they break. Pure: what it takes to judge them is handed in."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from typing import Any, Final

from vendors.extension import wire_names
from vendors.model import Money, Opportunity, Ref
from vendors.pipeliner import links
from vendors.pipeliner.bodies import Draft, Path, instant_text, is_writable_number, shown
from vendors.pipeliner.custom_fields import is_custom
from vendors.pipeliner.custom_inputs import MisfitError, custom_value_to_wire
from vendors.pipeliner.extension import PipelinerCurrency, PipelinerLabel, PipelinerOpportunityFields, PipelinerShareMode
from vendors.pipeliner.inputs import PipelinerOpportunityInput
from vendors.pipeliner.links import Removal, Wish
from vendors.pipeliner.lookups import Known, Needs
from vendors.pipeliner.mapping import iso_code
from vendors.writes import UNSET, AccountValues, ContactValues, Maybe, OpportunityValues, RuleCode, Unset

# Source: Pipeliner "Create Opportunity", `label_flag` and `share_mode`.
_LABEL_BITS: Final = {PipelinerLabel.PRIORITY: 1, PipelinerLabel.HOT: 2, PipelinerLabel.STALLED: 4}
_SHARE_MODES: Final = {mode: number for number, mode in enumerate(PipelinerShareMode)}
# Source: Pipeliner "Create Opportunity", `ranking`: integer, int32.
_INT32: Final = range(-(2**31), 2**31)
_WIRE: Final = wire_names(PipelinerOpportunityInput)
_KEPT: Final = frozenset({"share_mode", "ranking", "is_archived", "is_value_auto_calculate", "was_qualified"})
_LOOKED_UP: Final = frozenset({"oppty_type_id", "unit_id", "product_currency_id", "reason_of_close_id"})
_TEXTS: Final = frozenset(name for name in _WIRE.values() if name.startswith("quick_")) | {"reason_of_close_description"}


def needs_of(values: OpportunityValues, extension: PipelinerOpportunityInput, current: Opportunity | None) -> Needs:
    """What has to be looked up to judge the values."""
    accounts, contacts = account_wish(values), contact_wish(values)
    amount = values.amount if isinstance(values.amount, Money) else None
    local_id = None if current is None else current.local_id
    return Needs(
        stages=_given(values.stage_id),
        pipelines=values.pipeline_id is not UNSET,
        users=_given(values.owner_id),
        units=_given(extension.unit_id),
        currencies=amount is not None or extension.product_currency_id is not UNSET,
        currency_codes=frozenset(filter(None, [None if amount is None else amount.currency])),
        types=values.type is not UNSET or extension.oppty_type_id is not UNSET,
        fields=bool(values.custom_fields) or values.lead_source is not UNSET or extension.reason_of_close_id is not UNSET,
        accounts=accounts.named,
        contacts=contacts.named,
        account_links_of=None if accounts.is_empty else local_id,
        contact_links_of=None if contacts.is_empty else local_id,
    )


def opportunity_draft(
    values: OpportunityValues, extension: PipelinerOpportunityInput, known: Known, current: Opportunity | None
) -> tuple[Draft, list[Removal]]:
    """Make the body of a create, or of an update of `current`, and tell the links to delete after it."""
    draft, is_new = Draft(), current is None
    put_required_text(draft, "name", values.title, ("title",), is_new=is_new)
    _put_owner(draft, values.owner_id, known, is_new=is_new, current=None if current is None else current.owner_ref)
    _put_closing_date(draft, values.expected_close_date, is_new=is_new)
    _put_stage(draft, values, known, current)
    _put_amount(draft, values.amount, known, current)
    _put_text(draft, "description", values.description, ("description",))
    _put_type(draft, values, extension, known, current)
    if not isinstance(values.lead_source, Unset):
        put_option(draft, "lead_source_id", values.lead_source, ("lead_source",), known)
    _refuse_unwritable(draft, values, is_new=is_new)
    _put_extension(draft, extension, known, is_new=is_new)
    _put_custom_fields(draft, values.custom_fields, known)
    removals = links.put_links(draft, links.ACCOUNTS, account_wish(values), standing=known.account_links, known=known.accounts)
    if not is_new or not (values.add_contact_ids or values.remove_contact_ids):
        removals += links.put_links(draft, links.CONTACTS, contact_wish(values), standing=known.contact_links, known=known.contacts)
    return draft, removals


def account_draft(values: AccountValues, known: Known) -> Draft:
    """Source: entity Accounts of the Pipeliner API reference."""
    draft = Draft()
    put_required_text(draft, "name", values.name, ("name",), is_new=True)
    _put_owner(draft, values.owner_id, known, is_new=True)
    for name, text, attribute in (
        ("email1", values.email, "email"),
        ("phone1", values.phone, "phone"),
        ("home_page", values.website, "website"),
    ):
        _put_given_text(draft, name, text, (attribute,))
    return draft


def contact_draft(values: ContactValues, known: Known) -> Draft:
    """Source: entities Contacts and ContactAccountRelations of the Pipeliner API reference."""
    draft = Draft()
    put_required_text(draft, "last_name", values.last_name, ("last_name",), is_new=True)
    _put_owner(draft, values.owner_id, known, is_new=True)
    for name, text, attribute in (
        ("first_name", values.first_name, "first_name"),
        ("email1", values.email, "email"),
        ("phone1", values.phone, "phone"),
        ("position", values.title, "title"),
    ):
        _put_given_text(draft, name, text, (attribute,))
    if isinstance(values.account_id, str):
        if values.account_id in known.accounts:
            draft.put("account_relations", [{"account_id": values.account_id, "is_primary": True}], ("account_id",))
        else:
            draft.refuse(
                ("account_id",), RuleCode.INVALID_REFERENCE, f"There is no account {shown(values.account_id)}; choose one that exists."
            )
    return draft


def account_wish(values: OpportunityValues) -> Wish:
    return Wish(main=values.account_id, all=values.account_ids)


def contact_wish(values: OpportunityValues) -> Wish:
    return Wish(main=values.primary_contact_id, all=values.contact_ids, add=values.add_contact_ids, remove=values.remove_contact_ids)


def put_required_text(draft: Draft, name: str, value: Maybe[str], path: Path, *, is_new: bool) -> None:
    """Source: Pipeliner, recorded answer 422: a non-null field must be neither null nor empty."""
    if isinstance(value, str) and value.strip():
        draft.put(name, value, path)
    elif is_new or value is not UNSET:
        draft.refuse(path, RuleCode.REQUIRED, "Give a text that is not empty.")


def put_option(draft: Draft, name: str, value: str | None, path: Path, known: Known) -> None:
    """Set a field to an option of its dropdown, given by its id or its label, or clear it."""
    row = known.fields.get(name.removesuffix("_id"))
    choices = known.options.labels if row is None else known.options.choices(row)
    found = value if value is None or value in choices else next((option for option, label in choices.items() if label == value), None)
    if value is not None and found is None:
        draft.refuse(path, RuleCode.INVALID_REFERENCE, f"There is no option {shown(value)}; choose one of those that are set up there.")
    else:
        draft.put(name, found, path)


def _given(value: Maybe[str]) -> frozenset[str]:
    return frozenset({value} if isinstance(value, str) else ())


def _put_owner(draft: Draft, owner_id: Maybe[str], known: Known, *, is_new: bool, current: Ref | None = None) -> None:
    path = ("owner_id",)
    if owner_id is None or (owner_id is UNSET and is_new):
        draft.refuse(path, RuleCode.REQUIRED, "Name the user who owns it.")
    elif isinstance(owner_id, str) and (current is None or owner_id != current.local_id):
        user = known.users.get(owner_id)
        if user is None or user.is_active is False:
            draft.refuse(path, RuleCode.INVALID_REFERENCE, f"There is no active user {shown(owner_id)}; choose one of the CRM's users.")
        else:
            draft.put("owner_id", owner_id, path)


def _put_closing_date(draft: Draft, day: Maybe[date], *, is_new: bool) -> None:
    path = ("expected_close_date",)
    if day is None or (day is UNSET and is_new):
        draft.refuse(path, RuleCode.REQUIRED, "Give the day on which it is expected to close.")
    elif isinstance(day, date):
        draft.put("closing_date", day.isoformat(), path)


def _put_stage(draft: Draft, values: OpportunityValues, known: Known, current: Opportunity | None) -> None:
    """Source: Pipeliner "Create Opportunity": an opportunity is always part of a pipeline and of one of its steps."""
    path = ("stage_id",)
    stage_id, pipeline_id = values.stage_id, values.pipeline_id
    here = None if current is None or current.pipeline_ref is None else current.pipeline_ref.local_id
    if stage_id is None or (stage_id is UNSET and current is None):
        draft.refuse(path, RuleCode.REQUIRED, "Name a stage of one of the CRM's pipelines.")
    elif isinstance(stage_id, str):
        stage = known.pipelines.stages.get(stage_id)
        is_there = current is not None and current.stage_ref is not None and current.stage_ref.local_id == stage_id
        if stage is None or (stage.is_archived and not is_there):
            message = f"There is no stage {shown(stage_id)} in use; choose one of the CRM's pipelines."
            draft.refuse(path, RuleCode.INVALID_REFERENCE, message)
            here = None
        else:
            here = None if stage.pipeline_ref is None else stage.pipeline_ref.local_id
            if not stage.is_archived:
                draft.put("step_id", stage_id, path)
    if isinstance(pipeline_id, str):
        if all(pipeline.local_id != pipeline_id for pipeline in known.pipelines.all):
            draft.refuse(("pipeline_id",), RuleCode.INVALID_REFERENCE, f"There is no pipeline {shown(pipeline_id)}.")
        elif here != pipeline_id and (here is not None or (stage_id is UNSET and current is not None)):
            draft.refuse(("pipeline_id",), RuleCode.CONTRADICTION, "Name a stage of that pipeline: its stage decides the pipeline.")
    elif pipeline_id is None and current is not None:
        draft.refuse(("pipeline_id",), RuleCode.REQUIRED, "Leave the pipeline out, or name a stage of another one: it cannot be cleared.")


def _put_amount(draft: Draft, amount: Maybe[Money], known: Known, current: Opportunity | None) -> None:
    """Source: Pipeliner "Create Opportunity", Value: currency_id, and base_value or value_foreign, of which the other is computed."""
    if isinstance(amount, Unset) or amount is None:
        if amount is None or current is None:
            draft.refuse(("amount",), RuleCode.REQUIRED, "Give an amount; 0 if it is not known.")
        return
    if not is_writable_number(amount.amount):
        draft.refuse(("amount", "amount"), RuleCode.OUT_OF_RANGE, "Give an amount of at most 50 digits before and behind the point.")
        return
    currency = _currency(amount.currency, known, current)
    if currency is None:
        what = "the base currency" if amount.currency is None else shown(amount.currency)
        message = f"The CRM does not have {what}; give the amount in a currency that is set up there."
        draft.refuse(("amount", "currency"), RuleCode.CURRENCY_NOT_SUPPORTED, message)
        return
    name = "base_value" if currency.is_base else "value_foreign"
    draft.put("value", {name: amount.amount, "currency_id": str(currency.id)}, ("amount",))


def _currency(code: str | None, known: Known, current: Opportunity | None) -> PipelinerCurrency | None:
    """The currency of a code; without one that of the opportunity, else the base currency."""
    usable = [currency for currency in known.currencies.by_id.values() if not currency.is_deleted]
    if code is not None:
        return next((currency for currency in usable if iso_code(currency.code) == code), None)
    own = current.extension if current is not None else None
    value = own.value if isinstance(own, PipelinerOpportunityFields) else None
    if value is not None and value.currency is not None:
        return value.currency
    return next((currency for currency in usable if currency.is_base), None)


def _put_type(
    draft: Draft, values: OpportunityValues, extension: PipelinerOpportunityInput, known: Known, current: Opportunity | None
) -> None:
    """Set the type, which is named; where several have the name, that of the stage's pipeline."""
    path = ("type",)
    if isinstance(values.type, Unset):
        return
    if not isinstance(extension.oppty_type_id, Unset):
        draft.refuse(path, RuleCode.CONTRADICTION, "Give the type by its name or by its id, not by both.")
    elif values.type is None:
        draft.put("oppty_type_id", None, path)
    else:
        stage = known.pipelines.stages.get(values.stage_id) if isinstance(values.stage_id, str) else None
        pipeline = stage.pipeline_ref if stage is not None else None if current is None else current.pipeline_ref
        named = [row for row in known.types.values() if row.name == values.type and not row.is_deleted]
        own = [row for row in named if pipeline is not None and row.pipeline_id == pipeline.local_id]
        if named:
            draft.put("oppty_type_id", (own or named)[0].id, path)
        else:
            draft.refuse(path, RuleCode.INVALID_REFERENCE, f"There is no opportunity type {shown(values.type)}.")


def _refuse_unwritable(draft: Draft, values: OpportunityValues, *, is_new: bool) -> None:
    if values.probability_percent is not UNSET:
        message = "Leave it out: the probability is that of the stage."
        draft.refuse(("probability_percent",), RuleCode.NOT_SUPPORTED, message)
    if values.tags is not UNSET:
        draft.refuse(("tags",), RuleCode.NOT_SUPPORTED, "Leave them out: the vendor does not say how tags are written.")
    for name, given in (("add_contact_ids", values.add_contact_ids), ("remove_contact_ids", values.remove_contact_ids)):
        if is_new and given:
            draft.refuse((name,), RuleCode.NOT_SUPPORTED, "Name the contacts of a new opportunity in `contact_ids`.")


def _put_extension(draft: Draft, extension: PipelinerOpportunityInput, known: Known, *, is_new: bool) -> None:
    for item in fields(extension):
        value: Any = getattr(extension, item.name)
        if value is UNSET:
            continue
        path, name = ("extension", item.name), _WIRE[item.name]
        if item.name == "created" and not is_new:
            draft.refuse(path, RuleCode.READ_ONLY, "Leave it out: it can be given only when an opportunity is created.")
        elif value is None and item.name in _KEPT:
            draft.refuse(path, RuleCode.REQUIRED, "Give a value: it cannot be cleared.")
        elif item.name in _LOOKED_UP:
            _put_reference(draft, name, value, path, known)
        else:
            _put_own(draft, name, value, path)


def _put_own(draft: Draft, name: str, value: Any, path: Path) -> None:
    match value:
        case PipelinerShareMode():
            draft.put(name, _SHARE_MODES[value], path)
        case datetime():
            try:
                draft.put(name, instant_text(value), path)
            except OverflowError:
                draft.refuse(path, RuleCode.OUT_OF_RANGE, "Give a time within the years 1 to 9999 in UTC.")
        case int() if not isinstance(value, bool) and value not in _INT32:
            draft.refuse(path, RuleCode.OUT_OF_RANGE, "Give a whole number of at most 32 bits.")
        case _ if name == "label_flag":
            draft.put(name, sum(_LABEL_BITS[label] for label in {*(value or ())}), path)
        case _ if name == "product_sections" and value is not None and not isinstance(value, Mapping):
            draft.refuse(path, RuleCode.INVALID_VALUE, "Give an object.")
        case None if name in _TEXTS:
            draft.put(name, "", path)
        case _:
            draft.put(name, value, path)


def _put_reference(draft: Draft, name: str, value: str | None, path: Path, known: Known) -> None:
    """Set a field to the id of something that is looked up."""
    if name == "reason_of_close_id":
        put_option(draft, name, value, path, known)
        return
    ids = {
        "oppty_type_id": {row.id for row in known.types.values() if not row.is_deleted},
        "unit_id": known.units,
        "product_currency_id": {str(each.id) for each in known.currencies.by_id.values() if not each.is_deleted},
    }
    if value is None or value in ids[name]:
        draft.put(name, value, path)
    else:
        draft.refuse(path, RuleCode.INVALID_REFERENCE, f"There is no {shown(value)}; give an id that the vendor has.")


def _put_custom_fields(draft: Draft, values: Mapping[str, Any], known: Known) -> None:
    for key, value in values.items():
        path = ("custom_fields", key)
        row = known.fields.get(key)
        if row is None or not is_custom(row):
            draft.refuse(path, RuleCode.INVALID_REFERENCE, f"There is no custom field {shown(key)} of opportunities.")
            continue
        try:
            draft.put(key, custom_value_to_wire(row, value, known.options), path)
        except MisfitError as misfit:
            draft.refuse(path, misfit.code, str(misfit))


def _put_text(draft: Draft, name: str, value: Maybe[str], path: Path) -> None:
    """Set a text. Source: Pipeliner "Create Opportunity", recorded answers: a text that is not there is empty, not null."""
    if not isinstance(value, Unset):
        draft.put(name, value or "", path)


def _put_given_text(draft: Draft, name: str, value: Maybe[str], path: Path) -> None:
    if isinstance(value, str):
        draft.put(name, value, path)
