"""What Apideck's adapter makes of the vendor's errors and warnings."""

from collections.abc import Mapping
from email.utils import formatdate

import pytest
from aiohttp import web

from tests.playground import Playground, playground
from tests.vendors.apideck.scripted_vendor import Json, refusal, rows, scripted
from vendors.apideck.client import Client
from vendors.calls import Deadline, deadline_scope, recording
from vendors.capabilities import PageRequest
from vendors.errors import (
    ConflictError,
    CredentialsError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RejectedRequestError,
    UnavailableError,
    UnsupportedError,
    VendorError,
)
from vendors.model import Selection
from vendors.sandbox import Fault

NAMES = Selection({"Account": frozenset({"name"}), "Contact": frozenset({"name"}), "Opportunity": frozenset({"title"})})
TITLES = PageRequest(size=5, selection=NAMES)


def client_of(ground: Playground) -> Client:
    assert isinstance(ground.crm.client, Client)
    return ground.crm.client


@pytest.mark.parametrize(
    ("status", "type_name", "kind", "code"),
    [
        (400, "RequestValidationError", RejectedRequestError, "RequestValidationError"),
        (400, "InvalidCursorError", RejectedRequestError, "InvalidCursorError"),
        (400, "RequestHeadersValidationError", RejectedRequestError, "RequestHeadersValidationError"),
        (400, "UnsupportedSortFieldError", UnsupportedError, "UnsupportedSortFieldError"),
        (400, "ConnectorRateLimitError", RateLimitedError, "ConnectorRateLimitError"),
        (400, "ConnectionNotFoundError", CredentialsError, "ConnectionNotFoundError"),
        (401, "UnauthorizedError", CredentialsError, "UnauthorizedError"),
        (401, "RequestValidationError", CredentialsError, "RequestValidationError"),
        (401, "EntityNotFoundError", CredentialsError, "EntityNotFoundError"),
        (402, "RequestLimitError", QuotaExceededError, "RequestLimitError"),
        (402, "RequestValidationError", QuotaExceededError, "RequestValidationError"),
        (403, "ConnectorExecutionError", PermissionDeniedError, "ConnectorExecutionError"),
        (404, "RequestValidationError", NotFoundError, "RequestValidationError"),
        (404, "ConnectorExecutionError", NotFoundError, "ConnectorExecutionError"),
        (404, "ConnectorNotFoundError", CredentialsError, "ConnectorNotFoundError"),
        (404, "IntegrationNotFoundError", CredentialsError, "IntegrationNotFoundError"),
        (404, "ConnectorOperationMappingNotFoundError", UnsupportedError, "ConnectorOperationMappingNotFoundError"),
        (409, "ConnectorExecutionError", ConflictError, "ConnectorExecutionError"),
        (422, "InvalidStateError", RejectedRequestError, "InvalidStateError"),
        (429, "ConnectorRateLimitError", RateLimitedError, "ConnectorRateLimitError"),
        (429, "RequestValidationError", RateLimitedError, "RequestValidationError"),
        (429, "RequestHeadersValidationError", RateLimitedError, "RequestHeadersValidationError"),
        (501, "MappingError", UnsupportedError, "MappingError"),
        (501, "RequestValidationError", UnsupportedError, "RequestValidationError"),
        (500, "RequestValidationError", UnavailableError, None),
        (503, "UnauthorizedError", UnavailableError, None),
        (400, "Customer Jane owes us 7", RejectedRequestError, None),
        (404, "JaneDoe", NotFoundError, None),
        (400, {"not": "a text"}, RejectedRequestError, None),
        (418, None, RejectedRequestError, None),
    ],
)
async def test_the_status_line_wins_over_the_bodys_type(status: int, type_name: object, kind: type[VendorError], code: str | None) -> None:
    async with scripted(lambda _path, _query: refusal(status, type_name, detail="Jane")) as (_, client):
        with pytest.raises(VendorError) as caught:
            await client.opportunities_page(TITLES)

    assert (type(caught.value), caught.value.status, caught.value.vendor_code) == (kind, status, code)
    assert "Jane" not in str(caught.value) + repr(vars(caught.value))


@pytest.mark.parametrize("body", ["", "<html>no</html>", "[]", '{"type_name": 3}', "[" * 50_000])
async def test_an_error_with_an_unreadable_body_is_told_by_its_status(body: str) -> None:
    async with scripted(lambda _path, _query: web.Response(status=402, text=body)) as (_, client):
        with pytest.raises(QuotaExceededError):
            await client.opportunities_page(TITLES)


NOW = 1_800_000_000
DATE = {"Date": formatdate(NOW, usegmt=True)}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-downstream-ratelimit-reset": str(NOW + 90)}, 90),
        ({"x-downstream-ratelimit-reset": str((NOW + 90) * 1_000)}, 90),
        ({"x-downstream-ratelimit-reset": str(NOW + 90), "Retry-After": "30"}, 30),
        ({"x-downstream-ratelimit-reset": str(NOW + 86_400)}, 3_600),
        ({"x-downstream-ratelimit-reset": "nan"}, None),
        ({"x-downstream-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
async def test_a_rate_limit_tells_how_long_to_wait(headers: Mapping[str, str], seconds: float | None) -> None:
    async with scripted(lambda _path, _query: web.Response(status=429, headers={**DATE, **headers})) as (made, client):
        with deadline_scope(Deadline(1.0, lambda: made.now)), pytest.raises(RateLimitedError) as caught:
            await client.opportunities_page(TITLES)

    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("detail", "seconds"),
    [
        ({"type": "refresh_token_connector_error", "debug": {"cooldown_remaining_ms": 30_000}}, 30),
        ({"debug": {"cooldown_remaining_ms": None}}, None),
        ({"debug": "none"}, None),
        ("a text", None),
        (None, None),
    ],
)
async def test_refused_credentials_tell_when_they_may_be_tried_again(detail: object, seconds: float | None) -> None:
    async with scripted(lambda _path, _query: refusal(401, "ConnectorCredentialsError", detail=detail)) as (made, client):
        with pytest.raises(CredentialsError) as caught:
            await client.opportunities_page(TITLES)

    assert caught.value.retry_after_seconds == seconds
    assert len(made.asked) == 1


@pytest.mark.parametrize(("service", "kind"), [("pipedrive", CredentialsError), ("unheard-of", CredentialsError)])
async def test_a_connector_that_is_not_connected_is_a_matter_of_settings(service: str, kind: type[VendorError]) -> None:
    async with playground("apideck", settings={"service_id": service}) as made:
        with pytest.raises(kind):
            await client_of(made).opportunities_by_ids(["9017442101", "9017442102", "9017442103"], NAMES)
        single = await client_of(made).accounts_by_ids(["6214407301"], NAMES)

    assert isinstance(single["6214407301"], kind)


async def test_a_check_in_which_everything_fails_raises() -> None:
    async with playground("apideck") as made:
        made.control.faults.append(Fault(kind="status", status=403))

        with pytest.raises(PermissionDeniedError):
            await client_of(made).check()

        assert made.control.count() == 5
        made.control.faults[0].match = "users"
        checks = await client_of(made).check()

    assert [check.entity for check in checks if check.error is not None] == ["users"]
    assert [check.entity for check in checks if check.error is None] == ["opportunities", "pipelines", "companies", "contacts"]


# Warnings.


SECRET_WARNING = {"type": "Jane Doe's SSN", "status_code": 403, "error": "Jane", "operation": "getJane", "message": "Jane"}


@pytest.mark.parametrize("ids", [["1"], ["1", "2", "3"]])
async def test_a_warning_is_passed_on_in_our_words(ids: list[str]) -> None:
    def answer(path: str, _: dict[str, str]) -> Json:
        meta = {"warnings": [SECRET_WARNING, SECRET_WARNING]}
        return {"data": {"id": "1"} if "/" in path else [{"id": local_id} for local_id in ids], "meta": meta}

    async with scripted(answer) as (_, client):
        with recording() as recorder:
            await client.opportunities_by_ids(ids, NAMES)

    (warned,) = recorder.warnings
    assert (warned.crm, warned.code) == ("am", "VENDOR_WARNING")
    assert warned.message == "Apideck could read only a part of opportunities; values may be missing."


@pytest.mark.parametrize("warnings", [None, [], {}])
async def test_no_warnings_are_no_warning(warnings: object) -> None:
    async with scripted(lambda _path, _query: rows([{"id": "1"}], warnings=warnings)) as (_, client):
        with recording() as recorder:
            await client.opportunities_page(TITLES)

    assert not recorder.warnings
