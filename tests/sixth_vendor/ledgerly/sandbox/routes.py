from aiohttp import web

from vendors.ledgerly.sandbox.store import API_KEY, deals
from vendors.sandbox import SandboxSetup, application


def build(setup: SandboxSetup) -> web.Application:
    kept = deals()

    async def list_deals(request: web.Request) -> web.Response:
        if request.headers.get("X-Key") != API_KEY:
            return web.json_response({"error": "key"}, status=401)
        if "ids" in request.query:
            wanted = request.query["ids"].split(",")
            found = [deal for deal in kept if deal["id"] in wanted]
            return web.json_response({"deals": [_shown(deal) for deal in found], "more": False})
        behind = [deal for deal in kept if int(deal["id"]) > int(request.query["after"])]
        limit = int(request.query["limit"])
        return web.json_response({"deals": [_shown(deal) for deal in behind[:limit]], "more": len(behind) > limit})

    def _shown(deal: dict[str, object]) -> dict[str, object]:
        worth = deal["worth"]
        return {**deal, "worth": str(worth) if setup.options["numbers"] == "text" and worth is not None else worth}

    return application(routes=[web.get("/deals", list_deals)], name_operation=lambda request, body: f"GET {request.path}")
