"""Puts the sandbox together, with the control routes that are ours: move a deal, read the raw rows, set limits and permissions."""

import json

from aiohttp import web

from vendors.autotask.sandbox.board import OpportunityBoard
from vendors.autotask.sandbox.limits import Limits
from vendors.autotask.sandbox.paths import target_of
from vendors.autotask.sandbox.routes import Api, exact_json
from vendors.autotask.sandbox.scale import replace_opportunities
from vendors.autotask.sandbox.store import load
from vendors.autotask.sandbox.values import UDFS, RefusedError
from vendors.sandbox import SandboxSetup, application
from vendors.sandbox_board import enliven

API = web.AppKey("API", Api)


def build(setup: SandboxSetup) -> web.Application:
    """Make the application with fresh state."""
    store = load(setup.options)
    if setup.scale is not None:
        replace_opportunities(store, setup.scale)
    api = Api(store, Limits(), setup.base_url)
    app = application(
        routes=[
            web.post("/_sandbox/move", _move),
            web.get("/_sandbox/records", _records),
            web.put("/_sandbox/threshold", _threshold),
            web.put("/_sandbox/denied", _denied),
            web.route("*", "/{path:.*}", api.serve),
        ],
        name_operation=lambda request, _body: target_of(request.method, request.path).operation,
    )
    app.middlewares.insert(0, api.admit)
    app[API] = api
    enliven(app, OpportunityBoard(store))
    return app


async def _move(request: web.Request) -> web.Response:
    given = json.loads(await request.text())
    try:
        request.app[API].store.move(int(given["id"]), int(given["stage"]))
    except RefusedError as refused:
        return web.json_response({"error": refused.text}, status=refused.status)
    return web.json_response({})


async def _records(request: web.Request) -> web.Response:
    """The opportunities as they are kept: unset fields left out, user-defined fields as an object."""
    table = request.app[API].store.tables["Opportunities"]
    return web.json_response([{UDFS: {}} | table.rows[record_id] for record_id in table.ids], dumps=exact_json)


async def _threshold(request: web.Request) -> web.Response:
    """Set what the vendor sets on demand (`threshold`), and what other integrations have used up (`used`)."""
    limits = request.app[API].limits
    given = json.loads(await request.text())
    limits.threshold = int(given.get("threshold", limits.threshold))
    if "used" in given:
        limits.set_used(int(given["used"]))
    return web.json_response({})


async def _denied(request: web.Request) -> web.Response:
    """Take the permission on these entities away from the API user."""
    request.app[API].denied = set(json.loads(await request.text()))
    return web.json_response({})
