"""What a process does again and again beside its work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

COMPLAIN_EVERY_S: Final = 30.0
log = logging.getLogger("flyball.duty")


async def repeated(step: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Do a step at once and then every so many seconds until cancelled, whatever happens in it."""
    loop = asyncio.get_running_loop()
    complained = float("-inf")
    while True:
        try:
            await step()
        except Exception:  # crash boundary: a duty that ended quietly would be missed when it is too late
            if loop.time() - complained >= COMPLAIN_EVERY_S:
                complained = loop.time()
                log.exception("a duty failed and is done again", extra={"duty": step.__name__})
        await asyncio.sleep(every_s)
