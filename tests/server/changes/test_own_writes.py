"""What is written through the graph is in the stream at once, told as our own, at no further call."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from resolvers.changes import ChangeKind, ChangeSource
from resolvers.context import Context
from resolvers.listing.index import IndexKey
from resolvers.node_id import decode, encode
from server.schema import build_schema
from tests.contract.conftest import VENDORS
from tests.server.changes.watchtower import EAGER, Tower, tower
from vendors.capabilities import ReadsPipelines
from vendors.model import Ref
from vendors.sandbox import Fault

RARELY = replace(EAGER, poll_seconds=3_600, sweep_seconds=3_600)
MOVE = """mutation Move($id: ID!, $stage: ID!, $key: String) {
  moveOpportunityToStage(input: {id: $id, stageId: $stage}, idempotencyKey: $key) {
    outcome userErrors { message } opportunity { title stage { id } }
  }
}"""


async def moved(context: Context, **variables: Any) -> dict[str, Any]:
    result = await build_schema().execute(MOVE, variable_values=variables, context_value=context)
    assert isinstance(result, ExecutionResult)
    assert result.data is not None, result.errors
    return dict(result.data["moveOpportunityToStage"])


async def stage_of(at: Tower, crm: str, opportunity: str) -> str:
    """The stage that it is known to be in."""
    known = at.service.indexes.fresh(IndexKey(crm, "Opportunity"), frozenset())
    assert known is not None
    return str(known.entries[known.ranks[_ref(opportunity).local_id]].stage)


def _ref(opportunity: str) -> Ref:
    return decode(opportunity).ref


async def a_move(at: Tower, crm: str) -> dict[str, str]:
    """A deal that is open, and another stage for it."""
    client = at.crms[crm].client
    assert isinstance(client, ReadsPipelines)
    deal = next(deal for deal in at.board(crm).deals() if (state := at.board(crm).state(deal)) is not None and state.status == "OPEN")
    opportunity = encode("Opportunity", Ref(crm, deal))
    at_present = await stage_of(at, crm, opportunity)
    (pipeline,) = [it for it in await client.pipelines() if any(stage.local_id == at_present for stage in it.stages)]
    stage = next(stage for stage in pipeline.stages if stage.local_id != at_present)
    return {"id": opportunity, "stage": encode("Stage", Ref(crm, stage.local_id))}


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_move_through_the_graph_is_one_event_at_no_further_call(vendor: str, tmp_path: Path) -> None:
    async with tower(tmp_path, vendor, watching=RARELY) as at:
        await at.settled()
        (crm,) = at.crms
        calls, move = at.grounds[crm].control.calls, await a_move(at, crm)
        unwatched = replace(at.make_context(), changes=None)
        back = {**move, "stage": encode("Stage", Ref(crm, await stage_of(at, crm, move["id"])))}
        calls.clear()
        assert (await moved(unwatched, **move))["outcome"] == "DONE"
        without = len(calls)
        await at.service.hand_on(at.crms[crm], _ref(move["id"]))
        head = at.service.head
        calls.clear()
        made = await moved(at.make_context(), **back, key="k1")
        assert (made["outcome"], made["opportunity"]["stage"]["id"]) == ("DONE", back["stage"])
        assert len(calls) <= without
        (event,) = await at.next(1, after=head)
        assert (event.source, event.kind, event.ref) == (ChangeSource.MUTATION, ChangeKind.UPDATED, _ref(move["id"]))
        again = await moved(at.make_context(), **back, key="k1")
        assert again["outcome"] == "REPLAYED"
        assert at.service.head == event.sequence


async def test_a_record_that_cannot_be_read_after_a_write_is_read_later(tmp_path: Path) -> None:
    async with tower(tmp_path, "autotask", watching=RARELY) as at:
        await at.settled()
        move = await a_move(at, "service")
        at.grounds["service"].control.faults[:] = [Fault(kind="status", status=500, match="Opportunities/query", skip=1)]
        made = await moved(at.make_context(), **move)
        assert (made["outcome"], made["opportunity"]) == ("DONE", None)
        assert at.service.head == 0
        at.grounds["service"].control.faults.clear()
        (event,) = await at.next(1, after=0)
        assert event.ref == _ref(move["id"])
