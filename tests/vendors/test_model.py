"""Derivations of the normalized model."""

from decimal import Decimal

from vendors.model import OpportunityStatus, derived_expected_revenue


def test_an_amount_of_many_digits_is_weighed_exactly() -> None:
    amount = Decimal("123456789012345678901234567890123456789.10")

    weighed = derived_expected_revenue(amount=amount, currency="EUR", probability_percent=50, status=OpportunityStatus.OPEN)

    assert weighed == Decimal("61728394506172839450617283945061728394.55")
