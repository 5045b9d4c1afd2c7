"""The rules of the vendor's page on opportunities: what is refused, and what the server sets itself.

Source: Autotask REST "Opportunities", Conditions and requirements, and Special field attributes (vendor help).
"""

from decimal import Decimal

from vendors.autotask.sandbox.fields import ENTITIES
from vendors.autotask.sandbox.store import ACTIVE, CLOSED, LOST, Store
from vendors.autotask.sandbox.values import RefusedError, Row, instant
from vendors.autotask.sandbox.writing import Write, bad_reference

_FIELDS = ENTITIES["Opportunities"].fields
_PERIODS = ("onetime", "monthly", "quarterly", "semiannual", "yearly")
REVENUE_PARTS = tuple(f"{period}Revenue" for period in _PERIODS)
COST_PARTS = tuple(f"{period}Cost" for period in _PERIODS)

# Not documented: how often a period counts. Months of the total divided by the months of the period; a contract year when unset.
_PERIOD_MONTHS = {"monthly": 1, "quarterly": 3, "semiannual": 6, "yearly": 12}
_MONTHS_WHEN_UNSET = 12
# Not documented: the stored word of "all at once"; the field has room for six characters.
_ALL_AT_ONCE = "Once"
# Not documented: how an API-only user is told from a person. Licence type of our picklist.
API_LICENSE = 7
_MAX_PROBABILITY = 100


def with_category_defaults(store: Store, write: Write) -> Write:
    """Fill what a new opportunity leaves open from its category, or from the default category when it names none."""
    given = dict(write.given)
    if given.get("opportunityCategoryID") is None:
        given["opportunityCategoryID"] = next(
            row["id"] for row in store.tables["OpportunityCategories"].rows.values() if row.get("isGlobalDefault")
        )
    defaults = store.category_defaults.get(given["opportunityCategoryID"], {})
    return Write(verb=write.verb, before=write.before, given=defaults | {name: value for name, value in given.items() if value is not None})


def check(store: Store, write: Write) -> None:
    """Refuse what the page says is not accepted.

    Raises:
        RefusedError: A rule is broken; texts are the vendor's where one is known.
    """
    if write.changes("title") and not write.after("title").strip():
        raise RefusedError("Missing Required Field: title.")
    if not 0 <= write.after("probability") <= _MAX_PROBABILITY:
        raise RefusedError("probability must be greater than or equal to 0 and less than or equal to 100.")
    # Days are compared: only the projected close loses its time.
    closing_changes = write.changes("projectedCloseDate") or write.changes("startDate")
    if closing_changes and write.after("projectedCloseDate")[:10] < write.after("startDate")[:10]:
        raise RefusedError("projectedCloseDate must be greater than or equal to startDate.")
    if (write.changes("contactID") or write.changes("companyID")) and not _contact_fits(
        store, write.after("contactID"), write.after("companyID")
    ):
        raise bad_reference(_FIELDS["contactID"])
    if write.changes("ownerResourceID") and not _can_own(store, write.after("ownerResourceID")):
        raise bad_reference(_FIELDS["ownerResourceID"])
    if write.changes("useQuoteTotals") and write.after("useQuoteTotals") and write.before.get("id") not in store.quoted:
        raise RefusedError("useQuoteTotals can only be True if a Quote references this Opportunity.")
    if write.changes("organizationalLevelAssociationID") and write.after("organizationalLevelAssociationID") is None:
        raise RefusedError("organizationalLevelAssociationID cannot be cleared.")


def settle(store: Store, write: Write) -> Row:
    """The changes that are kept: what was sent, less what the server ignores, plus what it sets."""
    changes = dict(write.given)
    changes |= _totals(write)
    if write.after("revenueSpreadUnit") is None:
        changes["revenueSpread"] = None
        if write.after("revenueSpread") is None:
            changes["revenueSpreadUnit"] = _ALL_AT_ONCE
    if write.changes("stage"):
        changes |= _status_of_stage(store, write)
    changes["lostDate"] = _lost_date(store, write, changes)
    if changes.get("title"):
        # Not documented: what becomes of blanks around a text; so that what is read is not what was written.
        changes["title"] = changes["title"].strip()
    if changes.get("status") == CLOSED and write.before.get("status") != CLOSED and write.after("closedDate") is None:
        # Not documented: whether the server fills it; an option of the sandbox.
        changes["closedDate"] = f"{instant(store.now())[:10]}T00:00:00.000Z" if store.options["closed_date"] == "filled" else None
    return changes


def _contact_fits(store: Store, contact_id: int | None, company_id: int) -> bool:
    if contact_id is None:
        return True
    contact, company = store.row("Contacts", contact_id), store.row("Companies", company_id)
    if contact is None or company is None or contact["isActive"] != 1:
        return False
    return contact.get("companyID") in {company_id, company.get("parentCompanyID", company_id)}


def _can_own(store: Store, resource_id: int) -> bool:
    resource = store.row("Resources", resource_id)
    return resource is not None and bool(resource.get("isActive")) and resource.get("licenseType") != API_LICENSE


def _totals(write: Write) -> Row:
    """Amount and cost: totals of their parts once any part is sent or changed, else a new total becomes the one-time part.

    The page says the latter of the amount only; the cost is treated alike, so that a later recomputation of both loses nothing.
    """
    if any(write.changes(part) for part in (*REVENUE_PARTS, *COST_PARTS)):
        return {"amount": _total(write, "Revenue"), "cost": _total(write, "Cost")}
    changes: Row = {}
    for total, parts in (("amount", REVENUE_PARTS), ("cost", COST_PARTS)):
        if write.changes(total):
            changes |= dict.fromkeys(parts) | {parts[0]: write.after(total)}
    return changes


def _total(write: Write, kind: str) -> Decimal:
    months = write.after("totalAmountMonths") or _MONTHS_WHEN_UNSET
    total = Decimal(str(write.after(f"onetime{kind}") or 0))
    for period, length in _PERIOD_MONTHS.items():
        total += Decimal(str(write.after(f"{period}{kind}") or 0)) * months / length
    return round(total, 4)


def _status_of_stage(store: Store, write: Write) -> Row:
    # Not documented: whether a stage written through the API takes the status along; an option of the sandbox.
    if store.options["stage_sets_status"] == "no" or write.changes("status"):
        return {}
    stage, status = write.after("stage"), write.after("status")
    if stage in {store.won_stage, store.lost_stage}:
        return {"status": CLOSED if stage == store.won_stage else LOST}
    return {"status": ACTIVE} if status in {CLOSED, LOST} else {}


def _lost_date(store: Store, write: Write, changes: Row) -> str | None:
    """Source: Special field attributes, lostDate; its five cases in order."""
    before, status = write.before.get("status"), changes.get("status", write.before.get("status"))
    supplied, kept = write.given.get("lostDate"), write.before.get("lostDate")
    if status != before:
        return (supplied or instant(store.now())) if status == LOST else None
    return (supplied or kept) if status == LOST else kept
