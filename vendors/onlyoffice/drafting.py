"""The body of a create or of a full update, from what is written and what is there. Pure.

An update replaces everything, so that its body begins as what was read. Members without a value are left out: the portal takes an absent
member as its type's default, and null as an empty text that is no date and no number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal
from typing import Any, Final, TypeVar

import orjson

from vendors.model import CustomFieldDefinition, Money, Opportunity, OpportunityStatus, Stage
from vendors.onlyoffice import wire
from vendors.onlyoffice.extension import OnlyofficeBidType, OnlyofficeOpportunityFields
from vendors.onlyoffice.inputs import OnlyofficeOpportunityInput
from vendors.onlyoffice.mapping import PIPELINE_ID
from vendors.onlyoffice.members import Members
from vendors.onlyoffice.rules import MAX_NAME, Rules, amount_of, bid_of, custom_text, fits, is_blank
from vendors.writes import UNSET, Maybe, OpportunityValues, RuleCode, Unset

T = TypeVar("T")
Body = dict[str, Any]

_BID_TYPES: Final = list(OnlyofficeBidType)
_NOTHING: Final = OnlyofficeOpportunityInput()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was read to judge a write by; whatever the values do not need is empty.

    Args:
        stages: Stages by id.
        currencies: ISO letters of the portal's currencies.
        base_currency: The currency of amounts that name none.
        users: Ids of users who are there, out of those that the values name.
        contacts: Persons and companies by id, out of those that the values name.
        definitions: Custom fields by key.
        default_owner_id: Whose a new opportunity is when the values name nobody.
        date_format: How custom fields of kind Date are written, where it is not ISO 8601.
    """

    stages: Mapping[str, Stage] = field(default_factory=dict[str, Stage])
    currencies: frozenset[str] = frozenset()
    base_currency: str | None = None
    users: frozenset[str] = frozenset()
    contacts: Mapping[str, wire.Contact] = field(default_factory=dict[str, wire.Contact])
    definitions: Mapping[str, CustomFieldDefinition] = field(default_factory=dict[str, CustomFieldDefinition])
    default_owner_id: str | None = None
    date_format: str | None = None


def encoded(body: Body) -> bytes:
    return orjson.dumps(body, default=_literal)


def body_of_record(current: Opportunity, own: OnlyofficeOpportunityFields) -> Body:
    """The full update that changes nothing."""
    closed = current.closed_at
    contact_id = None if own.contact is None else own.contact.id
    return _without_nones(
        {
            "contactid": None if contact_id is None else int(contact_id),
            "title": current.title or None,
            "description": current.description or "",
            "responsibleid": None if current.owner_ref is None else current.owner_ref.local_id,
            "bidType": None if own.bid_type is None else _BID_TYPES.index(own.bid_type),
            "bidValue": own.bid_value or Decimal(0),
            "bidCurrencyAbbr": None if own.bid_currency is None else own.bid_currency.abbreviation,
            "perPeriodValue": own.per_period_value or 0,
            "stageid": None if current.stage_ref is None else int(current.stage_ref.local_id),
            "successProbability": int(current.probability_percent or 0),
            # Source: Community Server, ApiDateTime: three or seven digits behind the second.
            "actualCloseDate": _day(current.actual_close_date) if closed is None else f"{closed.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z",
            "expectedCloseDate": _day(current.expected_close_date),
            # Source: Community Server, CRMApi.Deals UpdateDeal: without these a private opportunity becomes public.
            "isPrivate": bool(own.is_private),
            "accessList": [ref.local_id for ref in own.access_list_refs] if own.is_private else None,
        }
    )


def body_after(values: OpportunityValues, before: Body, members: Members | None, known: Known, rules: Rules) -> Body:
    """The body with the values in it; `before` is empty for a new opportunity. Stages are left to `stage_after`."""
    own = values.extension or _NOTHING
    assert isinstance(own, OnlyofficeOpportunityInput), "an input of another vendor"
    body, is_new = dict(before), not before
    rules.unsupported(type=_given(values.type), lead_source=_given(values.lead_source))
    if values.title is not UNSET:
        body["title"] = (
            None if values.title is None or is_blank(values.title) else rules.text(("title",), values.title, max_length=MAX_NAME)
        )
    if values.description is not UNSET:
        body["description"] = rules.text(("description",), values.description) if values.description else None if is_new else ""
    if values.owner_id is not UNSET:
        body["responsibleid"] = values.owner_id
        if values.owner_id is not None and values.owner_id not in known.users:
            rules.unknown(("owner_id",), "user", [values.owner_id])
    if is_new and not body.get("responsibleid"):
        body["responsibleid"] = known.default_owner_id
    if values.probability_percent is None and not is_new:
        _is_kept(rules, "probability_percent")
    elif not isinstance(values.probability_percent, Unset) and values.probability_percent is not None:
        body["successProbability"] = rules.percent(("probability_percent",), values.probability_percent)
    if values.expected_close_date is not UNSET:
        day = values.expected_close_date
        body["expectedCloseDate"] = None if day is None or isinstance(day, Unset) else rules.day(("expected_close_date",), day)
    _write_bid(values, own, body, known, rules, is_new=is_new)
    _write_own(own, body, known, rules, is_new=is_new)
    if members is not None:
        body["contactid"] = None if members.contact_id is None else int(members.contact_id)
    _write_custom_fields(values, body, known, rules)
    return _without_nones(body)


def stage_after(values: OpportunityValues, known: Known, rules: Rules) -> Stage | None:
    """The stage that the values name."""
    if values.pipeline_id is None or values.pipeline_id not in (UNSET, PIPELINE_ID):
        rules.breaks(("pipeline_id",), RuleCode.INVALID_REFERENCE, f"Leave it out or name {PIPELINE_ID!r}, the only pipeline there is.")
    if values.stage_id is None or isinstance(values.stage_id, Unset):
        return None
    stage = known.stages.get(values.stage_id)
    if stage is None:
        rules.unknown(("stage_id",), "stage", [values.stage_id])
    return stage


def demand(body: Body, known: Known, rules: Rules, *, is_new: bool) -> None:
    """See that a body has what every create and full update needs; fills in the base currency.

    Source: Community Server, CRMSecurity.DemandCreateOrUpdate.
    """
    broken = {violation.path for violation in rules.broken}
    for name, path in _REQUIRED.items():
        if not body.get(name) and path not in broken:
            rules.breaks(path, RuleCode.REQUIRED, "Give it; the portal takes no opportunity without it.")
    if "bidType" not in body and not is_new:
        rules.breaks(("extension", "bid_type"), RuleCode.REQUIRED, "Give it; how it is paid now is unknown here and would be lost.")
    if not body.get("bidCurrencyAbbr") and ("amount", "currency") not in broken:
        if known.base_currency is None:
            rules.breaks(
                ("amount", "currency"), RuleCode.REQUIRED, "Give an amount with its currency; the CRM has no base currency to take instead."
            )
        else:
            body["bidCurrencyAbbr"] = known.base_currency


def status_of(current: Opportunity) -> OpportunityStatus:
    return current.status or OpportunityStatus.OPEN


_REQUIRED: Final = {"title": ("title",), "responsibleid": ("owner_id",), "stageid": ("stage_id",)}


def _write_bid(values: OpportunityValues, own: OnlyofficeOpportunityInput, body: Body, known: Known, rules: Rules, *, is_new: bool) -> None:
    """Write the amount, which is the bid over all periods."""
    if not is_new:
        _are_kept(rules, amount=values.amount)
        _are_kept(rules, "extension", bid_type=own.bid_type, bid_value=own.bid_value, per_period_value=own.per_period_value)
    bid_type = _given(own.bid_type) or _BID_TYPES[int(body.get("bidType", 0))]
    periods, bid = _given(own.per_period_value), _given(own.bid_value)
    if _given(own.bid_type):
        body["bidType"] = _BID_TYPES.index(bid_type)
    if periods is not None:
        body["perPeriodValue"] = rules.count(("extension", "per_period_value"), periods)
    if bid is not None:
        body["bidValue"] = rules.decimal(("extension", "bid_value"), bid)
    amount = _given(values.amount)
    if amount is not None:
        _write_amount(amount, bid, bid_type, body, rules)
        _write_currency(amount.currency, body, known, rules)


def _write_amount(amount: Money, bid: Decimal | None, bid_type: OnlyofficeBidType, body: Body, rules: Rules) -> None:
    path, periods = ("amount", "amount"), body.get("perPeriodValue", 0)
    broken = len(rules.broken)
    total = rules.decimal(path, amount.amount)
    if len(rules.broken) > broken:
        return
    if bid is None:
        body["bidValue"] = bid_of(total, bid_type, periods)
        if body["bidValue"] is None:
            rules.breaks(
                path, RuleCode.INVALID_VALUE, f"Give an amount that can be shared out among {periods} periods, or the bid of one period."
            )
    elif fits(bid) and amount_of(bid, bid_type, periods) != total:
        rules.breaks(path, RuleCode.CONTRADICTION, "Give the bid times the number of periods, or leave one of the two out.")


def _write_currency(code: str | None, body: Body, known: Known, rules: Rules) -> None:
    if code is None:
        return
    body["bidCurrencyAbbr"] = code.upper()
    if code.upper() not in known.currencies:
        rules.breaks(("amount", "currency"), RuleCode.CURRENCY_NOT_SUPPORTED, "Use one of the portal's currencies, or add this one there.")


def _write_own(own: OnlyofficeOpportunityInput, body: Body, known: Known, rules: Rules, *, is_new: bool) -> None:
    day = own.actual_close_date
    if not isinstance(day, Unset):
        body["actualCloseDate"] = None if day is None else rules.day(("extension", "actual_close_date"), day)
    if not is_new:
        _are_kept(rules, "extension", is_private=own.is_private)
    if _given(own.is_private) is not None:
        body["isPrivate"] = own.is_private
    if not isinstance(own.access_list, Unset):
        body["accessList"] = list(dict.fromkeys(own.access_list or ()))
        rules.unknown(("extension", "access_list"), "user", [user_id for user_id in body["accessList"] if user_id not in known.users])
    # Source: Community Server, CRMApi.Deals SetAccessToDeal: a private opportunity that nobody may see becomes public.
    if body.get("isPrivate") and not body.get("accessList"):
        rules.breaks(("extension", "access_list"), RuleCode.REQUIRED, "Name who may see it; without anybody the portal makes it public.")
    elif _given(own.access_list) and not body.get("isPrivate"):
        rules.breaks(("extension", "access_list"), RuleCode.CONTRADICTION, "Make it private too; everybody may see what is not.")
    if not body.get("isPrivate"):
        body.pop("accessList", None)
    if _given(own.is_notify):
        body["isNotify"] = True


def _write_custom_fields(values: OpportunityValues, body: Body, known: Known, rules: Rules) -> None:
    entries: list[dict[str, Any]] = []
    for key, value in values.custom_fields.items():
        path, definition = ("custom_fields", key), known.definitions.get(key)
        if definition is None:
            rules.unknown(path, "custom field", [key])
        elif not is_cleared(value):
            text = custom_text(definition, value, date_format=known.date_format)
            if text is None:
                rules.breaks(path, RuleCode.INVALID_VALUE, f"Give a value of the field's type, {definition.type}{_choices(definition)}.")
            else:
                entries.append({"Key": int(key), "Value": rules.text(path, text)})
    if entries:
        # Source: Community Server, ApiArgumentBuilder: an array of one object is lost on its way; the same entry twice is not.
        body["customFieldList"] = entries * 2 if len(entries) == 1 else entries


def is_cleared(value: Any) -> bool:
    """Whether a value of a custom field empties it. Source: Community Server, CustomFieldDao.SetFieldValue: blank texts are not kept."""
    return value is None or (isinstance(value, str) and is_blank(value))


def _are_kept(rules: Rules, *prefix: str, **given: object) -> None:
    for name, value in given.items():
        if value is None:
            _is_kept(rules, *prefix, name)


def _is_kept(rules: Rules, *path: str) -> None:
    rules.breaks(path, RuleCode.REQUIRED, "Give a value; here it cannot be empty.")


def _given(value: Maybe[T]) -> T | None:
    return None if isinstance(value, Unset) else value


def _choices(definition: CustomFieldDefinition) -> str:
    return f": one of {', '.join(map(repr, definition.options))}" if definition.options else ""


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _without_nones(body: Body) -> Body:
    return {name: value for name, value in body.items() if value is not None}


def _literal(value: object) -> orjson.Fragment:
    """A decimal with exactly its digits."""
    assert isinstance(value, Decimal), value
    return orjson.Fragment("0" if value == 0 else format(value, "f"))
