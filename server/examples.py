"""Queries that people meet first: the one that the demo prints, and GraphiQL's tabs."""

from typing import Final

from server.graphiql import Tab

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

_CRMS: Final = """\
# Every CRM, how it is doing, and what it can do.
query Crms {
  crms {
    key
    label
    vendor
    baseCurrency
    capabilities
    health { circuit code message }
    pipelines {
      name
      isSynthetic
      stages { order name probability kind }
    }
  }
}
"""

# The explorer complains of lists that are written out, so single values stand in these queries, and lists in variables.
_QUARTER_BOARD: Final = """\
# What is to be closed in a quarter, in all CRMs, the greatest amount first and all of it in one currency.
query QuarterBoard($from: Date!, $before: Date!, $currency: String!) {
  opportunities(
    filter: {status: OPEN, expectedCloseDate: {gte: $from, lt: $before}}
    orderBy: {field: AMOUNT, descending: true, currency: $currency}
    first: 25
  ) {
    totalCount
    nodes {
      title
      expectedCloseDate
      crm { key }
      amount { amount currency in(currency: $currency) { amount rate rateDate } }
      stage { name }
      owner { name }
      account { name }
    }
    pageInfo { hasNextPage endCursor }
    sources { crm { key } status code rows totalCount totalCountOrigin pushedDown evaluatedHere }
  }
}
"""

_MY_DEALS: Final = """\
# Deals of one person, who has another id in every CRM.
query MyDeals($emails: [String!]!) {
  opportunities(filter: {ownerEmails: $emails, status: OPEN}, orderBy: {field: EXPECTED_CLOSE_DATE}, first: 25) {
    totalCount
    nodes {
      title
      expectedCloseDate
      crm { key }
      amount { amount currency }
      stage { name }
      account { name }
    }
    sources { crm { key } status code rows totalCount }
  }
}
"""

_SUMMARY: Final = """\
# Counts and sums by what $groupBy names, without reading the deals themselves.
query Summary($groupBy: [OpportunityGroupKey!], $currency: String!) {
  opportunitySummary(filter: {status: OPEN}, groupBy: $groupBy, currency: $currency) {
    count
    total { amount currency }
    weightedTotal { amount currency }
    unconverted { currency count total }
    isComplete
    groups(first: 20) {
      crm { key }
      stage { name }
      count
      total { amount }
      weightedTotal { amount }
    }
    sources { crm { key } status code }
  }
}
"""

_EXPLAIN: Final = """\
# How a page of opportunities comes about: what each vendor evaluates, and what reading the rest takes. A dry run calls no vendor.
query Explain($dryRun: Boolean!) {
  explain(filter: {status: OPEN}, orderBy: {field: UPDATED_AT, descending: true}, first: 25, dryRun: $dryRun) {
    rows
    vendorCalls
    plans {
      source { crm { key } status code vendorCalls pushedDown evaluatedHere fetchedAt }
      strategy
      pages
      rowsScanned
      cacheHits
      milliseconds
      needsCall
    }
  }
}
"""

_PAGING: Final = """\
# Page by page: put the endCursor of an answer into $after.
query Page($after: String) {
  opportunities(first: 25, after: $after) {
    edges {
      cursor
      node { title closeDate expectedRevenue { amount currency } expectedRevenueOrigin }
    }
    pageInfo { hasNextPage endCursor }
    sources { crm { key } status rows vendorCalls fetchedAt }
  }
}
"""

_OWN_FIELDS: Final = """\
# What only one vendor has stands in a field of the vendor's name; it is null on the others' records.
query OwnFields {
  opportunities(first: 20) {
    nodes {
      title
      crm { key }
      customFields { label type value }
      autotask { useQuoteTotals rating { label } nextStep }
    }
  }
}
"""

TABS: Final = (
    Tab(query=f"# Opportunities of all CRMs in one list, with what belongs to them.\n{BOARD_QUERY}"),
    Tab(query=_QUARTER_BOARD, variables='{"from": "2027-04-01", "before": "2027-07-01", "currency": "EUR"}'),
    Tab(query=_MY_DEALS, variables='{"emails": ["mira.koenig@nordkai.example"]}'),
    Tab(query=_SUMMARY, variables='{"groupBy": ["CRM", "STAGE"], "currency": "EUR"}'),
    Tab(query=_EXPLAIN, variables='{"dryRun": false}'),
    Tab(query=_CRMS),
    Tab(query=_PAGING, variables='{"after": null}'),
    Tab(query=_OWN_FIELDS),
)
