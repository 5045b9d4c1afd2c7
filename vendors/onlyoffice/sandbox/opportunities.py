"""Endpoints under `crm/opportunity`. Source: Community Server, ASC.Api.CRM/CRMApi.Deals.cs, CRMApi.CustomFields.cs, CRMApi.Tags.cs."""

from typing import Any

from vendors.onlyoffice.sandbox.call import ApiCall, Endpoint
from vendors.onlyoffice.sandbox.envelope import Answer, Page, page_bounds
from vendors.onlyoffice.sandbox.faults import bad_request, not_found, server_error
from vendors.onlyoffice.sandbox.objects import Json
from vendors.onlyoffice.sandbox.records import Deal
from vendors.onlyoffice.sandbox.search import DEAL_SORTS, DealFilter
from vendors.onlyoffice.sandbox.shapes import is_object
from vendors.onlyoffice.sandbox.store import DealInput

BID_TYPES = ("FixedBid", "PerHour", "PerDay", "PerWeek", "PerMonth", "PerYear")
STAGE_TYPES = ("Open", "ClosedAndWon", "ClosedAndLost")
_PREFIX_MAX = 30


def get_one(call: ApiCall) -> Answer:
    return _single(call, call.store.visible_deal(call.user, call.path_id("id")))


def get_filtered(call: ApiCall) -> Answer:
    """The list. An unknown `sortBy` loads everything and sorts it by a property path."""
    wanted = _filter(call)
    start, count = page_bounds(call.params)
    sort_by = (call.params.text("sortby") or "stage").lower()
    descending = call.params.text("sortorder") == "descending"
    known = sort_by in DEAL_SORTS
    ids = call.store.find(call.user, wanted, sort_by if known else "stage", descending=descending and known)
    if known:
        rows = _wrapped(call, ids[start : start + count])
    else:
        everything = _wrapped(call, ids)
        _sort_by_path(everything, sort_by.split("."), descending=descending)
        rows = everything[start : start + count]
    total = start + len(rows) if len(rows) < count else call.store.total(call.user, wanted, len(ids))
    return Page(rows=rows, more=len(ids) > start + count, total=total)


def delete_filtered(call: ApiCall) -> Answer:
    ids = call.store.find(call.user, _filter(call), "id", descending=False)
    return _list(call, call.store.delete_many(call.user, ids))


def create(call: ApiCall) -> Answer:
    given = _input(call)
    return _echoed(call, call.store.create(call.user, given), given)


def update(call: ApiCall) -> Answer:
    given = _input(call)
    return _echoed(call, call.store.update(call.user, call.path_id("id"), given), given)


def move(call: ApiCall) -> Answer:
    """The stage comes from the argument `stageid`, which the path does not fill: its own part is named differently."""
    return _single(call, call.store.move(call.path_id("id"), call.params.integer("stageid"), call.user))


def delete(call: ApiCall) -> Answer:
    return _single(call, call.store.delete(call.user, call.path_id("id")))


def delete_many(call: ApiCall) -> Answer:
    ids = call.params.integers("opportunityids")
    if not ids:
        raise bad_request()
    return _list(call, call.store.delete_many(call.user, ids))


def by_contact(call: ApiCall) -> Answer:
    wanted = DealFilter(contact_id=call.path_id("contactid"), contact_also_is_participant=True)
    return _wrapped(call, call.store.find(call.user, wanted, "title", descending=False)) if wanted.contact_id else []


def by_prefix(call: ApiCall) -> Answer:
    """Opportunities whose title contains the text: among a contact's, or the first thirty of all."""
    prefix = call.params.text("prefix") or ""
    contact_id = call.params.integer("contactid")
    wanted = DealFilter(contact_id=max(0, contact_id), contact_also_is_participant=contact_id > 0)
    deals = [call.store.deals[deal_id] for deal_id in call.store.find(call.user, wanted, "title", descending=False)]
    if contact_id > 0:
        found = [deal for deal in deals if prefix in deal.title]
        rows = [call.view.opportunity(deal) for deal in found if deal.stage_id in call.store.stages]
        return Page(rows=rows, more=False, total=len(deals))
    words = prefix.casefold().split()
    found = [deal for deal in deals if all(word in deal.title.casefold() for word in words)][:_PREFIX_MAX]
    return [call.view.opportunity(deal) for deal in found if deal.stage_id in call.store.stages]


def get_contacts(call: ApiCall) -> Answer:
    deal = call.store.visible_deal(call.user, call.path_id("id"))
    rows = [call.view.contact(contact) for contact in call.store.seen_contacts(call.user, deal.members)]
    return [{**row, "canEdit": False} if row["id"] == deal.contact_id else row for row in rows]


def add_member(call: ApiCall) -> Answer:
    return call.view.contact(call.store.add_member(call.user, call.path_id("id"), call.path_id("contactid")))


def remove_member(call: ApiCall) -> Answer:
    return call.view.contact(call.store.remove_member(call.user, call.path_id("id"), call.path_id("contactid")))


def set_access(call: ApiCall) -> Answer:
    is_private, access_list = call.params.boolean("isprivate"), call.params.guids("accesslist")
    return _single(call, call.store.set_access(call.user, call.path_id("id"), is_private=is_private, access_list=access_list))


def field_definitions(call: ApiCall) -> Answer:
    return call.view.field_definitions()


def field_values(call: ApiCall) -> Answer:
    return call.view.field_values(call.store.visible_deal(call.user, call.path_id("id")))


def set_field(call: ApiCall) -> Answer:
    field_id, value = call.path_id("fieldid"), call.params.text("fieldvalue")
    if value is None:
        # Source: CustomFieldDao.SetFieldValue trims the text without looking whether it came.
        raise server_error("Object reference not set to an instance of an object.")
    deal = call.store.set_field(call.user, call.path_id("id"), field_id, value)
    return call.view.field_value(deal, field_id)


def tags(call: ApiCall) -> Answer:
    return list(call.store.visible_deal(call.user, call.path_id("id")).tags)


def add_tag(call: ApiCall) -> Answer:
    return call.store.add_tag(call.user, call.path_id("id"), call.params.text("tagname") or "")


def remove_tag(call: ApiCall) -> Answer:
    return call.store.remove_tag(call.user, call.path_id("id"), call.params.text("tagname") or "")


ENDPOINTS = (
    Endpoint("GET", "crm/opportunity/{id}", get_one),
    Endpoint("GET", "crm/opportunity/filter", get_filtered),
    Endpoint("DELETE", "crm/opportunity/filter", delete_filtered),
    Endpoint("POST", "crm/opportunity", create),
    Endpoint("PUT", "crm/opportunity/{id}", update),
    Endpoint("PUT", "crm/opportunity/{id}/stage/{stage}", move),
    Endpoint("DELETE", "crm/opportunity/{id}", delete),
    Endpoint("PUT", "crm/opportunity", delete_many),
    Endpoint("GET", "crm/opportunity/bycontact/{contactid}", by_contact),
    Endpoint("GET", "crm/opportunity/byprefix", by_prefix),
    Endpoint("GET", "crm/opportunity/{id}/contact", get_contacts),
    Endpoint("POST", "crm/opportunity/{id}/contact/{contactid}", add_member),
    Endpoint("DELETE", "crm/opportunity/{id}/contact/{contactid}", remove_member),
    Endpoint("PUT", "crm/opportunity/{id}/access", set_access),
    Endpoint("GET", "crm/opportunity/customfield/definitions", field_definitions),
    Endpoint("GET", "crm/opportunity/{id}/customfield", field_values),
    Endpoint("POST", "crm/opportunity/{id}/customfield/{fieldid}", set_field),
    Endpoint("GET", "crm/opportunity/tag/{id}", tags),
    Endpoint("POST", "crm/opportunity/{id}/tag", add_tag),
    Endpoint("DELETE", "crm/opportunity/{id}/tag", remove_tag),
)


def _single(call: ApiCall, deal: Deal) -> Json:
    if deal.stage_id not in call.store.stages and call.options["single_missing_stage"] == "not_found":
        raise not_found()
    return call.view.opportunity(deal)


def _echoed(call: ApiCall, deal: Deal, given: DealInput) -> Json:
    """The answer to a write is made of what was sent; the title that the portal keeps is seen by those who read it again."""
    return {**_single(call, deal), "title": given.title}


def _list(call: ApiCall, deals: list[Deal]) -> list[Any]:
    return call.view.opportunities(deals)


def _wrapped(call: ApiCall, ids: list[int]) -> list[Any]:
    return call.view.opportunities([call.store.deals[deal_id] for deal_id in ids])


def _filter(call: ApiCall) -> DealFilter:
    params = call.params
    from_date, to_date = params.date("fromdate"), params.date("todate")
    both = from_date is not None and to_date is not None
    return DealFilter(
        text=params.text("filtervalue") or "",
        responsible_id=params.guid("responsibleid"),
        stage_id=params.integer("opportunitystagesid"),
        tags=tuple(params.texts("tags")),
        contact_id=params.integer("contactid"),
        contact_also_is_participant=params.boolean("contactalsoisparticipant"),
        stage_type=params.word("stagetype", STAGE_TYPES),
        from_date=from_date if both else None,
        to_date=to_date if both else None,
    )


def _input(call: ApiCall) -> DealInput:
    params = call.params
    return DealInput(
        title=params.text("title"),
        description=params.text("description"),
        responsible_id=params.guid("responsibleid"),
        bid_type=params.word("bidtype", BID_TYPES) or 0,
        bid_value=params.number("bidvalue"),
        bid_currency=params.text("bidcurrencyabbr"),
        per_period_value=params.integer("perperiodvalue"),
        stage_id=params.integer("stageid"),
        success_probability=params.integer("successprobability"),
        contact_id=params.integer("contactid"),
        actual_close_date=params.date("actualclosedate"),
        expected_close_date=params.date("expectedclosedate"),
        members=params.integers("members"),
        custom_fields=params.key_values("customfieldlist"),
        is_private=params.boolean("isprivate"),
        access_list=params.guids("accesslist"),
    )


def _sort_by_path(rows: list[Any], path: list[str], *, descending: bool) -> None:
    def at_path(row: Any) -> tuple[int, str]:
        for part in path:
            row = next((value for name, value in row.items() if name.lower() == part), None) if is_object(row) else None
        return (0, "") if row is None else (1, str(row))

    rows.sort(key=at_path, reverse=descending)
