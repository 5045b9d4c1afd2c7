"""Writing into a Crm: checked before it is sent, sent once, and read back.

`values` turns inputs into what vendors write, `change` holds what changing an opportunity takes, `ledger` says what is kept of a write so
that it is never made twice, `work` makes it, and `asked` is how a mutation is asked for.
"""
