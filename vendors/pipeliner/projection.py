"""What to ask the vendor for: `expand` and `load-only`, computed from what an operation reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from vendors.extension import wire_names_of
from vendors.model import Selection
from vendors.pipeliner.extension import (
    PipelinerAccountFields,
    PipelinerContactFields,
    PipelinerOpportunityFields,
    PipelinerUserFields,
)

_EMAILS: Final = ("email1", "email2", "email3", "email4", "email5")
_PHONES: Final = ("phone1", "phone2", "phone3", "phone4", "phone5")
_CLOSED: Final = ("status", "won_date", "lost_date")
_REASON: Final = ("status", "reason_of_close_id", "reason_of_close_description")
_ACCOUNT_RELATION: Final = ("id", "is_deleted", "is_primary", "account_id")
_CONTACT_RELATION: Final = ("id", "is_deleted", "is_primary", "contact_id")
_OWN_CONTACT_RELATION: Final = ("relationship", "comment", "sales_roles")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a list call asks for. `only` is None for whole records."""

    expand: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    def params(self) -> list[tuple[str, str]]:
        """Source: Pipeliner "Create Opportunity", query parameters `expand` and `load-only`."""
        expand = [("expand", ",".join(sorted(self.expand)))] if self.expand else []
        return expand if self.only is None else [*expand, ("load-only", ",".join(sorted(self.only)))]

    def including(self, *names: str) -> "Ask":
        """The same with these fields too."""
        return Ask(self.expand, None if self.only is None else self.only | {*names})

    def below(self, relation: str, own: Iterable[str]) -> "Ask":
        """The same of the records that a relation leads to, and these fields of the record that has the relation."""
        only = None if self.only is None else _under(relation, self.only) | {*own}
        return Ask(_longest({relation} | _under(relation, self.expand)), only)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record: which of the vendor's fields each attribute of its model class, and of its extension class, comes from.

    An attribute without fields is one that the vendor does not have: it is None however it was read.
    """

    name: str
    extension: type
    attributes: Mapping[str, tuple[str, ...]]
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def wire_names(self, selection: Selection) -> frozenset[str]:
        """The vendor's names of what is read of it."""
        wanted = selection.of(self.name)
        names = {"id"}.union(*(self.attributes.get(name, ()) for name in (self.attributes if wanted is None else wanted)))
        return frozenset(names | self._own_names(selection))

    def covered(self, selection: Selection, present: frozenset[str]) -> frozenset[str]:
        """The attributes that are read of it and were there, given the vendor's names of the fields in a record."""
        wanted = selection.of(self.name)
        found = [name for name, needed in self.attributes.items() if (wanted is None or name in wanted) and present.issuperset(needed)]
        return frozenset(found).union({"extension"} if present >= self._own_names(selection) else ())

    def _own_names(self, selection: Selection) -> set[str]:
        own = selection.of(self.extension.__name__)
        computed = (self.own.get(name, ()) for name in (self.own if own is None else own))
        return wire_names_of(self.extension, own).union(*computed)


OPPORTUNITY: Final = Kind(
    "Opportunity",
    PipelinerOpportunityFields,
    {
        "title": ("name", "formatted_name"),
        "description": ("description",),
        "amount": ("value",),
        "amount_base": ("value",),
        "probability_percent": ("step_id",),
        "probability_origin": ("step_id",),
        "status": ("status",),
        "status_label": ("status",),
        "pipeline_ref": ("step_id",),
        "stage_ref": ("step_id",),
        "expected_close_date": ("closing_date",),
        "actual_close_date": _CLOSED,
        "close_date": (*_CLOSED, "closing_date"),
        "closed_at": _CLOSED,
        "loss_reason": _REASON,
        "won_reason": _REASON,
        "owner_ref": ("owner_id",),
        "account_ref": ("primary_account",),
        "account_name": ("primary_account", "quick_account_name"),
        "primary_contact_ref": ("primary_contact",),
        "type": ("oppty_type_id",),
        "priority": ("label_flag",),
        "lead_source": ("lead_source_id",),
        "is_deleted": ("is_deleted",),
        "is_archived": ("is_archived",),
        "is_private": ("share_mode",),
        "created_at": ("created",),
        "updated_at": ("modified",),
        "updated_by_ref": ("modified_by_user",),
        "revision": ("revision",),
    },
    {
        "labels": ("label_flag",),
        "won_date": ("won_date",),
        "lost_date": ("lost_date",),
        "oppty_type_id": ("oppty_type_id",),
        "unit_id": ("unit_id",),
        "product_currency_id": ("product_currency_id",),
        "product_price_list_id": ("product_price_list_id",),
        "reason_of_close_id": ("reason_of_close_id",),
        "share_mode": ("share_mode",),
        "value": ("value",),
        "fitness": ("fitness_description",),
    },
)
USER: Final = Kind(
    "User",
    PipelinerUserFields,
    {
        "name": ("formatted_name", "first_name", "last_name"),
        "first_name": ("first_name",),
        "last_name": ("last_name",),
        "email": ("email",),
        "is_active": ("is_deleted",),
    },
)
ACCOUNT: Final = Kind(
    "Account",
    PipelinerAccountFields,
    {
        "name": ("name",),
        "email": ("email1",),
        "phone": ("phone1",),
        "website": ("home_page",),
        "industry": ("industry_id",),
        "owner_ref": ("owner_id",),
        "parent_ref": ("parent_account_id",),
        "address": ("address", "city", "zip_code", "state_province", "country"),
        "currency": (),
    },
    {
        "account_type_id": ("account_type_id",),
        "customer_type_id": ("customer_type_id",),
        "industry_id": ("industry_id",),
        "parent_account_id": ("parent_account_id",),
        "parent_account_relation_type_id": ("parent_account_relation_type_id",),
        "unit_id": ("unit_id",),
        "account_class": ("account_class",),
        "emails": _EMAILS,
        "phones": _PHONES,
    },
)
CONTACT: Final = Kind(
    "Contact",
    PipelinerContactFields,
    {
        "name": ("formatted_name", "first_name", "last_name"),
        "first_name": ("first_name",),
        "last_name": ("last_name",),
        "email": ("email1",),
        "phone": ("phone1",),
        "title": ("position",),
        "account_ref": ("primary_account",),
        "owner_ref": ("owner_id",),
    },
    {"gender": ("gender",), "emails": _EMAILS, "phones": _PHONES, "account_relations": ("account_relations",)},
)


def ask_for_opportunities(selection: Selection, *, seeds: bool) -> Ask:
    """What to ask for of opportunities.

    Args:
        selection: What will be read.
        seeds: Whether the related records can be used too, and are worth being expanded.
    """
    wanted = selection.of("Opportunity")
    # Steps are not expanded: pipelines with their steps are a kept table.
    contact_relations = ask_for_contacts(selection).expand
    expand, only = set[str](), set(OPPORTUNITY.wire_names(selection)) | {"is_deleted"}

    def expand_to(relation: str, names: Iterable[str], *further: str) -> None:
        expand.update({relation}, _under(relation, further))
        only.discard(relation)
        only.update(_under(relation, names))

    if selection.wants("Opportunity", "tags"):
        expand_to("tags", ("id", "name"))
    if reads_account_relations(selection):
        expand_to("account_relations", _ACCOUNT_RELATION)
        if seeds:
            expand_to("account_relations.account", ACCOUNT.wire_names(selection))
    elif seeds and selection.wants("Opportunity", "account_ref"):
        expand_to("primary_account", ACCOUNT.wire_names(selection))
    if reads_contact_relations(selection):
        own = _OWN_CONTACT_RELATION if selection.wants("PipelinerOpportunityFields", "contact_relations") else ()
        expand_to("contact_relations", (*_CONTACT_RELATION, *own))
        if seeds:
            expand_to("contact_relations.contact", CONTACT.wire_names(selection), *contact_relations)
    elif seeds and selection.wants("Opportunity", "primary_contact_ref"):
        expand_to("primary_contact", CONTACT.wire_names(selection), *contact_relations)
    if seeds and selection.wants("Opportunity", "owner_ref"):
        expand_to("owner", USER.wire_names(selection))
    # Custom fields are keys of the opportunity itself, whose names only the field metadata tells: whole records have them all.
    return Ask(_longest(expand), None if wanted is None or "custom_fields" in wanted else frozenset(only))


def ask_for_account_relations(selection: Selection) -> Ask:
    """What to ask for of the links of opportunities to accounts."""
    return Ask(only=ACCOUNT.wire_names(selection)).below("account", (*_ACCOUNT_RELATION, "lead_oppty_id"))


def ask_for_contact_relations(selection: Selection) -> Ask:
    """What to ask for of the links of opportunities to contacts."""
    return ask_for_contacts(selection).below("contact", (*_CONTACT_RELATION, "lead_oppty_id"))


def ask_for_accounts(selection: Selection) -> Ask:
    return Ask(only=None if selection.of("Account") is None else ACCOUNT.wire_names(selection))


def ask_for_contacts(selection: Selection, *, seeds: bool = False) -> Ask:
    """What to ask for of contacts; `seeds` tells whether their accounts are worth being expanded."""
    expand = {"account_relations"} if selection.wants("PipelinerContactFields", "account_relations") else set[str]()
    only = CONTACT.wire_names(selection)
    if seeds and selection.wants("Contact", "account_ref"):
        expand.add("primary_account")
        only = only - {"primary_account"} | _under("primary_account", ACCOUNT.wire_names(selection))
    return Ask(frozenset(expand), None if selection.of("Contact") is None else only)


def reads_account_relations(selection: Selection) -> bool:
    return selection.wants("Opportunity", "account_refs") or selection.wants("PipelinerOpportunityFields", "account_relations")


def reads_contact_relations(selection: Selection) -> bool:
    return selection.wants("Opportunity", "contact_refs") or selection.wants("PipelinerOpportunityFields", "contact_relations")


def reads_steps(selection: Selection) -> bool:
    """Whether something is read of opportunities that only their step tells."""
    return selection.wants("Opportunity", "pipeline_ref", "probability_percent", "probability_origin")


def reads_currencies(selection: Selection) -> bool:
    return selection.wants("Opportunity", "amount", "amount_base", "custom_fields") or selection.wants(
        "PipelinerOpportunityFields", "value"
    )


def reads_labels(selection: Selection) -> bool:
    """Whether labels of dropdowns are read of opportunities or accounts."""
    return selection.wants("Opportunity", "loss_reason", "won_reason", "lead_source", "custom_fields") or selection.wants(
        "Account", "industry"
    )


def _under(relation: str, names: Iterable[str]) -> frozenset[str]:
    return frozenset(f"{relation}.{name}" for name in names)


def _longest(relations: Iterable[str]) -> frozenset[str]:
    """Without those that a longer one goes through: `a.b` expands `a` as well."""
    given = {*relations}
    return frozenset(name for name in given if not any(other.startswith(f"{name}.") for other in given))
