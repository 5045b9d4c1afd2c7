"""What no value of a Crm may be, whichever vendor it is for, told by the kind of setting before a request is made of it.

A URL is a setting whose name ends in `url`, `origin` or `origins`, and `proxy`. What is found here would otherwise look like a vendor that
cannot be reached, since no request could be made.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from pydantic import SecretStr
from yarl import URL

from server.config_mistakes import Mistakes

_URL_NAME: Final = re.compile(r"(.*_)?(url|origins?|proxy)")
_CONTROLS: Final = frozenset({"Cc", "Cs"})  # half of a surrogate pair is what an environment variable that is no UTF-8 is read as
_INVISIBLE: Final = _CONTROLS | {"Cf", "Zl", "Zp"}  # joiners belong to some scripts' names, but not to secrets


def refuse_unusable(values: Mapping[str, Any], mistakes: Mistakes) -> frozenset[str]:
    """Note the values that no request could be made of.

    Args:
        values: Settings of a Crm, with secrets looked up; values of a wrong type are left to others.
        mistakes: Gets a line for each.

    Returns:
        The names of the settings that have one.
    """
    found: set[str] = set()
    for name, value in values.items():
        for text, is_secret in _texts(value):
            what = _control_mistake(text, is_secret=is_secret)
            if what is None and _URL_NAME.fullmatch(name) and "://" in text:
                what = _proxy_mistake(text) if name == "proxy" else url_mistake(text)
            if what is not None:
                mistakes.add(name, what)
                found.add(name)
    return frozenset(found)


def urls_in(values: Mapping[str, Any]) -> Iterator[str]:
    """The URLs among the settings of a vendor."""
    return (text for name, value in values.items() if _URL_NAME.fullmatch(name) for text, _ in _texts(value))


def url_mistake(text: str, *, may_have_user: bool = False) -> str | None:
    """What is wrong with a base URL; None when nothing is. That of a proxy may have a user and password."""
    if any(character.isspace() for character in text):
        return "must be a URL without blanks"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
        URL(text)
        if ":" not in host:
            host.encode("idna")
    except ValueError:
        return "must be a URL, such as https://host/"
    wrongs = (
        (parts.scheme not in ("http", "https"), "must be a URL that begins with https:// or http://"),
        (not host, "must be a URL with a host, such as https://host/"),
        ("@" in parts.netloc and not may_have_user, "must be a URL without user and password; credentials have settings of their own"),
        ("?" in text or "#" in text, "must be a URL without a query or fragment, which begin with ? and #"),
    )
    return next((what for is_wrong, what in wrongs if is_wrong), None)


def _proxy_mistake(text: str) -> str | None:
    return None if url_mistake(text, may_have_user=True) is None else "give the proxy as http://host:port"


def _control_mistake(text: str, *, is_secret: bool) -> str | None:
    categories = set(map(unicodedata.category, text))
    if categories & _CONTROLS:
        return "has a control character, such as a line break, or is no Unicode text; remove it"
    if is_secret and categories & _INVISIBLE:
        return "has an invisible character, which often comes with copied text; remove it"
    return None


def _texts(value: object) -> Iterator[tuple[str, bool]]:
    """The texts in a value, and whether they are secret."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value(), True
    elif isinstance(value, str):
        yield value, False
    elif isinstance(value, list | tuple):
        for item in cast("list[object]", value):
            yield from _texts(item)
