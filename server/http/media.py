"""Media types of requests and answers. Pure."""

import re
from collections.abc import Iterator
from email.message import Message
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
HTML = "text/html"
EVENT_STREAM = "text/event-stream"
MULTIPART = "multipart/mixed"

_SUBSCRIPTIONS = re.compile(r""";\s*subscriptionSpec\s*=\s*["']?1\.0["']?\s*(?:;|$)""", re.IGNORECASE)
_KNOWN_HEADERS = 64  # clients of a kind send the same ones; each is no longer than all headers may be
_WILDCARD_SPECIFICITY = {"*/*": 1, "application/*": 2, "text/*": 2}


class MediaType(NamedTuple):
    """A media type without its parameters, and the charset it names, in lower case."""

    name: str
    charset: str | None


@lru_cache(_KNOWN_HEADERS)
def parse_media_type(header: str) -> MediaType:
    """Read a Content-Type header, or one element of an Accept header."""
    message = Message()
    message["content-type"] = header.strip().replace("\r", " ").replace("\n", " ")
    name = header.partition(";")[0].strip().lower()
    charset = message.get_param("charset")
    return MediaType(name, charset.strip().lower() if isinstance(charset, str) else None)


@lru_cache(_KNOWN_HEADERS)
def answer_type(accept: str | None, *, html: bool) -> str | None:
    """Choose the media type of the answer.

    Args:
        accept: The Accept header, or None if there is none.
        html: Whether a page can be offered.

    Returns:
        The acceptable type the client likes best, None if there is none. Of equals, one that is named beats one that only a wildcard
        covers, and the GraphQL type beats plain JSON. Where a wildcard or nothing decides, it is plain JSON, which every client reads.
    """
    if accept is None or not accept.strip():
        return JSON
    ranges = list(_ranges(accept))
    offers = [GRAPHQL_RESPONSE, JSON, *([HTML] if html else [])]
    best: tuple[float, int, int] = (0.0, 0, 0)
    chosen: str | None = None
    for offer in offers:
        matches = [(specificity, quality) for name, specificity, quality in ranges if _covers(name, offer)]
        if not matches:
            continue
        specificity, quality = max(matches)
        if offer == HTML and specificity < 3:  # noqa: PLR2004 - a page is for those who ask for one
            continue
        # Plain JSON is the default among what wildcards cover; the GraphQL type is first among what is named.
        rank = (quality, specificity, int(offer == JSON and specificity < 3))  # noqa: PLR2004
        if quality > 0 and rank > best:
            best, chosen = rank, offer
    return chosen


@lru_cache(_KNOWN_HEADERS)
def stream_type(accept: str) -> str | None:
    """Choose the media type of a stream: the one that Accept names with the highest quality, the first of equals; None if it names none.

    A wildcard names none: whoever sends it may not know that an answer can go on. Multipart is for those who say that they read
    subscriptions in it, by Apollo's `subscriptionSpec=1.0`.
    """
    parts = [part for part in accept.split(",") if parse_media_type(part).name != MULTIPART or _SUBSCRIPTIONS.search(part)]
    named = [(quality, name) for name, _, quality in _ranges(",".join(parts)) if name in (EVENT_STREAM, MULTIPART) and quality > 0]
    return max(named, key=itemgetter(0))[1] if named else None


def names_json(accept: str) -> bool:
    """Whether an Accept header names one of the JSON types, which no browser does by itself."""
    return any(name in (JSON, GRAPHQL_RESPONSE) for name, _, _ in _ranges(accept))


def _covers(name: str, offer: str) -> bool:
    return name in (offer, "*/*", offer.partition("/")[0] + "/*")


def _ranges(accept: str) -> Iterator[tuple[str, int, float]]:
    """Yield name, specificity and quality of what an Accept header lists; what cannot be read is left out."""
    for part in accept.split(","):
        media_type = parse_media_type(part)
        if media_type.charset not in (None, "utf-8", "utf8"):
            continue
        quality = 1.0
        for parameter in part.split(";")[1:]:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        yield media_type.name, _WILDCARD_SPECIFICITY.get(media_type.name, 3), quality if 0 <= quality <= 1 else 0.0
