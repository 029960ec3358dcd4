"""How the telemetry of this host stands, from what its workers and its collector say of themselves."""

from pathlib import Path
from typing import Final

from proxy.processes.metrics import read_plain, summed
from proxy.telemetry import PipelineStateRow

DROPPED: Final = "flyball_rows_dropped_total"


def pipeline_state(run: Path, spool: Path, at: str, host: str) -> PipelineStateRow:
    """The row for one moment; zeros for what nobody has said yet."""
    workers = summed(run)
    collector = read_plain(spool / "collector.json")
    return PipelineStateRow(
        at=at,
        host=host,
        lag_seconds=float(collector.get("lag_seconds", 0)),
        spool_bytes=int(collector.get("spool_bytes", 0)),
        sealed_segments=int(collector.get("sealed_segments", 0)),
        is_away=bool(collector.get("away", False)),
        workers=workers.workers,
        unsettled=workers.unsettled,
        shipped_rows=int(collector.get("shipped_rows", 0)),
        rejected_rows=int(collector.get("rejected_rows", 0)),
        dropped_rows=sum(count for series, count in workers.total.items() if series.partition("{")[0] == DROPPED),
    )
