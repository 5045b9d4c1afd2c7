"""Global ids: base64 of `TypeName:crmKey:localId`, decoded at the first two colons only, so that local ids may hold colons."""

import base64
import binascii
from typing import NamedTuple

from resolvers.errors import UserError
from vendors.errors import ErrorCode
from vendors.model import Ref


class NodeId(NamedTuple):
    """A decoded global id. Compare these, never the encoded text: two texts can decode to one id."""

    type_name: str
    ref: Ref


def encode(type_name: str, ref: Ref) -> str:
    """Make a global id, in the standard base64 alphabet: `/` and `+` occur, so quote it in URLs."""
    return binascii.b2a_base64(f"{type_name}:{ref[0]}:{ref[1]}".encode(), newline=False).decode("ascii")


def decode(text: str, *expected: str) -> NodeId:
    """Read a global id.

    Args:
        text: The encoded id.
        expected: Type names that fit; any when there is none.

    Raises:
        UserError: It is no global id (INVALID_ID), or one of another type.
    """
    try:
        parts = base64.b64decode(text, validate=True).decode("utf-8").split(":", 2)
    except (binascii.Error, ValueError):
        parts = []
    if len(parts) != 3 or not parts[0] or not parts[1]:  # noqa: PLR2004
        raise UserError(ErrorCode.INVALID_ID, f"{text[:100]!r} is no id of this graph; take ids from the `id` field of an answer.")
    node = NodeId(parts[0], Ref(parts[1], parts[2]))
    if expected and node.type_name not in expected:
        raise UserError(
            ErrorCode.INVALID_ID,
            f"{text[:100]!r} is an id of the type {node.type_name[:50]}; this field takes one of {' or '.join(expected)}.",
        )
    return node
