"""A run: everything that a plan says is measured, one after the other."""

import os
import resource
import tempfile
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench.changes.busy import measure_busy, measure_own
from bench.changes.ground import Ground
from bench.changes.idle import measure_idle
from bench.changes.latency import measure_latencies
from bench.changes.plan import Plan
from bench.changes.replay import measure_replays
from bench.changes.report import Report
from bench.changes.stalled import measure_stalled
from bench.deals import deals_of
from bench.filled_log import fill
from bench.followers import Transport, clock, open_session
from bench.processes import Sandboxes, pinned, sandbox, together
from vendors.registry import all_vendors

_VENDOR_LATENCY_MS: Final = 100.0


async def run(plan: Plan) -> Report:
    """Measure everything, and end everything.

    Raises:
        BenchError: Something did not start, an event did not come, or one came twice.
    """
    begun, load = clock(), os.getloadavg()[0]
    async with AsyncExitStack() as stack:
        stack.enter_context(_many_files())
        cpus = stack.enter_context(pinned())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crmgraph-bench-")))
        session = await stack.enter_async_context(open_session())
        starting = (stack.enter_async_context(sandbox(vendor, folder, cpus.others, scale=plan.deals)) for vendor in all_vendors())
        started = await together(*starting)
        deals = {found.name: await deals_of(found, session) for found in started}
        ground = Ground(folder=folder, cpus=cpus, sandboxes=Sandboxes(started, session), deals=deals, session=session)
        async with ground.server(asking=True) as server:
            latencies = await measure_latencies(plan, ground, server)
            own = await measure_own(ground, server)
            busy = [
                await measure_busy(plan, ground, server, own, transport, subscribers=subscribers, latency_ms=latency_ms)
                for transport, subscribers, latency_ms in [
                    (Transport.SOCKET, 1, 0.0),
                    *((transport, plan.busy, 0.0) for transport in Transport),
                    (Transport.SOCKET, plan.busy, _VENDOR_LATENCY_MS),
                ]
            ]
            await ground.sandboxes.set_latency(0)
        idle = [await measure_idle(plan, ground, transport) for transport in Transport]
        filled = await fill(ground.store, [of_vendor.crm for of_vendor in deals.values()], plan.events)
        replays = await measure_replays(plan, ground, filled)
        stalled, beside = await measure_stalled(plan, ground)
    return Report(
        plan=plan,
        load=(load, os.getloadavg()[0]),
        seconds=clock() - begun,
        latencies=latencies,
        idle=idle,
        busy=busy,
        replays=replays,
        stalled=stalled,
        beside=beside,
    )


@contextmanager
def _many_files() -> Generator[None, None, None]:
    """Let this process, and those it starts, open as many files as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
