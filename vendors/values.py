"""`dataclass` for values that are made by the thousand."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False, **options: Any) -> Callable[[type], type]:
        """Do what `dataclasses.dataclass` does, but freeze for type checkers alone, with the hash of what is frozen.

        A frozen instance of forty fields takes 5 microseconds to make, another one 2: setting a frozen field is a call.
        """
        return dataclasses.dataclass(unsafe_hash=frozen, **options)


__all__ = ["dataclass"]
