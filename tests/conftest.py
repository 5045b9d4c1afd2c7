"""What holds for all tests."""

import gc

import pytest

_YOUNG_OBJECTS = 50_000


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave modules and thousands of collected tests out of every later search for garbage: a tenth of the time would go into it."""
    del session
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)
