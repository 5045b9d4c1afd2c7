"""The portal's records as the objects of its answers, seen by one user."""

import html
import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vendors.onlyoffice.sandbox.records import Contact, CustomField, Deal, Employee, Stage
from vendors.onlyoffice.sandbox.store import Store
from vendors.sandbox import OptionValue

Json = dict[str, Any]

# Source: Community Server, Constants.LostUser: the stand-in for users who were deleted.
LOST_USER_ID = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3"
LOST_USER_NAME = "Profile has been removed"
NO_DATE = "0001-01-01T00:00:00.0000000Z"
_HEADING = 4
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ADDRESS = 7
_EMAIL = 1
_AVATARS = "/skins/default/images/default_user_photo_size_"

# Members declared with EmitDefaultValue=false: not sent while they hold their type's default.
# Source: Community Server, ASC.Api.CRM/Wrappers.
_OPPORTUNITY = frozenset(
    {"contact", "description", "bidType", "bidValue", "bidCurrency", "perPeriodValue", "stage", "successProbability", "accessList"}
)
_STAGE = frozenset({"title", "description", "color", "relativeItemsCount", "sortOrder"})
_EMPLOYEE = frozenset({"title"})
_CONTACT = frozenset(
    {
        "accessList",
        "firstName",
        "lastName",
        "company",
        "title",
        "companyName",
        "persons",
        "personsCount",
        "contactStatus",
        "contactType",
        "addresses",
        "taskCount",
        "email",
    }
)
_ADDRESS_KEYS = frozenset({"street", "city", "state", "zip", "country", "category", "categoryName", "isPrimary"})
_DEFINITION = frozenset({"relativeItemsCount"})


class View:
    """Builds the objects for one request.

    Args:
        store: The portal.
        user: Who asks; decides what is visible, editable, and whose e-mail addresses are shown.
        options: Positions of the sandbox's options.
        base_url: Origin for links to profiles.
    """

    def __init__(self, store: Store, user: Employee, options: Mapping[str, OptionValue], base_url: str) -> None:
        self.store = store
        self.user = user
        self._options = options
        self._base_url = base_url
        self._omit = options["defaults"] == "omitted"
        self._employees: dict[str, Json] = {}
        self._contacts: dict[int, Json] = {}

    # Opportunities

    def opportunities(self, deals: list[Deal]) -> list[Json]:
        """As lists give them: only filled custom fields, an access list only when private, no stage when its row is gone."""
        return [self._opportunity(deal, deal.access_list or None, self._filled_fields(deal)) for deal in deals]

    def opportunity(self, deal: Deal) -> Json:
        """As a single read gives it: always an access list, and every heading among the custom fields."""
        return self._opportunity(deal, deal.access_list, self._filled_fields(deal) + self._headings())

    def _opportunity(self, deal: Deal, access: list[str] | None, custom_fields: list[Json]) -> Json:
        store = self.store
        members = [self._base(contact) for contact in store.seen_contacts(self.user, deal.members)]
        primary = store.seen_contacts(self.user, [deal.contact_id])
        stage = store.stages.get(deal.stage_id)
        return self._shape(
            {
                "createBy": self.employee(deal.create_by),
                "created": self.date(deal.created),
                "members": members,
                "contact": self._base(primary[0]) if primary else None,
                "title": deal.title,
                "description": deal.description,
                "responsible": self.employee(deal.responsible_id),
                "bidType": deal.bid_type,
                "bidValue": deal.bid_value,
                "bidCurrency": self.currency(deal.bid_currency),
                "perPeriodValue": deal.per_period_value,
                "stage": self.stage(stage) if stage is not None else None,
                "successProbability": deal.success_probability,
                "actualCloseDate": self.date(deal.actual_close_date),
                "expectedCloseDate": self.date(deal.expected_close_date),
                "isPrivate": bool(deal.access_list),
                "accessList": None if access is None else [self.employee(user_id) for user_id in access],
                "canEdit": store.can_edit(self.user, deal),
                "customFields": custom_fields,
                "id": deal.id,
            },
            _OPPORTUNITY,
        )

    def stage(self, stage: Stage) -> Json:
        return self._shape(
            {
                "successProbability": stage.success_probability,
                "stageType": stage.stage_type,
                "title": stage.title,
                "description": stage.description,
                "color": stage.color,
                # Source: ListItemWrapper: declared, never filled for stages.
                "sortOrder": 0,
                "id": stage.id,
            },
            _STAGE,
        )

    def stage_with_count(self, stage: Stage) -> Json:
        return self._shape({**self.stage(stage), "relativeItemsCount": self.store.deals_in_stage(stage.id)}, _STAGE)

    # Custom fields

    def field_values(self, deal: Deal) -> list[Json]:
        return self._filled_fields(deal) + self._headings()

    def field_value(self, deal: Deal, field_id: int) -> Json:
        return self._field(self.store.custom_fields[field_id], deal.id, deal.fields.get(field_id))

    def field_definitions(self) -> list[Json]:
        used = Counter(field_id for deal in self.store.deals.values() for field_id in deal.fields)
        return [
            self._shape({**self._field(field, 0, None), "relativeItemsCount": used[field.id]}, _DEFINITION) for field in self._definitions()
        ]

    def _headings(self) -> list[Json]:
        return [self._field(field, 0, None) for field in self._definitions() if field.field_type == _HEADING]

    def _definitions(self) -> list[CustomField]:
        return sorted(self.store.custom_fields.values(), key=lambda field: (field.position, field.id))

    def _filled_fields(self, deal: Deal) -> list[Json]:
        if not deal.fields:
            return []
        return [self._field(field, deal.id, deal.fields[field.id]) for field in self._definitions() if deal.fields.get(field.id)]

    def _field(self, field: CustomField, entity_id: int, value: str | None) -> Json:
        is_day = field.field_type == 5 and value is not None and _ISO_DAY.fullmatch(value) is not None  # noqa: PLR2004
        if is_day and value and self._options["date_field_text"] == "portal":
            # Not documented how a date is written; an option of the sandbox. A text that is none is shown as it was given.
            year, month, day = value.split("-")
            value = f"{int(month)}/{int(day)}/{year}"
        return {
            "entityId": entity_id,
            "label": field.label,
            "fieldValue": value,
            "fieldType": field.field_type,
            "position": field.position,
            "mask": field.mask,
            "id": field.id,
        }

    # Contacts

    def contact_base(self, contact: Contact) -> Json:
        return dict(self._base(contact))

    def contact_with_email(self, contact: Contact) -> Json:
        """As `contact/mail` gives it. Source: ContactBaseWithEmailWrapper."""
        email = next((row for row in contact.info if row["infoType"] == _EMAIL and row["isPrimary"]), None)
        return self._shape({**self._base(contact), "email": email}, _CONTACT)

    def contact(self, contact: Contact) -> Json:
        """The whole person or company."""
        special: Json
        if contact.is_company:
            staff = sum(1 for other in self.store.contacts.values() if other.company_id == contact.id)
            special = {"companyName": contact.name, "persons": None, "personsCount": staff}
        else:
            employer = self.store.seen_contacts(self.user, [contact.company_id])
            special = {
                "firstName": contact.first_name,
                "lastName": contact.last_name,
                "company": self._base(employer[0]) if employer else None,
                "title": contact.title,
            }
        return self._shape(
            {
                **special,
                "createBy": self.employee(contact.create_by),
                "created": self.date(contact.created),
                "about": contact.about,
                "industry": contact.industry,
                "contactStatus": self.store.contact_statuses.get(contact.status_id),
                "contactType": self.store.contact_types.get(contact.type_id),
                "commonData": self.contact_data(contact),
                "addresses": [self._shape(address, _ADDRESS_KEYS) for address in contact.addresses] or None,
                "customFields": [],
                "tags": contact.tags,
                "taskCount": contact.task_count,
                "haveLateTasks": contact.have_late_tasks,
                **self._base(contact),
            },
            _CONTACT,
        )

    def contact_data(self, contact: Contact) -> list[Json]:
        return [row for row in contact.info if row["infoType"] != _ADDRESS]

    def _base(self, contact: Contact) -> Json:
        if contact.id not in self._contacts:
            photo = (
                f"/products/crm/httphandlers/filehandler.ashx?action=contactphotoulr&cid={contact.id}&isc={str(contact.is_company).lower()}"
            )
            closed = contact.share_type == 0
            self._contacts[contact.id] = self._shape(
                {
                    "smallFotoUrl": f"{photo}&ps=1",
                    "mediumFotoUrl": f"{photo}&ps=2",
                    "displayName": contact.display_name,
                    "isCompany": contact.is_company,
                    "accessList": [self.employee(user_id) for user_id in contact.access_list] if closed else None,
                    "isPrivate": closed,
                    "isShared": not closed,
                    "shareType": contact.share_type,
                    "currency": self.currency(contact.currency),
                    "canEdit": self.store.can_edit_contact(self.user, contact),
                    "canDelete": self.store.can_edit_contact(self.user, contact),
                    "id": contact.id,
                },
                _CONTACT,
            )
        return self._contacts[contact.id]

    # People

    def employee(self, user_id: str) -> Json:
        """The short form, with an HTML-encoded name; a deleted or unknown user becomes the stand-in."""
        if user_id not in self._employees:
            user = self.store.employees.get(user_id)
            self._employees[user_id] = self._shape(
                {
                    "id": user.id if user else LOST_USER_ID,
                    "displayName": encoded(user.name if user else LOST_USER_NAME),
                    "title": (user.title if user else "") or None,
                    "avatarSmall": f"{_AVATARS}32-32.png",
                    "profileUrl": f"{self._base_url}/Products/People/Profile.aspx?user={user.user_name if user else 'profile_removed'}",
                },
                _EMPLOYEE,
            )
        return self._employees[user_id]

    def full_employee(self, user: Employee) -> Json:
        """The long form of the people module."""
        shown = self.user.is_admin or user.id == self.user.id or self._options["people_email"] == "visible"
        department = encoded(user.department)
        return {
            **self.employee(user.id),
            "userName": user.user_name,
            "isVisitor": False,
            "firstName": user.first_name,
            "lastName": user.last_name,
            "email": user.email if shown else None,
            "status": user.status,
            "activationStatus": 1,
            "terminated": self.date(user.terminated) if user.terminated else None,
            "birthday": None,
            "sex": None,
            "department": department,
            "workFrom": self.date(user.work_from) if user.work_from else None,
            "groups": [],
            "location": None,
            "notes": None,
            "avatarMedium": f"{_AVATARS}48-48.png",
            "avatar": f"{_AVATARS}82-82.png",
            "isAdmin": user.is_admin,
            "isLDAP": False,
            "isOwner": user.is_owner,
            "isSSO": False,
            "cultureName": "en-US",
            "mobilePhone": user.mobile_phone if shown else None,
            "contacts": [],
            "quotaLimit": 0,
            "usedSpace": 0,
        }

    # Small things

    def currency(self, abbreviation: str | None) -> Json | None:
        return self.store.currencies.get(abbreviation or "")

    def date(self, instant: datetime | None) -> str:
        """Seven fraction digits and the portal's offset, `Z` for none. Source: ASC.Specific ApiDateTime."""
        if instant is None:
            return NO_DATE
        text = instant.astimezone(self.store.zone).isoformat(timespec="microseconds")
        offset = text[26:]
        return f"{text[:26]}0{'Z' if offset == '+00:00' else offset}"

    def _shape(self, values: Json, droppable: frozenset[str]) -> Json:
        if not self._omit:
            return values
        return {name: value for name, value in values.items() if name not in droppable or not (value is None or value == 0)}


def encoded(text: str) -> str:
    """HTML-encode as .NET does: the five special characters, and U+00A0 to U+00FF as numbers. Source: HttpUtility.HtmlEncode."""
    special = html.escape(text).replace("&#x27;", "&#39;")
    return "".join(f"&#{ord(char)};" if "\u00a0" <= char <= "\u00ff" else char for char in special)
