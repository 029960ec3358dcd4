"""The simulated provider's process: what serves `sim-*` models while no provider is configured."""

import argparse
import os

from proxy.config import Config
from proxy.processes.parent import Parent
from proxy.sim import SimProvider
from proxy.sim.serving import run_sim


def run(config: Config, options: argparse.Namespace, parent: Parent) -> None:
    """Serve until SIGTERM."""
    parent.die_with_it()
    run_sim(SimProvider(), "127.0.0.1", options.port, lambda url: parent.say_ready({"sim": url, "pid": os.getpid()}))
