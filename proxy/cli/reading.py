"""Reading the configuration for a verb, telling every mistake."""

import sys
from pathlib import Path

from proxy.app.configuration import environment
from proxy.config import BadConfig, Config, load_config


def read_config(path: Path | None) -> Config | None:
    """The configuration, or None after its mistakes were told on standard error."""
    try:
        return load_config(path, environment())
    except BadConfig as error:
        count = len(error.errors)
        print(f"flyball: {count} mistake{'s' if count > 1 else ''} in the configuration:", file=sys.stderr)
        for sentence in error.errors:
            print(f"  {sentence}", file=sys.stderr)
        return None
