"""The fields of the entities this sandbox plays: their wire names, types and rules, as a table in the vendor's own words.

One line a field: name, type (with the longest length of a string), then flags. Validation, metadata and answers all read these tables.
"""

from dataclasses import dataclass
from typing import Literal

DataType = Literal["boolean", "date", "datetime", "decimal", "integer", "long", "string"]

# Source: Autotask REST "Opportunities", Field definitions (vendor help). The page's check marks for required, read-only and picklist
# are lost in its text form; required are the fields that the payloads of public clients always send.
# `date` is our word for a datetime whose time the server removes: closedDate, projectedCloseDate, throughDate (Special field attributes).
_OPPORTUNITY = """
id long readonly
advancedField1 decimal
advancedField2 decimal
advancedField3 decimal
advancedField4 decimal
advancedField5 decimal
amount decimal required
assessmentScore decimal readonly
barriers string:500
closedDate date
companyID integer required ref:Companies
contactID integer ref:Contacts
cost decimal required
createDate datetime readonly
creatorResourceID integer readonly ref:Resources
description string:8000
helpNeeded string:500
impersonatorCreatorResourceID integer readonly ref:Resources
lastActivity datetime readonly
leadSource integer picklist
lossReason integer picklist
lossReasonDetail string:500
lostDate datetime
market string:500
monthlyCost decimal
monthlyRevenue decimal
nextStep string:500
onetimeCost decimal
onetimeRevenue decimal
opportunityCategoryID integer picklist
organizationalLevelAssociationID integer ref:OrganizationalLevelAssociations
ownerResourceID integer required ref:Resources
primaryCompetitor integer picklist
probability integer required
productID integer ref:Products
projectedCloseDate date required
promisedFulfillmentDate datetime
promotionName string:50
quarterlyCost decimal
quarterlyRevenue decimal
rating integer picklist
relationshipAssessmentScore decimal readonly
revenueSpread integer
revenueSpreadUnit string:6 picklist
salesOrderID integer readonly ref:SalesOrders
salesProcessPercentComplete decimal readonly
semiannualCost decimal
semiannualRevenue decimal
stage integer required picklist
startDate datetime required
status integer required picklist
technicalAssessmentScore decimal readonly
throughDate date
title string:128 required
totalAmountMonths integer
useQuoteTotals boolean required
winReason integer picklist
winReasonDetail string:500
yearlyCost decimal
yearlyRevenue decimal
"""

# Source: Autotask REST "Companies" (vendor help).
_COMPANY = """
id long readonly
address1 string:128
address2 string:128
city string:30
classification integer picklist
companyName string:100 required
companyNumber string:50
companyType integer required picklist
competitorID integer picklist
countryID integer
createDate datetime readonly
createdByResourceID integer readonly ref:Resources
currencyID integer ref:Currencies
fax string:25
isActive boolean
lastActivityDate datetime readonly
lastTrackedModifiedDateTime datetime readonly
marketSegmentID integer picklist
ownerResourceID integer required ref:Resources
parentCompanyID integer ref:Companies
phone string:25 required
postalCode string:10
state string:40
taxID string:50
territoryID integer picklist
webAddress string:255
"""

# Source: Autotask REST "Contacts" (vendor help). isActive is a number here and a boolean everywhere else.
_CONTACT = """
id long readonly
addressLine string:128
addressLine1 string:128
alternatePhone string:32
city string:32
companyID integer ref:Companies
countryID integer
createDate datetime readonly
emailAddress string:254
emailAddress2 string:254
emailAddress3 string:254
extension string:10
externalID string:50
firstName string:50 required
isActive integer required
lastActivityDate datetime readonly
lastModifiedDate datetime readonly
lastName string:50 required
linkedInUrl string:200
middleInitial string:50
mobilePhone string:25
phone string:25
primaryContact boolean
state string:40
title string:50
zipCode string:16
"""

# Source: Autotask REST "Resources" (vendor help). The mail address is `email`, and there is no field for the full name.
_RESOURCE = """
id long readonly
email string:254 required
email2 string:254
email3 string:254
firstName string:50 required
hireDate datetime
initials string:32
isActive boolean
lastName string:50 required
licenseType integer picklist
locationID integer
middleName string:50
mobilePhone string:25
officePhone string:25
resourceType string:15 readonly
title string:50
userName string:32 required
userType integer picklist
"""

# Source: Autotask REST "Currencies" (vendor help): only exchangeRate can be updated.
_CURRENCY = """
id long readonly
currencyNegativeFormat string:10 readonly
currencyPositiveFormat string:10 readonly
description string:100 readonly
displaySymbol integer readonly picklist
exchangeRate decimal required
isActive boolean readonly
isInternalCurrency boolean readonly
lastModifiedDateTime datetime readonly
name string:100 readonly
updateResourceId integer readonly ref:Resources
"""

# Not documented in full: the part of the entity that a reader of opportunities needs.
_CATEGORY = """
id long readonly
isActive boolean
isGlobalDefault boolean readonly
name string:30 required
nickname string:3
"""

# Not documented in full: the part of the entity that `Opportunities.productID` leads to.
_PRODUCT = """
id long readonly
description string:2000
isActive boolean required
name string:100 required
unitCost decimal
unitPrice decimal
"""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an entity. `length` is 0 for everything but strings; `reference` names the entity whose id it holds."""

    name: str
    type: DataType
    length: int = 0
    required: bool = False
    readonly: bool = False
    picklist: bool = False
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """An entity: its path segment, the singular of its errors, its fields, and what may be done at its own path.

    Args:
        parent_field: The field that holds the parent where writes go through `{parent}/{id}/{entity}`.
        activity_field: The field that says when somebody last did something, stamped on every edit.
        modified_field: The field that says when the record was last changed.
    """

    name: str
    singular: str
    fields: dict[str, Field]
    can_create: bool = False
    can_update: bool = False
    has_udfs: bool = False
    webhooks: bool = False
    parent_field: str = ""
    activity_field: str = ""
    modified_field: str = ""


def _fields(table: str) -> dict[str, Field]:
    return {field.name: field for field in map(_field, table.strip().splitlines())}


def _field(line: str) -> Field:
    name, kind, *flags = line.split()
    word, _, length = kind.partition(":")
    reference = next((flag.removeprefix("ref:") for flag in flags if flag.startswith("ref:")), "")
    return Field(
        name=name,
        type=_DATA_TYPES[word],
        length=int(length or 0),
        required="required" in flags,
        readonly="readonly" in flags,
        picklist="picklist" in flags,
        reference=reference,
    )


_DATA_TYPES: dict[str, DataType] = {
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "decimal": "decimal",
    "integer": "integer",
    "long": "long",
    "string": "string",
}

# Source: Autotask REST entity pages: an opportunity cannot be deleted; contacts are written as children of their company; resources and
# currencies cannot be created. Webhooks exist for companies and contacts, not for opportunities ("Webhooks").
_ALL = (
    Entity(
        name="Opportunities",
        singular="Opportunity",
        fields=_fields(_OPPORTUNITY),
        can_create=True,
        can_update=True,
        has_udfs=True,
        activity_field="lastActivity",
    ),
    Entity(
        name="Companies",
        singular="Company",
        fields=_fields(_COMPANY),
        can_create=True,
        can_update=True,
        has_udfs=True,
        webhooks=True,
        activity_field="lastActivityDate",
        modified_field="lastTrackedModifiedDateTime",
    ),
    Entity(
        name="Contacts",
        singular="Contact",
        fields=_fields(_CONTACT),
        has_udfs=True,
        webhooks=True,
        parent_field="companyID",
        activity_field="lastActivityDate",
        modified_field="lastModifiedDate",
    ),
    Entity(name="Resources", singular="Resource", fields=_fields(_RESOURCE), can_update=True),
    Entity(name="Currencies", singular="Currency", fields=_fields(_CURRENCY), can_update=True, modified_field="lastModifiedDateTime"),
    Entity(name="OpportunityCategories", singular="OpportunityCategory", fields=_fields(_CATEGORY), can_update=True),
    Entity(name="Products", singular="Product", fields=_fields(_PRODUCT), has_udfs=True),
)
ENTITIES: dict[str, Entity] = {entity.name: entity for entity in _ALL}
