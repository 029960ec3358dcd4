"""`python -m proxy.processes.start ROLE`, or forked: one process of `serve`, started by its supervisor only."""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from proxy.app.configuration import environment
from proxy.config import Config, load_config
from proxy.metering import preload_vocabulary
from proxy.processes.folder import StateFolder
from proxy.processes.logs import start_logging
from proxy.processes.parent import Parent

ROLES: Final = ("worker", "collector", "admin", "sim")
Run: TypeAlias = Callable[[Config, argparse.Namespace, Parent], None]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one role until SIGTERM, then end the process."""
    options = parser().parse_args(arguments)
    start_logging(options.role)
    # Not the file as it stands: it may have been broken since, and a process that died must come back.
    folder = StateFolder(options.home)
    text = folder.taken_config.read_text("utf-8")
    config = load_config(options.config, environment(), text=text, taken_policy=folder.taken_policy)
    config = replace(config, home=options.home)
    # Only the role's own parts are loaded: a worker has no use for the admin port's 20 MB of code.
    run: Run = importlib.import_module(f"proxy.processes.{options.role}").run
    run(config, options, Parent(options.alive_fd, options.ready_fd))
    sys.exit(0)


def preload(role: str) -> None:
    """Load a role's code before processes of it are forked, and what they would each load for themselves."""
    if role in ROLES:
        importlib.import_module(f"proxy.processes.{role}")
    if role == "worker":
        preload_vocabulary()


def parser() -> argparse.ArgumentParser:
    """The command line that the supervisor writes."""
    command = argparse.ArgumentParser(prog="python -m proxy.processes.start")
    command.add_argument("role", choices=ROLES)
    command.add_argument("--config", type=Path)
    command.add_argument("--home", type=Path, required=True)
    command.add_argument("--name", default="")
    command.add_argument("--sim-url", default="")
    command.add_argument("--port", type=int, default=0)
    for descriptor in ("--socket-fd", "--alive-fd", "--ready-fd"):
        command.add_argument(descriptor, type=int, default=-1)
    return command


if __name__ == "__main__":
    main()
