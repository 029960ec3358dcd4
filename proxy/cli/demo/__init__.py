"""`flyball demo`: three tenants and two minutes of traffic shaped like a real hour, over HTTP like anyone else's."""

from proxy.cli.demo.run import DemoOptions, run_demo
from proxy.cli.demo.verb import add_verb

__all__ = ["DemoOptions", "add_verb", "run_demo"]
