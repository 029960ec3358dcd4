"""Joining the other hosts of a shared ledger: with a Redis that is fit for it, and with the state that they have."""

import asyncio
import logging
from typing import Final

from proxy.app.ledgers import same_key
from proxy.app.stores import Stores, body_key_of, hash_key_of
from proxy.budget import LedgerUnavailable, Outbox
from proxy.config import Config
from proxy.core.secret import Secret
from proxy.policy import know_approvals
from proxy.processes.usable import NotReady
from proxy.state import StateAway, StateForeign

LOOK_EVERY_S: Final = 1.0
SAY_EVERY_S: Final = 5.0
OTHER_KEY: Final = (
    "this host hashes keys otherwise than the hosts that share its ledger, so no key would be known here: copy "
    "`hash-key` from the state folder of one of them, or give all of them the same by server.hash_key_file or "
    "server.hash_key_env"
)
OTHER_BODY_KEY: Final = (
    "this host encrypts what waits for a person otherwise than the hosts that share its ledger, so that none could "
    "open what another keeps: copy `body-key` from the state folder of one of them, or give all of them the same by "
    "server.body_key_file or server.body_key_env"
)
FOREIGN: Final = (
    "{ledger}: {why}; they cannot be mixed with those in Redis. Move ledger.sqlite and its -wal and -shm files away to "
    "take over the shared state, or set ledger.name to another name to share this host's with others"
)
log = logging.getLogger("flyball.supervisor")


async def join(config: Config, stores: Stores) -> None:
    """Wait for the shared ledger, look at it, and take over the admin state that hosts share. Nothing to do alone.

    Raises:
        NotReady: it did not come up in time, must not be used, or this host does not belong to it.
    """
    url = config.settings.ledger.redis
    if url is None:
        return
    await _until_fit(config, url)
    know_all_tables(stores)
    try:
        name = config.settings.ledger.name
        if not await asyncio.to_thread(same_key, url, name, "hash-key", hash_key_of(config)):
            raise NotReady(OTHER_KEY)
        if not await asyncio.to_thread(same_key, url, name, "body-key", body_key_of(config)):
            raise NotReady(OTHER_BODY_KEY)
        await asyncio.to_thread(stores.state.follow)
    except StateForeign as error:
        raise NotReady(FOREIGN.format(ledger=stores.state.path, why=error)) from error
    except StateAway as error:
        raise NotReady(f"ledger.url: {error}") from error


async def _until_fit(config: Config, url: Secret) -> None:
    from proxy.budget import examined  # noqa: PLC0415 - `redis` is an optional dependency
    from proxy.state import Remote  # noqa: PLC0415 - as above

    settings, loop, remote = config.settings.ledger, asyncio.get_running_loop(), Remote(url)
    began, said = loop.time(), float("-inf")
    while True:
        try:
            found = await asyncio.to_thread(examined, remote, require_aof=settings.require_aof)
            break
        except LedgerUnavailable as error:
            waited = loop.time() - began
            if waited >= settings.start_wait_s:
                raise NotReady(
                    f"ledger.url: no Redis to count money in after {waited:.0f} s: {error.reason}"
                ) from error
            if loop.time() - said >= SAY_EVERY_S:
                said = loop.time()
                log.warning("waiting for the ledger's Redis", extra={"error": error.reason})
        await asyncio.sleep(LOOK_EVERY_S)
    remote.close()
    if found.unfit:
        raise NotReady(f"ledger.url: {remote.shown} cannot keep a ledger: {'; '.join(found.unfit)}")
    for warning in found.warnings:
        log.warning("the ledger's Redis may lose money: %s", warning, extra={"redis": remote.shown})


def know_all_tables(stores: Stores) -> None:
    """What other hosts' admin processes write is followed here, whatever roles this one has."""
    from proxy.admin.tables import Tables  # noqa: PLC0415 - 20 MB of code that one host alone has no use for

    Tables(stores.state)
    Outbox(stores.state)
    know_approvals(stores.state)
