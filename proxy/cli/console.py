"""`flyball console`: a one-time link into the console."""

import argparse
import webbrowser
from collections.abc import Callable
from typing import Any

from proxy.cli.running import connect


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `console` to the command line."""
    verb = verbs.add_parser(
        "console",
        help="open the console by a one-time link",
        description="Make a link that opens the console of the running Flyball once, within a minute, and open it.",
    )
    add_config(verb)
    verb.add_argument("--print", action="store_true", dest="only_print", help="print the link and open no browser")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Print the link, and open it where there is a browser."""
    client = connect(options.config)
    if client is None:
        return 1
    link = client.endpoints["admin"] + client.ask("POST", "/admin/v1/console/links")["path"]
    print(link)
    if not options.only_print:
        webbrowser.open(link)
    return 0
