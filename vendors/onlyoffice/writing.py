"""Planning writes to a portal: what is read to judge them by, and the requests that make them.

An update replaces the whole record, so it begins as what was read, and goes out only when something of it changes. Participants, tags and
emptied custom fields have requests of their own: those that the user cannot see stay, and nothing is lost to a race.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any, Final, TypeVar

from vendors.capabilities import ById
from vendors.errors import VendorError
from vendors.http import VendorHttp
from vendors.model import EVERYTHING, CustomFieldDefinition, Money, Opportunity, OpportunityStatus, Pipeline, Ref, Selection, Stage, User
from vendors.onlyoffice import wire
from vendors.onlyoffice.drafting import Body, Known, body_after, body_of_record, demand, stage_after, status_of
from vendors.onlyoffice.inputs import OnlyofficeOpportunityInput
from vendors.onlyoffice.links import own_fields
from vendors.onlyoffice.mapping import LOST_USER_ID
from vendors.onlyoffice.members import ids_to_read, is_about_members, members_after
from vendors.onlyoffice.rules import MAX_NAME, Rules, is_blank
from vendors.onlyoffice.sending import Step, carry_out
from vendors.onlyoffice.settings import Settings
from vendors.onlyoffice.steps import DEAL, data_steps, emptying_steps, folded, member_steps, move_step, request, step, tag_steps
from vendors.tables import Table
from vendors.writes import (
    UNSET,
    AccountValues,
    ContactValues,
    FieldRule,
    InputRefusedError,
    Maybe,
    OpportunityValues,
    RuleCode,
    StatusValues,
    Unset,
    WritePlan,
    Written,
)

T = TypeVar("T")

# Source: Community Server, ShareType: whom it is shared with, nobody when left out. 1 lets everybody read and write,
# which the people need who go on with an opportunity of that contact.
_READ_WRITE: Final = 1
_MAX_TAG: Final = MAX_NAME

_NOT_SUPPORTED: Final = frozenset({"type", "lead_source"})
_NOTES: Final[Mapping[str, str]] = {
    "probability_percent": "A whole number; 0 when left out, whatever the stage's own is.",
    "pipeline_id": "There is one pipeline.",
    "account_id": "Becomes the primary contact where no person is; must be the company of the person who is.",
    "account_ids": "All of them take part.",
    "contact_ids": "All of them take part; without `primary_contact_id` the first is the primary contact, of the account.",
    "add_contact_ids": "A new opportunity has no contacts to add to; use contact_ids.",
    "remove_contact_ids": "A new opportunity has no contacts to take out.",
    "description": "At most 65,535 bytes of UTF-8.",
    "tags": "A tag that the portal does not have yet is made.",
    "custom_fields": "Texts; choices are those of the field.",
    "extension.bid_value": "The amount is the bid times the number of periods where it is paid by period.",
    "extension.actual_close_date": "Give it when the opportunity begins in a stage that closes it.",
    "extension.access_list": "Required when it is private.",
}


class Writing(ABC):
    """The writing half of a client."""

    _crm: str
    _settings: Settings
    _http: VendorHttp
    _pipeline: Table[Pipeline]
    _definitions: Table[Sequence[CustomFieldDefinition]]
    _currencies: Table[Sequence[wire.Currency]]
    _self: Table[wire.Person]

    @abstractmethod
    async def base_currency(self) -> str | None: ...

    @abstractmethod
    async def users_by_ids(self, ids: Sequence[str], selection: Selection) -> ById[User]: ...

    @abstractmethod
    async def _contacts(self, ids: Iterable[str]) -> ById[wire.Contact]: ...

    async def create_fields(self) -> Sequence[FieldRule]:
        required = {"title", "stage_id"}
        if not self._settings.owns_by_default:
            required.add("owner_id")
        if await self.base_currency() is None:
            required.add("amount")
        refused = {*_NOT_SUPPORTED, "add_contact_ids", "remove_contact_ids"}
        names = [item.name for item in fields(OpportunityValues) if item.name != "extension"]
        names += [f"extension.{item.name}" for item in fields(OnlyofficeOpportunityInput)]
        return [
            FieldRule(
                name=name,
                is_required=name in required,
                is_allowed=name not in refused,
                max_length=MAX_NAME if name == "title" else None,
                note=_NOTES.get(name),
            )
            for name in names
        ]

    async def plan_create(self, values: OpportunityValues) -> WritePlan:
        known, rules = await self._known(values, None), Rules()
        if values.add_contact_ids or values.remove_contact_ids:
            path = ("add_contact_ids",) if values.add_contact_ids else ("remove_contact_ids",)
            rules.breaks(path, RuleCode.NOT_SUPPORTED, "Name the contacts of a new opportunity as contact_ids.")
        members = members_after(values, None, known.contacts, rules)
        body = body_after(values, {}, members, known, rules)
        if (stage := stage_after(values, known, rules)) is not None:
            body["stageid"] = int(stage.local_id)
        tags = _tags_of(values, rules)
        demand(body, known, rules, is_new=True)

        def steps() -> Sequence[Step]:
            # Source: Community Server, CRMApi.Deals CreateDeal: the primary contact becomes a participant by itself.
            others = [int(local_id) for local_id in members.ids if local_id != members.contact_id]
            whole = {**body, "members": others} if others else body
            return [step("POST", DEAL, whole), *tag_steps(tags or (), (), "{id}")]

        return self._plan(rules, steps, None)

    async def plan_update(self, current: Opportunity, values: OpportunityValues) -> WritePlan:
        own, rules = own_fields(current), Rules()
        known = await self._known(values, current)
        _check_editable(current, rules)
        before = body_of_record(current, own)
        members = members_after(values, own, known.contacts, rules) if is_about_members(values) else None
        body = body_after(values, before, members, known, rules)
        tags, stage, own_input = _tags_of(values, rules), stage_after(values, known, rules), _input(values)
        # Only a move of its own sets the day on which it was closed; it also sets the probability.
        moved_to = stage if stage is not None and _is_other_status(stage, current) and own_input.actual_close_date is UNSET else None
        if moved_to is not None and not isinstance(values.probability_percent, Unset):
            message = "Leave it out, or give the day of closing too; what is closed or opened again takes that of its new stage."
            rules.breaks(("probability_percent",), RuleCode.CONTRADICTION, message)
        if stage is not None and moved_to is None:
            body["stageid"] = int(stage.local_id)
        elif values.stage_id is None:
            body.pop("stageid", None)
        is_put = body != before
        if is_put:
            if moved_to is not None:
                body.setdefault("stageid", int(moved_to.local_id))
            demand(body, known, rules, is_new=False)

        def steps() -> Sequence[Step]:
            is_access_named = own_input.is_private is not UNSET or own_input.access_list is not UNSET
            access = frozenset[str](body.get("accessList", ())) if is_access_named else None
            return [
                *([step("PUT", f"{DEAL}/{{id}}", body, current.local_id, wanted_access=access)] if is_put else ()),
                *(member_steps(current, members, values) if members is not None else ()),
                *(tag_steps(tags, current.tags or (), current.local_id) if tags is not None else ()),
                *emptying_steps(current, values.custom_fields),
                *([move_step(current.local_id, moved_to)] if moved_to is not None else ()),
            ]

        return self._plan(rules, steps, current.local_id)

    async def plan_move(self, current: Opportunity, stage_id: str, extension: object | None) -> WritePlan:
        rules = Rules()
        _check_editable(current, rules)
        for item in fields(OnlyofficeOpportunityInput):
            if extension is not None and getattr(extension, item.name) is not UNSET:
                rules.breaks(("extension", item.name), RuleCode.NOT_SUPPORTED, "Leave it out; a move changes nothing but the stage.")
        stage = (await self._stages([stage_id])).get(stage_id)
        if stage is None:
            rules.unknown(("stage_id",), "stage", [stage_id])
        is_there = current.stage_ref == Ref(self._crm, stage_id)
        # Moved to where it is, it would get another probability and day of closing.
        return self._plan(rules, lambda: [] if stage is None or is_there else [move_step(current.local_id, stage)], current.local_id)

    def closable(self) -> frozenset[OpportunityStatus]:
        return frozenset(OpportunityStatus)

    async def plan_close(self, current: Opportunity, values: StatusValues) -> WritePlan:
        """Plan a move to the first stage of that kind; an opportunity that has the status already stays in its stage."""
        rules, day = Rules(), values.closed_on
        _check_editable(current, rules)
        rules.unsupported(reason_id=_or_none(values.reason_id), reason_detail=_or_none(values.reason_detail))
        pipeline = await self._pipeline.get()
        stage = next((stage for stage in pipeline.stages if stage.kind is not None and stage.kind.value == values.status.value), None)
        is_there = current.status is values.status
        if stage is None and not is_there:
            message = f"Add a stage of the kind {values.status.value!r} to the portal; there is none to move to."
            rules.breaks(("status",), RuleCode.NOT_SUPPORTED, message)
        if day is None and values.status is not OpportunityStatus.OPEN:
            rules.breaks(("closed_on",), RuleCode.REQUIRED, "Give a day or leave it out; what is closed has one.")
        if isinstance(day, date) and values.status is OpportunityStatus.OPEN:
            rules.breaks(("closed_on",), RuleCode.CONTRADICTION, "Leave it out; what is open was not closed on any day.")
        body: Body | None = None
        if isinstance(day, date):
            own = own_fields(current)
            body = body_of_record(current, own)
            body["actualCloseDate"] = rules.day(("closed_on",), day)
            if stage is not None and not is_there:
                body |= {"stageid": int(stage.local_id), "successProbability": int(stage.probability_percent or 0)}
            known = Known(base_currency=await self.base_currency() if own.bid_currency is None else None)
            demand(body, known, rules, is_new=False)

        def steps() -> Sequence[Step]:
            if body is not None:
                return [step("PUT", f"{DEAL}/{{id}}", body, current.local_id)]
            return [] if stage is None or is_there else [move_step(current.local_id, stage)]

        return self._plan(rules, steps, current.local_id)

    async def plan_delete(self, current: Opportunity) -> WritePlan:
        rules = Rules()
        _check_editable(current, rules)
        if current.stage_ref is None:
            # Source: Community Server, DealWrapperHelper: one whose stage is gone cannot be shown alone, and so not answered with either.
            deletion = step("PUT", DEAL, {"opportunityids": [int(current.local_id)]})
        else:
            deletion = Step(request=request("DELETE", f"{DEAL}/{{id}}", current.local_id))
        return self._plan(rules, lambda: [deletion], current.local_id)

    async def plan_create_account(self, values: AccountValues) -> WritePlan:
        rules = Rules()
        rules.unsupported(owner_id=_or_none(values.owner_id))
        body = {"companyName": _name(values.name, "name", rules), "shareType": _READ_WRITE}
        data = _data_of(rules, email=values.email, phone=values.phone, website=values.website)
        return self._plan(rules, lambda: [step("POST", "crm/contact/company", body), *data_steps(data)], None)

    async def plan_create_contact(self, values: ContactValues) -> WritePlan:
        rules = Rules()
        rules.unsupported(owner_id=_or_none(values.owner_id))
        # Source: Community Server, ContactDao.SaveContactToDb: both names have to come, and only the first one has to say something.
        body: Body = {
            "firstName": _name(values.first_name, "first_name", rules),
            "lastName": rules.text(("last_name",), _or_none(values.last_name) or "", max_length=MAX_NAME),
            "shareType": _READ_WRITE,
        }
        if title := _or_none(values.title):
            body["jobTitle"] = rules.text(("title",), title, max_length=MAX_NAME)
        if (account_id := _or_none(values.account_id)) is not None:
            company = (await self._read_contacts([account_id])).get(account_id)
            if company is None or not company.isCompany:
                rules.unknown(("account_id",), "company", [account_id])
            else:
                body["companyId"] = int(account_id)
        data = _data_of(rules, email=values.email, phone=values.phone)
        return self._plan(rules, lambda: [step("POST", "crm/contact/person", body), *data_steps(data)], None)

    async def _known(self, values: OpportunityValues, current: Opportunity | None) -> Known:
        """Read what the values are judged by, all at once."""
        own = None if current is None else own_fields(current)
        stage_ids = [values.stage_id] if isinstance(values.stage_id, str) else []
        user_ids = [values.owner_id] if isinstance(values.owner_id, str) else []
        if isinstance(access_list := _input(values).access_list, tuple):
            user_ids += access_list
        is_owner_wanted = current is None and not isinstance(values.owner_id, str) and self._settings.owns_by_default
        is_currency_needed = own is None or own.bid_currency is None or isinstance(values.amount, Money)
        stages, (currencies, base_currency), users, contacts, definitions, owner_id = await asyncio.gather(
            self._stages(stage_ids),
            self._money(values) if is_currency_needed else _no_money(),
            self._users_there(user_ids),
            self._read_contacts(ids_to_read(values, own)),
            self._fields(values.custom_fields),
            self._own_id() if is_owner_wanted else _nothing(),
        )
        return Known(
            stages=stages,
            currencies=currencies,
            base_currency=base_currency,
            users=users,
            contacts=contacts,
            definitions=definitions,
            default_owner_id=owner_id,
            date_format=self._settings.custom_date_format,
        )

    async def _stages(self, ids: Sequence[str]) -> Mapping[str, Stage]:
        if not ids:
            return {}
        stages = {stage.local_id: stage for stage in (await self._pipeline.get()).stages}
        if not stages.keys() >= set(ids):
            stages = {stage.local_id: stage for stage in (await self._pipeline.get_after_miss()).stages}
        return stages

    async def _money(self, values: OpportunityValues) -> tuple[frozenset[str], str | None]:
        """The letters of the portal's currencies, and the one that is taken where none is named."""
        code = values.amount.currency if isinstance(values.amount, Money) else None
        if code is None and self._settings.base_currency is not None:
            return frozenset(), self._settings.base_currency
        codes = {row.abbreviation for row in await self._currencies.get()}
        if code is not None and code.upper() not in codes:
            codes = {row.abbreviation for row in await self._currencies.get_after_miss()}
        return frozenset(code for code in codes if code), await self.base_currency()

    async def _fields(self, named: Mapping[str, Any]) -> Mapping[str, CustomFieldDefinition]:
        if not named:
            return {}
        found = {definition.key: definition for definition in await self._definitions.get()}
        if not found.keys() >= named.keys():
            found = {definition.key: definition for definition in await self._definitions.get_after_miss()}
        return found

    async def _users_there(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of the users that there are; the profile that stands for removed ones is none."""
        return frozenset(_sound(await self.users_by_ids(ids, EVERYTHING)) if ids else ()) - {LOST_USER_ID}

    async def _read_contacts(self, ids: Sequence[str]) -> Mapping[str, wire.Contact]:
        return _sound(await self._contacts(ids)) if ids else {}

    async def _own_id(self) -> str | None:
        return (await self._self.get()).id

    def _plan(self, rules: Rules, make: Callable[[], Sequence[Step]], local_id: str | None) -> WritePlan:
        steps: Sequence[Step] = () if rules.broken else make()
        violations = tuple(rules.broken)

        async def execute() -> Written:
            if violations:
                raise InputRefusedError(violations, crm=self._crm)
            try:
                return await carry_out(self._http, steps, local_id)
            except InputRefusedError:
                # What it was judged by may have changed at the portal since it was read.
                for table in (self._pipeline, self._definitions, self._currencies):
                    table.clear()
                raise

        return WritePlan(violations=violations, requests=tuple(step.request for step in steps), execute=execute)


def _tags_of(values: OpportunityValues, rules: Rules) -> Sequence[str] | None:
    """The tags that are named, each once in whatever case; None when nothing is said of them."""
    if isinstance(values.tags, Unset):
        return None
    for tag in values.tags or ():
        if is_blank(tag):
            rules.breaks(("tags",), RuleCode.INVALID_VALUE, "Leave out empty tags.")
        rules.text(("tags",), tag, max_length=_MAX_TAG)
    each: dict[str, str] = {}
    for tag in values.tags or ():
        each.setdefault(folded(tag), tag)
    return list(each.values())


def _data_of(rules: Rules, **given: Maybe[str]) -> dict[str, str]:
    """Telephone numbers and addresses that are named and not blank."""
    named = {name: _or_none(value) or "" for name, value in given.items()}
    return {name: rules.text((name,), value) for name, value in named.items() if not is_blank(value)}


def _name(value: Maybe[str], attribute: str, rules: Rules) -> str:
    name = _or_none(value) or ""
    if is_blank(name):
        rules.breaks((attribute,), RuleCode.REQUIRED, "Give it; the portal takes no contact without it.")
    return rules.text((attribute,), name, max_length=MAX_NAME)


def _check_editable(current: Opportunity, rules: Rules) -> None:
    if current.can_edit is False:
        rules.breaks((), RuleCode.READ_ONLY, "Let somebody change it who may; the configured user may only see it.")


def _is_other_status(stage: Stage, current: Opportunity) -> bool:
    return stage.kind is not None and stage.kind.value != status_of(current).value


def _input(values: OpportunityValues) -> OnlyofficeOpportunityInput:
    return values.extension if isinstance(values.extension, OnlyofficeOpportunityInput) else OnlyofficeOpportunityInput()


def _or_none(value: Maybe[T]) -> T | None:
    return None if isinstance(value, Unset) else value


def _sound(found: ById[T]) -> dict[str, T]:
    """What was read; the error of one record is that of the plan, which cannot be judged without it."""
    sound: dict[str, T] = {}
    for local_id, value in found.items():
        if isinstance(value, VendorError):
            raise value
        sound[local_id] = value
    return sound


async def _nothing() -> None:
    return None


async def _no_money() -> tuple[frozenset[str], str | None]:
    return frozenset(), None
