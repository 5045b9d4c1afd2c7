from decimal import Decimal
from typing import TYPE_CHECKING, Any

import strawberry

from resolvers.relation import attribute, contextual
from vendors import model

if TYPE_CHECKING:
    from resolvers.context import Context


async def _currency_of_account(ref: model.Ref, context: "Context") -> str | None:
    account = await context.loaders.accounts_by_ref.load(ref)
    return None if account is None else account.currency


def currency_of(money: model.Money, context: "Context") -> Any:
    """The currency of an amount, or the wait for it where only the account's record tells."""
    return money.currency if money.currency_of is None else _currency_of_account(money.currency_of, context)


@strawberry.type(description="An amount of money. Amounts of different currencies are never added.")
class Money:
    amount: Decimal = attribute("The amount, exact.")
    currency: str | None = contextual(
        currency_of, "ISO 4217 letters; null when the vendor does not say.", reads=("currency",), also=(("Account", "currency"),)
    )
