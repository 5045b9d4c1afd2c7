"""What all records of the graph share: a global id, and the Crm they live in."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import strawberry

from resolvers.node_id import encode
from resolvers.relation import attribute, computed, contextual
from resolvers.types.extension import vendor_fields

if TYPE_CHECKING:
    from resolvers.types.crm import Crm

C = TypeVar("C", bound=type)


@strawberry.interface(description="Anything with a global id, which `node` and `nodes` find again.")
class Node:
    id: strawberry.ID = computed(
        lambda record: encode(type(record).__name__, record.ref), "Global id, stable over time and unique over all CRMs."
    )


@strawberry.interface(description="A record that lives in one CRM.")
class CrmRecord(Node):
    crm: Annotated["Crm", strawberry.lazy("resolvers.types.crm")] = contextual(
        lambda record, context: context.crms[record.ref.crm], "The CRM it lives in."
    )
    vendor_id: str = attribute("The vendor's own id of it.", always="ref.local_id")


def record_type(model: type, description: str) -> Callable[[C], C]:
    """Make the graph's type of a model class: its values are the model's records themselves."""

    def make(owner: C) -> C:
        def is_type_of(cls: type, value: Any, info: Any) -> bool:  # noqa: ARG001  # Strawberry's signature
            return isinstance(value, model)

        owner.is_type_of = classmethod(is_type_of)  # type: ignore[attr-defined]  # Strawberry looks for it
        return strawberry.type(vendor_fields(model.__name__)(owner), description=description)

    return make
