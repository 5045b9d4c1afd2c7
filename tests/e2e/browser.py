"""A headless Chromium driven over the DevTools protocol.

Knows browsers, not the page under test. The browser resolves no name and reaches no address but 127.0.0.1; what the page
sends and complains about is recorded in `Page.requests` and `Page.errors`.
"""

import asyncio
import base64
import itertools
import json
import os
import re
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--window-size=1400,900",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    # Everything but loopback goes to a proxy that is not there.
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=127.0.0.1",
    "--remote-debugging-port=0",
)
_START_SECONDS: Final = 60
_ANSWER_SECONDS: Final = 60
_CONDITION_SECONDS: Final = 30


def find_chromium() -> str | None:
    """Return the Chromium to use: the one that CRMGRAPH_CHROMIUM names, or the first on the PATH."""
    if named := os.environ.get("CRMGRAPH_CHROMIUM"):
        return named
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


class Page:
    """One tab of the browser.

    Attributes:
        requests: Every address asked for by the page and its workers, WebSockets included, in order.
        errors: Every message of level error and every uncaught exception, in order.
    """

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session_id = ""
        self._follow_ups: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        target = await self._send("Target.createTarget", {"url": "about:blank"})
        session = await self._send("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        self._session_id = cast("str", session["sessionId"])
        await self._send("Page.enable", session_id=self._session_id)
        await self._watch(self._session_id)

    async def listen(self) -> None:
        """Take messages of the browser until it closes."""
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                continue
            content: dict[str, Any] = json.loads(cast("str", message.data))
            if answer := self._answers.pop(content.get("id", 0), None):
                answer.set_result(content)
            else:
                self._note(content.get("method", ""), content.get("params", {}))
        for answer in self._answers.values():
            answer.set_exception(ConnectionError("Chromium closed the connection"))

    async def open(self, url: str) -> None:
        await self._send("Page.navigate", {"url": url}, session_id=self._session_id)
        await self.wait_for("document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited if it is a promise.

        Raises:
            AssertionError: It threw or rejected.
        """
        parameters = {"expression": expression, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = await self._send("Runtime.evaluate", parameters, session_id=self._session_id)
        if details := answer.get("exceptionDetails"):
            raise AssertionError(f"{_text_of_exception(details)}\nErrors of the page: {self.errors}")
        return answer["result"].get("value")

    async def wait_for(self, condition: str) -> Any:
        """Return the value of a JavaScript expression as soon as it is truthy.

        Raises:
            AssertionError: It was not before the deadline; the message shows what the page said instead.
        """
        return await self.evaluate(f"""new Promise((resolve, reject) => {{
            const end = performance.now() + {_CONDITION_SECONDS * 1000};
            const look = () => {{
                let value;
                try {{ value = {condition}; }} catch (error) {{ value = undefined; }}
                if (value) resolve(value);
                else if (performance.now() < end) setTimeout(look, 20);
                else reject(new Error("never so: " + {json.dumps(condition)} + "; the page says: " + document.body.innerText));
            }};
            look();
        }})""")

    async def click(self, element: str) -> None:
        """Click with the mouse on what a JavaScript expression finds, as soon as it is there and nothing covers it."""
        x, y = await self.wait_for(f"""(() => {{
            const element = {element};
            element.scrollIntoView({{ block: "nearest" }});
            const box = element.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            return element.contains(document.elementFromPoint(x, y)) && [x, y];
        }})()""")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            event = {"type": kind, "x": x, "y": y, "button": "none" if kind == "mouseMoved" else "left", "clickCount": 1}
            await self._send("Input.dispatchMouseEvent", event, session_id=self._session_id)

    async def write(self, text: str) -> None:
        """Write into what has the focus."""
        await self._send("Input.insertText", {"text": text}, session_id=self._session_id)

    async def screenshot(self) -> bytes:
        """Return what the page looks like as a PNG."""
        answer = await self._send("Page.captureScreenshot", {"format": "png"}, session_id=self._session_id)
        return base64.b64decode(cast("str", answer["data"]))

    async def _send(self, method: str, parameters: dict[str, Any] | None = None, *, session_id: str = "") -> dict[str, Any]:
        message_id = next(self._ids)
        answer = self._answers[message_id] = asyncio.get_running_loop().create_future()
        session = {"sessionId": session_id} if session_id else {}
        await self._socket.send_json({"id": message_id, "method": method, "params": parameters or {}, **session})
        async with asyncio.timeout(_ANSWER_SECONDS):
            content = await answer
        if "error" in content:
            raise AssertionError(f"{method}: {content['error']}")
        return cast("dict[str, Any]", content["result"])

    async def _watch(self, session_id: str) -> None:
        for domain in ("Network", "Runtime", "Log"):
            with suppress(AssertionError):  # a worker has no Log
                await self._send(f"{domain}.enable", session_id=session_id)
        await self._send(
            "Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}, session_id=session_id
        )
        await self._send("Runtime.runIfWaitingForDebugger", session_id=session_id)

    def _note(self, method: str, parameters: dict[str, Any]) -> None:
        match method:
            case "Target.attachedToTarget" if parameters["targetInfo"]["type"] != "page":
                # A worker waits until it is watched, so that its first request is seen.
                task = asyncio.create_task(self._watch(parameters["sessionId"]))
                self._follow_ups.add(task)
                task.add_done_callback(self._follow_ups.discard)
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(parameters["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(_text_of_exception(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in {"error", "assert"}:
                self.errors.append(" ".join(str(part.get("value", part.get("description"))) for part in parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.errors.append(f"{parameters['entry']['text']} ({parameters['entry'].get('url')})")
            case _:
                pass


@asynccontextmanager
async def browser_page(chromium: str, profile: Path) -> AsyncGenerator[Page]:
    """Start a Chromium with a fresh profile in the folder `profile` and open an empty page."""
    process = await asyncio.create_subprocess_exec(chromium, *_FLAGS, f"--user-data-dir={profile}", "about:blank", stderr=PIPE)
    try:
        address = await _debugger_address(process)
        async with ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
            page = Page(socket)
            background = asyncio.gather(page.listen(), _drain(process))
            try:
                await page.start()
                yield page
            finally:
                background.cancel()
                with suppress(asyncio.CancelledError):
                    await background
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def _debugger_address(process: Process) -> str:
    assert process.stderr is not None
    said = ""
    async with asyncio.timeout(_START_SECONDS):
        async for line in process.stderr:
            said += line.decode(errors="replace")
            if found := re.search(r"^DevTools listening on (ws://\S+)", said, re.MULTILINE):
                return found[1]
    raise AssertionError(f"Chromium ended before it listened:\n{said}")


async def _drain(process: Process) -> None:
    assert process.stderr is not None
    while await process.stderr.read(65536):
        pass


def _text_of_exception(details: dict[str, Any]) -> str:
    return str(details.get("exception", {}).get("description", details.get("text")))
