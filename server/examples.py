"""Queries that people meet first: the one that the demo prints, and GraphiQL's tabs.

They are one collection, and long since the lines of an editor are short.
"""

import json
from typing import Final

from resolvers.node_id import encode
from server.graphiql import Tab
from vendors.model import Ref

BOARD_QUERY: Final = """\
query Board {
  opportunities(first: 10) {
    nodes {
      id
      title
      status
      crm { key vendor }
      amount { amount currency }
      pipeline { name }
      stage { name }
      owner { name email }
      account { name }
      contacts { name email }
    }
    sources { crm { key } status code }
  }
}
"""

# Beside the explorer, in a window of 1400 pixels, GraphiQL's editor shows 35 columns of them, and wraps what is longer.
_CRMS: Final = """\
# Every CRM, how it is doing, and
# what it can do.
query Crms {
  crms {
    key
    label
    vendor
    baseCurrency
    capabilities
    closable
    health { circuit code message }
    pipelines {
      name
      isSynthetic
      stages {
        id order name
        probability kind
      }
    }
  }
}
"""

_STAGE_CHANGES: Final = """\
# Deals that come into another
# stage or status, in all CRMs,
# while it happens. With a cursor
# in $after, what came behind it
# comes first.
subscription StageChanges(
  $after: String
) {
  opportunityStageChanged(
    after: $after
  ) {
    cursor
    crm { key }
    opportunity {
      title
      amount { amount currency }
    }
    fromStage { name }
    toStage { name }
    fromStatus
    toStatus
    changedAt
    detectedAt
    source
  }
}
"""

# The explorer complains of lists that are written out, so single values stand in these queries, and lists in variables.
_QUARTER_BOARD: Final = """\
# What is to be closed in a
# quarter, in all CRMs, the
# greatest amount first, all of it
# in one currency.
query QuarterBoard(
  $from: Date!
  $before: Date!
  $currency: String!
) {
  opportunities(
    filter: {
      status: OPEN
      expectedCloseDate: {
        gte: $from
        lt: $before
      }
    }
    orderBy: {
      field: AMOUNT
      descending: true
      currency: $currency
    }
    first: 25
  ) {
    totalCount
    nodes {
      title
      expectedCloseDate
      crm { key }
      amount {
        amount currency
        in(currency: $currency) {
          amount rate rateDate
        }
      }
      stage { name }
      owner { name }
      account { name }
    }
    pageInfo {
      hasNextPage endCursor
    }
    sources {
      crm { key }
      status code rows
      totalCount totalCountOrigin
      pushedDown evaluatedHere
    }
  }
}
"""

_MY_DEALS: Final = """\
# Deals of one person, who has
# another id in every CRM.
query MyDeals(
  $emails: [String!]!
) {
  opportunities(
    filter: {
      ownerEmails: $emails
      status: OPEN
    }
    orderBy: {
      field: EXPECTED_CLOSE_DATE
    }
    first: 25
  ) {
    totalCount
    nodes {
      title
      expectedCloseDate
      crm { key }
      amount { amount currency }
      stage { name }
      account { name }
    }
    sources {
      crm { key }
      status code rows totalCount
    }
  }
}
"""

_SUMMARY: Final = """\
# Counts and sums by what $groupBy
# names, without reading the deals
# themselves.
query Summary(
  $groupBy: [OpportunityGroupKey!]
  $currency: String!
) {
  opportunitySummary(
    filter: {status: OPEN}
    groupBy: $groupBy
    currency: $currency
  ) {
    count
    total { amount currency }
    weightedTotal {
      amount currency
    }
    unconverted {
      currency count total
    }
    isComplete
    groups(first: 20) {
      crm { key }
      stage { name }
      count
      total { amount }
      weightedTotal { amount }
    }
    sources {
      crm { key } status code
    }
  }
}
"""

_EXPLAIN: Final = """\
# How a page of opportunities comes
# about: what each vendor
# evaluates, and what reading the
# rest takes. A dry run calls no
# vendor.
query Explain($dryRun: Boolean!) {
  explain(
    filter: {status: OPEN}
    orderBy: {
      field: UPDATED_AT
      descending: true
    }
    first: 25
    dryRun: $dryRun
  ) {
    rows
    vendorCalls
    plans {
      source {
        crm { key }
        status code vendorCalls
        pushedDown evaluatedHere
        fetchedAt
      }
      strategy
      pages
      rowsScanned
      cacheHits
      milliseconds
      leastCalls
      needsCall
    }
  }
}
"""

_PAGING: Final = """\
# Page by page: put the endCursor
# of an answer into $after.
query Page($after: String) {
  opportunities(
    first: 25
    after: $after
  ) {
    edges {
      cursor
      node {
        title
        closeDate
        expectedRevenue {
          amount currency
        }
        expectedRevenueOrigin
      }
    }
    pageInfo {
      hasNextPage endCursor
    }
    sources {
      crm { key }
      status rows
      vendorCalls fetchedAt
    }
  }
}
"""

_OWN_FIELDS: Final = """\
# What only one vendor has stands
# in a field of the vendor's name;
# it is null on the others'
# records.
query OwnFields {
  opportunities(first: 20) {
    nodes {
      title
      crm { key }
      customFields {
        label type value
      }
      autotask {
        useQuoteTotals
        rating { label }
        nextStep
      }
    }
  }
}
"""

_CREATE: Final = """\
# A new opportunity of the CRM
# "dach", with a company and two of
# its people. Run it again: the key
# keeps it from being made twice.
# $input goes into any CRM when its
# ids are of that one. What a CRM
# requires is told by
#   crm(key:) { createFields {
#     name isRequired
#   } }
mutation Create(
  $input: CreateOpportunityInput!
  $key: String
) {
  createOpportunity(
    input: $input
    idempotencyKey: $key
  ) {
    outcome
    opportunity {
      id
      title
      status
      amount { amount currency }
      probability
      expectedCloseDate
      pipeline { name }
      stage { name }
      owner { name }
      account { name }
      primaryContact { name }
      contacts { name }
    }
    userErrors {
      path code message vendorCode
    }
  }
}
"""

_MOVE: Final = """\
# To another stage. Put the id that
# Create has answered with into
# $input to move that one; Crms
# lists the stages.
mutation Move(
  $input: MoveOpportunityToStageInput!
) {
  moveOpportunityToStage(
    input: $input
  ) {
    outcome
    opportunity {
      id
      title
      status
      probability
      stage { name }
    }
    userErrors {
      path code message vendorCode
    }
  }
}
"""

_WIN: Final = """\
# Won: by the stage that the CRM's
# setting `won_stage_id` names.
# Without it the answer is
# NOT_SUPPORTED, and `closable`
# says so beforehand.
mutation Win(
  $input: CloseOpportunityInput!
) {
  closeOpportunity(input: $input) {
    outcome
    opportunity {
      id
      title
      status
      probability
      stage { name }
      actualCloseDate
      wonReason { detail }
    }
    userErrors {
      path code message vendorCode
    }
  }
}
"""

_DRY_RUN: Final = """\
# Only checked: what the vendor
# would be sent, without secrets,
# or every rule that the input
# breaks. Try a probability of 130.
mutation DryRun(
  $input: CreateOpportunityInput!
) {
  createOpportunity(
    input: $input
    dryRun: true
  ) {
    outcome
    vendorRequests {
      operation method path
      parameters body
    }
    userErrors {
      path code message
    }
  }
}
"""


def _id(type_name: str, crm: str, local_id: str) -> str:
    """The global id of a record of the demo's data."""
    return encode(type_name, Ref(crm, local_id))


def _variables(**values: object) -> str:
    return json.dumps(values, ensure_ascii=False, indent=2)


_NEGOTIATION: Final = "b95b8cbb-5cfe-42a7-88ec-fcba7109b094"
_DECK_LIGHTING: Final = _id("Opportunity", "dach", "0a3b1360-7bae-4b66-8983-608c2405526c")
_NEW_DEAL: Final = {
    "crm": "dach",
    "title": "Spreader beams, berth 6",
    "amount": {"amount": "185000.00", "currency": "EUR"},
    "expectedCloseDate": "2027-03-31",
    "stageId": _id("Stage", "dach", "8918a2fd-4012-46a4-ae84-62577c31c946"),
    "ownerId": _id("User", "dach", "00000000-0000-0000-0000-000000011410"),
    "accountId": _id("Account", "dach", "d992858d-af55-4ea9-9566-91896f914072"),
    "primaryContactId": _id("Contact", "dach", "c1ffcba6-b0c3-481b-87ba-c2ebdead167b"),
    "contactIds": [
        _id("Contact", "dach", "c1ffcba6-b0c3-481b-87ba-c2ebdead167b"),
        _id("Contact", "dach", "74ba1a0e-e810-42c8-9e32-e238626c2c92"),
    ],
    # A stage behind the second one asks for it.
    "customFields": [{"key": "cf_scope", "value": "Two spreader beams with load cells, mounted and tested"}],
}
_NEW_CONTRACT: Final = {
    "crm": "service",
    "title": "Winch service contract, two tugs",
    "amount": {"amount": "36000.00", "currency": "GBP"},
    "probability": 60,
    "expectedCloseDate": "2027-03-31",
    "stageId": _id("Stage", "service", "29682773"),
    "ownerId": _id("User", "service", "29682886"),
    "accountId": _id("Account", "service", "29683513"),
    "primaryContactId": _id("Contact", "service", "30711"),
    "autotask": {"startDate": "2027-01-04T08:00:00Z", "nextStep": "Survey on board"},
}

_READING_TABS: Final = (
    Tab(query=f"# Opportunities of all CRMs in one\n# list, with what belongs to them.\n{BOARD_QUERY}"),
    Tab(query=_STAGE_CHANGES, variables='{"after": null}'),
    Tab(query=_QUARTER_BOARD, variables=_variables(**{"from": "2027-04-01", "before": "2027-07-01", "currency": "EUR"})),
    Tab(query=_MY_DEALS, variables=_variables(emails=["mira.koenig@nordkai.example"])),
    Tab(query=_SUMMARY, variables=_variables(groupBy=["CRM", "STAGE"], currency="EUR")),
    Tab(query=_EXPLAIN, variables='{"dryRun": false}'),
)
_WRITING_TABS: Final = (
    Tab(query=_CREATE, variables=_variables(input=_NEW_DEAL, key="spreader-beams-from-graphiql")),
    Tab(query=_MOVE, variables=_variables(input={"id": _DECK_LIGHTING, "stageId": _id("Stage", "dach", _NEGOTIATION)})),
    Tab(query=_WIN, variables=_variables(input={"id": _DECK_LIGHTING, "status": "WON", "reasonDetail": "Delivered before the season"})),
    Tab(query=_DRY_RUN, variables=_variables(input=_NEW_CONTRACT)),
)
_MORE_TABS: Final = (
    Tab(query=_CRMS),
    Tab(query=_PAGING, variables='{"after": null}'),
    Tab(query=_OWN_FIELDS),
)
# Those that write name deals of the demo.
TABS: Final = (*_READING_TABS, *_WRITING_TABS, *_MORE_TABS)
# What every server's GraphiQL opens with.
PLAIN_TABS: Final = (*_READING_TABS, *_MORE_TABS)
