"""The composition root: configuration in, ASGI application out."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from strawberry.extensions import SchemaExtension

from resolvers.context import Context
from resolvers.footing import footing_of
from resolvers.listing.index import IndexStore
from server.app import create_app
from server.changes.service import ChangeService
from server.changes.store import ChangeStore
from server.changes.webhooks import Webhooks
from server.config import Config
from server.context import ContextMaker, SystemClocks
from server.crms import connect_crms, open_session
from server.cursors import SignedCursors
from server.examples import PLAIN_TABS
from server.graphiql import Tab
from server.indexes import MemoryIndexes
from server.ledger import SqliteLedger
from server.limits import operation_extensions
from server.schema import build_schema
from server.store import kept_cursor_key, opened_store
from vendors.registry import Crm


@dataclass(frozen=True, slots=True)
class _Running:
    """What there is while the server runs."""

    crms: Mapping[str, Crm]
    make_context: ContextMaker
    changes: ChangeService | None


def create_server(
    config: Config,
    *,
    tabs: Sequence[Tab] = PLAIN_TABS,
    cursor_key: bytes | None = None,
    extensions: Sequence[type[SchemaExtension]] = (),
) -> Starlette:
    """Put the server of a configuration together; Crms are connected when it starts, and watched from then on.

    What watches them is told by the application's `state.watching()`.

    Args:
        config: The configuration.
        tabs: What GraphiQL opens with.
        cursor_key: Key that cursors are sealed with, where the store is somebody else's: nothing is kept then that outlives the process.
        extensions: Further things that run around every operation that is executed; a query whose answer is kept is not.

    Raises:
        ConfigError: The store cannot be used.
    """
    running: list[_Running] = []
    store = None
    if cursor_key is None:
        store = opened_store(config.server.store_dir)
        given = config.server.cursor_key
        cursor_key = kept_cursor_key(store.path) if given is None else given.get_secret_value().encode()
    ledger = SqliteLedger(None if store is None else store.path, process=uuid4().hex, days=config.server.ledger_days)
    cursors = SignedCursors(cursor_key)
    clocks = SystemClocks()

    def contexts(crms: Mapping[str, Crm], *, indexes: IndexStore, changes: ChangeService | None = None) -> ContextMaker:
        return ContextMaker(
            crms,
            cursors,
            indexes=indexes,
            ledger=ledger,
            changes=changes,
            rates=config.money.rates,
            reporting_currency=config.money.currency,
        )

    log = ChangeStore(store.path) if store is not None and config.changes.enabled else None

    @asynccontextmanager
    async def watched(crms: Mapping[str, Crm], scanned: MemoryIndexes) -> AsyncGenerator[_Running, None]:
        """Watch the Crms, if they are to be watched."""
        if log is None:
            yield _Running(crms, contexts(crms, indexes=scanned), None)
            return
        changes = ChangeService(
            log,
            crms,
            cursors=cursors,
            clocks=clocks,
            settings=config.changes,
            scanned=scanned,
            make_context=contexts(crms, indexes=scanned),
            jitter=random.random,
        )
        changes.start()
        try:
            yield _Running(crms, contexts(crms, indexes=changes.indexes, changes=changes), changes)
        finally:
            await changes.stop()
            log.close()

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
            async with watched(crms, indexes) as parts:
                running.append(parts)
                yield
                running.clear()
            await indexes.close()
            ledger.close()
            if store is not None:
                store.close()

    def context_factory(connection: HTTPConnection, connection_params: Mapping[str, object]) -> Context:
        del connection, connection_params
        return running[0].make_context()

    def watching() -> tuple[ChangeService, Mapping[str, Crm]] | None:
        return (running[0].changes, running[0].crms) if running and running[0].changes is not None else None

    app = create_app(
        schema=build_schema([*operation_extensions(config.limits, clock=time.monotonic), *extensions]),
        context_factory=context_factory,
        settings=config.http,
        ready=lambda: bool(running),
        default_tabs=tabs,
        further_routes=[Webhooks(watching, settings=config.changes, http=config.http, clocks=clocks).route()],
        lifespan=lifespan,
        footing_of=footing_of,
    )
    app.state.watching = watching
    return app
