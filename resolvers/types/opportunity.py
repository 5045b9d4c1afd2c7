from collections.abc import Awaitable
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import strawberry

from resolvers.errors import bad_input
from resolvers.listing.request import MAX_FIRST
from resolvers.relation import attribute, computed, contextual, relation
from resolvers.types.account import Account
from resolvers.types.contact import Contact
from resolvers.types.enums import OpportunityStatus, ValueOrigin
from resolvers.types.money import Money, currency_of
from resolvers.types.node import CrmRecord, record_type
from resolvers.types.pipeline import Pipeline
from resolvers.types.stage import Stage
from resolvers.types.user import User
from resolvers.types.values import CustomField, Reason
from vendors import model

if TYPE_CHECKING:
    from resolvers.context import Context
    from resolvers.types.change import StageChange

_LAST_MOVES: Final = 20
_WEIGHED = ("expected_revenue", "amount", "probability_percent", "status")


def _expected_revenue(record: model.Opportunity, context: "Context") -> model.Money | Awaitable[model.Money | None] | None:
    if record.expected_revenue is not None or record.amount is None:
        return record.expected_revenue
    if record.amount.currency_of is None:
        return _weighed(record, record.amount, record.amount.currency)
    return _weighed_later(record, record.amount, context)


async def _weighed_later(record: model.Opportunity, amount: model.Money, context: "Context") -> model.Money | None:
    return _weighed(record, amount, await currency_of(amount, context))


def _weighed(record: model.Opportunity, amount: model.Money, currency: str | None) -> model.Money | None:
    weighed = model.derived_expected_revenue(
        amount=amount.amount, currency=currency, probability_percent=record.probability_percent, status=record.status
    )
    return None if weighed is None else model.Money(amount=weighed, currency=currency)


def _expected_revenue_origin(record: model.Opportunity) -> model.ValueOrigin | None:
    if record.expected_revenue is not None:
        return model.ValueOrigin.VENDOR
    return None if record.amount is None or _weighed(record, record.amount, None) is None else model.ValueOrigin.DERIVED


async def _account_name(record: model.Opportunity, context: "Context") -> str | None:
    if record.account_name is not None:
        return record.account_name
    ref = record.account_ref
    if ref is model.UNREAD:
        links = await context.loaders.links_by_opportunity.load(record)
        ref = None if links is None else links.account_ref
    account = None if ref is None else await context.loaders.accounts_by_ref.load(ref)
    return None if account is None else account.name


async def _stage_history(
    self: Any,
    info: strawberry.Info[Any, Any],
    last: Annotated[int, strawberry.argument(description=f"Number of changes, the newest ones, from 1 to {MAX_FIRST}.")] = _LAST_MOVES,
) -> Any:
    if not 1 <= last <= MAX_FIRST:
        raise bad_input(f"`last` must be from 1 to {MAX_FIRST}, not {last}.")
    context: Context = info.context
    loaded = context.loaders.moves_by_opportunity.load(self.ref, last)
    return None if loaded is None else await loaded


@record_type(model.Opportunity, "A deal that may be won or lost.")
class Opportunity(CrmRecord):
    title: str = attribute("Title; may be empty where the vendor allows it.")
    description: str | None = attribute("Description.")
    amount: Money | None = attribute("What the deal is worth, as the salesperson entered it: over all periods where it is paid by period.")
    amount_base: Money | None = attribute("The amount in the CRM's base currency, as the vendor converted it.")
    cost: Money | None = attribute("What the deal costs us.")
    probability: float | None = attribute(
        "Chance of winning in percent, 0 to 100, as the vendor holds it; closing a deal does not change it.", reads="probability_percent"
    )
    probability_origin: ValueOrigin | None = attribute("Whether the probability is the record's own or that of its stage.")
    expected_revenue: Money | None = contextual(
        _expected_revenue,
        "The vendor's own, else the amount weighed by its chance: all when won, none when lost, rounded to the currency's minor units.",
        reads=_WEIGHED,
        also=(("Account", "currency"),),
    )
    expected_revenue_origin: ValueOrigin | None = computed(
        _expected_revenue_origin, "Whether the vendor sends the expected revenue or it is derived here.", reads=_WEIGHED
    )
    status: OpportunityStatus | None = attribute("Whether it is open, won or lost; null where the vendor's words are ambiguous.")
    status_label: str | None = attribute("The status in the vendor's own words.")
    pipeline: Pipeline | None = relation("The pipeline it is in.", loader="pipelines_by_ref", key="pipeline_ref")
    stage: Stage | None = relation("The stage it is in.", loader="stages_by_ref", key="stage_ref")
    stage_changed_at: datetime | None = attribute("When it came into its stage.")
    stage_history: list[Annotated["StageChange", strawberry.lazy("resolvers.types.change")]] | None = strawberry.field(
        resolver=_stage_history,
        description="Its changes of stage or status as far as they were seen and are kept, oldest first; null where nobody watches, which"
        " `Crm.changes` tells too.",
    )
    expected_close_date: date | None = attribute("Day on which it is expected to close.")
    actual_close_date: date | None = attribute("Day on which it was won or lost.")
    close_date: date | None = attribute("The actual close date, else the expected one.")
    closed_at: datetime | None = attribute("Moment at which it was won or lost.")
    loss_reason: Reason | None = attribute("Why it was lost.")
    won_reason: Reason | None = attribute("Why it was won.")
    owner: User | None = relation("The user who owns it.", loader="users_by_ref", key="owner_ref")
    account: Account | None = relation("The company it is with.", loader="accounts_by_ref", key="account_ref", links=True)
    account_name: str | None = contextual(
        _account_name,
        "Name of the company, also where no record of it is linked.",
        reads=("account_name", "account_ref"),
        also=(("Account", "name"),),
    )
    accounts: list[Account | None] | None = relation(
        "All companies involved, the main one first.", loader="accounts_by_ref", key="account_refs", many=True, links=True, assumed_size=2
    )
    primary_contact: Contact | None = relation("The main contact.", loader="contacts_by_ref", key="primary_contact_ref")
    contacts: list[Contact | None] | None = relation(
        "All contacts, the main one first.", loader="contacts_by_ref", key="contact_refs", many=True, links=True, assumed_size=3
    )
    type: str | None = attribute("Kind of deal, in the vendor's own words.")
    priority: str | None = attribute("Priority, in the vendor's own words.")
    lead_source: str | None = attribute("Where the lead came from, in the vendor's own words.")
    tags: list[str] | None = computed(
        lambda record: record.tags, "Tags; null where they could not be read.", reads=("tags",), assumed_size=3
    )
    custom_fields: list[CustomField] | None = computed(
        lambda record: record.custom_fields, "Fields that people of the CRM defined themselves.", reads=("custom_fields",), assumed_size=5
    )
    is_deleted: bool = attribute("Whether the vendor keeps it as deleted.")
    is_archived: bool | None = attribute("Whether it is archived.")
    is_private: bool | None = attribute("Whether only some users may see it.")
    can_edit: bool | None = attribute("Whether the configured credentials may change it.")
    created_at: datetime | None = attribute("When it was created.")
    updated_at: datetime | None = attribute("When it was last changed.")
    last_activity_at: datetime | None = attribute("When something last happened to it.")
    created_by: User | None = relation("Who created it.", loader="users_by_ref", key="created_by_ref")
    updated_by: User | None = relation("Who changed it last.", loader="users_by_ref", key="updated_by_ref")
    revision: str | None = attribute("The vendor's own number of its version.")
