"""Which GET requests may run a query.

A page of another site can make a browser send a GET without asking first. Such a request cannot change anything here (mutations are
refused) and its answer cannot be read, but it costs the CRMs calls, so it is refused when one of these shows that a browser sent it
on behalf of somebody else:

1. `Sec-Fetch-Site` says it came from another site, without an `Origin`.
2. `Sec-Fetch-Mode` says it is a navigation or a no-cors load (image, script, form).
3. `Sec-Fetch-*` is missing and `Accept` asks for a page or an image and for no JSON: a navigation of an old browser.

An `Origin` that is neither ours nor allowed has been refused before, by `guard`; one that has come so far may ask.
A header that a page can only send after a preflight settles it the other way: `GraphQL-Require-Preflight`, `X-Requested-With`,
`Apollo-Require-Preflight` or a JSON `Content-Type`. POST needs no rule: a JSON content type always causes a preflight.
"""

from starlette.datastructures import Headers

from server.http.media import JSON, names_json, parse_media_type

PREFLIGHT_HEADERS = ("graphql-require-preflight", "x-requested-with", "apollo-require-preflight")


def may_query_by_get(headers: Headers) -> bool:
    """Whether a GET request may run a query, by the rules of this module."""
    if any(name in headers for name in PREFLIGHT_HEADERS) or parse_media_type(headers.get("content-type", "")).name == JSON:
        return True
    if "origin" in headers:
        return True
    site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    if site is not None or mode is not None:
        return site in (None, "same-origin", "none") and mode not in ("navigate", "no-cors")
    accept = headers.get("accept", "").lower()
    return names_json(accept) or not ("text/html" in accept or "image/" in accept)
