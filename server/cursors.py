"""Cursors that only this server can make."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

_TAG_BYTES: Final = 12


class SignedCursors:
    """Seals content with HMAC-SHA256, cut to 96 bits: whoever changes a cursor gets it refused.

    Args:
        key: At least 16 random bytes; whoever shares it shares cursors.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, content: bytes) -> str:
        return base64.urlsafe_b64encode(self._tag(content) + content).rstrip(b"=").decode("ascii")

    def open(self, cursor: str) -> bytes | None:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != cursor:
            return None  # other characters for the same content
        tag, content = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        return content if hmac.compare_digest(tag, self._tag(content)) else None

    def _tag(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, hashlib.sha256)[:_TAG_BYTES]
