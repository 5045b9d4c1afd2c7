"""Writing into a Crm: checked before it is sent, sent once, and read back.

`inputs` turns the graph's inputs into values, `ledger` says what is kept of a write so that it is never made twice, `work` makes it.
"""
