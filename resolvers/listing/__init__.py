"""One list over several Crms: filters, orders, pages in both directions and totals.

`opportunity_criteria` and `party_criteria` say which rows belong to a list, `order` in which order they come, `kinds` how each kind of
record is read. A `feed` brings the rows of one Crm: from the vendor's pages, from its pages in the order asked for, or from an index that
one scan has filled. `pages` merges the feeds into a page, whose cursors (`cursor`) hold a place in every Crm.
"""
