from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers.relation import attribute, relation
from resolvers.types.enums import StageKind
from resolvers.types.node import CrmRecord, record_type
from vendors import model

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
