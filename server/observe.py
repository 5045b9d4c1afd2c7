"""The process's log: where it goes, its two forms, the request id on every line, and no secret in it.

Nothing logs a secret on purpose; taking the configured ones out of each line is a second line of defence.
"""

import logging
import sys
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, Literal, TextIO
from urllib.parse import quote

import orjson

_SHORTEST_SECRET: Final = 4  # taking shorter ones out would make the log unreadable
_HIDDEN: Final = "[hidden]"
_TAB: Final = 0x09
# Source: uvicorn `server.py`: what it tells of itself goes to "uvicorn.error", whatever its level.
_SHOWN_NAMES: Final = {"uvicorn.error": "uvicorn"}
_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F) if code != _TAB}


def configure_logging(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["text", "json"] = "text",
    secrets: Iterable[str] = (),
    request_id: ContextVar[str] | None = None,
    stream: TextIO | None = None,
) -> None:
    """Send the log of the whole process to a stream, in place of whatever was set up before.

    Args:
        level: Least severe level that is logged.
        form: Lines of text, or a JSON object a line.
        secrets: Values to take out of every line.
        request_id: Names the request that a line belongs to.
        stream: Standard error by default.
    """
    redact = Redactor(secrets)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter((JsonFormatter if form == "json" else TextFormatter)(redact, request_id))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # uvicorn's own handlers would repeat its lines; its access log would hold query strings.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    logging.getLogger("uvicorn.access").disabled = True
    logging.captureWarnings(capture=True)


class Redactor:
    """Takes secrets out of a text, as they are and as they stand in a URL."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        forms = known | {quote(secret, safe="") for secret in known} | {repr(secret)[1:-1] for secret in known}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, _HIDDEN)
        return text


class _Formatter(logging.Formatter):
    def __init__(self, redact: Redactor, request_id: ContextVar[str] | None) -> None:
        super().__init__()
        self._redact = redact
        self._request_id = request_id

    def parts(self, record: logging.LogRecord) -> Mapping[str, str]:
        """What a line says, by name, without secrets."""
        request_id = None if self._request_id is None else self._request_id.get(None)
        parts = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": _SHOWN_NAMES.get(record.name, record.name),
            **({"request_id": request_id} if request_id else {}),
            "message": self._redact(record.getMessage()),
        }
        if record.exc_info:
            parts["exception"] = self._redact(self.formatException(record.exc_info))
        return parts


class TextFormatter(_Formatter):
    """`time LEVEL logger [request id] message`, one line each but for tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        parts = self.parts(record)
        mark = f" [{parts['request_id']}]" if "request_id" in parts else ""
        # A message that quotes a client must not be able to write further lines.
        line = f"{parts['time']} {parts['level']} {parts['logger']}{mark} {parts['message'].translate(_CONTROL)}"
        return f"{line}\n{parts['exception']}" if "exception" in parts else line


class JsonFormatter(_Formatter):
    """A JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return orjson.dumps({name: text.encode("utf-8", "replace").decode() for name, text in self.parts(record).items()}).decode()
