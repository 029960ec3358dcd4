"""`python -m proxy.processes.start ROLE`: one process of `serve`, started by the supervisor and by nobody else."""

import argparse
import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from proxy.app.configuration import environment
from proxy.config import Config, load_config
from proxy.processes.folder import StateFolder
from proxy.processes.logs import start_logging
from proxy.processes.parent import Parent

ROLES: Final = ("worker", "collector", "admin", "sim")
Run: TypeAlias = Callable[[Config, argparse.Namespace, Parent], None]


def main() -> None:
    """Run one role until SIGTERM."""
    options = parser().parse_args()
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
