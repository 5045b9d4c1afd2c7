"""`/webhooks/{crm}`: what vendors push. A delivery is checked, its hints are put on the disk, and only then it is answered."""

import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from resolvers.context import Clocks
from server.changes.service import ChangeService
from server.changes.settings import ChangeSettings
from server.http.body import read_body
from server.http.refusal import RefusedError
from server.http.settings import HttpSettings
from vendors.changes import Delivery, ReceivesWebhooks, WebhookMalformedError, WebhookRefusedError
from vendors.errors import ErrorCode
from vendors.registry import Crm

log = logging.getLogger(__name__)

PATH: Final = "/webhooks"
_FUTURE_SECONDS: Final = 300.0
_JSON: Final = "application/json"


class Webhooks:
    """Takes the deliveries of vendors.

    Args:
        service: Gives the service that follows hints and the Crms by key, once the server runs; None where nobody watches.
        settings: How large and how old a delivery may be.
        http: How long a body may take.
        clocks: The time.
    """

    def __init__(
        self,
        service: Callable[[], tuple[ChangeService, Mapping[str, Crm]] | None],
        *,
        settings: ChangeSettings,
        http: HttpSettings,
        clocks: Clocks,
    ) -> None:
        self._service = service
        self._settings = settings
        self._http = replace(http, max_body_bytes=settings.webhook_max_bytes)
        self._clocks = clocks

    def route(self) -> Route:
        return Route(f"{PATH}/{{crm}}", self._endpoint, methods=["POST"])

    async def _endpoint(self, request: Request) -> Response:
        try:
            return await self._taken(request)
        except RefusedError as refusal:
            return refusal.response(_JSON)

    async def _taken(self, request: Request) -> Response:
        running = self._service()
        key: str = request.path_params["crm"]
        crm = None if running is None else running[1].get(key)
        if running is None or crm is None or not isinstance(crm.client, ReceivesWebhooks) or not crm.client.receives_webhooks():
            message = (
                "No webhooks are taken here: the CRM is unknown, its vendor has none, its settings do not hold what they are signed with,"
                " or `changes.enabled` is false."
            )
            raise RefusedError(404, message, code=ErrorCode.NOT_FOUND)
        body = await read_body(request, self._http)
        delivery = self._read(key, crm.client, dict(request.headers), body)
        try:
            await running[0].receive(key, delivery.opportunity_ids, delivery=delivery.key)
        except sqlite3.Error as error:
            log.error("a webhook of the CRM %r could not be kept (%s); its vendor will repeat it", key, error)  # noqa: TRY400  # no defect
            raise RefusedError(503, "The delivery could not be kept; please repeat it.", code=ErrorCode.UNAVAILABLE) from error
        return Response(status_code=204)

    def _read(self, key: str, client: ReceivesWebhooks, headers: Mapping[str, str], body: bytes) -> Delivery:
        try:
            delivery = client.delivery(headers, body)
        except WebhookRefusedError as error:
            log.warning("a webhook for the CRM %r was refused: %s", key, error)
            raise RefusedError(401, str(error), code=ErrorCode.UNAUTHENTICATED) from error
        except WebhookMalformedError as error:
            raise RefusedError(400, str(error), code=ErrorCode.BAD_USER_INPUT) from error
        if not all(_is_text(text) for text in (delivery.key or "", *delivery.opportunity_ids)):
            raise RefusedError(400, "The delivery has text that is no Unicode.", code=ErrorCode.BAD_USER_INPUT)
        if delivery.occurred_at is not None:
            age = self._clocks.utc_timestamp() - delivery.occurred_at.timestamp()
            if not -_FUTURE_SECONDS <= age <= self._settings.webhook_max_age_seconds:
                message = "The delivery is too old, or of the future; what it tells of is found by polling."
                raise RefusedError(400, message, code=ErrorCode.BAD_USER_INPUT)
        return delivery


def _is_text(text: str) -> bool:
    """Whether it can be kept: half a surrogate pair, which JSON lets through, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
