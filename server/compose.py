"""The composition root: configuration in, ASGI application out."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from resolvers.context import Context
from server.app import create_app
from server.config import Config
from server.context import ContextMaker
from server.crms import connect_crms, open_session
from server.cursors import SignedCursors
from server.examples import PLAIN_TABS
from server.graphiql import Tab
from server.indexes import MemoryIndexes
from server.ledger import SqliteLedger
from server.limits import operation_extensions
from server.schema import build_schema
from server.store import kept_cursor_key, opened_store


def create_server(config: Config, *, tabs: Sequence[Tab] = PLAIN_TABS) -> Starlette:
    """Put the server of a configuration together; Crms are connected when it starts, and no vendor is called before a query needs it.

    Args:
        config: The configuration.
        tabs: What GraphiQL opens with.

    Raises:
        ConfigError: The store cannot be used.
    """
    running: list[ContextMaker] = []
    store = opened_store(config.server.store_dir)
    ledger = SqliteLedger(store.path, process=uuid4().hex, days=config.server.ledger_days)
    given = config.server.cursor_key
    cursors = SignedCursors(kept_cursor_key(store.path) if given is None else given.get_secret_value().encode())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        async with open_session() as session:
            crms = connect_crms(
                config,
                session,
                clock=time.monotonic,
                sleep=asyncio.sleep,
                jitter=random.random,  # spreads retries, keeps no secret
            )
            indexes = MemoryIndexes(time.monotonic)
            running.append(
                ContextMaker(
                    crms, cursors, indexes=indexes, ledger=ledger, rates=config.money.rates, reporting_currency=config.money.currency
                )
            )
            yield
            running.clear()
            await indexes.close()
            ledger.close()
            store.close()

    def context_factory(connection: HTTPConnection, connection_params: Mapping[str, object]) -> Context:
        del connection, connection_params
        return running[0]()

    return create_app(
        schema=build_schema(operation_extensions(config.limits, clock=time.monotonic)),
        context_factory=context_factory,
        settings=config.http,
        ready=lambda: bool(running),
        default_tabs=tabs,
        lifespan=lifespan,
    )
