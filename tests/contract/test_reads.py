"""What every adapter does with every position of its vendor's options."""

from collections.abc import Iterable
from datetime import UTC

from tests.contract.reading import client_as, links_of, sound, whole_list
from tests.playground import Playground
from vendors.capabilities import (
    ListsOpportunities,
    PageRequest,
    ReadsAccounts,
    ReadsContacts,
    ReadsCustomFieldDefinitions,
    ReadsOpportunities,
    ReadsPipelines,
    ReadsUsers,
)
from vendors.model import EVERYTHING, UNREAD, Opportunity, OpportunityStatus, Ref, Selection

BOARD = Selection(
    {
        "Opportunity": frozenset({"title", "amount", "status", "stage_ref", "pipeline_ref", "owner_ref", "account_ref", "contact_refs"}),
        "Money": frozenset({"amount", "currency"}),
        "User": frozenset({"name", "email"}),
        "Account": frozenset({"name", "currency"}),
        "Contact": frozenset({"name", "email"}),
    }
)
PLAIN = Selection({"Opportunity": frozenset({"title", "status", "expected_close_date", "probability_percent", "owner_ref"})})


async def test_pages_of_any_size_give_the_same_list_without_gap_or_repetition(ground: Playground) -> None:
    at_once = await whole_list(ground.crm)
    in_steps = await whole_list(ground.crm, size=7)

    assert [record.ref for record in in_steps] == [record.ref for record in at_once]
    assert len({record.ref for record in at_once}) == len(at_once)
    assert len(at_once) > 40


async def test_a_position_is_good_in_the_middle_of_a_page_and_for_another_client(ground: Playground) -> None:
    client = client_as(ground.crm, ListsOpportunities)
    everything = [record.ref for record in await whole_list(ground.crm)]
    page = await client.opportunities_page(PageRequest(size=10, selection=EVERYTHING))

    for at in (0, 3, len(page.rows) - 1):
        rest = await client.opportunities_page(PageRequest(size=10, position=page.rows[at].position, selection=PLAIN))
        seen = [row.record.ref for row in rest.rows]
        behind = everything[everything.index(page.rows[at].record.ref) + 1 :]
        assert seen
        assert seen == behind[: len(seen)]
        assert page.rows[at].position.isprintable() and page.rows[at].position.isascii() and len(page.rows[at].position) <= 500


async def test_deleted_rows_are_listed_only_on_demand(ground: Playground) -> None:
    visible = await whole_list(ground.crm)
    all_of_them = await whole_list(ground.crm, include_deleted=True)

    assert not any(record.is_deleted for record in visible)
    assert [record.ref for record in all_of_them if not record.is_deleted] == [record.ref for record in visible]


async def test_a_record_by_id_is_the_record_of_the_list(ground: Playground) -> None:
    listed = {record.local_id: record for record in await whole_list(ground.crm)}
    ids = sorted(listed)[::4]

    found = await client_as(ground.crm, ReadsOpportunities).opportunities_by_ids([*ids, "999999999999"], EVERYTHING)

    assert set(found) == set(ids)
    for local_id in ids:
        assert _unified(sound(found[local_id])) == _unified(listed[local_id])


async def test_asking_for_less_gives_the_same_values(ground: Playground) -> None:
    full = {record.ref: record for record in await whole_list(ground.crm)}

    for selection in (PLAIN, BOARD):
        wanted = selection.of("Opportunity") or frozenset()
        for record in await whole_list(ground.crm, selection=selection):
            assert record.covers(wanted)
            for name in wanted:
                partial, whole = getattr(record, name), getattr(full[record.ref], name)
                assert partial == whole or UNREAD in (partial, whole), (record.ref, name)


async def test_every_stage_and_pipeline_is_in_the_table_of_pipelines(ground: Playground) -> None:
    pipelines = await client_as(ground.crm, ReadsPipelines).pipelines()
    stages = {stage.ref for pipeline in pipelines for stage in pipeline.stages}
    records = await whole_list(ground.crm)

    assert sum(record.stage_ref in stages for record in records) > len(records) * 0.8
    assert sum(record.pipeline_ref in {pipeline.ref for pipeline in pipelines} for record in records) > len(records) * 0.8


async def test_every_owner_is_a_user_or_nobody(ground: Playground) -> None:
    client = client_as(ground.crm, ReadsUsers)
    records = await whole_list(ground.crm)

    users = [sound(user) for user in (await client.users_by_ids(_ids(record.owner_ref for record in records), EVERYTHING)).values()]

    assert len([user for user in users if user.name]) >= 3
    assert (
        len([user for user in users if (user.email or "").endswith("@nordkai.example")]) >= 3 or "hidden" in ground.sandbox.options.values()
    )


async def test_every_account_and_contact_is_a_record_or_nothing(ground: Playground) -> None:
    crm = ground.crm
    reads_accounts, reads_contacts = client_as(crm, ReadsAccounts), client_as(crm, ReadsContacts)
    account_refs, contact_refs = await links_of(crm.client, await whole_list(crm))

    accounts = [sound(account) for account in (await reads_accounts.accounts_by_ids(_ids(account_refs), EVERYTHING)).values()]
    contacts = [sound(contact) for contact in (await reads_contacts.contacts_by_ids(_ids(contact_refs), EVERYTHING)).values()]

    assert len([account for account in accounts if account.name]) >= 6
    assert len([contact for contact in contacts if contact.name]) >= 6
    assert {record.ref.crm for record in [*accounts, *contacts]} == {crm.key}


async def test_stages_are_ranked_densely_and_belong_to_their_pipeline(ground: Playground) -> None:
    for pipeline in await client_as(ground.crm, ReadsPipelines).pipelines():
        assert [stage.order for stage in pipeline.stages] == list(range(len(pipeline.stages)))
        assert {stage.pipeline_ref for stage in pipeline.stages} <= {pipeline.ref}
        assert len({stage.ref for stage in pipeline.stages}) == len(pipeline.stages)


async def test_values_keep_the_rules_of_the_model(ground: Playground) -> None:
    records = await whole_list(ground.crm)

    for record in records:
        for moment in (record.created_at, record.updated_at, record.closed_at, record.last_activity_at, record.stage_changed_at):
            assert moment is None or moment.tzinfo is UTC
        assert record.probability_percent is None or 0 <= record.probability_percent <= 100
        assert record.description != ""
        assert isinstance(record.extension, ground.crm.vendor.extensions["Opportunity"])
        assert "&amp;" not in record.title and "&#39;" not in record.title
    statuses = [record.status for record in records]
    assert min(statuses.count(status) for status in OpportunityStatus) >= 3


def _unified(record: Opportunity) -> dict[str, object]:
    """The unified attributes of a record; what a list leaves UNREAD a single read may tell, so it does not count."""
    names = [
        name
        for name in Opportunity.__dataclass_fields__
        if name not in {"extension", "read_fields", "account_refs", "contact_refs", "account_ref"}
    ]
    return {name: getattr(record, name) for name in names}


def _ids(refs: Iterable[Ref | None]) -> list[str]:
    return sorted({ref.local_id for ref in refs if ref is not None})


async def test_custom_fields_have_a_definition(ground: Playground) -> None:
    client = client_as(ground.crm, ReadsCustomFieldDefinitions)
    definitions = {
        definition.key: definition for definition in await client.custom_field_definitions() if definition.applies_to == "opportunity"
    }

    used = {field.key for record in await whole_list(ground.crm) for field in record.custom_fields or ()}

    assert used
    assert used <= set(definitions)
