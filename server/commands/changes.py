"""`crmgraph changes`: the changes of stage that a running server has seen, and those that it sees, in the terminal.

It asks the server as any client does: for the log with the query `stageChanges`, for what is new with the subscription
`opportunityStageChanged` over server-sent events, which it takes up again where they broke off.
"""

import asyncio
import re
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, cast

import aiohttp
import orjson

from server.commands.ending import ended_tidily_by_sigterm
from server.commands.event_stream import EventStream, ServerSentEvent
from server.commands.terminal import say
from server.version import product_version
from vendors.errors import ConfigError, ErrorCode
from vendors.health import network_reason

_CHANGE: Final = """
fragment Change on StageChange {
  eventId cursor crm { key } opportunityId opportunity { title }
  fromStage { name } toStage { name } fromStatus toStatus changedAt detectedAt source
}
"""
_LOG: Final = f"""
query Changes($after: String, $crms: [String!]) {{
  stageChanges(first: 100, after: $after, filter: {{crms: $crms}}, maxAge: 60) {{
    nodes {{ ...Change }} pageInfo {{ hasNextPage endCursor }}
  }}
}}
{_CHANGE}"""
_LIVE: Final = f"""
subscription Changes($after: String, $crms: [String!]) {{ opportunityStageChanged(after: $after, crms: $crms) {{ ...Change }} }}
{_CHANGE}"""

_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 60.0
_SILENCE_SECONDS: Final = 60.0  # a stream has a sign of life every few seconds
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_URL: Final = re.compile(r"https?://[^\s/?#]+\S*")

Json = dict[str, Any]


class NoChangesError(Exception):
    """Why there are no changes to show, and what to do about it."""


class _AwayError(NoChangesError):
    """The server does not answer."""


class _BrokenOffError(Exception):
    """A stream has ended that may be taken up again."""


def run(arguments: Namespace) -> int:
    """Show what the log holds, then, if asked to, what happens: 1 when the server cannot be asked."""
    if not _URL.fullmatch(arguments.url):
        raise ConfigError("--url: must be the address of a graph, such as http://127.0.0.1:8000/graphql")
    terminal = ChangesInTerminal(arguments.url, crms=arguments.crms, after=arguments.after, as_json=arguments.json)
    try:
        return asyncio.run(_show(terminal, arguments))
    except _ReaderGoneError as error:
        raise BrokenPipeError from error


async def _show(terminal: "ChangesInTerminal", arguments: Namespace) -> int:
    """Show them, and in the end, however it comes, tell how far that was."""
    with ended_tidily_by_sigterm():
        try:
            await terminal.show(follow=arguments.follow)
        except NoChangesError as error:
            _note(str(error))
            return 1
        finally:
            if terminal.cursor not in (None, arguments.after):
                _note(f"to go on from here: --after={terminal.cursor}")
    return 0


class _ReaderGoneError(Exception):
    """Nobody reads our output any more; not to be taken for a connection that broke."""


class ChangesInTerminal:
    """Shows changes, one a line.

    Args:
        url: Where the graph is.
        crms: Keys of the Crms; all for None.
        after: The cursor to begin behind; the oldest change that is kept when None.
        as_json: Whether a line is an object for machines.

    Attributes:
        cursor: How far it has come; None, too, when the server has refused to go on from there.
    """

    def __init__(self, url: str, *, crms: Sequence[str] | None, after: str | None, as_json: bool) -> None:
        self.cursor: str | None = after
        self._url = url
        self._crms = crms
        self._as_json = as_json
        self._told: set[str] = set()
        self._is_lost = False
        self._has_answered = False
        self._pause_seconds = self._first_pause_seconds = _FIRST_PAUSE_SECONDS

    async def show(self, *, follow: bool) -> None:
        """Show what the log holds; go on with what happens, if asked to, for ever.

        Raises:
            NoChangesError: The server cannot be asked, or refuses.
        """
        headers = {"user-agent": f"crmgraph/{product_version()}"}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            while await self._shown_page(session, is_patient=follow and self._has_answered):
                pass
            is_first = True
            while follow:
                await self._follow(session, self.cursor, is_first=is_first)
                is_first = False

    async def _shown_page(self, session: aiohttp.ClientSession, *, is_patient: bool) -> bool:
        """Show a page, and tell whether there is another one; `is_patient` is who waits for a server that is away."""
        while True:
            try:
                return await self._show_page(session)
            except _AwayError as error:
                if not is_patient:
                    raise
                await self._wait(str(error))

    async def _show_page(self, session: aiohttp.ClientSession) -> bool:
        """Show a page of the log, and tell whether there is another one."""
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, sock_connect=_CONNECT_SECONDS)
        try:
            async with session.post(self._url, data=self._request(_LOG), headers=_headers("application/json"), timeout=timeout) as response:
                answer = _answer(self._url, response, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            message = f"{self._url} does not answer ({_reason(error)}); is the server running, and is --url its address?"
            raise _AwayError(message) from error
        self._has_answered = True
        page = _at(answer, "data", "stageChanges")
        if page is None:
            raise self._refusal(answer)
        for change in page["nodes"]:
            self._show(change)
        self._tell(answer)
        self.cursor = page["pageInfo"]["endCursor"]
        return bool(page["pageInfo"]["hasNextPage"])

    async def _follow(self, session: aiohttp.ClientSession, after: str | None, *, is_first: bool) -> None:
        """Show what happens until the stream breaks off, and wait until it may be taken up again."""
        try:
            await self._stream(session, after, is_first=is_first)
        except (aiohttp.ClientError, OSError, _BrokenOffError) as error:
            await self._wait(f"the stream broke off ({_reason(error)})")

    async def _wait(self, why: str) -> None:
        """Tell once that the server is away, and wait until it may be back."""
        if not self._is_lost:
            _note(f"{why}; trying again")
        self._is_lost = True
        await asyncio.sleep(self._pause_seconds)
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def _stream(self, session: aiohttp.ClientSession, after: str | None, *, is_first: bool) -> None:
        headers = _headers("text/event-stream") | ({} if is_first or after is None else {"last-event-id": after})
        async with session.post(self._url, data=self._request(_LIVE), headers=headers) as response:
            if response.content_type != "text/event-stream":
                if response.status >= 500:  # noqa: PLR2004  # something in between, or a server that is starting
                    raise _BrokenOffError(f"the server answers {response.status}")
                answer = _answer(self._url, response, await response.read())
                raise self._refusal(answer)
            if self._is_lost:
                _note("the stream goes on")
            self._is_lost = False
            stream = EventStream()
            async for received in response.content.iter_any():
                for event in stream.feed(received):
                    if event.name == "next" and self._take(event):
                        return
                if stream.retry_seconds is not None:
                    self._first_pause_seconds = stream.retry_seconds
                self._pause_seconds = self._first_pause_seconds
        raise _BrokenOffError("the server ended it")

    def _take(self, event: ServerSentEvent) -> bool:
        """Show an event, and tell whether to subscribe anew at once."""
        answer: Json = orjson.loads(event.data)
        change = _at(answer, "data", "opportunityStageChanged")
        if change is None and event.id is None:
            return self._may_come_back(answer)
        if change is None:
            self.cursor = event.id
        else:
            self._show(change)
        self._tell(answer)
        return False

    def _may_come_back(self, answer: Json) -> bool:
        """Whether a stream that has ended with an error goes on by subscribing anew.

        Raises:
            NoChangesError: It does not.
        """
        error = _first_error(answer)
        if _at(error, "extensions", "code") != ErrorCode.SUBSCRIBER_LAGGED:
            raise self._refusal(answer)
        self.cursor = _at(error, "extensions", "cursor")
        _note(f"the server did not wait for us any longer; going on from {self.cursor}")
        return True

    def _refusal(self, answer: Json) -> NoChangesError:
        """Why the graph shows nothing; a cursor that it refuses is forgotten."""
        error = _first_error(answer)
        code, oldest = _at(error, "extensions", "code"), _at(error, "extensions", "oldestCursor")
        if code in {ErrorCode.INVALID_CURSOR, ErrorCode.CURSOR_EXPIRED}:
            self.cursor = None
        if code == ErrorCode.CURSOR_EXPIRED and oldest is not None:
            return NoChangesError(
                "what followed this cursor is not kept any more, so that changes are missing from here on; to go on with the oldest that"
                f" are kept: --after={oldest}"
            )
        return NoChangesError(str(error.get("message", "the graph gave no answer and no reason")))

    def _show(self, change: Json) -> None:
        try:
            say(orjson.dumps(change).decode() if self._as_json else line(change))
        except BrokenPipeError as error:
            raise _ReaderGoneError from error
        self.cursor = change["cursor"]

    def _tell(self, answer: Json) -> None:
        """Tell what could not be shown, each thing once."""
        for error in answer.get("errors") or ():
            if error["message"] not in self._told:
                self._told.add(error["message"])
                _note(f"not all of it could be shown: {error['message']}")

    def _request(self, query: str) -> bytes:
        return orjson.dumps({"query": query, "variables": {"after": self.cursor, "crms": self._crms}})


def line(change: Mapping[str, Any]) -> str:
    """A change for people."""
    parts: list[str] = [
        change["detectedAt"][:19].replace("T", " "),
        change["crm"]["key"],
        _text(change["opportunity"], "title") or change["opportunityId"],
        _step(_text(change["fromStage"], "name"), _text(change["toStage"], "name")),
        _step(change["fromStatus"], change["toStatus"]),
    ]
    # What people have written into a CRM must not steer the terminal.
    return "  ".join("".join(letter if letter.isprintable() else " " for letter in part) for part in parts)


def _text(record: Mapping[str, str] | None, field: str) -> str | None:
    return None if record is None else record[field]


def _step(before: str | None, after: str | None) -> str:
    return after or "?" if before == after else f"{before or '?'} -> {after or '?'}"


def _reason(error: BaseException) -> str:
    said = str(error) if isinstance(error, _BrokenOffError) else network_reason(error)
    return said or type(error).__name__


def _headers(accept: str) -> dict[str, str]:
    return {"content-type": "application/json", "accept": accept}


def _answer(url: str, response: aiohttp.ClientResponse, body: bytes) -> Json:
    """The answer of a graph.

    Raises:
        NoChangesError: It is none.
    """
    answer: object = None
    with suppress(ValueError):
        answer = orjson.loads(body)
    if response.status != HTTPStatus.NOT_FOUND and isinstance(answer, dict) and ({"data", "errors"} & answer.keys()):
        return cast("Json", answer)
    raise NoChangesError(f"{url} is no graph: it answered {response.status} with {response.content_type}; its address ends in /graphql")


def _at(found: Any, *names: str) -> Any:
    """What stands there, or None where the way to it ends before."""
    for name in names:
        found = None if found is None else found.get(name)
    return found


def _first_error(answer: Json) -> Json:
    errors: list[Json] = answer.get("errors") or [{}]
    return errors[0]


def _note(text: str) -> None:
    """Tell people something, beside what is shown."""
    sys.stderr.write(f"crmgraph: {text}\n")
    sys.stderr.flush()
