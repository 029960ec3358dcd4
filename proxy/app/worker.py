"""One worker's parts, plugged together."""

from pathlib import Path
from typing import Any

import msgspec

from proxy.app.configuration import Configured, environment
from proxy.app.following_reader import FollowingReader
from proxy.app.ledgers import open_ledger
from proxy.app.semantic import open_semantic
from proxy.app.stores import Stores, body_key_of
from proxy.cache import Cache
from proxy.config import Config
from proxy.core.clock import SystemClock
from proxy.core.tenant import Principal
from proxy.edge import DataPort, EdgeLimits, Readiness
from proxy.journey.rooms import Counters, Rooms
from proxy.journey.tracing import Tracing
from proxy.metering import TokenCounter
from proxy.routing import Health, Sharing
from proxy.telemetry import Spool, otel_is_on
from proxy.upstream import AiohttpTransport


class WorkerParts:
    """Everything one worker is made of."""

    def __init__(
        self,
        config: Config,
        stores: Stores,
        spool_folder: Path,
        worker: str,
        counters: Counters,
        reader: FollowingReader,
    ) -> None:
        settings = config.settings
        clock = SystemClock()
        self.configured = Configured(config, stores)
        self.stores = stores
        self.ledger = open_ledger(config, stores.state, clock)
        self.transport = AiohttpTransport(settings.upstream)
        self.spool = Spool(spool_folder, worker, settings=settings.telemetry, clock=clock)
        self.counter = TokenCounter(settings.metering)
        self.reader = reader
        self.stopping = False
        self.policy_stale = False
        self.rooms = Rooms(
            worker=worker,
            clock=clock,
            snapshot=lambda: self.configured.snapshot,
            ledger=self.ledger,
            counter=self.counter,
            transport=self.transport,
            sockets=self.transport,
            health=Health(settings.health, clock, worker=worker),
            approvals=stores.approvals,
            released=stores.released,
            ownership=stores.ownership,
            cache=Cache(settings.cache, body_key=body_key_of(config), workers=settings.server.workers),
            semantic=open_semantic(config),
            spool=self.spool,
            counters=counters,
            settings=settings.limits,
            holding=settings.holds,
            tracing=Tracing.of(environment()) if otel_is_on(settings.telemetry, environment()) else None,
        )
        self.sharing = Sharing(self.rooms.health, stores.health)
        hosts = settings.server.allowed_hosts
        limits = EdgeLimits(
            max_body_bytes=settings.server.max_body_bytes,
            max_upload_bytes=settings.server.max_upload_bytes,
            allowed_hosts=None if hosts is None else frozenset(host.lower().encode() for host in hosts),
        )
        self.port = DataPort(self.rooms, limits, self._readiness, self._find_operation)

    async def close(self) -> None:
        """Carry out what waits and let go of everything; the spool is sealed last."""
        await self.transport.close()
        await self.configured.close()
        await self.ledger.close()
        self.counter.close()
        if self.rooms.semantic is not None:
            self.rooms.semantic.close()
        self.spool.close()
        await self.rooms.cache.close()
        await self.reader.close()
        self.stores.approvals.close()
        self.stores.released.close()
        self.stores.ownership.close()
        self.stores.health.close()

    def _readiness(self) -> Readiness:
        """Calls are refused without a ledger or a policy, and served without a spool; one that only lost a row earlier
        is well."""
        rooms, snapshot = self.rooms, self.configured.snapshot
        ledger = "unavailable" if rooms.ledger_away else "unsettled" if rooms.unsettled else "ok"
        spool = "dropping" if self.spool.is_losing else "ok"
        return Readiness(
            ready=not self.stopping and not rooms.ledger_away and not snapshot.policy.away,
            config_generation=snapshot.generation,
            dependencies={
                "ledger": ledger,
                "spool": spool,
                "policy": "unavailable" if snapshot.policy.away else "stale" if self.policy_stale else "ok",
            },
        )

    async def _find_operation(self, operation: str, principal: Principal) -> dict[str, Any] | None:
        found = await self.reader.operation(operation, principal.org)
        if found is None:
            return None
        told: dict[str, Any] = msgspec.to_builtins(found)
        return told if told["operation"]["key_id"] == principal.key_id else None
