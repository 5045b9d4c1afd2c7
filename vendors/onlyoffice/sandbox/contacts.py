"""Endpoints that make contacts and their data. Source: Community Server, CRMApi.Contacts.cs, CRMApi.ContactInfo.cs, ContactDao.cs."""

from vendors.onlyoffice.sandbox.call import ApiCall, Endpoint
from vendors.onlyoffice.sandbox.envelope import Answer
from vendors.onlyoffice.sandbox.faults import bad_request, not_found, server_error
from vendors.onlyoffice.sandbox.records import Contact

SHARE_TYPES = ("None", "ReadWrite", "Read")
INFO_TYPES = ("Phone", "Email", "Website", "Skype", "Twitter", "LinkedIn", "Facebook")
_CATEGORIES = ("Home", "Work", "Other")
_PHONE_CATEGORIES = ("Home", "Work", "Mobile", "Fax", "Direct", "Other")
_NAME_MAX = 255


def create_company(call: ApiCall) -> Answer:
    name = (call.params.text("companyname") or "").strip()
    if not name:
        raise bad_request()
    return call.view.contact(call.store.add_contact(_contact(call, is_company=True, name=_name(name))))


def create_person(call: ApiCall) -> Answer:
    params = call.params
    if (company_id := params.integer("companyid")) > 0:
        call.store.visible_contact(call.user, company_id)
    first_name, last_name = params.text("firstname"), params.text("lastname")
    if first_name is None or last_name is None:
        # Source: ContactDao.SaveContactToDb trims both names without looking whether they came.
        raise server_error("Object reference not set to an instance of an object.")
    if not first_name.strip():
        raise bad_request()
    contact = _contact(
        call,
        is_company=False,
        first_name=_name(first_name.strip()),
        last_name=_name(last_name.strip()),
        company_id=max(0, company_id),
        title=(params.text("jobtitle") or "").strip() or None,
    )
    return call.view.contact(call.store.add_contact(contact))


def add_data(call: ApiCall) -> Answer:
    """Add a telephone number, an e-mail address, ... A primary one takes that place from another."""
    params, contact_id = call.params, call.path_id("contactid")
    data = params.text("data")
    if not data or contact_id <= 0:
        raise bad_request()
    contact = call.store.contacts.get(contact_id)
    if contact is None or not call.store.can_edit_contact(call.user, contact):
        raise not_found()
    kind, category = params.word("infotype", INFO_TYPES) or 0, params.text("category") or ""
    categories = _CATEGORIES if kind else _PHONE_CATEGORIES
    if category not in categories:
        raise bad_request()
    row = {
        "infoType": kind,
        "category": categories.index(category),
        "data": data,
        "categoryName": category,
        "isPrimary": params.boolean("isprimary"),
    }
    return call.store.add_contact_info(contact, row)


ENDPOINTS = (
    Endpoint("POST", "crm/contact/company", create_company),
    Endpoint("POST", "crm/contact/person", create_person),
    Endpoint("POST", "crm/contact/{contactid}/data", add_data),
)


def _contact(
    call: ApiCall,
    *,
    is_company: bool,
    name: str = "",
    first_name: str = "",
    last_name: str = "",
    company_id: int = 0,
    title: str | None = None,
) -> Contact:
    return Contact(
        id=call.store.next_contact_id(),
        is_company=is_company,
        name=name,
        first_name=first_name,
        last_name=last_name,
        company_id=company_id,
        title=title,
        about=(call.params.text("about") or "").strip(),
        share_type=call.params.word("sharetype", SHARE_TYPES) or 0,
        access_list=call.params.guids("managerlist"),
        create_by=call.user.id,
        created=call.store.now(),
    )


def _name(text: str) -> str:
    if len(text) > _NAME_MAX:
        # The column is 255 wide; what the portal answers is not documented. Chosen: the database's refusal.
        raise server_error("Data too long for column 'display_name' at row 1")
    return text
