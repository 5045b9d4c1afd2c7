"""A name for each request, in the answer and in the logs."""

import re
import secrets
from contextvars import ContextVar

from starlette.datastructures import Headers

HEADER = "x-request-id"

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request that is being answered, for log records; `-` outside of one."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_from(headers: Headers) -> str:
    """Return the id a client or proxy gave the request, or a new one if there is none or it could forge log lines."""
    given = headers.get(HEADER, "")
    return given if _WELL_FORMED.fullmatch(given) else secrets.token_hex(8)
