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
    Tab(query=_CRMS),
    Tab(query=_PAGING, variables='{"after": null}'),
    Tab(query=_OWN_FIELDS),
)
