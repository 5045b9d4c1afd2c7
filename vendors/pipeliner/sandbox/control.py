"""Puts the sandbox together, with the control routes that are ours: move a deal, make it a lead again, read the raw rows."""

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from vendors.pipeliner.sandbox.board import OpportunityBoard
from vendors.pipeliner.sandbox.presenting import Presenter
from vendors.pipeliner.sandbox.routes import SPACE_ID, Api, operation_of
from vendors.pipeliner.sandbox.scale import replace_opportunities
from vendors.pipeliner.sandbox.store import Store
from vendors.pipeliner.sandbox.webhooks import Deliveries
from vendors.sandbox import SandboxSetup, application
from vendors.sandbox_board import enliven
from vendors.sandbox_webhooks import Sender, add_sender

API = web.AppKey("API", Api)
_SEED = Path(__file__).with_name("seed.json")


def build(setup: SandboxSetup, *, now: Callable[[], datetime] | None = None) -> web.Application:
    """Make the application with fresh state; `now` is the wall clock of the space (aware, UTC)."""
    store = Store(json.loads(_SEED.read_text(encoding="utf-8")), won_by=str(setup.options["won_by"]), now=now)
    if setup.scale is not None:
        replace_opportunities(store, setup.scale)
    api = Api(store, setup.options, setup.clock)
    app = application(
        routes=[
            web.post("/_sandbox/move", _move),
            web.post("/_sandbox/back_to_lead", _back_to_lead),
            web.get("/_sandbox/records", _records),
            web.route("*", "/{path:.*}", api.serve),
        ],
        name_operation=operation_of,
    )
    app[API] = api
    sender = Sender()
    deliveries = Deliveries(store, Presenter(store, setup.options, SPACE_ID), setup.options, sender.send)
    store.subscribe_to_requests(deliveries.tell)
    add_sender(app, sender)
    enliven(app, OpportunityBoard(store))
    return app


async def _move(request: web.Request) -> web.Response:
    """Move the deal `id` to the step `stage`, as a person does it."""
    given = json.loads(await request.text())
    try:
        request.app[API].store.move(str(given["id"]), str(given["stage"]))
    except KeyError:
        return web.json_response({"error": "There is no such opportunity or no such step."}, status=404)
    return web.json_response({})


async def _back_to_lead(request: web.Request) -> web.Response:
    """Make the deal `id` a lead again, as a person does it."""
    given = json.loads(await request.text())
    try:
        request.app[API].store.back_to_lead(str(given["id"]))
    except KeyError:
        return web.json_response({"error": "There is no such opportunity."}, status=404)
    return web.json_response({})


async def _records(request: web.Request) -> web.Response:
    """The opportunities as they are kept: keys with their default left out, deleted ones too."""
    table = request.app[API].store.tables["Opportunities"]
    text = json.dumps([table.rows[row_id] for row_id in table.ids], default=_plain)
    return web.Response(text=text, content_type="application/json")


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    assert isinstance(value, date | datetime)
    return value.isoformat()
