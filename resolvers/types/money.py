import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import strawberry

from resolvers.errors import bad_input
from resolvers.rates import Converted, converted
from resolvers.relation import PLAN, FieldPlan, attribute, contextual
from vendors import model

if TYPE_CHECKING:
    from resolvers.context import Context

CURRENCY: Final = re.compile(r"[A-Z]{3}")
_ACCOUNT_CURRENCY: Final = (("Account", "currency"),)

TargetCurrency = Annotated[str, strawberry.argument(description="Currency to convert to, as three ISO 4217 letters such as `EUR`.")]
RateDay = Annotated[
    date | None,
    strawberry.argument(description="Day whose rates count, or those of the newest day before it; the latest rates when absent."),
]


async def _currency_of_account(ref: model.Ref, context: "Context") -> str | None:
    account = await context.loaders.accounts_by_ref.load(ref)
    return None if account is None else account.currency


def currency_of(money: model.Money, context: "Context") -> Any:
    """The currency of an amount, or the wait for it where only the account's record tells."""
    return money.currency if money.currency_of is None else _currency_of_account(money.currency_of, context)


def checked_currency(currency: str) -> str:
    """The argument, when it has the form of a currency.

    Raises:
        UserError: It has not (BAD_USER_INPUT).
    """
    if not CURRENCY.fullmatch(currency):
        raise bad_input(f"`currency` must be three capital letters of ISO 4217, such as EUR, not {currency[:50]!r}.")
    return currency


def _in(self: model.Money, info: strawberry.Info[Any, Any], currency: TargetCurrency, on: RateDay = None) -> Any:
    target, context = checked_currency(currency), info.context
    day = on or context.rates.latest or context.utc_now().date()
    if self.currency_of is None:
        return _converted_or_noted(self.amount, self.currency, target, day, context)
    return _converted_later(self, target, day, context)


async def _converted_later(money: model.Money, target: str, on: date, context: "Context") -> Converted | None:
    return _converted_or_noted(money.amount, await currency_of(money, context), target, on, context)


def _converted_or_noted(amount: Decimal, source: str | None, target: str, on: date, context: "Context") -> Converted | None:
    found = None if source is None else converted(context.rates, amount, source, target, on)
    if found is None:
        context.missing_rates.note(source, target)
    return found


@strawberry.type(description="An amount in another currency than its own, by an exchange rate.")
class ConvertedMoney:
    amount: Decimal = attribute("The original amount times the rate, rounded half-even to the currency's minor units.")
    currency: str = attribute("ISO 4217 letters.")
    rate: Decimal = attribute("What one unit of the original currency is worth in this one; through a third currency, to 34 digits.")
    rate_date: date = attribute("Day of the rate: never after the asked one.")


@strawberry.type(description="An amount of money. Amounts of different currencies are never added as they are.")
class Money:
    amount: Decimal = attribute("The amount, exact.")
    currency: str | None = contextual(
        currency_of, "ISO 4217 letters; null when the vendor does not say.", reads=("currency",), also=_ACCOUNT_CURRENCY
    )
    converted: ConvertedMoney | None = strawberry.field(
        resolver=_in,
        name="in",
        description="The amount in another currency, by the server's exchange rates; null when they have none for the two currencies and"
        " the day, or the amount's own currency is unknown, as `extensions.warnings` tells by MISSING_RATE.",
        metadata={PLAN: FieldPlan(reads=("amount", "currency"), also=_ACCOUNT_CURRENCY)},
    )
