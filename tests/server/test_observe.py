"""What the log looks like, and that no secret gets into it."""

import json
import logging
import subprocess
import sys
from contextvars import ContextVar
from typing import Any

import pytest

from server.observe import JsonFormatter, Redactor, TextFormatter
from tests.server.command_line import ROOT

SECRET = "pa/ss wörd"
REQUEST_ID: ContextVar[str] = ContextVar("REQUEST_ID", default="-")


def _record(message: str, *arguments: object, exc_info: Any = None) -> logging.LogRecord:
    return logging.LogRecord("server.test", logging.WARNING, __file__, 1, message, arguments, exc_info)


def _text(record: logging.LogRecord) -> str:
    return TextFormatter(Redactor([SECRET]), REQUEST_ID).format(record)


def _json(record: logging.LogRecord) -> Any:
    return json.loads(JsonFormatter(Redactor([SECRET]), REQUEST_ID).format(record))


def test_a_line_of_text_has_time_level_logger_request_and_message() -> None:
    token = REQUEST_ID.set("abc")
    try:
        line = _text(_record("%s is away", "service"))
    finally:
        REQUEST_ID.reset(token)

    assert line.endswith("Z WARNING server.test [abc] service is away")


def test_a_json_line_has_the_same_by_name_and_no_request_outside_of_one() -> None:
    data = _json(_record("%s is away", "service"))

    assert {name: data[name] for name in data if name != "time"} == {
        "level": "WARNING",
        "logger": "server.test",
        "message": "service is away",
    }


@pytest.mark.parametrize("form", [SECRET, "pa%2Fss%20w%C3%B6rd", repr({"x": SECRET})])
def test_a_secret_is_taken_out_in_every_spelling(form: str) -> None:
    record = _record("sent %s", form)

    assert "ss" not in _text(record).partition("sent")[2]
    assert "ss" not in _json(record)["message"]


def test_a_secret_is_taken_out_of_tracebacks() -> None:
    with pytest.raises(ValueError) as caught:
        int(SECRET)
    record = _record("broken", exc_info=(caught.type, caught.value, caught.tb))

    assert "ValueError: invalid literal for int() with base 10: '[hidden]'" in _text(record)
    assert "'[hidden]'" in _json(record)["exception"]
    assert SECRET not in _text(record)


def test_a_message_cannot_write_lines_of_its_own() -> None:
    assert "\n" not in _text(_record("query %s", "a\n2026-11-21T00:00:00Z INFO forged\r"))


def test_a_json_line_survives_text_that_is_no_unicode() -> None:
    assert _json(_record("odd \ud800"))["message"] == "odd ?"


def test_a_short_secret_does_not_eat_the_log() -> None:
    assert Redactor(["a"])("a plain line") == "a plain line"


def test_the_whole_process_logs_in_the_chosen_form_without_an_access_log() -> None:
    program = (
        "import logging; from server.observe import configure_logging as c; c(level='warning', form='json', secrets=['s3cret'])\n"
        "logging.getLogger('uvicorn.access').error('GET /'); logging.getLogger('uvicorn.error').error('s3cret'); logging.info('quiet')"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603

    (line,) = answer.stderr.splitlines()
    assert json.loads(line)["message"] == "[hidden]"


def test_what_uvicorn_tells_of_itself_is_not_shown_as_an_error() -> None:
    record = logging.LogRecord("uvicorn.error", logging.INFO, __file__, 1, "Started server process", (), None)

    assert _text(record).endswith("Z INFO uvicorn Started server process")
    assert _json(record)["logger"] == "uvicorn"
