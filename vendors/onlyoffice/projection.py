"""What of its rows the portal is asked for, where an operation reads little of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from vendors.model import UNREAD, Opportunity, Selection
from vendors.onlyoffice.query import OpportunityFilter

_STATUS: Final = ("stage", "stageType")
_CLOSE: Final = ("actualCloseDate",)
# Where attributes come from. Source: Community Server, ApiContext: `fields` keeps these keys of a row; whether those of the objects inside
# it too is not confirmed, so that what is read in there is named as well.
_WIRE: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title",),
    "description": ("description",),
    "amount": ("bidType", "bidValue", "perPeriodValue", "bidCurrency", "abbreviation"),
    "probability_percent": ("successProbability",),
    "probability_origin": ("successProbability",),
    "status": _STATUS,
    "status_label": _STATUS,
    "stage_ref": ("stage",),
    "expected_close_date": ("expectedCloseDate",),
    "actual_close_date": _CLOSE,
    "close_date": ("expectedCloseDate", *_CLOSE),
    "closed_at": _CLOSE,
    "owner_ref": ("responsible",),
    "is_private": ("isPrivate",),
    "can_edit": ("canEdit",),
    "created_at": ("created",),
    "created_by_ref": ("createBy",),
}
# What only whole rows tell, or further reads that begin with one.
_OF_WHOLE_ROWS: Final = frozenset(
    {"account_ref", "account_name", "account_refs", "primary_contact_ref", "contact_refs", "tags", "custom_fields", "extension"}
)
# What is the same in all rows, or what the vendor does not have.
_OF_NO_KEY: Final = frozenset({*Opportunity.__dataclass_fields__, "id"}) - _OF_WHOLE_ROWS - frozenset(_WIRE)
# Names of people stand in whole rows, and of removed ones nowhere else.
_CLASSES_OF_WHOLE_ROWS: Final = ("User", "OnlyofficeOpportunityFields")


@dataclass(frozen=True, slots=True)
class Projection:
    """Keys of a row, and the attributes that they tell."""

    keys: frozenset[str]
    attributes: frozenset[str]

    @property
    def params(self) -> list[tuple[str, str]]:
        return [("fields", ",".join(sorted(self.keys)))]

    def narrowed(self, record: Opportunity) -> Opportunity:
        """The same record without what looks read in it and is not."""
        return replace(
            record,
            read_fields=self.attributes,
            amount=record.amount if "amount" in self.attributes else None,
            probability_percent=record.probability_percent if "probability_percent" in self.attributes else None,
            account_ref=UNREAD,
            account_name=None,
            account_refs=UNREAD,
            primary_contact_ref=None,
            contact_refs=UNREAD,
            custom_fields=None,
            extension=None,
        )


def projection_of(selection: Selection, wanted: OpportunityFilter) -> Projection | None:
    """Choose what to ask for, so that it can be told which rows a filter keeps; None for whole rows."""
    attributes = selection.of("Opportunity")
    if (
        attributes is None
        or not attributes <= _WIRE.keys() | _OF_NO_KEY
        or any(selection.mentions(name) for name in _CLASSES_OF_WHOLE_ROWS)
        or wanted.contact_id is not None
        or wanted.account_id is not None
    ):
        return None
    keys = {"id"}.union(*(_WIRE.get(name, ()) for name in attributes))
    keys |= {"stage"} if wanted.stage_id is not None else set()
    keys |= {"responsible"} if wanted.owner_id is not None else set()
    return Projection(frozenset(keys), _OF_NO_KEY.union(name for name, of_it in _WIRE.items() if keys.issuperset(of_it)))
