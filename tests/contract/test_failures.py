"""What every adapter makes of a vendor that fails."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
import pytest
from pydantic import SecretStr

from tests.contract.reading import accounts_of, client_as, contacts_of, opportunities_of, whole_list
from tests.playground import Playground, connect, playground
from vendors.calls import Deadline, deadline_scope
from vendors.capabilities import (
    ById,
    Checks,
    ListsOpportunities,
    ListsUsers,
    PageRequest,
    ReadsAccounts,
    ReadsContacts,
    ReadsOpportunities,
    ReadsUsers,
)
from vendors.errors import (
    CredentialsError,
    MalformedReplyError,
    NotFoundError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    VendorError,
    VendorTimeoutError,
)
from vendors.model import EVERYTHING, Opportunity, Record, Selection
from vendors.registry import Crm
from vendors.sandbox import Fault, FaultKind

TITLES = PageRequest(size=20, selection=Selection({"Opportunity": frozenset({"title"})}))
NAMES: Final = Selection(
    {
        "Opportunity": frozenset({"title"}),
        "Account": frozenset({"name"}),
        "Contact": frozenset({"name"}),
        "User": frozenset({"name"}),
    }
)


async def listed(crm: Crm, kind: str) -> Sequence[Record]:
    """Some records of a kind."""
    if kind == "users":
        return await client_as(crm, ListsUsers).users()
    listing: Any = {"opportunities": opportunities_of, "accounts": accounts_of, "contacts": contacts_of}[kind](crm)
    page = await listing.page(PageRequest(size=20, selection=NAMES))
    return [row.record for row in page.rows]


def by_ids(crm: Crm, kind: str) -> Callable[[Sequence[str], Selection], Awaitable[ById[Any]]]:
    reads: Mapping[str, Callable[[], Any]] = {
        "opportunities": lambda: client_as(crm, ReadsOpportunities).opportunities_by_ids,
        "accounts": lambda: client_as(crm, ReadsAccounts).accounts_by_ids,
        "contacts": lambda: client_as(crm, ReadsContacts).contacts_by_ids,
        "users": lambda: client_as(crm, ReadsUsers).users_by_ids,
    }
    return reads[kind]()  # type: ignore[no-any-return]


def name_of(record: Any) -> str | None:
    name: str | None = record.title if isinstance(record, Opportunity) else record.name
    return name


async def first_page(ground: Playground) -> int:
    page = await client_as(ground.crm, ListsOpportunities).opportunities_page(TITLES)
    return len(page.rows)


async def warmed(ground: Playground) -> str:
    """Log in and read once; gives the operation of the list call."""
    await first_page(ground)
    operation = ground.control.calls[-1].operation
    ground.control.calls.clear()
    return operation


@pytest.mark.parametrize("kind", ["cut_json", "html", "empty", "deep_json", "wrong_type", "endless"])
async def test_an_unreadable_answer_is_malformed_and_asked_for_once(plain: Playground, kind: FaultKind) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind=kind, match=operation))

    with pytest.raises(MalformedReplyError):
        await first_page(plain)

    assert plain.control.count(operation) == 1


async def test_a_crm_whose_answers_cannot_be_read_is_not_well_until_they_can(plain: Playground) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind="html", match=operation))

    with pytest.raises(MalformedReplyError):
        await first_page(plain)
    ill = plain.crm.http.health.error
    plain.control.faults.clear()
    await first_page(plain)

    assert isinstance(ill, MalformedReplyError)
    assert plain.crm.http.health.error is None


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_error_that_passes_is_not_seen(plain: Playground, status: int) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind="status", status=status, body="<h1>oops</h1>", match=operation, times=1))

    assert await first_page(plain) > 0

    assert plain.control.count(operation) == 2


async def test_a_lasting_server_error_costs_three_calls(plain: Playground) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind="status", status=503, match=operation))

    with pytest.raises(UnavailableError):
        await first_page(plain)

    assert plain.control.count(operation) == 3


async def test_an_open_circuit_costs_no_call(plain: Playground) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind="status", status=503, match=operation))
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await first_page(plain)
    before = plain.control.count(operation)

    with pytest.raises(UnavailableError) as caught:
        await first_page(plain)

    assert plain.control.count(operation) == before
    assert caught.value.retry_after_seconds is not None


@pytest.mark.parametrize("kind", ["reset", "reset_mid_body"])
async def test_a_connection_that_breaks_once_is_not_seen(plain: Playground, kind: FaultKind) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind=kind, match=operation, times=1))

    assert await first_page(plain) > 0


async def test_too_many_calls_are_tried_again_after_the_stated_delay(plain: Playground) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind="status", status=429, headers={"Retry-After": "0"}, match=operation, times=1))

    assert await first_page(plain) > 0

    assert plain.control.count(operation) == 2


async def test_a_delay_longer_than_the_deadline_is_not_waited_for_and_holds_later_calls_back(plain: Playground) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind="status", status=429, headers={"Retry-After": "60"}, match=operation, times=1))

    with deadline_scope(Deadline(time.monotonic() + 5, time.monotonic)):
        with pytest.raises(RateLimitedError) as caught:
            await first_page(plain)
        with pytest.raises(RateLimitedError):
            await first_page(plain)

    assert caught.value.retry_after_seconds == 60
    assert plain.control.count(operation) == 1


@pytest.mark.parametrize("kind", ["hang", "drip"])
async def test_the_deadline_ends_a_call_that_hangs_or_drips(plain: Playground, kind: FaultKind) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind=kind, match=operation))

    with deadline_scope(Deadline(time.monotonic() + 0.2, time.monotonic)), pytest.raises(VendorTimeoutError):
        await first_page(plain)


async def test_a_redirect_is_not_followed(plain: Playground) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind="redirect", match=operation))

    with pytest.raises((MalformedReplyError, UnavailableError, CredentialsError)):
        await first_page(plain)


@pytest.mark.parametrize(("status", "kinds"), [(400, (RejectedRequestError,)), (404, (NotFoundError, RejectedRequestError))])
async def test_a_refusal_is_final(plain: Playground, status: int, kinds: tuple[type[VendorError], ...]) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind="status", status=status, match=operation))

    with pytest.raises(kinds):
        await first_page(plain)

    assert plain.control.count(operation) == 1


async def test_one_unreadable_row_costs_one_row(plain: Playground) -> None:
    operation = await warmed(plain)
    everything = await whole_list(plain.crm)
    plain.control.faults.append(Fault(kind="bad_row", match=operation, times=1))

    page = await client_as(plain.crm, ListsOpportunities).opportunities_page(PageRequest(size=20, selection=EVERYTHING))

    assert page.dropped == 1
    assert [row.record.ref for row in page.rows] == [record.ref for record in everything[1:20]]


@pytest.mark.parametrize("kind", ["opportunities", "accounts", "contacts", "users"])
async def test_what_may_be_an_unreadable_row_is_not_taken_for_missing(plain: Playground, kind: str) -> None:
    names = {record.local_id: name_of(record) for record in await listed(plain.crm, kind)}
    newcomer = connect(plain.crm.vendor.key, plain.sandbox, plain.crm.link.session)  # has no table yet
    plain.control.faults.append(Fault(kind="bad_row"))

    found = await by_ids(newcomer, kind)(list(names), NAMES)

    read = {local_id: name_of(record) for local_id, record in found.items() if not isinstance(record, VendorError)}
    assert found.keys() == names.keys()
    assert read
    assert read.items() <= names.items()
    assert all(isinstance(found[local_id], MalformedReplyError) for local_id in names.keys() - read.keys())


async def test_a_lasting_401_renews_once_and_ends(plain: Playground) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind="status", status=401, body="Unauthorized", match=operation))

    with pytest.raises(CredentialsError):
        await first_page(plain)

    assert plain.control.count(operation) <= 2


async def test_wrong_secrets_are_told_without_telling_them(vendor: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with playground(vendor) as ground, aiohttp.ClientSession() as session:
        names = [name for name, field in ground.crm.vendor.settings.model_fields.items() if field.annotation is SecretStr]
        wrong = connect(vendor, ground.sandbox, session, settings=dict.fromkeys(names, "wrong-s3cret-value"))

        with pytest.raises(CredentialsError) as caught:
            await client_as(wrong, ListsOpportunities).opportunities_page(TITLES)

        assert names
        assert "wrong-s3cret-value" not in str(caught.value) + repr(caught.value) + caplog.text
        urls = [call.path + str(call.query) for call in ground.control.calls]
        assert "wrong-s3cret-value" not in "".join(urls)
        assert len(ground.control.calls) <= 4


async def test_the_right_secrets_reach_no_log_and_no_url(plain: Playground, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    names = [name for name, field in plain.crm.vendor.settings.model_fields.items() if field.annotation is SecretStr]
    secrets = [str(plain.sandbox.settings[name]) for name in names]

    await whole_list(plain.crm)

    for secret in secrets:
        assert secret not in caplog.text
        assert secret not in "".join(call.path + str(call.query) for call in plain.control.calls)


async def test_identical_reads_under_way_are_one_call(plain: Playground) -> None:
    operation = await warmed(plain)
    plain.control.latency_seconds = 0.05

    counts = await asyncio.gather(*(first_page(plain) for _ in range(8)))

    assert len(set(counts)) == 1
    assert plain.control.count(operation) == 1


async def test_a_cancelled_reader_does_not_end_the_others_and_the_last_one_ends_the_call(plain: Playground) -> None:
    await warmed(plain)
    plain.control.latency_seconds = 0.05
    first, second = asyncio.ensure_future(first_page(plain)), asyncio.ensure_future(first_page(plain))
    await asyncio.sleep(0.01)

    first.cancel()

    assert await second > 0
    assert first.cancelled() or first.cancelling()


async def test_two_crms_of_one_vendor_work_side_by_side(vendor: str) -> None:
    async with playground(vendor, crm="left") as left, playground(vendor, crm="right") as right:
        right.control.faults.append(Fault(kind="status", status=401))

        records = await whole_list(left.crm)
        with pytest.raises(CredentialsError):
            await first_page(right)

        assert {record.crm for record in records} == {"left"}


async def test_check_tells_what_works(plain: Playground) -> None:
    checks = await client_as(plain.crm, Checks).check()

    assert checks
    assert [check.error for check in checks] == [None] * len(checks)


async def test_check_tells_what_does_not_work(plain: Playground) -> None:
    operation = await warmed(plain)
    plain.control.faults.append(Fault(kind="status", status=403, match=operation))

    checks = await client_as(plain.crm, Checks).check()

    assert [check.error is None for check in checks].count(False) == 1
