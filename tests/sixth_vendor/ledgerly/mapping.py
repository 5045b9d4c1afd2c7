from vendors.extension import extension_from
from vendors.ledgerly import wire
from vendors.ledgerly.extension import LedgerlyOpportunityFields
from vendors.model import Money, Opportunity, OpportunityStatus, Ref

_STATUS = {"yes": OpportunityStatus.WON, "no": OpportunityStatus.LOST, "maybe": OpportunityStatus.OPEN}


def opportunity_from_wire(crm: str, row: wire.Deal) -> Opportunity:
    return Opportunity(
        ref=Ref(crm, row.id),
        title=row.headline or "",
        amount=None if row.worth is None else Money(amount=row.worth, currency=row.money),
        status=_STATUS.get(row.outcome or ""),
        status_label=row.outcome,
        extension=extension_from(LedgerlyOpportunityFields, row),
    )
