"""Plans writes: what is looked up, which rules are checked, and the objects that are sent.

`Writing` is mixed into the client, whose tables and finders it uses. Single values are checked in `rules`, calls are made in `writer`.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from vendors.errors import VendorError
from vendors.model import CustomFieldDefinition, Opportunity, OpportunityStatus, Pipeline, User
from vendors.sharpspring import wire
from vendors.sharpspring.contacts import Wish, contacts_of_changed, contacts_of_new, says_of_contacts
from vendors.sharpspring.extension import SharpspringOpportunityFields
from vendors.sharpspring.finder import Finder
from vendors.sharpspring.opportunities import CREATE_FIELDS, Known, account_of, draft_opportunity, extension_of
from vendors.sharpspring.rpc import Rpc
from vendors.sharpspring.rules import MAX_TEXT, Draft, Path
from vendors.sharpspring.settings import Settings
from vendors.sharpspring.writer import NEW_ID, Step, Writer, steps
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
    WritePlan,
    Written,
)

T = TypeVar("T")
M = TypeVar("M")


class Writing:
    """Writes opportunities, accounts and leads."""

    _crm: str
    _settings: Settings
    _rpc: Rpc
    _writer: Writer
    _links: Finder[wire.OpportunityLead]
    _accounts: Finder[wire.Account]
    _leads: Finder[wire.Lead]
    _campaigns: Finder[wire.Campaign]
    _pipelines: Table[Sequence[Pipeline]]
    _users: Table[Mapping[str, User]]
    _definitions: Table[Sequence[CustomFieldDefinition]]

    async def create_fields(self) -> Sequence[FieldRule]:
        return CREATE_FIELDS

    def read_back(self, text: str) -> str:
        # A text cannot be told from one that the product has escaped.
        return str(wire.unescaped(text))

    async def plan_create(self, values: OpportunityValues) -> WritePlan:
        draft = Draft(is_new=True)
        wish = contacts_of_new(draft, values)
        await self._draft_opportunity(draft, values, None, wish)
        links, parts = _links_to(NEW_ID, wish.to_link)
        planned = [
            *steps("createOpportunities", [draft.body], fields=draft.paths),
            *steps("createOpportunityLeads", links, parts=parts),
        ]
        return self._plan(draft, planned, None)

    async def plan_update(self, current: Opportunity, values: OpportunityValues) -> WritePlan:
        draft = Draft(is_new=False)
        wish = contacts_of_changed(draft, values, current, await self._links_of(current, values))
        known = await self._draft_opportunity(draft, values, current, wish)
        # A lead that is only connected because it was the primary one may have been deleted long ago.
        wanted = {lead: path for lead, path in wish.to_link.items() if lead in known.leads}
        links, parts = _links_to(int(current.local_id), wanted)
        planned = [
            *(steps("updateOpportunities", [{"id": int(current.local_id), **draft.body}], fields=draft.paths) if draft.body else ()),
            *steps("createOpportunityLeads", links, parts=parts),
            *steps("deleteOpportunityLeads", [{"id": int(link)} for link in wish.to_unlink], parts=list(wish.to_unlink.values())),
        ]
        return self._plan(draft, planned, current.local_id)

    async def plan_move(self, current: Opportunity, stage_id: str, extension: object | None) -> WritePlan:
        # Not documented whether the flags follow the stage; only what is named is written.
        return await self.plan_update(current, OpportunityValues(stage_id=stage_id, extension=extension))

    def closable(self) -> frozenset[OpportunityStatus]:
        # Source: article 50887, isClosed and isWon; both can be written at any time.
        return frozenset(OpportunityStatus)

    async def plan_close(self, current: Opportunity, values: StatusValues) -> WritePlan:
        draft = Draft(is_new=False)
        draft.refuse_given(values, ("reason_id", "reason_detail"), "Leave this out; Lead Gen & CRM keeps no reason.")
        is_open = values.status is OpportunityStatus.OPEN
        draft.flag(("status",), "isClosed", not is_open)
        draft.flag(("status",), "isWon", values.status is OpportunityStatus.WON)
        if is_open and values.closed_on is not UNSET:
            draft.refuse(("closed_on",), RuleCode.CONTRADICTION, "Leave this out when opening an opportunity again.")
        elif not is_open:
            # What has that status already keeps its day, unless another is given.
            needs_day = values.closed_on is UNSET and current.status is not values.status
            closed_on = await self._today() if needs_day else values.closed_on
            if needs_day and closed_on is UNSET:
                draft.refuse(("closed_on",), RuleCode.REQUIRED, "Give the day of the close; the vendor does not tell today's.")
            draft.day(("closed_on",), "closeDate", closed_on, required=True)
        planned = steps("updateOpportunities", [{"id": int(current.local_id), **draft.body}], fields=draft.paths)
        return self._plan(draft, planned, current.local_id)

    async def plan_delete(self, current: Opportunity) -> WritePlan:
        planned = steps("deleteOpportunities", [{"id": int(current.local_id)}])
        return self._plan(Draft(is_new=False), planned, current.local_id)

    async def plan_create_account(self, values: AccountValues) -> WritePlan:
        draft = Draft(is_new=True)
        known = await self._known(users=_ids(values.owner_id))
        # Source: Lead Gen & CRM Open API, account methods (vendor help, article 50891).
        draft.refuse_given(values, ("email",), "Leave this out; accounts of Lead Gen & CRM have no e-mail address.")
        draft.reference(("owner_id",), "ownerID", values.owner_id, known.users, "user", required=True)
        draft.text(("name",), "accountName", values.name, required=True)
        draft.text(("phone",), "phone", values.phone)
        draft.text(("website",), "website", values.website)
        return self._plan(draft, steps("createAccounts", [draft.body], fields=draft.paths), None, clear=self._accounts.clear)

    async def plan_create_contact(self, values: ContactValues) -> WritePlan:
        draft = Draft(is_new=True)
        known, is_taken = await asyncio.gather(
            self._known(users=_ids(values.owner_id), accounts=_ids(values.account_id)), self._is_taken(values.email)
        )
        # Source: Lead Gen & CRM Open API Schema: Leads (vendor help, article 50881).
        draft.text(("first_name",), "firstName", values.first_name)
        draft.text(("last_name",), "lastName", values.last_name)
        draft.text(("email",), "emailAddress", values.email)
        draft.text(("title",), "title", values.title)
        draft.text(("phone",), "phoneNumber", values.phone)
        draft.reference(("account_id",), "accountID", values.account_id, known.accounts, "account")
        draft.reference(("owner_id",), "ownerID", values.owner_id, known.users, "user")
        if is_taken:
            message = "Give another e-mail address, or take the contact that has this one; there is one for each address."
            draft.refuse(("email",), RuleCode.CONTRADICTION, message)
        if not draft.violations and not draft.body.keys() & {"firstName", "lastName", "emailAddress"}:
            # Not documented; nobody could tell who a lead without any of them is.
            draft.refuse((), RuleCode.REQUIRED, "Give a name or an e-mail address.")
        return self._plan(draft, steps("createLeads", [draft.body], fields=draft.paths), None)

    def _plan(self, draft: Draft, planned: Sequence[Step], local_id: str | None, *, clear: Callable[[], None] | None = None) -> WritePlan:
        violations = tuple(draft.violations)

        async def execute() -> Written:
            if violations:
                raise InputRefusedError(violations, crm=self._crm)
            try:
                return await self._writer.carry_out(planned, local_id)
            finally:
                if clear is not None:
                    clear()

        requests = () if violations else tuple(step.request for step in planned)
        return WritePlan(violations=violations, requests=requests, execute=execute)

    async def _draft_opportunity(self, draft: Draft, values: OpportunityValues, current: Opportunity | None, wish: Wish) -> Known:
        extension = extension_of(values)
        known = await self._known(
            stages=_ids(values.stage_id),
            needs_stages=isinstance(values.pipeline_id, str),
            users=_ids(values.owner_id),
            accounts=_ids(account_of(values)[1]),
            leads={*wish.to_link, *_ids(*wish.named, extension.originating_lead_id)},
            campaigns=_ids(extension.campaign_id),
            custom_fields=values.custom_fields,
            is_new=current is None,
        )
        draft_opportunity(draft, values, current, wish, known, currency=self._settings.currency)
        draft.custom_fields(values.custom_fields, known.definitions, self._settings.zone)
        return known

    async def _known(
        self,
        *,
        stages: Collection[str] = (),
        needs_stages: bool = False,
        users: Collection[str] = (),
        accounts: Collection[str] = (),
        leads: Collection[str] = (),
        campaigns: Collection[str] = (),
        custom_fields: Collection[str] = (),
        is_new: bool = False,
    ) -> Known:
        """Look up what an input refers to; what it does not refer to costs no call."""
        pipelines, known_users, known_accounts, known_leads, known_campaigns, definitions = await asyncio.gather(
            _table(self._pipelines, _pipelines_by_stage, stages, always=needs_stages),
            _table(self._users, _users_by_id, users),
            _existing(self._accounts, accounts),
            _existing(self._leads, leads, fields=["id"]),
            _existing(self._campaigns, campaigns),
            _table(self._definitions, _of_opportunities, custom_fields, always=is_new),
        )
        return Known(
            pipelines=pipelines,
            users=known_users,
            accounts=known_accounts,
            leads=known_leads,
            campaigns=known_campaigns,
            definitions=definitions,
        )

    async def _links_of(self, current: Opportunity, values: OpportunityValues) -> Sequence[tuple[str, str]]:
        """The connections that there are as (link, lead), where the input says anything of contacts."""
        if not says_of_contacts(values):
            return ()
        extension = current.extension
        if isinstance(extension, SharpspringOpportunityFields) and extension.links is not None:
            return [(link.id, link.lead_ref.local_id) for link in extension.links if link.lead_ref is not None]
        found = (await self._links.find([current.local_id])).get(current.local_id, [])
        if isinstance(found, VendorError):
            raise found
        return [(link.id, link.leadID) for link in found]

    async def _is_taken(self, email: Maybe[str]) -> bool:
        """Whether a lead has that e-mail address. Source: article 50889: `where` takes emailAddress, which leads are known by."""
        if not isinstance(email, str) or not email.strip() or not email.isprintable() or len(email) > MAX_TEXT:
            return False
        answer = await self._rpc.page(wire.LEADS, {"emailAddress": email}, limit=1, fields=["id"])
        return bool(answer.readable())

    async def _today(self) -> Maybe[date]:
        """The day that it is for the company, by the vendor's clock."""
        moment = await self._rpc.vendor_time()
        return UNSET if moment is None else moment.astimezone(ZoneInfo(self._settings.time_zone)).date()


def _links_to(opportunity_id: int | str, leads: Mapping[str, Path]) -> tuple[list[Mapping[str, object]], list[Path]]:
    """Connections of an opportunity to leads, and the attributes that they come from."""
    return [{"opportunityID": opportunity_id, "leadID": int(lead)} for lead in leads if wire.is_row_id(lead)], list(leads.values())


async def _table(table: Table[T], shape: Callable[[T], Mapping[str, M]], wanted: Iterable[str], *, always: bool = False) -> Mapping[str, M]:
    """A kept table by key, read again when something wanted is not in it; empty when nothing is wanted."""
    wanted = list(wanted)
    if not wanted and not always:
        return {}
    found = shape(await table.get())
    return found if all(key in found for key in wanted) else shape(await table.get_after_miss())


async def _existing(finder: Finder[Any], wanted: Iterable[str], *, fields: Sequence[str] | None = None) -> Collection[str]:
    """Those ids that are there."""
    found = await finder.find([local_id for local_id in wanted if wire.is_row_id(local_id)], fields=fields, trusts_gaps=False)
    for rows in found.values():
        if isinstance(rows, VendorError):
            raise rows
    return found.keys()


def _pipelines_by_stage(pipelines: Sequence[Pipeline]) -> Mapping[str, str]:
    return {stage.local_id: pipeline.local_id for pipeline in pipelines for stage in pipeline.stages}


def _users_by_id(users: Mapping[str, User]) -> Mapping[str, User]:
    return users


def _of_opportunities(definitions: Sequence[CustomFieldDefinition]) -> Mapping[str, CustomFieldDefinition]:
    return {definition.key: definition for definition in definitions if definition.applies_to == "opportunity"}


def _ids(*values: object) -> set[str]:
    """Those values that are ids."""
    return {value for value in values if isinstance(value, str)}
