"""Runs one collector as its own process, as the supervisor does; prints its endpoints as one JSON line."""

import asyncio
import json
import logging
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from proxy.core.secret import Secret
from proxy.telemetry.running import Endpoints, run_collector
from proxy.telemetry.settings import TelemetrySettings


async def main(folder: Path, **changes: Any) -> None:
    logging.basicConfig(level=logging.WARNING)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if "password" in changes:
        changes["password"] = Secret(changes["password"])
    await run_collector(TelemetrySettings(**changes), folder, tell, stop)


def tell(endpoints: Endpoints) -> None:
    sys.stdout.write(json.dumps(asdict(endpoints)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), **json.loads(sys.argv[2])))
