"""`flyball grafana`: boards and alert rules into a Grafana."""

from proxy.cli.grafana.verb import add_verb

__all__ = ["add_verb"]
