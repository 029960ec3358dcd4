"""`flyball process`: one process of `serve`, started by the supervisor and by nobody else."""

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from proxy.app import environment
from proxy.config import load_config
from proxy.processes.admin import AdminProcess
from proxy.processes.collector import CollectorProcess
from proxy.processes.logs import start_logging
from proxy.processes.parent import Parent
from proxy.processes.worker import Worker
from proxy.sim import SimProvider
from proxy.sim.serving import run_sim


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `process` to the command line, without a word in the help."""
    verb = verbs.add_parser("process")
    verb.add_argument("role", choices=("worker", "collector", "admin", "sim"))
    verb.add_argument("--config", type=Path)
    verb.add_argument("--home", type=Path)
    verb.add_argument("--name", default="")
    verb.add_argument("--sim-url", default="")
    verb.add_argument("--port", type=int, default=0)
    for descriptor in ("--socket-fd", "--alive-fd", "--ready-fd"):
        verb.add_argument(descriptor, type=int, default=-1)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Run one role until SIGTERM."""
    start_logging(options.role)
    parent = Parent(options.alive_fd, options.ready_fd)
    if options.role == "sim":
        return _simulate(options.port, parent)
    config = replace(load_config(options.config, environment()), home=options.home)
    if options.role == "collector":
        uvloop.run(CollectorProcess(config, parent).run())
    elif options.role == "admin":
        uvloop.run(AdminProcess(config, options.sim_url, parent).run(options.socket_fd))
    else:
        uvloop.run(Worker(config, options.name, options.sim_url, parent).run(options.socket_fd))
    return 0


def _simulate(port: int, parent: Parent) -> int:
    parent.die_with_it()
    run_sim(SimProvider(), "127.0.0.1", port, lambda url: parent.say_ready({"sim": url, "pid": os.getpid()}))
    return 0
