"""One worker as `serve` has it, alone in this process, so that its instructions can be counted; see `instructions`."""

import gc
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import uvloop

from proxy.app.following_reader import FollowingReader
from proxy.app.stores import Stores
from proxy.app.worker import WorkerParts
from proxy.config import load_config
from proxy.core.clock import SystemClock
from proxy.processes.metrics import WorkerCounters
from proxy.processes.server import http_server

SHUTDOWN_S = 1


def _parts(folder: Path) -> WorkerParts:
    loaded = replace(load_config(folder / "flyball.yaml", os.environ), home=folder / "state")
    loaded.home.mkdir(mode=0o700)
    stores = Stores.open(loaded, loaded.home / "ledger.sqlite", SystemClock())
    stores.follow_file(loaded, os.environ)
    reader = FollowingReader(loaded.settings.telemetry, loaded.home, lambda: None)
    return WorkerParts(loaded, stores, loaded.home / "spool", "wrk_counted", WorkerCounters(), reader)


async def serve(folder: Path, port: int) -> None:
    """Serve until SIGTERM; says `ready` once it does."""
    parts = _parts(folder)
    await parts.counter.warm()
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    await http_server(parts.port, SHUTDOWN_S, lambda: print("ready", flush=True)).serve(sockets=[listener])


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
