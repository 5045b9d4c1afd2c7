"""Counts and sums over the opportunities of all Crms, as a whole and in groups.

Amounts are summed exactly and by their own currency; each sum is converted once, at the rates of the day, and rounded at the very end.
"""
