import strawberry

from resolvers.listing.request import DEFAULT_FIRST
from resolvers.lists import opportunities_of
from resolvers.relation import ASSUMED_SIZE, attribute, computed
from resolvers.types.connection import OpportunityConnection
from resolvers.types.node import CrmRecord, record_type
from resolvers.types.stage import Stage
from vendors import model
from vendors.query import Field


@record_type(model.Pipeline, "A sales process: an ordered list of stages.")
class Pipeline(CrmRecord):
    name: str | None = attribute("Name.")
    is_synthetic: bool = attribute("Whether the vendor has no pipelines and this one stands for all its stages.")
    is_archived: bool | None = attribute("Whether it is no longer used.")
    currency: str | None = attribute("ISO 4217 letters of its amounts, where the vendor sets one.")
    stages: list[Stage] | None = computed(
        lambda pipeline: pipeline.stages, "Its stages in order, archived ones included.", reads=("stages",), assumed_size=10
    )
    opportunities: OpportunityConnection | None = strawberry.field(
        resolver=opportunities_of(Field.PIPELINE), description="Opportunities in this pipeline.", metadata={ASSUMED_SIZE: DEFAULT_FIRST}
    )
