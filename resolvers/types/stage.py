from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers.listing.request import DEFAULT_FIRST
from resolvers.lists import opportunities_of
from resolvers.relation import ASSUMED_SIZE, attribute, relation
from resolvers.types.connection import OpportunityConnection
from resolvers.types.enums import StageKind
from resolvers.types.node import CrmRecord, record_type
from vendors import model
from vendors.query import Field

if TYPE_CHECKING:
    from resolvers.types.pipeline import Pipeline


@record_type(model.Stage, "A step of a pipeline.")
class Stage(CrmRecord):
    name: str | None = attribute("Name.")
    order: int = attribute("Rank within its pipeline: dense, from 0; archived stages count.")
    probability: float | None = attribute("Chance of winning in percent, 0 to 100.", reads="probability_percent")
    kind: StageKind | None = attribute("Whether opportunities in it are open, won or lost; null where the vendor does not say.")
    description: str | None = attribute("What the stage means.")
    color: str | None = attribute("Colour, as the vendor writes it.")
    is_archived: bool | None = attribute("Whether new opportunities can no longer enter it.")
    pipeline: Annotated["Pipeline", strawberry.lazy("resolvers.types.pipeline")] | None = relation(
        "The pipeline it belongs to.", loader="pipelines_by_ref", key="pipeline_ref"
    )
    opportunities: OpportunityConnection | None = strawberry.field(
        resolver=opportunities_of(Field.STAGE), description="Opportunities in this stage.", metadata={ASSUMED_SIZE: DEFAULT_FIRST}
    )
