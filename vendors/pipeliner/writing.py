"""Writes of opportunities, accounts and contacts: planned with every rule checked, then made by exactly the requests that were planned."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeVar

from vendors.errors import MalformedReplyError, NotFoundError, OutcomeUnknownError, VendorError
from vendors.http import Reply, Request, VendorHttp
from vendors.model import Opportunity, OpportunityStatus
from vendors.pipeliner import drafts, wire
from vendors.pipeliner.bodies import Draft, Path, encoded
from vendors.pipeliner.closing import STATUS_NUMBERS, ClosingStages, status_draft
from vendors.pipeliner.extension import PipelinerOpportunityFields
from vendors.pipeliner.inputs import PipelinerOpportunityInput
from vendors.pipeliner.links import Removal
from vendors.pipeliner.lookups import Lookups, Needs
from vendors.pipeliner.reader import RefusedRequestError
from vendors.pipeliner.refusals import violations_from
from vendors.wire import Decoder
from vendors.writes import (
    UNSET,
    AccountValues,
    ContactValues,
    FieldRule,
    InputRefusedError,
    OpportunityValues,
    RuleCode,
    StatusValues,
    Violation,
    WritePlan,
    Written,
)

D = TypeVar("D")
V = TypeVar("V", OpportunityValues, PipelinerOpportunityInput)

log = logging.getLogger(__name__)

_OPPORTUNITY: Final = ("Opportunities", "Opportunity")
_ACCOUNT: Final = ("Accounts", "Account")
_CONTACT: Final = ("Contacts", "Contact")
_JSON: Final = "application/json"
# Source: Pipeliner "Create Opportunity", 0. Required fields; the main links: Possible problems.
_REQUIRED: Final = frozenset({"title", "amount", "expected_close_date", "stage_id", "owner_id"})
_NOT_ALLOWED: Final = frozenset({"probability_percent", "tags", "add_contact_ids", "remove_contact_ids"})
_NOTES: Final = {
    "title": "The vendor may tidy up blanks.",
    "amount": "In a currency that is set up in the space; without one, in the base currency. The vendor computes the other one.",
    "probability_percent": "It is that of the stage.",
    "pipeline_id": "The stage decides it; given as well, it must fit.",
    "account_id": "The main account; accounts that are linked already stay linked.",
    "account_ids": "One of them is the main one: `account_id`, else the first.",
    "primary_contact_id": "The main contact; contacts that are linked already stay linked.",
    "contact_ids": "One of them is the main one: `primary_contact_id`, else the first.",
    "add_contact_ids": "For changes only.",
    "remove_contact_ids": "For changes only; when the main contact is taken out, the first of the others takes its place.",
    "type": "Name of an opportunity type.",
    "lead_source": 'Label of an option of the field "lead_source".',
    "tags": "The vendor does not say how tags are written.",
    "custom_fields": "Options of dropdowns by their id or their label; numbers of a sequence cannot be given.",
    "extension.reason_of_close_id": 'Id of an option of the field "reason_of_close".',
}


@dataclass(frozen=True, slots=True)
class _Step:
    """A request of a write, its answer's shape, and the attribute that asks for it."""

    request: Request
    answer: Decoder[Any]
    path: Path = ()


class Writing:
    """Plans and makes writes. What it is mixed into has the way out, the look-ups and the settings."""

    _crm: str
    _http: VendorHttp
    _lookups: Lookups
    _closing: ClosingStages
    _write_params: Sequence[tuple[str, str]]

    async def create_fields(self) -> Sequence[FieldRule]:
        unified = [item.name for item in fields(OpportunityValues) if item.name != "extension"]
        own = [f"extension.{item.name}" for item in fields(PipelinerOpportunityInput)]
        return [
            FieldRule(name=name, is_required=name in _REQUIRED, is_allowed=name not in _NOT_ALLOWED, note=_NOTES.get(name))
            for name in (*unified, *own)
        ]

    async def plan_create(self, values: OpportunityValues) -> WritePlan:
        given = _without_nulls(values)
        if values.primary_contact_id is None and isinstance(values.contact_ids, tuple) and values.contact_ids:
            given = replace(given, primary_contact_id=None)  # that none of them is the main one says something
        custom = {key: value for key, value in values.custom_fields.items() if value is not None}
        return await self._plan_opportunity(replace(given, custom_fields=custom), _without_nulls(_own(values.extension)), None)

    async def plan_update(self, current: Opportunity, values: OpportunityValues) -> WritePlan:
        return await self._plan_opportunity(values, _own(values.extension), current)

    async def plan_move(self, current: Opportunity, stage_id: str, extension: object | None) -> WritePlan:
        return await self._plan_opportunity(OpportunityValues(stage_id=stage_id), _own(extension), current)

    def closable(self) -> frozenset[OpportunityStatus]:
        return self._closing.statuses

    async def plan_close(self, current: Opportunity, values: StatusValues) -> WritePlan:
        if values.status not in self.closable():
            draft = Draft()
            message = "Name the stages that win and lose a deal in the CRM's settings `won_stage_id` and `lost_stage_id`."
            draft.refuse(("status",), RuleCode.NOT_SUPPORTED, message)
            return self._plan(draft, (), current.local_id, _OPPORTUNITY)
        stages = frozenset(self._closing.of(values.status))
        known = await self._lookups.find(Needs(stages=stages, pipelines=True, fields=isinstance(values.reason_id, str)))
        draft = status_draft(current, values, known, self._closing, self._http.vendor_clock.now())
        steps = [self._update(_OPPORTUNITY, current.local_id, draft)] if draft.body else []
        return self._plan(draft, steps, current.local_id, _OPPORTUNITY, status=values.status)

    async def plan_delete(self, current: Opportunity) -> WritePlan:
        """Plan to delete an opportunity; the vendor keeps it as deleted."""
        draft, own = Draft(), current.extension
        if isinstance(own, PipelinerOpportunityFields) and own.is_delete_protected:
            draft.refuse((), RuleCode.READ_ONLY, "Lift the protection in the vendor's pages first: it is protected against deletion.")
        steps = [] if current.is_deleted else [self._delete(_OPPORTUNITY[0], current.local_id)]
        return self._plan(draft, steps, current.local_id, _OPPORTUNITY)

    async def plan_create_account(self, values: AccountValues) -> WritePlan:
        owner = frozenset({values.owner_id} if isinstance(values.owner_id, str) else ())
        draft = drafts.account_draft(values, await self._lookups.find(Needs(users=owner)))
        return self._plan(draft, [self._create(_ACCOUNT, draft)], None, _ACCOUNT)

    async def plan_create_contact(self, values: ContactValues) -> WritePlan:
        owner = frozenset({values.owner_id} if isinstance(values.owner_id, str) else ())
        accounts = (values.account_id,) if isinstance(values.account_id, str) else ()
        draft = drafts.contact_draft(values, await self._lookups.find(Needs(users=owner, accounts=accounts)))
        return self._plan(draft, [self._create(_CONTACT, draft)], None, _CONTACT)

    async def _plan_opportunity(
        self, values: OpportunityValues, extension: PipelinerOpportunityInput, current: Opportunity | None
    ) -> WritePlan:
        known = await self._lookups.find(drafts.needs_of(values, extension, current))
        draft, removals = drafts.opportunity_draft(values, extension, known, current)
        if current is None:
            return self._plan(draft, [self._create(_OPPORTUNITY, draft)], None, _OPPORTUNITY)
        changes = [self._update(_OPPORTUNITY, current.local_id, draft)] if draft.body else []
        return self._plan(draft, [*changes, *map(self._remove, removals)], current.local_id, _OPPORTUNITY)

    # requests

    def _create(self, entity: tuple[str, str], draft: Draft) -> _Step:
        return _Step(self._request("create", "POST", entity[0], entity[0], draft.body), wire.SAVED)

    def _update(self, entity: tuple[str, str], local_id: str, draft: Draft) -> _Step:
        return _Step(self._request("update", "PATCH", entity[0], f"{entity[0]}/{local_id}", draft.body), wire.SAVED)

    def _delete(self, entity: str, local_id: str, path: Path = ()) -> _Step:
        return _Step(self._request("delete", "DELETE", entity, f"{entity}/{local_id}", None), wire.DELETED, path)

    def _remove(self, removal: Removal) -> _Step:
        return self._delete(removal.entity, removal.link_id, removal.path)

    def _request(self, verb: str, method: str, entity: str, path: str, body: object | None) -> Request:
        return Request(
            operation=f"{entity}.{verb}",
            method=method,
            path=path,
            params=() if body is None else self._write_params,
            body=None if body is None else encoded(body),
            content_type=None if body is None else _JSON,
            entity=entity,
            read=False,
            by_id=path != entity,
        )

    # carrying out

    def _plan(
        self,
        draft: Draft,
        steps: Sequence[_Step],
        local_id: str | None,
        entity: tuple[str, str],
        *,
        status: OpportunityStatus | None = None,
    ) -> WritePlan:
        violations = tuple(draft.violations)

        async def execute() -> Written:
            if violations:
                raise InputRefusedError(violations, crm=self._crm)
            return await self._execute(steps, local_id, entity[1], draft, status)

        return WritePlan(violations=violations, requests=() if violations else tuple(step.request for step in steps), execute=execute)

    async def _execute(
        self, steps: Sequence[_Step], local_id: str | None, entity_name: str, draft: Draft, status: OpportunityStatus | None
    ) -> Written:
        problems: list[Violation] = []
        for index, step in enumerate(steps):
            try:
                saved = await self._send(step, entity_name, draft)
            except VendorError as error:
                if step.path and isinstance(error, NotFoundError):
                    continue  # the link is gone already
                if index == 0:
                    raise
                log.warning("CRM %r did %s only in part: %s failed (%s)", self._crm, entity_name, step.request.operation, error.code)
                problems.append(_left_undone(step.path))
                continue
            if isinstance(saved, wire.Saved):
                local_id = local_id or saved.id
                if status is not None and saved.status is not None and saved.status != STATUS_NUMBERS[status]:
                    problems.append(_not_so(status))
        assert local_id is not None, "a create is the first step, and tells the id"
        return Written(local_id=local_id, problems=tuple(dict.fromkeys(problems)))

    async def _send(self, step: _Step, entity_name: str, draft: Draft) -> object:
        """Send one request, and read its answer.

        Raises:
            InputRefusedError: The vendor refused the values.
            OutcomeUnknownError: Nobody knows whether it has happened.
            VendorError: It has not happened.
        """
        request = step.request
        try:
            reply = await self._http.send(request)
            return _read(step.answer, self._http, request, reply).data
        except RefusedRequestError as error:
            violations = violations_from(error.refusal, entity_name, draft.paths)
            raise InputRefusedError(violations, crm=self._crm, operation=request.operation, status=error.status) from error
        except MalformedReplyError as error:
            raise OutcomeUnknownError(
                f"It is not known whether the CRM {self._crm!r} did {request.operation}; look the record up before trying again.",
                crm=self._crm,
                operation=request.operation,
                status=error.status,
            ) from error


def _read(answer: Decoder[wire.One[D]], http: VendorHttp, request: Request, reply: Reply) -> wire.One[D]:
    return answer.read(http, request, reply).value


def _own(extension: object | None) -> PipelinerOpportunityInput:
    if extension is None:
        return PipelinerOpportunityInput()
    assert isinstance(extension, PipelinerOpportunityInput), "the input of another vendor"
    return extension


def _without_nulls(values: V) -> V:
    """The same for a new record, where there is nothing to clear."""
    nulls: dict[str, Any] = {item.name: UNSET for item in fields(values) if getattr(values, item.name) is None and item.name != "extension"}
    return replace(values, **nulls)


def _left_undone(path: Path) -> Violation:
    message = "Read the record again: one of its links may not have been taken away; if it is still there, ask for it again."
    return Violation(path=path, code=RuleCode.PARTLY_DONE, message=message)


def _not_so(status: OpportunityStatus) -> Violation:
    message = f"The stage and the date were written, but the vendor does not count the deal as {status.value}; mend the CRM's settings."
    return Violation(path=("status",), code=RuleCode.PARTLY_DONE, message=message)
