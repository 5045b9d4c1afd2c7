"""Planning and making Apideck's writes; `Client` mixes it in.

Opportunities are changed by PATCH, which leaves alone what it does not name, but always wants the title. A write answers only an id.
Source: Apideck CRM API, opportunitiesAdd, opportunitiesUpdate, opportunitiesDelete, companiesAdd, contactsAdd.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from vendors.apideck import wire
from vendors.apideck.closing import closing_draft
from vendors.apideck.contacts import named_contacts, present_contacts
from vendors.apideck.demands import demanded
from vendors.apideck.drafts import Draft, Path, encode
from vendors.apideck.errors import FieldsRefusedError
from vendors.apideck.party_rules import company_draft, contact_draft
from vendors.apideck.reader import Reader, record_path
from vendors.apideck.refusals import violations_of
from vendors.apideck.rules import Known, account_of, create_fields, extension_of, opportunity_draft
from vendors.apideck.settings import Settings
from vendors.apideck.users import Users
from vendors.errors import (
    MalformedReplyError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RejectedRequestError,
    UnsupportedError,
    VendorError,
)
from vendors.http import Request, VendorHttp
from vendors.model import Opportunity, OpportunityStatus, Pipeline, Ref
from vendors.tables import Table
from vendors.writes import (
    AccountValues,
    ContactValues,
    FieldRule,
    InputRefusedError,
    OpportunityValues,
    RuleCode,
    StatusValues,
    Unset,
    Violation,
    WritePlan,
    Written,
)

_REFUSALS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
# Source: Apideck CRM API, "Error Types": the status of a ConnectorExecutionError is the connector's own.
_OF_THE_CONNECTOR: Final = "ConnectorExecutionError"
_NOT_OF_THE_INPUT: Final = "RequestHeadersValidationError"
# Source: Apideck CRM API, "Error Types": these are told when the connector may have done its part already.
_TOLD_AFTERWARDS: Final = frozenset({"MappingError", "ConnectorResponseMappingNotFoundError", "ConnectorWorkflowMappingError"})
# Source: Apideck CRM API, schema WorkflowWarning: an optional step behind a success has failed.
_PARTLY_DONE: Final = Violation(
    path=(), code=RuleCode.PARTLY_DONE, message="Look at the record: it was written, and a step behind that has failed in the CRM."
)


class Writing:
    """What a client needs for writing, and its writes."""

    _crm: str
    _settings: Settings
    _http: VendorHttp
    _reader: Reader
    _pipelines: Table[Sequence[Pipeline]]
    _users: Table[Users]

    async def create_fields(self) -> Sequence[FieldRule]:
        return create_fields(demanded=self._demanded())

    async def plan_create(self, values: OpportunityValues) -> WritePlan:
        draft = await self._draft(values, None)
        return self._plan(_with_body("opportunitiesAdd", "POST", "crm/opportunities", draft), draft)

    async def plan_update(self, current: Opportunity, values: OpportunityValues) -> WritePlan:
        draft = await self._draft(values, current)
        if isinstance(values.title, Unset) and draft.body.keys() <= {"title"} and not draft.violations:
            return WritePlan(execute=partial(_do_nothing, current.local_id))
        return self._plan_change(current, draft)

    async def plan_move(self, current: Opportunity, stage_id: str, extension: object | None) -> WritePlan:
        # Not documented: whether the status follows the stage; it can be given in the extension.
        return await self.plan_update(current, OpportunityValues(stage_id=stage_id, extension=extension))

    def closable(self) -> frozenset[OpportunityStatus]:
        return frozenset(self._settings.words)

    async def plan_close(self, current: Opportunity, values: StatusValues) -> WritePlan:
        draft = closing_draft(values, current, words=self._settings.words, demanded=self._demanded(), today=self._http.vendor_clock.today())
        return self._plan_change(current, draft)

    async def plan_delete(self, current: Opportunity) -> WritePlan:
        path = record_path(wire.OPPORTUNITIES, current.local_id)
        request = Request(operation="opportunitiesDelete", method="DELETE", path=path, read=False, by_id=True)
        return self._plan(request, Draft(is_new=False), local_id=current.local_id)

    async def plan_create_account(self, values: AccountValues) -> WritePlan:
        missing = await self._missing_users([values.owner_id])
        draft = company_draft(values, unknown={"owner_id"} if missing else set())
        return self._plan(_with_body("companiesAdd", "POST", "crm/companies", draft), draft)

    async def plan_create_contact(self, values: ContactValues) -> WritePlan:
        users, companies = await asyncio.gather(
            self._missing_users([values.owner_id]), self._missing(wire.COMPANIES, [values.account_id], ["deleted", "id"])
        )
        unknown = {attribute for attribute, missing in (("owner_id", users), ("account_id", companies)) if missing}
        draft = contact_draft(values, unknown=unknown)
        return self._plan(_with_body("contactsAdd", "POST", "crm/contacts", draft), draft)

    def _demanded(self) -> frozenset[str]:
        return demanded(self._settings.service_id, require_primary_contact=self._settings.require_primary_contact)

    async def _draft(self, values: OpportunityValues, current: Opportunity | None) -> Draft:
        known = await self._known_for(values, current)
        return opportunity_draft(values, current, known, service_id=self._settings.service_id, demanded=self._demanded())

    async def _known_for(self, values: OpportunityValues, current: Opportunity | None) -> Known:
        """Look up what the rules need, at once; what the record refers to already need not be."""
        owner, company = values.owner_id, account_of(values)
        present = present_contacts(current)
        contacts = [local_id for local_id in named_contacts(values, extension_of(values)) if local_id not in present]
        pipelines, no_users, no_companies, no_contacts = await asyncio.gather(
            self._pipelines_for(values),
            self._missing_users([] if current is not None and _is(current.owner_ref, owner) else [owner]),
            self._missing(
                wire.COMPANIES, [] if current is not None and _is(current.account_ref, company) else [company], ["deleted", "id"]
            ),
            self._missing(wire.CONTACTS, contacts, ["id"]),
        )
        return Known(pipelines=pipelines, missing={"users": no_users, "companies": no_companies, "contacts": no_contacts})

    async def _pipelines_for(self, values: OpportunityValues) -> Sequence[Pipeline] | None:
        """The table, read again where it lacks what is named; None where nothing is, or it cannot be read."""
        if not isinstance(values.stage_id, str) and not isinstance(values.pipeline_id, str):
            return None
        try:
            pipelines = await self._pipelines.get()
            ids = {each.local_id for each in pipelines}
            stages = {stage.local_id for each in pipelines for stage in each.stages}
            is_known = not isinstance(values.pipeline_id, str) or values.pipeline_id in ids
            if is_known and (not isinstance(values.stage_id, str) or values.stage_id in stages):
                return pipelines
            return await self._pipelines.get_after_miss()
        except (UnsupportedError, PermissionDeniedError):  # the vendor will see for itself
            return None

    async def _missing_users(self, ids: Iterable[object]) -> frozenset[str]:
        wanted = [local_id for local_id in ids if isinstance(local_id, str)]
        if not wanted:
            return frozenset()
        try:
            found = (await self._users.get()).found
        except PermissionDeniedError:  # single ones may still be read
            found = {}
        return await self._missing(wire.USERS, [local_id for local_id in wanted if local_id not in found], ["id"])

    async def _missing(self, resource: wire.Resource[Any], ids: Iterable[object], fields: Sequence[str]) -> frozenset[str]:
        """Those of the ids that no record has, or a deleted one; none where the connector does not tell."""
        wanted = [local_id for local_id in ids if isinstance(local_id, str)]
        found: Mapping[str, Any] = await self._reader.by_ids(resource, wanted, fields) if wanted else {}
        for row in found.values():
            if isinstance(row, VendorError) and not isinstance(row, UnsupportedError | PermissionDeniedError):
                raise row
        return frozenset(local_id for local_id in wanted if local_id not in found or getattr(found[local_id], "deleted", False))

    def _plan_change(self, current: Opportunity, draft: Draft) -> WritePlan:
        path = record_path(wire.OPPORTUNITIES, current.local_id)
        return self._plan(_with_body("opportunitiesUpdate", "PATCH", path, draft, by_id=True), draft, local_id=current.local_id)

    def _plan(self, request: Request, draft: Draft, *, local_id: str | None = None) -> WritePlan:
        violations = tuple(draft.violations)

        async def execute() -> Written:
            if violations:
                raise InputRefusedError(violations, crm=self._crm, operation=request.operation)
            return await self._write(request, draft.origins, local_id)

        return WritePlan(violations=violations, requests=() if violations else (request,), execute=execute)

    async def _write(self, request: Request, origins: Mapping[str, Path], local_id: str | None) -> Written:
        """Make a write; `local_id` is that of the record that is there already."""
        try:
            reply = await self._http.send(request)
            answer = wire.WRITTEN.read(self._http, request, reply).value
        except (RejectedRequestError, NotFoundError) as error:
            if not _is_refusal(error, is_new=local_id is None):
                if isinstance(error, NotFoundError) and local_id is None:
                    raise self._at_no_address(request, error) from error
                raise
            refusals = error.refusals if isinstance(error, FieldsRefusedError) else ()
            violations = violations_of(refusals, origins, vendor_code=error.vendor_code)
            raise InputRefusedError(violations, crm=self._crm, operation=request.operation, status=error.status) from error
        except (MalformedReplyError, UnsupportedError) as error:
            if isinstance(error, UnsupportedError) and error.vendor_code not in _TOLD_AFTERWARDS:
                raise
            message = f"It is not known whether the CRM {self._crm!r} did {request.operation}; look the record up before trying again."
            raise OutcomeUnknownError(message, crm=self._crm, operation=request.operation, status=error.status) from error
        problems = (_PARTLY_DONE,) if answer.meta is not None and answer.meta.warnings else ()
        return Written(local_id=local_id or answer.data.id, problems=problems)

    def _at_no_address(self, request: Request, error: NotFoundError) -> RejectedRequestError:
        """The error of a create that a 404 answers: there is no record yet that could be missing."""
        message = f"The CRM {self._crm!r} answered {request.operation} with 404: mend the CRM's URL in the configuration."
        return RejectedRequestError(message, crm=self._crm, operation=request.operation, status=error.status, vendor_code=error.vendor_code)


def _with_body(operation: str, method: str, path: str, draft: Draft, *, by_id: bool = False) -> Request:
    body = b"" if draft.violations else encode(draft.body)
    return Request(operation=operation, method=method, path=path, body=body, content_type="application/json", read=False, by_id=by_id)


def _is(ref: object, local_id: object) -> bool:
    return isinstance(ref, Ref) and ref.local_id == local_id


def _is_refusal(error: RejectedRequestError | NotFoundError, *, is_new: bool) -> bool:
    """Whether the vendor refused what was to be written, and not the request as such or for want of the record."""
    if error.vendor_code == _NOT_OF_THE_INPUT or (isinstance(error, NotFoundError) and not is_new):
        return False
    return error.vendor_code == _OF_THE_CONNECTOR or (isinstance(error, RejectedRequestError) and error.status in _REFUSALS)


async def _do_nothing(local_id: str) -> Written:
    return Written(local_id=local_id)
