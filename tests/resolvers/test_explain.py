"""What a dry run leaves open, and what it tells."""

from tests.resolvers.graph import Graph

QUERY = """query($dry: Boolean!) { explain(dryRun: $dry, first: 4) {
    dryRun rows vendorCalls plans { source { crm { key } } strategy pages rowsScanned cacheHits milliseconds leastCalls needsCall } } }"""


async def test_a_dry_run_tells_nothing_of_what_it_does_not_read(twins: Graph) -> None:
    dry = (await twins.data(QUERY, dry=True))["explain"]
    real = (await twins.data(QUERY, dry=False))["explain"]

    assert (dry["dryRun"], dry["rows"], dry["vendorCalls"]) == (True, None, None)
    assert {(plan["pages"], plan["rowsScanned"]) for plan in dry["plans"]} == {(None, None)}
    assert all(plan["leastCalls"] == 1 for plan in dry["plans"])
    assert (real["dryRun"], real["rows"]) == (False, 4)
    assert all(plan["pages"] >= 1 and plan["rowsScanned"] >= 1 for plan in real["plans"])


async def test_times_are_told_to_a_tenth_of_a_millisecond(twins: Graph) -> None:
    plans = (await twins.data(QUERY, dry=False))["explain"]["plans"]

    assert all(plan["milliseconds"] == round(plan["milliseconds"], 1) > 0 for plan in plans)
