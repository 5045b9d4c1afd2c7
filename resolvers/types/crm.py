from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from resolvers.loaders.pipelines import pipelines_of
from resolvers.node_id import encode
from resolvers.relation import attribute, computed, contextual
from resolvers.types.enums import Capability, CircuitState, CustomFieldType, ErrorCode, OpportunityStatus, Vendor
from resolvers.types.extension import vendor_fields
from resolvers.types.node import Node
from resolvers.types.payloads import CreateField
from resolvers.types.pipeline import Pipeline
from resolvers.types.watching import CrmChanges
from resolvers.writing.values import ONLY_OF_CHANGES, graph_name, in_graph_words
from vendors import registry
from vendors.capabilities import ReadsBaseCurrency, ReadsCustomFieldDefinitions, capabilities_of, supported
from vendors.changes import ReceivesWebhooks
from vendors.errors import VendorError
from vendors.model import CustomFieldDefinition as DefinitionModel
from vendors.model import Ref
from vendors.writes import ClosesOpportunities, CreatesOpportunities

if TYPE_CHECKING:
    from resolvers.context import Context


async def _base_currency(crm: registry.Crm, context: "Context") -> str | None:  # noqa: ARG001  # the shape of a contextual field
    return await crm.client.base_currency() if isinstance(crm.client, ReadsBaseCurrency) else None


async def _pipelines(crm: registry.Crm, context: "Context") -> Any:  # noqa: ARG001  # the shape of a contextual field
    return await pipelines_of(crm)


@dataclass(frozen=True, slots=True)
class _Health:
    """The health of a Crm at one moment: what an operation calls while it is shown may change it."""

    circuit: CircuitState
    error: VendorError | None


def _health(crm: registry.Crm) -> _Health:
    return _Health(crm.http.circuit.state, crm.http.health.error)


def _capabilities(crm: registry.Crm) -> list[Capability]:
    able = set(capabilities_of(crm.vendor.client))
    if not _closable(crm):
        able.discard(Capability.CLOSE_OPPORTUNITIES)
    if not (isinstance(crm.client, ReceivesWebhooks) and crm.client.receives_webhooks()):
        able.discard(Capability.RECEIVE_WEBHOOKS)
    return [capability for capability in Capability if capability in able]


def _closable(crm: registry.Crm) -> list[OpportunityStatus]:
    """What its opportunities can be given as a status; none where its vendor, or its settings, do not say how."""
    able = crm.client.closable() if isinstance(crm.client, ClosesOpportunities) else frozenset[OpportunityStatus]()
    return [status for status in OpportunityStatus if status in able]


async def _changes(crm: registry.Crm, context: "Context") -> Any:
    return None if context.changes is None else await context.changes.state(crm)


async def _create_fields(crm: registry.Crm, context: "Context") -> Any:  # noqa: ARG001  # the shape of a contextual field
    client = supported(crm.client, CreatesOpportunities, crm=crm.key, what="create opportunities")
    rules = await client.create_fields()
    return [
        replace(rule, name=graph_name(rule.name, crm), note=None if rule.note is None else in_graph_words(rule.note))
        for rule in rules
        if rule.name not in ONLY_OF_CHANGES
    ]


@strawberry.type(description="A definition of a custom field.")
@vendor_fields("CustomFieldDefinition")
class CustomFieldDefinition:
    key: str = attribute("The vendor's stable key of the field.")
    label: str | None = attribute("The field's name as people see it.")
    applies_to: str = attribute("Kind of record that has it, in lower case, such as `opportunity`.")
    type: CustomFieldType = attribute("Kind of value.")
    max_length: int | None = attribute("Number of characters it holds.")
    is_required: bool | None = attribute("Whether a record must have a value.")
    is_custom: bool | None = attribute("Whether people of the CRM defined it; false for the vendor's own fields.")
    is_active: bool | None = attribute("Whether it is in use.")
    options: list[str] = computed(
        lambda definition: definition.options, "The choices of a select field.", reads=("options",), assumed_size=10
    )


async def _definitions(
    self: Any,
    info: strawberry.Info[Any, Any],  # noqa: ARG001  # Strawberry tells resolvers of a type by their first argument alone
    applies_to: Annotated[str | None, strawberry.argument(description="Only those of this kind of record, such as `opportunity`.")] = None,
) -> Any:
    crm: registry.Crm = self
    client = supported(crm.client, ReadsCustomFieldDefinitions, crm=crm.key, what="tell its custom fields")
    found: list[DefinitionModel] = list(await client.custom_field_definitions())
    return [definition for definition in found if applies_to in {None, definition.applies_to}]


@strawberry.type(description="How a CRM is doing, as its last calls showed.")
class CrmHealth:
    circuit: CircuitState = attribute("Whether calls to it are let through.")
    code: ErrorCode | None = computed(
        lambda health: None if health.error is None else health.error.code, "What is wrong with it; null while it answers."
    )
    message: str | None = computed(
        lambda health: None if health.error is None else health.error.message, "What to do about it; null while it answers."
    )


@strawberry.type(description="One configured set of credentials for one vendor: a CRM of the company.")
class Crm(Node):
    id: strawberry.ID = computed(lambda crm: encode("Crm", Ref(crm.key, "")), "Global id.")
    key: str = attribute("The operator's key of it; part of every id and never changed.")
    vendor: Any = computed(lambda crm: Vendor(crm.vendor.key), "The product it is run with.", graphql_type=Vendor)
    label: str = attribute("Name for people.")
    base_currency: str | None = contextual(
        _base_currency, "ISO 4217 letters of the currency that its own totals are in; null when unknown."
    )
    capabilities: list[Capability] = computed(_capabilities, "What it can do.", assumed_size=10)
    closable: list[OpportunityStatus] = computed(
        _closable, "The statuses that `closeOpportunity` can give; OPEN where a closed one can be opened again.", assumed_size=3
    )
    create_fields: list[CreateField] | None = contextual(
        _create_fields, "What a new opportunity requires and may have here, for whoever builds a form.", assumed_size=30
    )
    health: CrmHealth = computed(_health, "How it is doing, as its last calls showed.")
    changes: CrmChanges | None = contextual(_changes, "How well it is watched for changes; null where nobody watches.")
    pipelines: list[Pipeline] | None = contextual(_pipelines, "Its pipelines with their stages.", assumed_size=3)
    custom_field_definitions: list[CustomFieldDefinition] | None = strawberry.field(
        resolver=_definitions, description="Its custom fields.", metadata={"assumed_size": 20}
    )

    @classmethod
    def is_type_of(cls, value: Any, info: Any) -> bool:  # noqa: ARG003  # Strawberry's signature
        return isinstance(value, registry.Crm)
