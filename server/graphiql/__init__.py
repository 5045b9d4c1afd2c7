"""GraphiQL as a page of our own origin.

Knows the page and where its assets lie, not how they are served: a server answers a browser with `page()` at the endpoint
and the files of `assets_dir()` under `<endpoint>/assets/`. `python -m server.graphiql.build` makes the assets.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Final

# Monaco writes style elements; the style sheet carries fonts and cursors as data.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_VERSION_FILE: Final = "version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """What a tab holds when the page is opened for the first time; GraphiQL names it after its operation.

    Attributes:
        query: A GraphQL document.
        variables: JSON text.
        headers: JSON text.
    """

    query: str
    variables: str | None = None
    headers: str | None = None


def page(*, endpoint: str, subscription_url: str | None, default_tabs: Sequence[Tab]) -> str:
    """Return the HTML page, or one that says how to build GraphiQL where `is_built()` is false.

    Args:
        endpoint: Path that takes operations by POST, as the browser sees it; the assets are expected under `<endpoint>/assets/`.
        subscription_url: Path that speaks graphql-transport-ws; None leaves subscriptions out.
        default_tabs: Shown to a browser that has no tabs of its own yet.

    Raises:
        ValueError: An address is not a path of our own origin.
    """
    for address in (endpoint, subscription_url):
        if address is not None and not _is_own_path(address):
            raise ValueError(f"GraphiQL speaks to its own origin only: give a path such as '/graphql' instead of {address!r}.")
    if not is_built():
        return _NOT_BUILT_PAGE
    version = (assets_dir() / _VERSION_FILE).read_text("utf-8")
    settings = {"endpoint": endpoint, "subscriptionUrl": subscription_url, "defaultTabs": [asdict(tab) for tab in default_tabs]}
    return _PAGE.format(assets=escape(f"{endpoint.rstrip('/')}/assets"), version=version, settings=_json_in_script(settings))


def assets_dir() -> Path:
    """Return the folder of the page's assets, which exists where `is_built()` is true."""
    return Path(__file__).parent / "dist"


def is_built() -> bool:
    return (assets_dir() / _VERSION_FILE).is_file()


def _is_own_path(address: str) -> bool:
    # "//host" and, to a browser, "/\host" name another origin.
    return address.startswith("/") and not address.startswith(("//", "/\\"))


def _json_in_script(value: object) -> str:
    # Without "<" no text can close the script element or open a comment in it.
    return json.dumps(value).replace("<", "\\u003c")


_PAGE: Final = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>crmgraph</title>
    <link rel="icon" href="{assets}/icon.svg?v={version}">
    <link rel="stylesheet" href="{assets}/main.css?v={version}">
    <script type="application/json" id="settings">{settings}</script>
    <script type="module" src="{assets}/main.js?v={version}"></script>
  </head>
  <body>
    <div id="graphiql"><noscript>GraphiQL needs JavaScript.</noscript></div>
  </body>
</html>
"""

_NOT_BUILT_PAGE: Final = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>crmgraph</title>
  </head>
  <body>
    <h1>GraphiQL is not built yet</h1>
    <p>Run <code>make graphiql</code> in the folder of crmgraph, then reload this page.</p>
    <p>Building needs the npm registry once; using GraphiQL needs no network.</p>
    <p>This address answers GraphQL over POST without it.</p>
  </body>
</html>
"""
