"""The demo from start to end: provider, Flyball, traffic, sums, addresses."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console

from proxy.cli.demo.ending import sim_bill, tell_addresses, tell_sums
from proxy.cli.demo.folder import DemoFolder, NotADemoFolder, demo_folder
from proxy.cli.demo.hour import the_hour
from proxy.cli.demo.load import Load
from proxy.cli.demo.plan import PlannedCall, cost_of_org, plan
from proxy.cli.demo.serving import DidNotStart, Serving
from proxy.cli.demo.spending import Spending
from proxy.cli.demo.tally import Tally, TenantTally
from proxy.cli.demo.tenants import CAP_AT, CAPPED, ORGS
from proxy.cli.demo.view import View
from proxy.core.money import Nano
from proxy.sim import SimProcess

_SETTLED_WITHIN_S: Final = 10
_CENT: Final = 10_000_000


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What can be asked of the demo on the command line."""

    seconds: float = field(default=120.0, metadata={"doc": "How long the traffic lasts."})
    rate: float = field(default=12.0, metadata={"doc": "Calls per second on average."})
    seed: int = field(default=1, metadata={"doc": "Same seed, same traffic."})
    exit: bool = field(default=False, metadata={"doc": "Stop when the traffic is over instead of serving on."})
    keep: bool = field(default=False, metadata={"doc": "Go on with the state of the demo before."})


def run_demo(options: DemoOptions, console: Console | None = None) -> int:
    """Run the demo; the exit code is 0 unless something did not start. Ctrl-C ends it at any time, in order."""
    console = console or Console(highlight=False)
    folder = demo_folder(os.environ)
    try:
        folder.prepare(keep=options.keep)
        with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
            asyncio.run(_demo(options, folder, console))
    except (NotADemoFolder, DidNotStart) as error:
        sys.stderr.write(f"flyball demo: {error}\n")
        return 1
    return 0


async def _demo(options: DemoOptions, folder: DemoFolder, console: Console) -> None:
    _stop_on_sigterm()
    calls = _planned(options)
    tally = Tally(planned=len(calls), tenants={org: TenantTally() for org in ORGS})
    async with _running(folder, calls, console) as (serving, sim):
        spending = Spending(serving.admin_url, folder.admin_token(), tally)
        try:
            await _traffic(options, calls, tally, serving, folder, spending, console)
            await _until_settled(spending, tally)
        finally:
            await spending.close()
        tell_sums(console, tally, await sim_bill(sim.url))
        tell_addresses(console, folder, serving)
        if not options.exit:
            console.print("\nServing on; Ctrl-C ends it.")
            await asyncio.Event().wait()


def _planned(options: DemoOptions) -> list[PlannedCall]:
    count = max(1, round(options.seconds * options.rate))
    return plan(the_hour(), calls=count, seconds=options.seconds, seed=options.seed)


@contextlib.asynccontextmanager
async def _running(
    folder: DemoFolder, calls: Sequence[PlannedCall], console: Console
) -> AsyncIterator[tuple[Serving, SimProcess]]:
    """The simulated provider and `flyball serve`, stopped in the opposite order."""
    sim = SimProcess(speed=2.0)
    try:
        folder.write(sim.url, _cap(calls))
        console.print(f"Starting Flyball; state in {folder.home}", soft_wrap=True)
        serving = Serving(folder)
        try:
            await serving.until_ready()
            console.print(f"Serving on {serving.data_url}; {len(calls)} calls of {len(ORGS)} tenants are coming.\n")
            yield serving, sim
        finally:
            console.print("Stopping.")
            await asyncio.to_thread(serving.stop)
    finally:
        sim.stop()


def _cap(calls: Sequence[PlannedCall]) -> Nano:
    """The capped tenant's budget: a part of what its calls would cost, in whole cents."""
    return Nano(-(-cost_of_org(CAPPED, calls) * CAP_AT // 100 // _CENT) * _CENT)


async def _traffic(
    options: DemoOptions,
    calls: Sequence[PlannedCall],
    tally: Tally,
    serving: Serving,
    folder: DemoFolder,
    spending: Spending,
    console: Console,
) -> None:
    load = Load(serving.data_url, folder.secrets(), tally)
    async with asyncio.TaskGroup() as group:
        watchers = [
            group.create_task(spending.follow()),
            group.create_task(View(tally, options.seconds, console).show()),
        ]
        await load.run(calls)
        await spending.ask()
        for watcher in watchers:
            watcher.cancel()


async def _until_settled(spending: Spending, tally: Tally) -> None:
    """Calls that were hung up on settle a moment later."""
    for _ in range(_SETTLED_WITHIN_S):
        await spending.ask()
        if not any(tenant.balance.held for tenant in tally.tenants.values()):
            return
        await asyncio.sleep(1)


def _stop_on_sigterm() -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
