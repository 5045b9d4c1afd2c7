"""What a Crm's last answers were read as, for as long as it answers the same.

A board that is opened again, or a list that is swept every second, mostly says what it said before. The vendor is asked all the same; what
is saved is the reading of its answer, which takes many times as long as seeing that nothing has changed.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Final

_MOST_BYTES: Final = 16 * 1024 * 1024
_MOST_ASKED: Final = 4_096
# More than what is mostly measured: of models that only readings still hold, of a row with few of its model's fields and its record, and of
# a member of a row that has many, such as custom fields.
_BYTES_OF_A_READING: Final = 64 * 1024
_BYTES_OF_AN_OBJECT: Final = 3 * 1024
_BYTES_OF_A_MEMBER: Final = 256
_BYTES_OF_A_LETTER: Final = 4  # of all in a text, once one of them takes so many


@dataclass(frozen=True, slots=True)
class _Read:
    """Its answer may hold a secret, which must not get into a text by mistake."""

    reader: object
    gist: bytes = field(repr=False)
    reading: Any = field(repr=False)
    weight: int


class Readings:
    """The last readings of one way out to a Crm, those that were of use last.

    Args:
        most_bytes: Of all answers, what was read of them, and the records made of that, as far as can be told from the answers.
        most_asked: Questions that are remembered to have been asked.
    """

    def __init__(self, *, most_bytes: int = _MOST_BYTES, most_asked: int = _MOST_ASKED) -> None:
        self._most_bytes = most_bytes
        self._most_asked = most_asked
        self._bytes = 0
        # Two questions may have one hash: then the bytes tell them apart, or it makes no difference.
        self._asked: OrderedDict[int, None] = OrderedDict()
        self._kept: OrderedDict[int, _Read] = OrderedDict()

    def find(self, reader: Hashable, question: Hashable, gist: bytes) -> Any | None:
        """What that reader has read of an answer of that gist; None when the last answer was another, or is not kept.

        Args:
            reader: Reads the same of the same bytes at any time.
            question: What was asked.
            gist: The bytes of the answer, without what does not count.
        """
        mark = hash((reader, question))
        kept = self._kept.get(mark)
        if kept is None or kept.reader is not reader or kept.gist != gist:
            return None
        self._kept.move_to_end(mark)
        return kept.reading

    def keep(self, reader: Hashable, question: Hashable, gist: bytes, reading: object) -> None:
        """Keep what an answer was read as, if the question was asked before: most are asked once."""
        mark = hash((reader, question))
        if mark not in self._kept and mark not in self._asked:
            self._asked[mark] = None
            if len(self._asked) > self._most_asked:
                self._asked.popitem(last=False)
            return
        self._forget(mark)
        weight = _weight(gist)
        if weight > self._most_bytes:
            return
        self._kept[mark] = _Read(reader, gist, reading, weight)
        self._bytes += weight
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._kept)))

    def _forget(self, mark: int) -> None:
        kept = self._kept.pop(mark, None)
        if kept is not None:
            self._bytes -= kept.weight


def _weight(gist: bytes) -> int:
    """Bytes that an answer takes with all that is made of it, by what can be told from it quickly."""
    letter = 1 if gist.isascii() and b"\\u" not in gist else _BYTES_OF_A_LETTER
    objects, members = gist.count(b"{") + gist.count(b"["), gist.count(b'":')
    return _BYTES_OF_A_READING + len(gist) * (1 + letter) + max(objects * _BYTES_OF_AN_OBJECT, members * _BYTES_OF_A_MEMBER)
