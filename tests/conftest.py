"""What holds for all tests."""

import gc
from typing import Any

import pytest
from aiohttp import web_app

_YOUNG_OBJECTS = 50_000


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave modules and thousands of collected tests out of every later search for garbage: a tenth of the time would go into it."""
    del session
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)


def pytest_runtest_teardown() -> None:
    """Let go of the sandbox of the test: aiohttp keeps the last 1,024 applications, and with them two gigabytes of deals."""
    aiohttp: Any = web_app
    aiohttp._cached_build_middleware.cache_clear()
