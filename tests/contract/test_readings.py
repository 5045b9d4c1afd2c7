"""What an adapter does with answers that are the same as before: they are not read again, and nobody has changed what was read of them."""

from collections.abc import Hashable

import pytest

from tests.contract.reading import client_as, links_of, opportunities_of, sound, walk
from tests.playground import Playground
from vendors.calls import Warned, recording_all_warnings
from vendors.capabilities import ReadsAccounts, ReadsContacts, ReadsOpportunities
from vendors.model import EVERYTHING
from vendors.readings import Readings
from vendors.wire import Decoded, Decoder


async def test_answers_that_stay_the_same_are_read_once_and_never_changed(plain: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[int, tuple[Decoder[object], bytes, Decoded[object]]] = {}
    find = Readings.find

    def noted(readings: Readings, reader: Decoder[object], question: Hashable, gist: bytes) -> object:
        reading = find(readings, reader, question, gist)
        if reading is not None:
            found[id(reading)] = reader, gist, reading
        return reading

    monkeypatch.setattr(Readings, "find", noted)
    first, *later = [await told(plain) for _ in range(4)]

    assert later == [first] * 3
    assert len(found) >= 3
    for decoder, gist, reading in found.values():
        assert decoder.decode(gist) == reading


async def told(ground: Playground) -> tuple[list[object], set[Warned]]:
    """Records, and what is odd in them."""
    with recording_all_warnings() as recorder:
        return await everything(ground), set(recorder.warnings)


async def everything(ground: Playground) -> list[object]:
    """Opportunities as they are listed and as they are read by id, with parties."""
    records = (await walk(opportunities_of(ground.crm), 20)).records
    ids = [record.local_id for record in records][:5]
    by_id = await client_as(ground.crm, ReadsOpportunities).opportunities_by_ids(ids, EVERYTHING)
    accounts, contacts = [sorted({ref.local_id for ref in refs}) for refs in await links_of(ground.crm.client, records)]
    found = {
        **by_id,
        **await client_as(ground.crm, ReadsAccounts).accounts_by_ids(accounts, EVERYTHING),
        **await client_as(ground.crm, ReadsContacts).contacts_by_ids(contacts, EVERYTHING),
    }
    return [*records, *(sound(record) for record in found.values())]
