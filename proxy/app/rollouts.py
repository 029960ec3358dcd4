"""Watching new targets beside old ones, and which versions of models answer, in the admin process."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final, Protocol

import msgspec

from proxy.app.audit_post import SELF, Noticed
from proxy.budget import RoutingNote
from proxy.config import Config
from proxy.core.clock import Clock
from proxy.policy import Switch, SwitchError, SwitchKind, SwitchStore, parse_target
from proxy.routing import RollBackSettings, RouteSettings, TargetSettings, Tried, Version, Versions, why_roll_back
from proxy.telemetry import ServedVersion, TelemetryUnavailable, VariantsQuery, VariantTotals

ROLLED_BACK: Final = "variant.roll_back"
VERSION: Final = "provider.version"
VERSIONS_S: Final = 900
VERSIONS_EVERY_S: Final = 30
MOST_NOTES: Final = 200
_MOST_LOOKED_BACK: Final = 500
_NS: Final = 1_000_000_000
log = logging.getLogger("flyball.rollouts")


class VariantReader(Protocol):
    """Who is asked what requests came to."""

    async def variants(self, asked: VariantsQuery, *, with_likeness: bool = True) -> list[VariantTotals]:
        """As Reader.variants."""
        ...

    async def served(self, start: datetime, end: datetime) -> list[ServedVersion]:
        """As Reader.served."""
        ...


class Rollouts:
    """Rolls targets back by their rules, and notices versions that were not seen before.

    What was rolled back is a kill switch `variant:<route>/<variant>` in the state file: workers and hosts share it, it
    outlives all of them, and only a person lifts it. What counts then is what has happened since.
    """

    def __init__(
        self, reader: VariantReader, switches: SwitchStore, versions: Versions, noticed: Noticed, clock: Clock
    ) -> None:
        self._reader = reader
        self._switches = switches
        self._versions = versions
        self._noticed = noticed
        self._clock = clock
        self._routes: tuple[RouteSettings, ...] = ()
        self._known: set[tuple[str, str, Version]] = set()
        self._versions_ns = 0
        self._notes: deque[RoutingNote] = deque(maxlen=MOST_NOTES)

    def take(self, config: Config) -> None:
        """Go by these routes from now on."""
        self._routes = config.settings.routes
        self._known.clear()

    def notes(self) -> Sequence[RoutingNote]:
        """What there is to tell; the latest two hundred."""
        return tuple(self._notes)

    async def look(self) -> None:
        """Look once. While ClickHouse cannot answer nothing is rolled back."""
        try:
            for route in self._routes:
                for target in route.targets:
                    if target.roll_back is not None:
                        await self._look_at(route, target, target.roll_back)
            await self._look_for_versions()
        except TelemetryUnavailable as error:
            log.warning("rollouts are not watched", extra={"error": str(error)})

    async def _look_at(self, route: RouteSettings, target: TargetSettings, rule: RollBackSettings) -> None:
        text = f"{SwitchKind.VARIANT.value}:{route.model}/{target.variant}"
        last = await asyncio.to_thread(self._last_switch, text)
        now_ns = self._clock.now_ns()
        if last is not None and last.is_on(now_ns):
            return
        since_ns = now_ns - rule.window_s * _NS
        if last is not None:
            since_ns = max(since_ns, last.lifted_ns or last.expires_ns or 0)
        asked = VariantsQuery(_moment(since_ns), _moment(now_ns), route=route.model)
        found = await self._reader.variants(asked, with_likeness=False)
        why = why_roll_back(rule, _tried(found, target.variant), _tried(found, rule.against))
        if why:
            await asyncio.to_thread(self._roll_back, text, target.variant, why)

    def _last_switch(self, text: str) -> Switch | None:
        found = self._switches.newest(limit=_MOST_LOOKED_BACK)
        return next((switch for _, switch in found if switch.target.text == text), None)

    def _roll_back(self, text: str, variant: str, why: str) -> None:
        said = f"Rolled back: {why}"
        try:
            made = self._switches.set(parse_target(text), reason=f"{said}."[:500], by=SELF)
        except SwitchError as error:
            log.error("a target could not be rolled back", extra={"target": text, "error": str(error)})
            return
        self._noticed.note(ROLLED_BACK, text, msgspec.json.encode({"switch": made.id, "reason": said}))
        log.warning("a target was rolled back", extra={"target": text, "reason": why})
        message = f"The target {text.partition(':')[2]} gets no more calls: {why}. A person lets it have some again."
        self._notes.append(RoutingNote(made.id, text, message, made.since_ns))

    async def _look_for_versions(self) -> None:
        """Look at what answered lately: often enough that nothing is missed, and no oftener."""
        now_ns = self._clock.now_ns()
        if now_ns - self._versions_ns < VERSIONS_EVERY_S * _NS:
            return
        for served in await self._reader.served(_moment(now_ns - VERSIONS_S * _NS), _moment(now_ns)):
            known = (served.provider, served.sent_model, Version(served.model, served.fingerprint))
            if known not in self._known:
                await asyncio.to_thread(self._see, served, now_ns)
                self._known.add(known)
        self._versions_ns = now_ns

    def _see(self, served: ServedVersion, now_ns: int) -> None:
        """Tell of a version that nobody has seen, but for the first of a target, and of one that is not expected."""
        target, new = f"{served.provider}/{served.sent_model}", Version(served.model, served.fingerprint)
        wanted = self._expected(served)
        if wanted and not fnmatchcase(new.model, wanted):
            message = f"The target {target} is to answer as {wanted} and has answered as {new.model}."
            self._tell(f"expected/{target}/{wanted}/{new.model}", target, message, now_ns, served)
        was = self._versions.see(target, new, now_ns)
        if was is not None:
            said = {"target": target, "before": was.text, "after": new.text}
            self._noticed.note(VERSION, f"served:{target}", msgspec.json.encode(said))
            message = (
                f"The target {target} answers with a version that was not seen before: {new.text}, after {was.text}."
            )
            self._tell(f"version/{target}/{new.text}", target, message, now_ns, served)

    def _tell(self, key: str, target: str, message: str, now_ns: int, served: ServedVersion) -> None:
        log.warning("a provider serves another version", extra={"target": target, "model": served.model})
        self._notes.append(RoutingNote(key, f"served:{target}", message, now_ns, served.operation))

    def _expected(self, served: ServedVersion) -> str:
        targets = (target for route in self._routes for target in route.targets)
        named = (
            each.expect_model
            for each in targets
            if each.expect_model and each.provider == served.provider and each.model in (None, served.sent_model)
        )
        return next(named, "")


def _tried(found: Sequence[VariantTotals], variant: str) -> Tried:
    for each in found:
        if each.variant == variant and not each.is_copy:
            return Tried(each.calls, each.failed, each.p95_ms, each.cost, each.priced)
    return Tried()


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / _NS, UTC)
