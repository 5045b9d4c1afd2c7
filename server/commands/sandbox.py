"""`crmgraph sandbox`: one vendor's sandbox, or all of them in one process, until interrupted."""

import asyncio
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

from server.commands.terminal import say
from server.commands.toml import toml_lines, toml_value
from vendors.errors import ConfigError
from vendors.registry import all_sandboxes, find_sandbox
from vendors.sandbox import OptionValue, RunningSandbox, SandboxKind, start
from vendors.sandbox_board import LIFE

_MARK: Final = "# Written by `crmgraph sandbox`; it is written anew when the sandboxes start."
LAST_PORT: Final = 65_535
EXAMPLE_DEALS: Final[Mapping[str, AbstractSet[str]]] = {"dach": frozenset({"0a3b1360-7bae-4b66-8983-608c2405526c"})}
"""The deals that GraphiQL's examples write to, by CRM. They stand here because `server.examples` would bring the graph along."""


def run(arguments: Namespace) -> int:
    """Run sandboxes until interrupted."""
    kinds = _kinds(arguments.vendor)
    if arguments.list_options:
        say("\n\n".join(map(_describe, kinds)))
        return 0
    alone = arguments.vendor is not None
    _refuse_unclear(arguments.options, kinds, alone=alone)
    options = {kind.vendor: _options(kind, arguments.options, alone=alone) for kind in kinds}
    if arguments.write_config is not None:
        _guard(arguments.write_config)
    ports = _ports(kinds, arguments.port, arguments.port_base)
    asyncio.run(_run(kinds, options, ports, arguments))
    return 0


async def _run(
    kinds: Sequence[SandboxKind], options: Mapping[str, Mapping[str, OptionValue]], ports: Sequence[int], arguments: Namespace
) -> None:
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: the interrupt ends asyncio.run instead
            asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    async with AsyncExitStack() as stack:
        running: list[RunningSandbox] = []
        for kind, port in zip(kinds, ports, strict=True):
            try:
                sandbox = await start(kind, options=options[kind.vendor], scale=arguments.scale, port=port)
            except OSError as error:
                what = f"the sandbox of {kind.vendor} cannot listen at 127.0.0.1:{port} ({error.strerror})"
                raise ConfigError(f"{what}; choose another {_port_option(arguments)}") from None
            stack.push_async_callback(sandbox.stop)
            if arguments.pace:
                play(sandbox, arguments.pace)
            running.append(sandbox)
        if arguments.write_config is not None:
            _write(arguments.write_config, configuration(running))
        for sandbox in running:
            say(f"{sandbox.kind.vendor} sandbox listens at {sandbox.base_url}, pid {os.getpid()}")
        watch = asyncio.ensure_future(_set_when_input_ends(interrupted)) if arguments.end_with_input else None
        await interrupted.wait()
        if watch is not None:
            watch.cancel()


def play(sandbox: RunningSandbox, pace: float) -> None:
    """Move a deal every so many seconds, but none that an example names: it would fail by chance."""
    sandbox.app[LIFE].set_pace(pace, leave=EXAMPLE_DEALS.get(sandbox.kind.crm_key, frozenset()))


def configuration(running: Sequence[RunningSandbox]) -> str:
    """A configuration whose Crms are these sandboxes."""
    tables = [
        "\n".join(
            [
                f"[crms.{sandbox.kind.crm_key}]",
                f"vendor = {toml_value(sandbox.kind.vendor)}",
                f"label = {toml_value(sandbox.kind.label)}",
                *toml_lines(sandbox.settings),
            ]
        )
        for sandbox in running
    ]
    return "\n\n".join([_MARK, *tables]) + "\n"


def _port_option(arguments: Namespace) -> str:
    """What chooses the ports; a parent process has options of its own, and names them."""
    return "port" if arguments.end_with_input else "--port" if arguments.port_base is None else "--port-base"


async def _set_when_input_ends(event: asyncio.Event) -> None:
    """Wait for the end of standard input. A pipe that only the parent holds ends with it, however the parent ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass
    event.set()


def _kinds(vendor: str | None) -> list[SandboxKind]:
    if vendor is None:
        return list(all_sandboxes().values())
    kind = find_sandbox(vendor)
    if kind is None:
        raise ConfigError(f"there is no sandbox of that vendor; there are {', '.join(all_sandboxes())}")
    return [kind]


def _options(kind: SandboxKind, given: Sequence[str], *, alone: bool) -> Mapping[str, OptionValue]:
    """The options that are meant for one sandbox, typed as it declares them."""
    chosen: dict[str, OptionValue] = {}
    for text in given:
        name, _, value = text.partition("=")
        if not alone:
            vendor, _, name = name.partition(".")
            if vendor != kind.vendor:
                continue
        values = {str(known).lower(): known for known in kind.options[name].values} if name in kind.options else {value.lower(): value}
        if value.lower() not in values:
            raise ConfigError(f"option {name!r} of sandbox {kind.vendor!r} must be one of {_listed(values.values())}")
        chosen[name] = values[value.lower()]
    try:
        return kind.complete_options(chosen)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _listed(values: Iterable[OptionValue]) -> str:
    """Such as 'full' or 'short'; as they are given, so without capitals where the value is True."""
    *others, last = [repr(value) if isinstance(value, str) else str(value).lower() for value in values]
    return f"{', '.join(others)} or {last}" if others else last


def _refuse_unclear(given: Sequence[str], kinds: Sequence[SandboxKind], *, alone: bool) -> None:
    vendors = {kind.vendor for kind in kinds}
    for text in given:
        if "=" not in text:
            raise ConfigError("write an option as --option NAME=VALUE")
        if not alone and text.partition("=")[0].partition(".")[0] not in vendors:
            raise ConfigError("when all sandboxes run, write an option as --option VENDOR.NAME=VALUE")


def _ports(kinds: Sequence[SandboxKind], port: int | None, base: int | None) -> list[int]:
    if port is not None and (base is not None or len(kinds) > 1):
        raise ConfigError("--port is for one sandbox; several start at --port-base")
    first = port if port is not None else base
    if not first:
        return [0] * len(kinds)
    if first + len(kinds) - 1 > LAST_PORT:
        raise ConfigError(f"the ports end at {LAST_PORT}; choose a lower --port-base")
    return [first + index for index in range(len(kinds))]


def _guard(file: Path) -> None:
    """Refuse to write over what somebody else has written."""
    with suppress(FileNotFoundError):
        try:
            ours = file.read_text("utf-8").startswith(_MARK)
        except (IsADirectoryError, ValueError, PermissionError):
            ours = False
        if not ours:
            raise ConfigError(f"{file}: was not written by `crmgraph sandbox` and is left as it is; name another file")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written ({error.strerror})") from None


def _describe(kind: SandboxKind) -> str:
    options = [
        f"  --option {name}={'|'.join(str(value) for value in option.values)}  ({option.default} by default) {option.meaning}"
        for name, option in kind.options.items()
    ]
    missing = [f"  not simulated: {what}" for what in kind.not_simulated]
    return "\n".join([f"{kind.vendor} ({kind.label})", *options, *missing])
