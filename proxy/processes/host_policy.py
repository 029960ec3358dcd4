"""The policies of this host: taken from where the file says, and kept when what comes next is no good."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

from proxy.app.bundle_fetch import Fetched, NotFetched
from proxy.app.policy_status import PolicyStatus
from proxy.core.clock import Clock
from proxy.policy import (
    BadPolicy,
    BundleSettings,
    PolicySettings,
    Proposals,
    ProposalStore,
    read_taken,
    source_of,
    take_candidate,
    take_policy,
)
from proxy.processes.folder import StateFolder

Fetch: TypeAlias = Callable[[BundleSettings, str], Awaitable[Fetched]]
FIRST_RETRY_S: Final = 5.0
SPREAD: Final = 0.1
SAME_ERROR_S: Final = 600
"""An error that stays the same is said again after so long."""
NANO: Final = 1_000_000_000
log = logging.getLogger("flyball.supervisor")


class HostPolicy:
    """Takes policies at the start, when the file or they have changed, and when a bundle server has new ones."""

    def __init__(self, settings: PolicySettings, folder: StateFolder, fetch: Fetch, clock: Clock) -> None:
        self.settings = settings
        self._folder = folder
        self._fetch = fetch
        self._clock = clock
        self._source = ""
        self._etag = ""
        self._status = PolicyStatus()
        self._said_s = 0.0
        self._failures = 0
        self._due_s = 0.0
        self._turn = asyncio.Lock()
        self._proposals: ProposalStore | None = None
        self._proposed: dict[str, str] | None = None

    async def begin(self, proposals: ProposalStore | None = None) -> str:
        """Take the policies to start with; their revision. A bundle that cannot be had now is the one taken last.

        `proposals`: what people have promoted, which decides where the file names no policies, and what waits for it.

        Raises:
            BadPolicy: there are none.
        """
        self._proposals = proposals
        if self.settings.fetched is not None:
            await asyncio.to_thread(self._recall)
        return await self.take(self.settings)

    async def take(self, settings: PolicySettings) -> str:
        """Take the policies as they are now; their revision. What decides now stays where a bundle cannot be had.

        Raises:
            BadPolicy: they cannot be loaded; or fetched, and others decide now.
        """
        async with self._turn:
            try:
                await self._take(settings)
            except BadPolicy as error:
                self._complain(settings, str(error))
                if settings.fetched is None or self._source != source_of(settings):
                    raise
            self.settings = settings
            return self._status.revision

    async def look(self) -> bool:
        """Ask the bundle server if it is time to; whether other policies decide from now on."""
        if self.settings.fetched is None or self._passed_s() < self._due_s:
            return False
        before = self._status.revision
        async with self._turn:
            try:
                await self._take(self.settings)
            except BadPolicy as error:
                self._complain(self.settings, str(error))
                return False
        return self._status.revision != before

    async def follow(self) -> bool:
        """Take what people have promoted, proposed or taken back since; whether workers have to look."""
        if self._proposals is None or self.settings.url is not None:
            return False
        now = await asyncio.to_thread(self._proposals.revisions)
        if now == self._proposed:
            return False
        async with self._turn:
            try:
                known = (self._proposed or {}).get("active")
                if now.get("active") == known or self.settings.by_file:
                    await self._take_candidate()
                    now = self._proposed or {}  # somebody may have promoted it meanwhile
                if now.get("active") != known and not self.settings.by_file:
                    await self._take(self.settings)
            except BadPolicy as error:
                # Not tried again until they are others: they stay what they are.
                self._proposed = now
                self._complain(self.settings, str(error))
                return False
        return True

    async def _take_candidate(self) -> None:
        proposed = await self._proposed_now()
        candidate = None if proposed.candidate is None else proposed.candidate.bundle
        if problems := await asyncio.to_thread(_told, take_candidate, self._folder.taken_policy, candidate):
            raise BadPolicy(problems)
        self._proposed = proposed.revisions

    async def _proposed_now(self) -> Proposals:
        """What people have proposed and promoted."""
        return Proposals() if self._proposals is None else await asyncio.to_thread(self._proposals.load)

    def refused(self, error: str) -> None:
        """Note that changed policies of the file were not taken."""
        self._complain(self.settings, error)

    def _recall(self) -> None:
        """What was taken the last time, if it came from where it would now."""
        try:
            kept = read_taken(self._folder.taken_policy)
        except BadPolicy:
            return
        if kept.source == source_of(self.settings):
            self._source, self._etag = kept.source, kept.etag
            self._status.revision, self._status.named = kept.bundle.revision, kept.named

    async def _take(self, settings: PolicySettings) -> None:
        source, bundle = source_of(settings), settings.fetched
        archive, etag = None, ""
        if bundle is not None:
            known = self._etag if source == self._source else ""
            try:
                archive, etag = await self._fetch(bundle, known)
            except NotFetched as error:
                self._status.unreachable += 1
                raise BadPolicy([f"policy.bundle: {error}"]) from None
            if archive is None:
                if self._proposed is None:
                    await self._take_candidate()
                self._is_current(settings)
                return
        proposed = await self._proposed_now()
        take = partial(
            take_policy,
            settings,
            archive=archive,
            etag=etag,
            promoted=None if proposed.active is None else proposed.active.bundle,
            candidate=None if proposed.candidate is None else proposed.candidate.bundle,
        )
        if problems := await asyncio.to_thread(_told, take, self._folder.taken_policy):
            self._status.refused += 1
            raise BadPolicy(problems)
        # Not before they are kept: where that fails (a full disk) it is done again.
        self._proposed = proposed.revisions
        self._source, self._etag = source, etag
        self._status.taken += 1
        self._note(settings)
        self._is_current(settings)

    def _note(self, settings: PolicySettings) -> None:
        if settings.url is not None:
            self._status.revision, self._status.named = settings.url, ""
            return
        kept = read_taken(self._folder.taken_policy)
        if kept.bundle.revision != self._status.revision:
            extra = {"revision": kept.bundle.revision, "bundle": kept.named, "source": shown_source(settings)}
            log.info("policies taken", extra=extra)
        self._status.revision, self._status.named = kept.bundle.revision, kept.named

    def _is_current(self, settings: PolicySettings) -> None:
        if self._status.stale:
            log.info("policies are up to date again", extra={"revision": self._status.revision})
        self._failures = 0
        self._status.stale, self._status.error, self._status.since = False, "", int(self._now_s())
        self._publish(settings)
        self._plan(settings, None)

    def _complain(self, settings: PolicySettings, error: str) -> None:
        now_s = self._now_s()
        if error != self._status.error or now_s - self._said_s >= SAME_ERROR_S:
            self._said_s = now_s
            extra = {"error": error, "source": shown_source(settings), "revision": self._status.revision}
            kept = "the old ones decide" if self._status.revision else "there are no others"
            log.error(f"policies are not taken; {kept}", extra=extra)
        self._failures += 1
        self._status.since = self._status.since if self._status.stale else int(now_s)
        self._status.stale, self._status.error = True, error
        self._publish(settings)
        self._plan(settings, FIRST_RETRY_S * 2 ** min(self._failures - 1, 20))

    def _plan(self, settings: PolicySettings, pause_s: float | None) -> None:
        """When the server is asked again: hosts that began together drift apart."""
        if settings.fetched is not None:
            every_s = float(settings.fetched.poll_s)
            wait_s = every_s if pause_s is None else min(pause_s, every_s)
            self._due_s = self._passed_s() + wait_s * random.uniform(1 - SPREAD, 1 + SPREAD)

    def _publish(self, settings: PolicySettings) -> None:
        self._status.source = shown_source(settings)
        try:
            self._status.write(self._folder.run)
        except OSError as error:  # a full disk: what decides is told in the log too
            log.error("the state of policies cannot be published", extra={"error": str(error)})

    def _now_s(self) -> float:
        return self._clock.now_ns() / NANO

    def _passed_s(self) -> float:
        return self._clock.monotonic_ns() / NANO


def _told(take: Callable[..., object], *arguments: object) -> list[str]:
    """Take policies; what is wrong with them. An engine is let go of in the thread that made it, and an error may
    hold one: so none leaves this thread."""
    try:
        take(*arguments)
    except BadPolicy as error:
        return error.problems
    return []


def shown_source(settings: PolicySettings) -> str:
    """Where policies come from, in words that may be shown: of a URL nothing that could be a secret."""
    bundle = settings.bundle
    if settings.url is not None:
        return settings.url
    if bundle is not None:
        return str(bundle.file) if bundle.url is None else bundle.url.partition("?")[0]
    return "the starter library" if settings.dir is None else str(settings.dir)
