"""Apollo's multipart protocol for subscriptions: a JSON part for each event.

Every part is followed by its boundary at once, so that the client knows that it is whole.
Source: Apollo GraphOS Router, "Multipart HTTP protocol for GraphQL Subscriptions"; RFC 2046, 5.1.
"""

from collections.abc import Mapping

from server.http.answer import encoded
from server.http.media import MULTIPART
from server.http.operations import Failure, Result
from server.http.settings import HttpSettings
from vendors.errors import ErrorCode


class MultipartForm:
    """How outcomes become parts."""

    headers: Mapping[str, str] = {
        "content-type": f'{MULTIPART};boundary="graphql";subscriptionSpec="1.0"',
        "cache-control": "no-store, no-transform",
        "vary": "accept",
        "x-accel-buffering": "no",  # nginx would hold parts back until it has enough of them
    }
    closing = b"--\r\n"

    def __init__(self, settings: HttpSettings) -> None:
        self.heartbeat = _part({})
        self.opening = b"--graphql" + self.heartbeat
        self.heartbeat_seconds = settings.multipart_heartbeat_seconds
        stopping = {"message": "The server is stopping; please subscribe again.", "extensions": {"code": ErrorCode.UNAVAILABLE}}
        # Without the error the client would take the end for that of the subscription.
        self.stopping = self.failure(Failure([stopping], is_request_error=False)) + self.closing

    def result(self, result: Result) -> bytes:
        return _part({"payload": result.body})

    def failure(self, failure: Failure) -> bytes:
        """Tell a mistake in the request as GraphQL does, and the end of a subscription as the protocol's own, fatal kind of error."""
        if failure.is_request_error:
            return _part({"payload": {"errors": failure.errors}})
        return _part({"payload": None, "errors": failure.errors})


def _part(body: object) -> bytes:
    return b"\r\ncontent-type: application/json; charset=utf-8\r\n\r\n%b\r\n--graphql" % encoded(body)
