"""Bodies of the Autotask REST API, in its own spelling."""

from typing import Annotated, Any, Generic, TypeVar

import pydantic

from vendors.wire import Day, Decoder, Flag, Id, Instant, Key, Number, Text, Whole, WireModel

T = TypeVar("T")
RowId = Annotated[Key, pydantic.Field(pattern=r"^-?[0-9]{1,18}$")]
"""The id of a record, always a number (of 64 bits); pages go on behind the greatest."""


class Record(WireModel):
    id: RowId


class UserDefinedField(WireModel):
    name: str
    value: Text = None


class Opportunity(Record):
    # Source: Autotask REST "Opportunities", Field definitions (vendor help).
    advancedField1: Number = None
    advancedField2: Number = None
    advancedField3: Number = None
    advancedField4: Number = None
    advancedField5: Number = None
    amount: Number = None
    assessmentScore: Number = None
    barriers: Text = None
    closedDate: Day = None
    companyID: Id = None
    contactID: Id = None
    cost: Number = None
    createDate: Instant = None
    creatorResourceID: Id = None
    description: Text = None
    helpNeeded: Text = None
    impersonatorCreatorResourceID: Id = None
    lastActivity: Instant = None
    leadSource: Id = None
    lossReason: Id = None
    lossReasonDetail: Text = None
    lostDate: Instant = None
    market: Text = None
    monthlyCost: Number = None
    monthlyRevenue: Number = None
    nextStep: Text = None
    onetimeCost: Number = None
    onetimeRevenue: Number = None
    opportunityCategoryID: Id = None
    organizationalLevelAssociationID: Id = None
    ownerResourceID: Id = None
    primaryCompetitor: Id = None
    probability: Number = None
    productID: Id = None
    projectedCloseDate: Day = None
    promisedFulfillmentDate: Instant = None
    promotionName: Text = None
    quarterlyCost: Number = None
    quarterlyRevenue: Number = None
    rating: Id = None
    relationshipAssessmentScore: Number = None
    revenueSpread: Whole = None
    revenueSpreadUnit: Text = None
    salesOrderID: Id = None
    salesProcessPercentComplete: Number = None
    semiannualCost: Number = None
    semiannualRevenue: Number = None
    stage: Id = None
    startDate: Instant = None
    status: Id = None
    technicalAssessmentScore: Number = None
    throughDate: Day = None
    title: Text = None
    totalAmountMonths: Whole = None
    useQuoteTotals: Flag = None
    winReason: Id = None
    winReasonDetail: Text = None
    yearlyCost: Number = None
    yearlyRevenue: Number = None
    userDefinedFields: list[UserDefinedField] | None = None


class Company(Record):
    # Source: Autotask REST "Companies" (vendor help). Its name is companyName, not name.
    companyName: Text = None
    phone: Text = None
    webAddress: Text = None
    marketSegmentID: Id = None
    ownerResourceID: Id = None
    parentCompanyID: Id = None
    currencyID: Id = None
    address1: Text = None
    address2: Text = None
    city: Text = None
    state: Text = None
    postalCode: Text = None
    countryID: Id = None


class Contact(Record):
    # Source: Autotask REST "Contacts" (vendor help). isActive is 0 or 1 here.
    isActive: Flag = None
    companyID: Id = None
    firstName: Text = None
    lastName: Text = None
    title: Text = None
    emailAddress: Text = None
    phone: Text = None


class Resource(Record):
    # Source: Autotask REST "Resources" (vendor help). Its address is email, not emailAddress.
    firstName: Text = None
    lastName: Text = None
    email: Text = None
    userName: Text = None
    isActive: Flag = None


class Currency(Record):
    # Source: Autotask REST "Currencies" (vendor help).
    name: Text = None
    isInternalCurrency: Flag = None


class PicklistValue(WireModel):
    value: str
    label: Text = None
    sortOrder: Whole = None
    isActive: Flag = None
    isDefaultValue: Flag = None


class Field(WireModel):
    name: str
    label: Text = None
    dataType: Text = None
    length: Whole = None
    isRequired: Flag = None
    isPickList: Flag = None
    picklistValues: list[PicklistValue] | None = None


class PageDetails(WireModel):
    nextPageUrl: Text = None


class Items(WireModel, Generic[T]):
    items: list[T]
    pageDetails: PageDetails = PageDetails()


class Written(WireModel):
    """The answer to a write."""

    itemId: RowId


class Count(WireModel):
    queryCount: int


class Fields(WireModel):
    entries: Annotated[list[Field], pydantic.Field(alias="fields")]  # pydantic keeps the name for itself


class Zone(WireModel):
    url: str


class Failure(WireModel):
    """An error body of the application. The web framework below it sends `Message` instead, which tells no more than the status."""

    errors: tuple[Any, ...] = ()


OPPORTUNITIES = Decoder(Items[Opportunity], rows=["items"], row=Opportunity)
COMPANIES = Decoder(Items[Company], rows=["items"], row=Company)
CONTACTS = Decoder(Items[Contact], rows=["items"], row=Contact)
RESOURCES = Decoder(Items[Resource], rows=["items"], row=Resource)
CURRENCIES = Decoder(Items[Currency], rows=["items"], row=Currency)
WRITTEN = Decoder(Written)
COUNT = Decoder(Count)
FIELDS = Decoder(Fields, rows=["fields"], row=Field)
ZONE = Decoder(Zone)
FAILURE = Decoder(Failure)
