"""Bodies of the ONLYOFFICE API 2.0, in its own spelling. Members that hold their type's default are left out by the vendor."""

import re
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import BeforeValidator

from vendors.wire import Day, Decoded, Decoder, Flag, Id, Instant, Key, Number, Raw, Text, Whole, WireModel

T = TypeVar("T")
E = TypeVar("E")

# Source: Community Server, ASC.Specific ApiDateTime: "no date" is the first moment of year 1.
_NO_DATE: Final = "0001-01-01"
# A string that a colon follows is a key: inside a text every quotation mark has a backslash before it.
_CAPITAL_KEY: Final = re.compile(rb'"([A-Z]\w*)"(?=\s*:)')
_CAPITAL_START: Final = re.compile(rb'"\w+"\s*:[\s\[{]*"[A-Z]\w*"\s*:')
_RESPONSE_KEYS: Final = (b'"response"', b'"Response"')


def _dated(value: Any) -> Any:
    return None if isinstance(value, str) and value.startswith(_NO_DATE) else value


Moment = Annotated[Instant, BeforeValidator(_dated)]
"""A moment in the portal's time zone, in UTC; year 1 is None."""
Date = Annotated[Day, BeforeValidator(_dated)]
"""A calendar day in the portal's time zone; year 1 is None."""
MomentText = Annotated[Raw, BeforeValidator(_dated)]
"""A moment as it came, for its day and its time in the portal's time zone; year 1 is None."""


class PortalDecoder(Decoder[E]):
    """Reads bodies whose keys are as the server writes them (`bidValue`), or as the vendor's API pages print them (`BidValue`, `ID`)."""

    def decode(self, body: bytes | str) -> Decoded[E]:
        return super().decode(in_camel_case(body.encode() if isinstance(body, str) else body))


def in_camel_case(body: bytes) -> bytes:
    """Give a body with keys as the server writes them; looks no further than its first key where they already are."""
    at = max(body.find(key) for key in _RESPONSE_KEYS)
    if body[at : at + 2] != b'"R' and _CAPITAL_START.match(body, max(at, 0)) is None:
        return body
    return _CAPITAL_KEY.sub(lambda match: b'"' + _camel(match[1]) + b'"', body)


def _camel(key: bytes) -> bytes:
    return key.lower() if key.isupper() else key[:1].lower() + key[1:]


class Envelope(WireModel, Generic[T]):
    # Source: Community Server, ApiStandartResponce. `nextIndex` stands for "there is more" only: as a number it is one too high.
    response: T
    nextIndex: Whole = None
    total: Whole = None


class Token(WireModel):
    # Source: API page "Authentication". A portal with a second factor answers without a token.
    token: Text = None
    expires: MomentText = None


class Currency(WireModel):
    # Source: API page "Create an opportunity", BidCurrency.
    title: Text = None
    symbol: Text = None
    abbreviation: Text = None
    cultureName: Text = None
    isConvertable: Flag = None
    isBasic: Flag = None


class Employee(WireModel):
    # Source: API page "Create an opportunity", Responsible. The name is HTML-encoded.
    id: Key
    displayName: Text = None
    title: Text = None
    avatarSmall: Text = None
    profileUrl: Text = None


class Person(Employee):
    # Source: Community Server, EmployeeWraperFull: the long form of the people module. `email` is null where it is hidden.
    firstName: Text = None
    lastName: Text = None
    email: Text = None
    status: Whole = None


class ContactBase(WireModel):
    # Source: API page "Create an opportunity", Members.
    id: Key
    displayName: Text = None
    isCompany: Flag = None
    smallFotoUrl: Text = None
    mediumFotoUrl: Text = None
    accessList: list[Employee] | None = None
    isPrivate: Flag = None
    isShared: Flag = None
    shareType: Whole = None
    currency: Currency | None = None
    canEdit: Flag = None
    canDelete: Flag = None


class ContactInfo(WireModel):
    # Source: Community Server, ContactInfoWrapper.
    infoType: Whole = None
    data: Text = None
    isPrimary: Flag = None


class Address(WireModel):
    # Source: Community Server, ASC.Api.CRM Address.
    street: Text = None
    city: Text = None
    state: Text = None
    zip: Text = None
    country: Text = None
    isPrimary: Flag = None


class Contact(ContactBase):
    # Source: Community Server, PersonWrapper and CompanyWrapper: both come from one endpoint.
    firstName: Text = None
    lastName: Text = None
    company: ContactBase | None = None
    title: Text = None
    companyName: Text = None
    industry: Text = None
    commonData: list[ContactInfo] | None = None
    addresses: list[Address] | None = None


class Stage(WireModel):
    # Source: API page "Create an opportunity", Stage.
    id: Key
    title: Text = None
    description: Text = None
    color: Text = None
    successProbability: Whole = None
    stageType: Whole = None
    sortOrder: Whole = None


class CustomField(WireModel):
    # Source: API page "Create an opportunity", CustomFields. A definition is the same without a value.
    id: Key
    entityId: Id = None
    label: Text = None
    fieldValue: Raw = None
    fieldType: Whole = None
    position: Whole = None
    mask: Text = None


class Opportunity(WireModel):
    # Source: API page "Create an opportunity", Responses.
    id: Key
    createBy: Employee | None = None
    created: Moment = None
    members: list[ContactBase] | None = None
    contact: ContactBase | None = None
    title: Text = None
    description: Text = None
    responsible: Employee | None = None
    bidType: Whole = None
    bidValue: Number = None
    bidCurrency: Currency | None = None
    perPeriodValue: Whole = None
    stage: Stage | None = None
    successProbability: Whole = None
    actualCloseDate: MomentText = None
    expectedCloseDate: Date = None
    isPrivate: Flag = None
    accessList: list[Employee] | None = None
    canEdit: Flag = None
    customFields: list[CustomField] | None = None


class Done(WireModel):
    """What is looked at of the answer to a write."""

    id: Id = None
    isPrivate: Flag = None
    accessList: list[Employee] | None = None


class Told(WireModel):
    # Source: Community Server, ErrorWrapper.
    message: Raw = None
    hresult: Id = None


class Refusal(WireModel):
    error: Told


class BatchEntry(WireModel):
    """The answer to one of several calls. `data` is JSON text that holds an envelope of its own."""

    # Source: API page "Batch request".
    name: Text = None
    status: Whole = None
    data: str = ""


def _rows(row: Any) -> PortalDecoder[Envelope[list[Any]]]:
    envelope: Any = Envelope[list[row]]
    return PortalDecoder(envelope, rows=["response"], row=row)


TOKEN: Final = PortalDecoder(Envelope[Token])
OPPORTUNITIES: Final[PortalDecoder[Envelope[list[Opportunity]]]] = _rows(Opportunity)
OPPORTUNITY: Final = PortalDecoder(Envelope[Opportunity])
CONTACTS: Final[PortalDecoder[Envelope[list[Contact]]]] = _rows(Contact)
CONTACT: Final = PortalDecoder(Envelope[Contact])
PEOPLE: Final[PortalDecoder[Envelope[list[Person]]]] = _rows(Person)
PERSON: Final = PortalDecoder(Envelope[Person])
STAGES: Final[PortalDecoder[Envelope[list[Stage]]]] = _rows(Stage)
CUSTOM_FIELDS: Final[PortalDecoder[Envelope[list[CustomField]]]] = _rows(CustomField)
CURRENCIES: Final[PortalDecoder[Envelope[list[Currency]]]] = _rows(Currency)
ANY: Final = PortalDecoder(Envelope[Any])
ERROR: Final = PortalDecoder(Refusal)
TAGS: Final = PortalDecoder(Envelope[list[str]])
BATCH: Final[PortalDecoder[Envelope[list[BatchEntry | None]]]] = _rows(BatchEntry | None)
