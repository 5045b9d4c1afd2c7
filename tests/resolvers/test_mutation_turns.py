"""Changes of one record that are asked for at the same time."""

import asyncio
from datetime import date

from resolvers.node_id import encode
from tests.contract.test_writes import an_open_one, read
from tests.playground import playground
from tests.resolvers.graph import Graph
from tests.resolvers.writing_desk import desk


async def test_changes_of_one_record_are_made_one_after_the_other() -> None:
    update = """mutation($input: UpdateOpportunityInput!) { updateOpportunity(input: $input) { outcome userErrors { code } } }"""
    for vendor in ("onlyoffice", "apideck"):  # the one replaces the whole record, the other repeats the title
        async with playground(vendor) as ground:
            graph = Graph({ground.crm.key: ground})
            record = await an_open_one(ground)
            ground.control.latency_seconds = 0.05
            node = encode("Opportunity", record.ref)

            await asyncio.gather(
                graph.data(update, input={"id": node, "title": "Another title"}),
                graph.data(update, input={"id": node, "expectedCloseDate": "2027-05-10"}),
            )

            after = await read(ground, record.local_id)
        assert after is not None
        assert (after.title, after.expected_close_date) == ("Another title", date(2027, 5, 10)), vendor


async def test_a_key_that_is_spelled_like_the_record_is_a_key_like_any_other() -> None:
    async with desk("pipeliner") as at, asyncio.timeout(60):
        ref = (await at.model()).ref

        for key in (f"record {ref.crm} {ref.local_id}", str(ref), str(tuple(ref)), ref.local_id):
            made = await at.write("updateOpportunity", {"id": encode("Opportunity", ref), "title": key[:20]}, key=key)
            assert made["outcome"] == "DONE"


async def test_a_dry_run_waits_for_nobody() -> None:
    async with desk("pipeliner") as at, asyncio.timeout(60):
        ref = (await at.model()).ref
        values = {"id": encode("Opportunity", ref), "title": "Quay lights"}

        async with at.graph.make().ledger.turn(ref):
            assert (await at.write("updateOpportunity", values, dry=True))["outcome"] == "DRY_RUN"
            writing = asyncio.ensure_future(at.write("updateOpportunity", values))
            await at.write("updateOpportunity", values, dry=True)
            assert not writing.done()
        assert (await writing)["outcome"] == "DONE"


async def test_of_two_who_expect_the_same_one_is_refused() -> None:
    update = """mutation($id: ID!, $title: String!, $revision: String!) {
        updateOpportunity(input: {id: $id, title: $title, expected: {revision: $revision}}) { outcome userErrors { code } } }"""
    async with playground("pipeliner") as ground:
        graph = Graph({ground.crm.key: ground})
        record = await an_open_one(ground)
        ground.control.latency_seconds = 0.05
        node = encode("Opportunity", record.ref)

        made = await asyncio.gather(*(graph.data(update, id=node, title=f"Title {n}", revision=record.revision) for n in (1, 2)))

    assert sorted(one["updateOpportunity"]["outcome"] for one in made) == ["DONE", "REFUSED"]


async def test_a_currency_that_is_none_is_refused_alike_everywhere_and_calls_nobody() -> None:
    create = """mutation($crm: String!) { createOpportunity(input: {crm: $crm, title: "x", amount: {amount: "1", currency: "eur"}}) {
        userErrors { path code } } }"""
    for vendor in ("onlyoffice", "autotask"):
        async with playground(vendor) as ground:
            made = await Graph({ground.crm.key: ground}).data(create, crm=ground.crm.key)

            told = made["createOpportunity"]["userErrors"]
            assert {"path": ["input", "amount", "currency"], "code": "INVALID_VALUE"} in told
            assert [each["code"] for each in told if each["path"][1] == "amount"] == ["INVALID_VALUE"]
            assert ground.control.calls == []
