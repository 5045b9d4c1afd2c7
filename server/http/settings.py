"""How the HTTP side behaves; plain values, checked when they are made."""

from dataclasses import dataclass

from vendors.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Settings of the HTTP side.

    Args:
        host: Address that the server listens at; requests may name it as their host, as they may name loopback.
        allowed_hosts: Further names that requests may name as their host, without a port.
        cors_origins: Origins (`https://example.com`) whose pages may ask, read answers and open WebSockets; `*` allows all.
        max_body_bytes: Largest request body.
        max_json_depth: Deepest nesting of arrays and objects in a body, or in the variables of a GET.
        max_number_digits: Longest number in a body.
        max_header_bytes: All header names and values together.
        max_url_bytes: Path and query of the URL together.
        body_read_timeout_seconds: How long a client may take to send its whole body.
        gzip_minimum_bytes: Answers from this size on are compressed for clients that accept it.
        status_partial_294: Answer 294 instead of 200 when there are data and errors, for `application/graphql-response+json` only.
        graphiql: Serve GraphiQL to browsers.
        max_operations_per_socket: Operations that may run at once on one WebSocket.
        connection_init_timeout_seconds: How long a WebSocket may take to send its `connection_init`.
        ping_interval_seconds: How often a WebSocket is pinged.
        pong_timeout_seconds: How long after a ping its client may be silent.
        sse_ping_seconds: How often a stream of server-sent events has a comment.
        sse_retry_seconds: How long a browser waits before it comes back to a stream of server-sent events that broke off.
        multipart_heartbeat_seconds: How often a multipart stream has an empty part.
        kept_answers_bytes: Size of the answers, made of kept records alone, that are kept as a whole; 1 keeps none.
    """

    host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: int = 1024 * 1024
    max_json_depth: int = 64
    max_number_digits: int = 1000
    max_header_bytes: int = 16 * 1024
    max_url_bytes: int = 16 * 1024
    body_read_timeout_seconds: float = 10.0
    gzip_minimum_bytes: int = 1024
    status_partial_294: bool = False
    graphiql: bool = True
    max_operations_per_socket: int = 100
    connection_init_timeout_seconds: float = 10.0
    ping_interval_seconds: float = 15.0
    pong_timeout_seconds: float = 10.0
    sse_ping_seconds: float = 12.0
    sse_retry_seconds: float = 1.0
    multipart_heartbeat_seconds: float = 5.0
    kept_answers_bytes: int = 32 * 1024 * 1024

    def __post_init__(self) -> None:
        for origin in self.cors_origins:
            if origin != "*" and (not origin.startswith(("http://", "https://")) or origin.count("/") != 2):  # noqa: PLR2004
                raise ConfigError(f"`cors_origins` has {origin!r}; an origin is a scheme and a host, such as 'https://example.com'.")
