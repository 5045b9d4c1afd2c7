from resolvers.relation import attribute, computed
from resolvers.types.node import CrmRecord, record_type
from resolvers.types.stage import Stage
from vendors import model


@record_type(model.Pipeline, "A sales process: an ordered list of stages.")
class Pipeline(CrmRecord):
    name: str | None = attribute("Name.")
    is_synthetic: bool = attribute("Whether the vendor has no pipelines and this one stands for all its stages.")
    is_archived: bool | None = attribute("Whether it is no longer used.")
    currency: str | None = attribute("ISO 4217 letters of its amounts, where the vendor sets one.")
    stages: list[Stage] | None = computed(
        lambda pipeline: pipeline.stages, "Its stages in order, archived ones included.", reads=("stages",), assumed_size=10
    )
