"""`flyball serve`: opens the sockets, starts the processes, starts again what dies, and ends everything in order."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from proxy.app.bundle_fetch import BundleFetch
from proxy.app.configuration import environment
from proxy.app.ledgers import open_ledger
from proxy.app.stores import Stores
from proxy.budget import BudgetConflict, Ledger, LedgerUnavailable
from proxy.config import BadConfig, Config, load_config
from proxy.core.clock import SystemClock
from proxy.core.ids import new_id
from proxy.identity import IdentityError, load_or_make_admin_token
from proxy.policy import BadPolicy, fingerprint
from proxy.processes.child import Child
from proxy.processes.duty import repeated
from proxy.processes.folder import StateFolder
from proxy.processes.host_policy import HostPolicy
from proxy.processes.joining import join
from proxy.processes.locks import only_one
from proxy.processes.metrics import fold_dead, note_restarts
from proxy.processes.one_host import BEAT_S, HostSign
from proxy.processes.rebuilding import Rebuilding
from proxy.processes.reload import FileWatch
from proxy.processes.running import Launch, executed
from proxy.processes.sockets import open_listeners, shown
from proxy.processes.sweep import Sweeper
from proxy.processes.usable import NotReady, usable
from proxy.state import StateBusy, StateForeign
from proxy.telemetry import Spool

TICK_S: Final = 0.5
CHECKPOINT_S: Final = 1.0
SWEEP_S: Final = 2.0
REBUILD_S: Final = 1.0
FOLLOW_S: Final = 0.4
POLICIES_S: Final = 0.5
METRICS_S: Final = 1.0
COMPLAIN_S: Final = 30.0
READY_S: Final = 60.0
GRACE_S: Final = 5
log = logging.getLogger("flyball.supervisor")


class Supervisor:
    """Runs one host's processes over one state folder."""

    def __init__(
        self,
        config: Config,
        roles: frozenset[str],
        announce: Callable[[dict[str, Any]], None],
        launch: Launch = executed,
    ) -> None:
        """`announce` is told where everything is once it serves; `launch` starts the processes."""
        self._config = config
        self._roles = roles
        self._announce = announce
        self._launch = launch
        self._clock = SystemClock()
        self._folder = StateFolder(config.home)
        self._policy = HostPolicy(config.settings.policy, self._folder, BundleFetch(), self._clock)
        self._endpoints: dict[str, Any] = {}
        self._children: list[Child] = []
        self._workers: list[Child] = []
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._sim_url = ""
        self._locks: Mapping[str, int] = {}
        self._listeners: list[socket.socket] = []
        self._unswept: set[str] = set()
        self._is_new = False
        self._is_proposed = False
        self._complained = float("-inf")
        self._host_sign = HostSign(config.home)

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; 0 when everything ended in order.

        Raises:
            AlreadyRunning, CannotListen, NotReady, IdentityError, BudgetConflict: it could not start; NotReady also
                for a state folder that cannot be used.
        """
        with usable(self._folder):
            new = self._folder.make()
        server, telemetry = self._config.settings.server, self._config.settings.telemetry
        orphans_s = max(server.shutdown_s, telemetry.flush_timeout_s) + 2 * GRACE_S
        async with only_one(self._folder, self._roles, orphans_s) as self._locks:
            with usable(self._folder):
                await self._host_sign.take()
                stores = Stores.open(self._config, self._folder.ledger, self._clock)
                await join(self._config, stores)
                rebuilding = Rebuilding(self._config, stores, self._folder)
                if "worker" in self._roles:
                    await asyncio.to_thread(rebuilding.prepare)
                stores.follow_file(self._config, environment())
                first_key = stores.keys.first_key(self._config.home)
                load_or_make_admin_token(self._config.home)
                holds = self._config.settings.holds
                ledger = open_ledger(self._config, stores.state, self._clock)
                name = new_id("sup")
                spool = Spool(self._folder.spool, name, settings=self._config.settings.telemetry)
                sweeper = Sweeper(
                    ledger,
                    self._folder.spool,
                    spool,
                    self._clock,
                    lease_s=holds.lease_s,
                    name=name,
                    shared=stores.state.shared is not None,
                )
                if "worker" in self._roles:
                    await self._sweep_the_dead(sweeper)
                self._folder.take_config(self._config.text)
                await self._begin_policy(stores)
            with contextlib.ExitStack() as sockets:
                self._make_children(sockets, sweeper)
                return await self._supervise(stores, sweeper, spool, ledger, rebuilding, new=new, first_key=first_key)

    async def _supervise(
        self,
        stores: Stores,
        sweeper: Sweeper,
        spool: Spool,
        ledger: Ledger,
        rebuilding: Rebuilding,
        *,
        new: bool,
        first_key: Path | None,
    ) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        keeping = {child: loop.create_task(child.keep()) for child in self._children}
        duties = [
            loop.create_task(repeated(self._host_sign.beat, BEAT_S)),
            loop.create_task(self._watch_file(stores)),
            loop.create_task(repeated(lambda: self._checkpoint(stores), CHECKPOINT_S)),
            loop.create_task(repeated(lambda: self._look_for_policies(stores), POLICIES_S)),
            loop.create_task(repeated(self._tend_metrics, METRICS_S)),
        ]
        if stores.state.shared is not None:
            duties.append(loop.create_task(repeated(lambda: self._follow_others(stores), FOLLOW_S)))
        if self._workers:
            # Whoever does not run the workers cannot tell a dead one from a slow one.
            duties.append(loop.create_task(repeated(lambda: self._sweep(sweeper, spool), SWEEP_S)))
            duties.append(loop.create_task(repeated(rebuilding.look, REBUILD_S)))
        try:
            await self._until_ready()
            self._publish()
            self._announce(self._summary(new=new, first_key=first_key))
            await self._stop.wait()
        finally:
            for duty in duties:
                duty.cancel()
            clean = await self._end(spool, [keeping[worker] for worker in self._workers])
            await asyncio.gather(*keeping.values(), *duties, return_exceptions=True)
            await ledger.close()
            await rebuilding.close()
            self._host_sign.leave()
            with contextlib.suppress(sqlite3.Error):  # the next start finds the log as it is
                stores.state.checkpoint()
        return 0 if clean else 1

    # starting

    def _make_children(self, sockets: contextlib.ExitStack, sweeper: Sweeper) -> None:
        server = self._config.settings.server
        if "collector" in self._roles:
            self._add("collector", on_ready=self._note_clickhouse)
        if "worker" in self._roles:
            if not self._config.has_provider:
                self._add_sim()
            data = open_listeners(server.listen, server.workers, "server.listen")
            self._endpoints["data"] = f"http://{shown(data[0])}"
            for listener in data:
                self._listeners.append(sockets.enter_context(listener))
                self._workers.append(self._add("worker", listener=listener, on_death=self._swept_by(sweeper)))
        if "admin" in self._roles:
            admin = sockets.enter_context(open_listeners(server.admin_listen, 1, "server.admin_listen")[0])
            self._listeners.append(admin)
            self._endpoints["admin"] = f"http://{shown(admin)}"
            self._add("admin", listener=admin)

    def _add(self, role: str, *, listener: socket.socket | None = None, **hooks: Any) -> Child:
        descriptors = [] if listener is None else [listener.fileno()]

        def arguments(name: str) -> Sequence[str]:
            given = [role, f"--home={self._config.home}", f"--name={name}", f"--sim-url={self._sim_url}"]
            given += [f"--config={self._config.path}"] if self._config.path else []
            return given + [f"--socket-fd={descriptor}" for descriptor in descriptors]

        named = self._new_name if role == "worker" else lambda: new_id("wrk")
        inherited = [*descriptors, self._locks[role]]
        child = Child(role=role, arguments=arguments, new_name=named, inherited=inherited, launch=self._launch, **hooks)
        self._children.append(child)
        return child

    def _new_name(self) -> str:
        name = new_id("wrk")
        self._folder.note_living(name)
        return name

    async def _sweep_the_dead(self, sweeper: Sweeper) -> None:
        """End the holds that an earlier flyball left here."""
        noted = self._folder.noted_living()
        try:
            await sweeper.sweep_all(noted)
        except LedgerUnavailable as error:
            if self._config.settings.ledger.redis is None:
                raise
            raise NotReady(f"ledger.url: {error}") from error
        for name in noted:
            self._folder.forget_living(name)
        _forget_counters(self._folder)

    def _add_sim(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self._sim_url = f"http://127.0.0.1:{port}/v1"
        self._endpoints["sim"] = self._sim_url
        child = Child(
            role="sim",
            arguments=lambda name: ["sim", f"--home={self._config.home}", f"--port={port}"],
            new_name=lambda: "sim",
            inherited=[self._locks["worker"]],
            launch=self._launch,
        )
        self._children.append(child)

    async def _until_ready(self) -> None:
        loop = asyncio.get_running_loop()
        everything = loop.create_task(self._all_ready())
        stopped = loop.create_task(self._stop.wait())
        await asyncio.wait([everything, stopped], timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        late = [child.role for child in self._children if not child.ready.is_set()]
        everything.cancel()
        stopped.cancel()
        await asyncio.gather(everything, stopped, return_exceptions=True)
        if late and not self._stop.is_set():
            raise NotReady(f"not ready after {READY_S:.0f} s: {', '.join(late)}; the log lines above say why")

    async def _all_ready(self) -> None:
        for child in self._children:
            await child.ready.wait()

    def _note_clickhouse(self, said: dict[str, Any]) -> None:
        self._endpoints["clickhouse"] = said["clickhouse"]
        self._publish()

    def _publish(self) -> None:
        self._write_endpoints(self._folder.endpoints() | self._endpoints | {"pid": os.getpid()})

    def _write_endpoints(self, endpoints: dict[str, Any]) -> None:
        try:
            self._folder.write_endpoints(endpoints)
        except OSError as error:  # a full disk or a folder that is gone must not keep us from serving, nor from ending
            log.error("the addresses in use cannot be published", extra={"error": str(error)})

    def _summary(self, *, new: bool, first_key: Path | None) -> dict[str, Any]:
        return {
            "endpoints": self._endpoints,
            "home": str(self._config.home),
            "state": "new" if new else "existing",
            "first_key": str(first_key) if first_key else "",
            "sim": bool(self._sim_url),
            "workers": len(self._workers),
        }

    # duties

    async def _watch_file(self, stores: Stores) -> None:
        watch = FileWatch(self._config.path, lambda: fingerprint(self._policy.settings))

        async def look() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._reload.wait()
            if await asyncio.to_thread(watch.changed):
                # Perhaps half written, and what is left out there would be taken away: looked at when it is quiet.
                self._is_new = True
            elif self._reload.is_set() or (self._is_new and not watch.may_be_filled()):
                # Only forgotten once it was taken or found wrong: one that met a locked ledger is taken later.
                self._is_new = True
                self._reload.clear()
                await self._take_file(stores)
                self._is_new = False

        await repeated(look, TICK_S / 10)

    async def _take_file(self, stores: Stores) -> None:
        try:
            config = await asyncio.to_thread(load_config, self._config.path, environment())
            revision = await self._policy.take(config.settings.policy)
            await asyncio.to_thread(stores.follow_file, config, environment())
        except (BadConfig, BadPolicy, IdentityError, BudgetConflict) as error:
            problems = error.errors if isinstance(error, BadConfig) else [str(error)]
            log.error("the changed configuration is not used; the old one stays", extra={"errors": problems})
            if of_policy := [problem for problem in problems if ": policy." in problem]:
                self._policy.refused("; ".join(of_policy))
            return
        await asyncio.to_thread(self._folder.take_config, config.text)
        log.info("configuration taken", extra={"generation": config.generation, "policy": revision})
        self._reload_children()

    async def _begin_policy(self, stores: Stores) -> None:
        try:
            await self._policy.begin(stores.proposals)
        except BadPolicy as error:
            raise NotReady(f"no policy decides: {error}") from error

    async def _look_for_policies(self, stores: Stores) -> None:
        """Bundles that a server has, and what people have promoted or proposed."""
        if await self._policy.look():
            self._reload_children()
        # Only forgotten once it was looked at: one that met a locked state file is looked at later.
        self._is_proposed = await asyncio.to_thread(stores.state.changed) or self._is_proposed
        if self._is_proposed:
            if await self._policy.follow():
                self._reload_children()
            self._is_proposed = False

    def _reload_children(self) -> None:
        for child in self._children:
            if child.role in ("worker", "admin"):
                child.reload()

    async def _checkpoint(self, stores: Stores) -> None:
        await asyncio.to_thread(stores.state.checkpoint)

    async def _tend_metrics(self) -> None:
        """Tell how often processes were started again, and let dead workers' numbers be few files."""
        restarts: dict[str, int] = {}
        for child in self._children:
            restarts[child.role] = restarts.get(child.role, 0) + child.restarts
        await asyncio.to_thread(note_restarts, self._folder.run, restarts)
        await asyncio.to_thread(fold_dead, self._folder.run, {worker.name for worker in self._workers})

    async def _follow_others(self, stores: Stores) -> None:
        """Take in what other hosts' people have changed; workers see it as if it had been changed here."""
        try:
            await asyncio.to_thread(stores.state.follow)
        except (StateBusy, StateForeign) as error:
            now = asyncio.get_running_loop().time()
            if now - self._complained >= COMPLAIN_S:
                self._complained = now
                log.error("changes of other hosts are not taken in", extra={"error": str(error)})

    def _swept_by(self, sweeper: Sweeper) -> Callable[[str], Awaitable[None]]:
        async def sweep(name: str) -> None:
            try:
                await sweeper.sweep_worker(name)
                self._folder.forget_living(name)
            except (LedgerUnavailable, OSError) as error:
                log.error("a dead worker's calls are settled later", extra={"incarnation": name, "error": str(error)})
                self._unswept.add(name)

        return sweep

    async def _sweep(self, sweeper: Sweeper, spool: Spool) -> None:
        spool.seal_due()
        for name in list(self._unswept):
            await sweeper.sweep_worker(name)
            self._unswept.discard(name)
            self._folder.forget_living(name)
        living = {worker.name: worker for worker in self._workers}
        for name in await sweeper.hanging():
            if name in living:
                log.error("a worker hangs and is killed", extra={"incarnation": name})
                living[name].signal(signal.SIGKILL)
            else:
                await sweeper.sweep_worker(name)

    # ending

    async def _end(self, spool: Spool, workers: Sequence[asyncio.Task[None]]) -> bool:
        """Workers first, so that streams finish and rows are sealed; then the collector, which ships them."""
        for listener in self._listeners:
            listener.close()  # together with the children's: from then on connections are refused, not left waiting
        shutdown_s = self._config.settings.server.shutdown_s
        flush_s = self._config.settings.telemetry.flush_timeout_s
        clean = await self._stop_roles(("worker", "admin"), shutdown_s + GRACE_S)
        await asyncio.gather(*workers, return_exceptions=True)  # one that had to be killed is swept, into our spool
        spool.close()
        clean &= await self._stop_roles(("collector", "sim"), flush_s + GRACE_S)
        left = {name: end for name, end in self._folder.endpoints().items() if name not in (*self._endpoints, "pid")}
        self._write_endpoints(left)
        return clean

    async def _stop_roles(self, roles: tuple[str, ...], deadline_s: float) -> bool:
        stops = [child.stop(signal.SIGTERM, deadline_s) for child in self._children if child.role in roles]
        return all(await asyncio.gather(*stops))


def _forget_counters(folder: StateFolder) -> None:
    for path in folder.run.glob("metrics-*.json"):
        path.unlink()
