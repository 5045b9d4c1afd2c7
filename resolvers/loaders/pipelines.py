"""Pipelines and stages come from the Crm's kept table, so any number of keys costs at most one call."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from resolvers.loaders.base import RefLoader
from vendors.capabilities import ById, ReadsPipelines, supported
from vendors.model import Pipeline, Stage
from vendors.registry import Crm

if TYPE_CHECKING:
    from resolvers.context import Context


async def pipelines_of(crm: Crm) -> Sequence[Pipeline]:
    return await supported(crm.client, ReadsPipelines, crm=crm.key, what="read pipelines").pipelines()


class PipelinesByRef(RefLoader[Pipeline]):
    record_name = "Pipeline"

    @staticmethod
    async def read(context: "Context", crm: Crm, ids: Sequence[str]) -> ById[Pipeline]:  # noqa: ARG004  # the table is whole
        return {pipeline.local_id: pipeline for pipeline in await pipelines_of(crm)}


class StagesByRef(RefLoader[Stage]):
    record_name = "Stage"

    @staticmethod
    async def read(context: "Context", crm: Crm, ids: Sequence[str]) -> ById[Stage]:  # noqa: ARG004  # the table is whole
        return {stage.local_id: stage for pipeline in await pipelines_of(crm) for stage in pipeline.stages}
