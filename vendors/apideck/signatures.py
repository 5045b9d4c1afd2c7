"""What Apideck signs its webhooks with. Pure.

Source: Apideck guide "Webhook Signature Verification": an HMAC-SHA256 with the API key over the body, its keys sorted at every depth, as
JSON.stringify writes it. The CRM API's example is in hexadecimal digits; the vendor's skills for agents show base64, over the body as it
came, and a secret of its own. Which of them holds is not told, so each of them is taken.
"""

import base64
import binascii
import hmac
import json
import re
from json.encoder import encode_basestring
from typing import Final, cast

# Not documented. What the vendor sends is far shorter, and what is not must not cost much before it is known whose it is.
MOST_BYTES: Final = 64 * 1024

_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{43}=")
_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


class _Literal(str):
    """A number as it is written."""

    __slots__ = ()


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Whether a signature is that of a body, in any of the forms; it takes the same time wherever the two differ."""
    given = _digest(signature.strip())
    if given is None or len(body) > MOST_BYTES:
        return False
    sorted_body = canonical(body)
    signed = [body] if sorted_body is None else [body, sorted_body]
    matches = [hmac.compare_digest(hmac.digest(secret.encode(), text, "sha256"), given) for text in signed]
    return any(matches)


def canonical(body: bytes) -> bytes | None:
    """A JSON text with the keys of its objects sorted by their UTF-16 units and without blanks; None for what is no such text.

    Numbers stay as they are written: whoever made the text with JSON.stringify wrote them as it would write them again.
    """
    try:
        data = json.loads(body.decode(), parse_int=_Literal, parse_float=_Literal, parse_constant=_refused)
        parts: list[str] = []
        _write(data, parts)
        return "".join(parts).encode()
    except (ValueError, RecursionError):
        return None


def _digest(signature: str) -> bytes | None:
    if _HEX.fullmatch(signature):
        return bytes.fromhex(signature)
    if _BASE64.fullmatch(signature):
        try:
            return base64.b64decode(signature, validate=True)
        except binascii.Error:
            return None
    return None


def _refused(name: str) -> None:
    raise ValueError(name)


def _write(value: object, parts: list[str]) -> None:
    match value:
        case _Literal():
            parts.append(str(value))
        case str():
            parts.append(_quoted(value))
        case dict():
            members = cast("dict[str, object]", value)
            for number, (name, entry) in enumerate(sorted(members.items(), key=_utf_16)):
                parts.append(f"{',' if number else '{'}{_quoted(name)}:")
                _write(entry, parts)
            parts.append("}" if members else "{}")
        case list():
            entries = cast("list[object]", value)
            for number, entry in enumerate(entries):
                parts.append("," if number else "[")
                _write(entry, parts)
            parts.append("]" if entries else "[]")
        case _:
            parts.append(json.dumps(value))


def _utf_16(member: tuple[str, object]) -> bytes:
    return member[0].encode("utf-16-be", "surrogatepass")


def _quoted(text: str) -> str:
    """A text as JSON.stringify writes it: half a surrogate pair, which UTF-8 cannot hold, as an escape."""
    return _HALF_PAIR.sub(lambda half: f"\\u{ord(half[0]):04x}", encode_basestring(text))
