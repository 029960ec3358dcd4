"""`flyball import`: another proxy's configuration, made ours."""

from proxy.cli.importing.verb import add_verb

__all__ = ["add_verb"]
