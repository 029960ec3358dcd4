"""How far ClickHouse is behind what was recorded on this host, by what the collector last said of itself."""

import json
from pathlib import Path
from typing import Final

from proxy.telemetry.collector import METRICS_FILE

SILENT_S: Final = 15.0
"""A collector reports every second; one that has not for so long is dead, or as good as."""


def behind(spool: Path, now_s: float, most_s: float) -> str:
    """Why the store cannot be relied on to have what was recorded until a moment ago; empty where it can.

    `most_s` is how old the oldest row on its way may be, in seconds. A host without a collector of its own has
    nothing to say: what its workers recorded is another host's to ship.
    """
    try:
        said = json.loads((spool / METRICS_FILE).read_text())
    except (OSError, ValueError):
        return ""
    silent = now_s - said["reported_at"]
    if silent > SILENT_S:
        return f"the collector has said nothing for {silent:.0f} s"
    if said["away"]:
        return f"ClickHouse cannot be reached: {said['last_error']}"
    if said["lag_seconds"] > most_s:
        return f"rows of {said['lag_seconds']:.0f} s ago are not in ClickHouse yet"
    return ""
