"""Planning and making Autotask's writes; `Client` mixes it in.

Opportunities are changed by PATCH, which leaves alone what it does not name. They cannot be deleted by the API.
Source: Autotask REST "Opportunities", Can Delete, and "Updating data, PATCH" (vendor help).
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from vendors.autotask import query, wire
from vendors.autotask.closing import closing_draft_of
from vendors.autotask.companies import company_draft_of, contact_draft_of
from vendors.autotask.drafts import Draft, encode
from vendors.autotask.field_rules import create_fields
from vendors.autotask.mapping import Currencies, Picklists, Users
from vendors.autotask.parties import Parties, parties_of
from vendors.autotask.refusals import RefusalError, violations_of
from vendors.autotask.rules import Known, draft_of, without_nulls
from vendors.autotask.settings import Settings
from vendors.errors import MalformedReplyError, OutcomeUnknownError, UnavailableError, VendorError
from vendors.http import Request, VendorHttp
from vendors.model import CustomFieldDefinition, Opportunity, OpportunityStatus
from vendors.tables import Table
from vendors.wire import Decoded, Decoder
from vendors.writes import (
    AccountValues,
    ContactValues,
    FieldRule,
    InputRefusedError,
    OpportunityValues,
    StatusValues,
    Unset,
    WritePlan,
    Written,
)

T = TypeVar("T")
R = TypeVar("R", bound=wire.Record)

_CLOSABLE: Final = frozenset(OpportunityStatus)


class Writing(ABC):
    """What a client needs for writing, and its writes."""

    _crm: str
    _settings: Settings
    _http: VendorHttp
    _picklists: Table[Picklists]
    _company_picklists: Table[Picklists]
    _contact_picklists: Table[Picklists]
    _currencies: Table[Currencies]
    _users: Table[Users]
    _definitions: Table[Sequence[CustomFieldDefinition]]

    async def create_fields(self) -> Sequence[FieldRule]:
        return create_fields()

    async def plan_create(self, values: OpportunityValues) -> WritePlan:
        wanted = without_nulls(values)
        parties = parties_of(wanted, None)
        draft = draft_of(wanted, parties, await self._known_for(wanted, parties), None)
        return self._plan(draft, operation="Opportunities.create", is_opportunity=True)

    async def plan_update(self, current: Opportunity, values: OpportunityValues) -> WritePlan:
        parties = parties_of(values, current)
        return self._plan_patch(current, draft_of(values, parties, await self._known_for(values, parties), current))

    async def plan_move(self, current: Opportunity, stage_id: str, extension: object | None) -> WritePlan:
        # Not documented: whether the status follows the stage; it can be given in the extension.
        return await self.plan_update(current, OpportunityValues(stage_id=stage_id, extension=extension))

    def closable(self) -> frozenset[OpportunityStatus]:
        return _CLOSABLE

    async def plan_close(self, current: Opportunity, values: StatusValues) -> WritePlan:
        picklists = await self._picklists.get()
        return self._plan_patch(
            current, closing_draft_of(values, Known(today=self._http.vendor_clock.today(), picklists=picklists), current)
        )

    async def plan_create_account(self, values: AccountValues) -> WritePlan:
        fields, users = await asyncio.gather(self._company_picklists.get(), self._users_for(values.owner_id))
        draft = company_draft_of(values, fields, users, company_type=self._settings.company_type)
        return self._plan(draft, operation="Companies.create", entity="Companies")

    async def plan_create_contact(self, values: ContactValues) -> WritePlan:
        account_id = values.account_id
        fields, companies = await asyncio.gather(self._contact_picklists.get(), self._companies([account_id]))
        draft = contact_draft_of(values, fields, has_account=account_id in companies)
        # Source: Autotask REST "Contacts" (vendor help): contacts are written as children of their company, whose threads they take.
        path = f"Companies/{draft.body.get('companyID')}/Contacts"
        return self._plan(draft, operation="Companies.Contacts.create", entity="Companies", path=path)

    def _plan_patch(self, current: Opportunity, draft: Draft) -> WritePlan:
        if not draft.body and not draft.violations:
            return WritePlan(execute=partial(_nothing_to_do, current.local_id))
        draft.body = {"id": int(current.local_id), **draft.body}
        return self._plan(draft, operation="Opportunities.patch", method="PATCH", is_opportunity=True)

    def _plan(
        self,
        draft: Draft,
        *,
        operation: str,
        method: str = "POST",
        entity: str = "Opportunities",
        path: str | None = None,
        is_opportunity: bool = False,
    ) -> WritePlan:
        if draft.violations:
            error = InputRefusedError(draft.violations, crm=self._crm, operation=operation)
            return WritePlan(violations=error.violations, execute=partial(_refuse, error))
        request = Request(
            operation=operation,
            method=method,
            path=path or entity,
            body=encode(draft.body),
            content_type="application/json",
            entity=entity,
            read=False,
        )
        return WritePlan(requests=(request,), execute=partial(self._write, request, draft, is_opportunity=is_opportunity))

    async def _write(self, request: Request, draft: Draft, *, is_opportunity: bool) -> Written:
        try:
            reply = await self._http.send(request)
            return Written(local_id=wire.WRITTEN.read(self._http, request, reply).value.itemId)
        except RefusalError as refusal:
            violations = violations_of(refusal.texts, draft, is_opportunity=is_opportunity)
            raise InputRefusedError(violations, crm=self._crm, operation=request.operation, status=refusal.status) from refusal
        except (MalformedReplyError, UnavailableError) as error:
            # An answer that is not the vendor's own may stand before or behind the write; without one, nobody was reached at all.
            is_unsent = error.operation != request.operation or (isinstance(error, UnavailableError) and error.status is None)
            raise error if is_unsent else self._unknown(request, error) from error

    def _unknown(self, request: Request, error: VendorError) -> OutcomeUnknownError:
        message = f"It is not known whether the CRM {self._crm!r} did {request.operation}; look the record up before trying again."
        return OutcomeUnknownError(message, crm=self._crm, operation=request.operation, status=error.status)

    async def _known_for(self, values: OpportunityValues, parties: Parties) -> Known:
        """Read what the rules need, at once: records by id, and small tables that are kept."""
        asks_contact = not isinstance(parties.contact_id, Unset) or not isinstance(parties.account_id, Unset)
        has_currency = not isinstance(values.amount, Unset) and values.amount is not None and values.amount.currency is not None
        picklists, currencies, users, companies, contacts, definitions = await asyncio.gather(
            self._picklists.get(),
            self._currencies.get() if has_currency else _already(Currencies()),
            self._users_for(values.owner_id),
            self._companies([parties.account_then] if asks_contact or has_currency else []),
            self._contacts_to_check([parties.contact_then] if asks_contact else []),
            self._definitions_for(values.custom_fields),
        )
        return Known(
            today=self._http.vendor_clock.today(),
            picklists=picklists,
            currencies=currencies,
            users=users,
            companies=companies,
            contacts=contacts,
            definitions=definitions,
        )

    async def _users_for(self, owner_id: object) -> Users:
        if not isinstance(owner_id, str):
            return Users({})
        users = await self._users.get()
        return users if owner_id in users.by_id else await self._users.get_after_miss()

    async def _definitions_for(self, given: Mapping[str, Any]) -> Mapping[str, CustomFieldDefinition]:
        if not given:
            return {}
        found = _of_opportunities(await self._definitions.get())
        return found if given.keys() <= found.keys() else _of_opportunities(await self._definitions.get_after_miss())

    async def _companies(self, ids: Sequence[object]) -> Mapping[str, wire.Company]:
        return await self._records_by_id("Companies", wire.COMPANIES, ids, ["id", "currencyID", "parentCompanyID"])

    async def _contacts_to_check(self, ids: Sequence[object]) -> Mapping[str, wire.Contact]:
        return await self._records_by_id("Contacts", wire.CONTACTS, ids, ["id", "companyID", "isActive"])

    async def _records_by_id(
        self, entity: str, decoder: Decoder[wire.Items[R]], ids: Sequence[object], fields: Sequence[str]
    ) -> Mapping[str, R]:
        wanted = [local_id for local_id in ids if isinstance(local_id, str) and query.is_id(local_id)]
        if not wanted:
            return {}
        answer = await self._query(entity, decoder, query.by_ids(wanted), fields=fields)
        return {row.id: row for row in answer.value.items}

    @abstractmethod
    async def _query(
        self, entity: str, decoder: Decoder[wire.Items[T]], wanted: query.Filter, *, fields: Sequence[str] | None
    ) -> Decoded[wire.Items[T]]:
        """Read the rows that a filter brings."""


async def _refuse(error: InputRefusedError) -> Written:
    raise error


async def _nothing_to_do(local_id: str) -> Written:
    return Written(local_id=local_id)


def _of_opportunities(definitions: Sequence[CustomFieldDefinition]) -> Mapping[str, CustomFieldDefinition]:
    return {entry.key: entry for entry in definitions if entry.applies_to == "opportunity"}


async def _already(value: T) -> T:
    return value
