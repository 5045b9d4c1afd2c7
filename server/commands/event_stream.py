"""Reads a stream of server-sent events, as they come in. Pure. Source: HTML Living Standard, "Server-sent events"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\r(?!\Z)|\n")  # a carriage return at the end may yet be followed by its line feed


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event, and the id that it has itself."""

    name: str
    data: str
    id: str | None


class EventStream:
    """Takes bytes as they come, and gives the events that they complete.

    Attributes:
        retry_seconds: How long to wait before coming back, where the server has said so.
    """

    def __init__(self) -> None:
        self.retry_seconds: float | None = None
        self._rest = b""
        self._name = ""
        self._data: list[str] = []
        self._id: str | None = None

    def feed(self, received: bytes) -> Iterator[ServerSentEvent]:
        *lines, self._rest = _LINE_END.split(self._rest + received)
        for line in lines:
            if line:
                self._take(line.decode("utf-8", "replace"))
            elif self._name or self._data:
                yield ServerSentEvent(self._name or "message", "\n".join(self._data), self._id)
                self._name, self._data, self._id = "", [], None

    def _take(self, line: str) -> None:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry_seconds = int(value) / 1000
            case _:  # a comment, or nothing that the standard knows
                pass
