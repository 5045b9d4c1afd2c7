"""Endpoints beside opportunities: stages, contacts, people, currencies. Source: Community Server, ASC.Api.CRM and ASC.Api.Employee."""

from typing import Any

from vendors.onlyoffice.sandbox.call import ApiCall, Endpoint
from vendors.onlyoffice.sandbox.envelope import Answer, Page, page_bounds
from vendors.onlyoffice.sandbox.faults import bad_request, denied, not_found
from vendors.onlyoffice.sandbox.opportunities import STAGE_TYPES
from vendors.onlyoffice.sandbox.records import Employee, Stage
from vendors.onlyoffice.sandbox.search import CONTACT_SORTS, VIEWS, ContactFilter, keywords

_ACTIVE = 1

# Stages


def get_stages(call: ApiCall) -> Answer:
    return [call.view.stage_with_count(stage) for stage in call.store.ordered_stages()]


def get_stage(call: ApiCall) -> Answer:
    stage_id = call.path_id("stageid")
    if stage_id <= 0:
        raise bad_request()
    if stage_id not in call.store.stages:
        raise not_found()
    return call.view.stage_with_count(call.store.stages[stage_id])


def create_stage(call: ApiCall) -> Answer:
    return call.view.stage_with_count(_save_stage(call, None))


def update_stage(call: ApiCall) -> Answer:
    return call.view.stage_with_count(_save_stage(call, call.path_id("id")))


def color_stage(call: ApiCall) -> Answer:
    _demand_admin(call)
    return call.view.stage_with_count(call.store.color_stage(call.path_id("id"), call.params.text("color") or ""))


def reorder_stages(call: ApiCall) -> Answer:
    _demand_admin(call)
    return [call.view.stage_with_count(stage) for stage in call.store.reorder_stages(call.params.integers("ids"))]


def delete_stage(call: ApiCall) -> Answer:
    _demand_admin(call)
    return call.view.stage_with_count(call.store.delete_stage(call.path_id("id")))


# Contacts


def get_contact(call: ApiCall) -> Answer:
    return call.view.contact(call.store.visible_contact(call.user, call.path_id("id")))


def get_contacts(call: ApiCall) -> Answer:
    params = call.params
    wanted = ContactFilter(
        text=params.text("filtervalue") or "",
        view=params.word("contactlistview", VIEWS) or 0,
        tags=tuple(params.texts("tags")),
        status_id=params.integer("contactstage") if params.has("contactstage") else -1,
        type_id=params.integer("contacttype") if params.has("contacttype") else -1,
        responsible_id=params.guid("responsibleid"),
        is_shared=params.boolean("isshared") if params.has("isshared") else None,
        from_date=params.date("fromdate"),
        to_date=params.date("todate"),
    )
    sort_by = (params.text("sortby") or "").lower()
    descending = params.text("sortorder") == "descending" if sort_by else True
    ids = call.store.find_contacts(call.user, wanted, sort_by if sort_by in CONTACT_SORTS else "created", descending=descending)
    start, count = page_bounds(params)
    rows = [call.view.contact(call.store.contacts[contact_id]) for contact_id in ids[start : start + count]]
    return Page(rows=rows, more=len(ids) > start + count, total=start + len(rows) if len(rows) < count else len(ids))


def get_contacts_with_mail(call: ApiCall) -> Answer:
    """Several contacts, reduced; unknown and hidden ids are left out, and the order is the portal's own."""
    found = call.store.seen_contacts(call.user, call.params.integers("contactids"))
    return [call.view.contact_with_email(contact) for contact in sorted(found, key=lambda contact: contact.display_name.casefold())]


def get_staff(call: ApiCall) -> Answer:
    """People of a company. Source: ContactDao.AddMember: being added to another company does not end being listed here."""
    company = call.store.visible_contact(call.user, call.path_id("companyid"))
    staff = [contact.id for contact in call.store.contacts.values() if company.id in (contact.company_id, *contact.still_listed_by)]
    return [call.view.contact(contact) for contact in call.store.seen_contacts(call.user, staff)]


def get_contact_data(call: ApiCall) -> Answer:
    return list(call.view.contact_data(call.store.visible_contact(call.user, call.path_id("id"))))


# People


def get_person(call: ApiCall) -> Answer:
    name = call.path["user"].lower()
    if name == "@self":
        return call.view.full_employee(call.user)
    for user in call.store.employees.values():
        if name in (user.id, user.user_name.lower()):
            return call.view.full_employee(user)
    raise not_found("User not found")


def get_people(call: ApiCall) -> Answer:
    """Active people. The generic list filter works here: read in the source and never run, so an option of the sandbox."""
    rows: list[Any] = [call.view.full_employee(user) for user in _people(call) if user.status == _ACTIVE]
    by = (call.params.text("filterby") or "").lower()
    if not by or call.options["people_list_filter"] == "off":
        return rows
    wanted = {value.strip().lower() for value in (call.params.text("filtervalue") or "").split(",")}
    equals = (call.params.text("filterop") or "").lower() == "equals"
    return [row for row in rows if _passes(row, by, wanted, equals=equals)]


def get_people_filtered(call: ApiCall) -> Answer:
    return _people_page(call, full=True)


def get_people_simple(call: ApiCall) -> Answer:
    return _people_page(call, full=False)


# Money


def get_currencies(call: ApiCall) -> Answer:
    return list(call.store.currencies.values())


def convert(call: ApiCall) -> Answer:
    amount = call.params.number("amount")
    source, target = (_rate(call, name) for name in ("fromcurrency", "tocurrency"))
    return round(float(amount) / source * target, 4)


def get_rates(call: ApiCall) -> Answer:
    pairs = [(code, rate) for code, rate in call.store.rates.items() if rate != 1]
    return [{"fromCurrency": "EUR", "toCurrency": code, "rate": rate, "id": index} for index, (code, rate) in enumerate(pairs, 1)]


ENDPOINTS = (
    Endpoint("GET", "crm/opportunity/stage", get_stages),
    Endpoint("GET", "crm/opportunity/stage/{stageid}", get_stage),
    Endpoint("POST", "crm/opportunity/stage", create_stage),
    Endpoint("PUT", "crm/opportunity/stage/reorder", reorder_stages),
    Endpoint("PUT", "crm/opportunity/stage/{id}", update_stage),
    Endpoint("PUT", "crm/opportunity/stage/{id}/color", color_stage),
    Endpoint("DELETE", "crm/opportunity/stage/{id}", delete_stage),
    Endpoint("GET", "crm/contact/{id}", get_contact),
    Endpoint("GET", "crm/contact/filter", get_contacts),
    Endpoint("GET", "crm/contact/mail", get_contacts_with_mail),
    Endpoint("GET", "crm/contact/company/{companyid}/person", get_staff),
    Endpoint("GET", "crm/contact/{id}/data", get_contact_data),
    Endpoint("GET", "people", get_people),
    Endpoint("GET", "people/filter", get_people_filtered),
    Endpoint("GET", "people/simple/filter", get_people_simple),
    Endpoint("GET", "people/{user:text}", get_person),
    Endpoint("GET", "crm/settings/currency", get_currencies),
    Endpoint("GET", "crm/settings/currency/convert", convert),
    Endpoint("GET", "crm/currency/rates", get_rates),
)


def _demand_admin(call: ApiCall) -> None:
    if not call.user.is_admin:
        raise denied()


def _save_stage(call: ApiCall, stage_id: int | None) -> Stage:
    _demand_admin(call)
    params = call.params
    return call.store.save_stage(
        stage_id,
        params.text("title"),
        description=params.text("description") or "",
        color=params.text("color") or "",
        probability=params.integer("successprobability"),
        stage_type=params.word("stagetype", STAGE_TYPES) or 0,
    )


def _people(call: ApiCall) -> list[Employee]:
    """Everybody for an administrator, otherwise those who are active."""
    people = (user for user in call.store.employees.values() if call.user.is_admin or user.status == _ACTIVE)
    return sorted(people, key=lambda user: (user.first_name.casefold(), user.last_name.casefold()))


def _people_page(call: ApiCall, *, full: bool) -> Page:
    status = call.params.integer("employeestatus")
    words = keywords(call.params.text("filtervalue") or "")
    found = [
        user
        for user in _people(call)
        if (not status or user.status & status) and all(word in f"{user.name} {user.email}".casefold() for word in words)
    ]
    start, count = page_bounds(call.params)
    page = found[start : start + count]
    rows = [call.view.full_employee(user) if full else call.view.employee(user.id) for user in page]
    return Page(rows=rows, more=len(found) > start + count, total=len(found))


def _passes(row: dict[str, Any], by: str, wanted: set[str], *, equals: bool) -> bool:
    value = str(next((item for name, item in row.items() if name.lower() == by), "")).lower()
    return value in wanted if equals else any(text in value for text in wanted)


def _rate(call: ApiCall, name: str) -> float:
    rate = call.store.rates.get((call.params.text(name) or "").upper())
    if rate is None:
        raise bad_request()
    return rate
