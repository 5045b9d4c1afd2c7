"""What every vendor's sandbox is built on: options, a request log, faults, and a real HTTP server.

A sandbox is independent software that plays one vendor. It imports nothing of that vendor's adapter, so that a misspelt wire name
fails a test instead of matching itself. Everything under `/_sandbox/` is ours and no vendor's: the call log, the faults, the latency.
"""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from aiohttp import web

OptionValue = str | int | bool
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FaultKind = Literal[
    "status",
    "hang",
    "drip",
    "reset",
    "reset_mid_body",
    "reset_after",
    "hang_after",
    "cut_json",
    "html",
    "empty",
    "deep_json",
    "endless",
    "redirect",
    "wrong_type",
    "bad_row",
]
_MAX_LOGGED_BODY = 65_536
_ENDLESS_CHUNKS = 4_096


@dataclass(frozen=True, slots=True)
class Option:
    """One switch of a sandbox: a fact the vendor leaves unconfirmed, so that an adapter has to pass in every position.

    `is_of_pushes` says that it is about webhooks alone, so that no call is answered in another way.
    """

    values: tuple[OptionValue, ...]
    default: OptionValue
    hardest: OptionValue
    meaning: str
    is_of_pushes: bool = False

    def __post_init__(self) -> None:
        """Refuse a default or a hardest position that is not among the values."""
        if self.default not in self.values or self.hardest not in self.values:
            msg = f"default {self.default!r} and hardest {self.hardest!r} must be among {self.values!r}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class SandboxSetup:
    """What one running sandbox is built from.

    Args:
        options: A value for every option of the kind.
        scale: Number of opportunities to generate deterministically instead of the seed's own; None for the seed as it is.
        base_url: Origin the sandbox is reached at, for vendors that put absolute links into their answers.
        clock: Seconds that only go forward, for limits on calls in a span of time.
    """

    options: Mapping[str, OptionValue]
    scale: int | None
    base_url: str
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxKind:
    """A vendor's sandbox as its folder declares it (`SANDBOX` in `vendors/<vendor>/sandbox/__init__.py`).

    Args:
        vendor: The vendor's key, which is its folder's name.
        crm_key: Key of the demo Crm that this sandbox plays.
        label: Label of that demo Crm.
        options: The switches.
        build: Makes the application; called once per start, so that state never outlives a run.
        settings: The `crms.toml` settings of a Crm that talks to this sandbox, given its base URL and options.
        not_simulated: What the vendor does and this sandbox does not.
    """

    vendor: str
    crm_key: str
    label: str
    options: Mapping[str, Option]
    build: Callable[[SandboxSetup], web.Application]
    settings: Callable[[str, Mapping[str, OptionValue]], Mapping[str, object]]
    not_simulated: tuple[str, ...] = ()

    def complete_options(self, given: Mapping[str, OptionValue] | None = None) -> dict[str, OptionValue]:
        """Fill the options that are not given with their defaults.

        Raises:
            ValueError: An option or a value does not exist; the message names those that do.
        """
        chosen = {name: option.default for name, option in self.options.items()}
        for name, value in (given or {}).items():
            if name not in self.options:
                msg = f"sandbox {self.vendor!r} has no option {name!r}; it has {sorted(self.options)}"
                raise ValueError(msg)
            if value not in self.options[name].values:
                msg = f"option {name!r} of sandbox {self.vendor!r} takes one of {list(self.options[name].values)}, not {value!r}"
                raise ValueError(msg)
            chosen[name] = value
        return chosen

    def positions(self, *, pushes: bool = False) -> list[dict[str, OptionValue]]:
        """All option positions a contract runs in: the defaults, every other value one at a time, and all the hardest together.

        Those that are about webhooks alone are told apart only when pushes are what is looked at.
        """
        told = {name: option for name, option in self.options.items() if pushes or not option.is_of_pushes}
        singles = [{name: value} for name, option in told.items() for value in option.values if value != option.default]
        hardest = {name: option.hardest for name, option in self.options.items() if option.hardest != option.default}
        return [{}, *singles, *([hardest] if len(hardest) > 1 else [])]


@dataclass(slots=True, kw_only=True)
class Call:
    """One request as the sandbox saw it. `operation` is the vendor's own name of it (a method, an entity and verb)."""

    operation: str
    method: str
    path: str
    query: list[tuple[str, str]]
    body: str
    status: int = 0
    in_flight: int = 0
    started: float = 0.0
    ended: float = 0.0


@dataclass(slots=True, kw_only=True)
class Fault:
    """A way to fail.

    Args:
        kind: What happens instead of the answer; `reset_mid_body`, `reset_after` and `hang_after` after the request was carried out.
        status: HTTP status of kind `status`.
        headers: Headers of kind `status` (such as `Retry-After`), or `Location` of kind `redirect`.
        body: Body of kind `status`.
        match: Only requests whose operation or path contains this text.
        skip: Number of matching requests to let through first.
        times: How many requests it hits; None for all.
    """

    kind: FaultKind
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: str = ""
    match: str = ""
    skip: int = 0
    times: int | None = None


@dataclass(slots=True)
class Control:
    """State of the test side of one running sandbox: log of calls, faults to act out, latency to add (seconds, before each answer)."""

    calls: list[Call] = field(default_factory=list[Call])
    faults: list[Fault] = field(default_factory=list[Fault])
    latency_seconds: float = 0.0
    in_flight: int = 0

    def count(self, operation: str = "") -> int:
        """Number of logged calls whose operation contains the text."""
        return sum(1 for call in self.calls if operation in call.operation)

    def operations(self) -> list[str]:
        """The operations of all logged calls, in order."""
        return [call.operation for call in self.calls]

    def take_fault(self, call: Call) -> Fault | None:
        """Pick the first fault that applies to this call, and use it up by one."""
        for fault in self.faults:
            if fault.match not in call.operation and fault.match not in call.path:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                return None
            if fault.times is None:
                return fault
            if fault.times > 0:
                fault.times -= 1
                return fault
        return None


CONTROL = web.AppKey("CONTROL", Control)


@dataclass(frozen=True, slots=True)
class _Namer:
    """Gives a request its name in the log."""

    name: Callable[[web.Request, bytes], str]


_NAMER = web.AppKey("_NAMER", _Namer)


def application(
    *,
    routes: Sequence[web.RouteDef],
    name_operation: Callable[[web.Request, bytes], str] | None = None,
    middlewares: Sequence[Any] = (),
) -> web.Application:
    """Make the aiohttp application of a sandbox: the vendor's routes behind the log and the faults, and `/_sandbox/` beside them.

    Args:
        routes: The vendor's own routes.
        name_operation: Gives a request its name in the log, from the request and its body; `METHOD /path` without it.
        middlewares: The vendor's own middlewares (authentication, limits), which run inside the log.
    """
    app = web.Application(middlewares=[_record, *middlewares], client_max_size=64 * 1024 * 1024)
    app[CONTROL] = Control()
    if name_operation is not None:
        app[_NAMER] = _Namer(name_operation)
    app.add_routes(_CONTROL_ROUTES)
    app.add_routes(routes)
    return app


@web.middleware
async def _record(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/_sandbox/"):
        return await handler(request)
    control = request.app[CONTROL]
    body = await request.read()
    namer = request.app.get(_NAMER)
    call = Call(
        operation=namer.name(request, body) if namer else f"{request.method} {request.path}",
        method=request.method,
        path=request.path,
        query=list(request.query.items()),
        body=body[:_MAX_LOGGED_BODY].decode("utf-8", "replace"),
        started=time.monotonic(),
    )
    control.calls.append(call)
    control.in_flight += 1
    call.in_flight = control.in_flight
    try:
        if control.latency_seconds:
            await asyncio.sleep(control.latency_seconds)
        fault = control.take_fault(call)
        response = await (handler(request) if fault is None else _act_out(fault, request, handler))
    except web.HTTPException as raised:
        call.status = raised.status
        raise
    else:
        call.status = response.status
        return response
    finally:
        control.in_flight -= 1
        call.ended = time.monotonic()


async def _act_out(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:  # noqa: C901, PLR0911, PLR0912  # a table of faults
    match fault.kind:
        case "status":
            return web.Response(status=fault.status, headers=fault.headers, text=fault.body)
        case "hang":
            await asyncio.sleep(3_600)
            return web.Response(status=504)
        case "redirect":
            return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/elsewhere", **fault.headers})
        case "html":
            return web.Response(status=200, text="<html><body>Down for maintenance</body></html>", content_type="text/html")
        case "empty":
            return web.Response(status=200, body=b"", content_type="application/json")
        case "deep_json":
            return web.Response(status=200, text="[" * 100_000 + "]" * 100_000, content_type="application/json")
        case "wrong_type":
            return web.json_response(17)
        case "reset":
            _cut(request)
            return web.Response(status=500)
        case "reset_after":
            await handler(request)
            _cut(request)
            return web.Response(status=500)
        case "hang_after":
            await handler(request)
            await asyncio.sleep(3_600)
            return web.Response(status=504)
        case "endless":
            return await _endless(request)
        case "bad_row":
            return _with_bad_row(await handler(request))
        case "cut_json" | "drip" | "reset_mid_body":
            return await _spoil(fault.kind, request, await handler(request))


def _with_bad_row(whole: web.StreamResponse) -> web.Response:
    """Put something that is no record in the place of the first record of the answer's longest list."""
    assert isinstance(whole, web.Response), "only whole answers can be changed"
    data = json.loads(whole.text or "null")
    longest: list[Any] = []
    waiting = [data]
    while waiting:
        item: Any = waiting.pop()
        if isinstance(item, list):
            rows: list[Any] = item  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
            longest = rows if len(rows) > len(longest) else longest
        elif isinstance(item, dict):
            members: dict[str, Any] = item  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
            waiting.extend(members.values())
    longest[:1] = [{"id": {"no": "id"}}]
    return web.json_response(data, status=whole.status)


async def _spoil(
    kind: Literal["cut_json", "drip", "reset_mid_body"], request: web.Request, whole: web.StreamResponse
) -> web.StreamResponse:
    body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b"{}"
    half = body[: len(body) // 2]
    if kind == "cut_json":
        return web.Response(status=200, body=half, content_type="application/json")
    response = web.StreamResponse(status=200, headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    if kind == "reset_mid_body":
        await response.write(half)
        _cut(request)
        return response
    for index in range(len(body)):
        await response.write(body[index : index + 1])
        await asyncio.sleep(0.05)
    return response


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(status=200, headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b"[")
    for _ in range(_ENDLESS_CHUNKS):
        await response.write(b"0," * 8_192)
    return response


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _get_calls(request: web.Request) -> web.Response:
    return web.json_response([asdict(call) for call in request.app[CONTROL].calls])


async def _delete_calls(request: web.Request) -> web.Response:
    request.app[CONTROL].calls.clear()
    return web.json_response({})


async def _put_faults(request: web.Request) -> web.Response:
    request.app[CONTROL].faults[:] = [Fault(**fault) for fault in json.loads(await request.text())]
    return web.json_response({})


async def _put_latency(request: web.Request) -> web.Response:
    request.app[CONTROL].latency_seconds = float(json.loads(await request.text()))
    return web.json_response({})


_CONTROL_ROUTES = [
    web.get("/_sandbox/calls", _get_calls),
    web.delete("/_sandbox/calls", _delete_calls),
    web.put("/_sandbox/faults", _put_faults),
    web.put("/_sandbox/latency", _put_latency),
]


@dataclass(slots=True)
class RunningSandbox:
    """A sandbox that listens. `settings` are those of a Crm that talks to it."""

    kind: SandboxKind
    base_url: str
    options: dict[str, OptionValue]
    control: Control
    app: web.Application
    runner: web.AppRunner

    @property
    def settings(self) -> dict[str, object]:
        return dict(self.kind.settings(self.base_url, self.options))

    async def stop(self) -> None:
        await self.runner.cleanup()


async def start(
    kind: SandboxKind,
    *,
    options: Mapping[str, OptionValue] | None = None,
    scale: int | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> RunningSandbox:
    """Start a sandbox on loopback; port 0 takes a free one.

    Raises:
        OSError: The port is taken.
        ValueError: An option or its value does not exist.
    """
    sock = web_socket(host, port)
    base_url = f"http://{host}:{sock.getsockname()[1]}"
    chosen = kind.complete_options(options)
    app = kind.build(SandboxSetup(options=chosen, scale=scale, base_url=base_url, clock=clock))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    return RunningSandbox(kind=kind, base_url=base_url, options=chosen, control=app[CONTROL], app=app, runner=runner)


def web_socket(host: str, port: int) -> socket.socket:
    """Bind a listening socket before the application is built, because absolute links need to know the port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
