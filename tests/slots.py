"""Holds places of calls as `VendorHttp` does."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vendors.limiting import Slot


@asynccontextmanager
async def holding(slot: Slot) -> AsyncGenerator[None]:
    """Hold a place for a while."""
    if not slot.take_now():
        await slot.take()
    try:
        yield
    finally:
        slot.leave()
