"""GraphQL over server-sent events, one connection for each operation.

A browser's EventSource and graphql-sse come back by themselves when a stream breaks off; EventSource names the last event it has in
`Last-Event-ID`. Source: "GraphQL over Server-Sent Events Protocol" (PROTOCOL.md of graphql-sse), distinct connections mode; HTML Living
Standard, "Server-sent events".
"""

from collections.abc import Mapping
from typing import Final

from server.http.answer import encoded
from server.http.media import EVENT_STREAM
from server.http.operations import Failure, Result
from server.http.settings import HttpSettings

LAST_EVENT_ID: Final = "last-event-id"


class EventStreamForm:
    """How outcomes become events."""

    headers: Mapping[str, str] = {
        "content-type": f"{EVENT_STREAM}; charset=utf-8",
        "cache-control": "no-store, no-transform",
        "vary": "accept",
        "x-accel-buffering": "no",  # nginx would hold events back until it has enough of them
    }
    heartbeat = b":\n\n"
    closing = b"event: complete\ndata: \n\n"  # EventSource drops an event without a data field
    stopping = b""  # a stream that ends without `complete` is one to come back to

    def __init__(self, settings: HttpSettings) -> None:
        self.opening = b"retry: %d\n:\n\n" % round(settings.sse_retry_seconds * 1000)
        self.heartbeat_seconds = settings.sse_ping_seconds

    def result(self, result: Result) -> bytes:
        name = b"" if result.event_id is None else b"id: %b\n" % result.event_id.encode()
        return b"event: next\n%bdata: %b\n\n" % (name, encoded(result.body))

    def failure(self, failure: Failure) -> bytes:
        """Tell errors in an event like any other: by the protocol a status would make the browser hide them."""
        return self.result(Result({"errors": failure.errors}))
