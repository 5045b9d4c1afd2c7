"""gql over a WebSocket; coming back is the application's business. Prints a line of JSON for each event."""
# gql is installed for this script alone, where the checkers do not see it.
# mypy: disable-error-code="import-not-found"
# pyright: basic, reportMissingImports=false

import asyncio
import json
import sys

from gql import Client, gql
from gql.transport.exceptions import TransportError
from gql.transport.websockets import WebsocketsTransport

QUERY = "subscription S($after: String) { opportunityStageChanged(after: $after) { cursor eventId } }"


async def follow(url: str, events: int) -> None:
    """Receive that many events, from one connection or several."""
    after: str | None = None
    while True:
        request = gql(QUERY)
        request.variable_values = {"after": after}
        try:
            async with Client(transport=WebsocketsTransport(url=url.replace("http", "ws", 1))) as session:
                async for data in session.subscribe(request):
                    print(json.dumps(data["opportunityStageChanged"]), flush=True)  # noqa: T201  # its output is the result
                    after = data["opportunityStageChanged"]["cursor"]
                    events -= 1
                    if events == 0:
                        return
        except (OSError, TransportError):
            await asyncio.sleep(0.05)


asyncio.run(follow(sys.argv[1], int(sys.argv[2])))
