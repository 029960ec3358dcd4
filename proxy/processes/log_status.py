"""What the collector knows of the decision logs it sends, left where the page of metrics finds it."""

import os
from pathlib import Path
from typing import Final

import msgspec

from proxy.policy import Figures

_NAME: Final = "decision-log.json"


class LogStatus(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Entries sent, batches tried again, bytes that wait, and entries lost by reason."""

    sent: int = 0
    retried: int = 0
    pending_bytes: int = 0
    dropped: dict[str, int] = {}

    def metrics(self) -> list[str]:
        """The same as lines for Prometheus."""
        lines = [
            f"flyball_decision_log_sent_total {self.sent}",
            f"flyball_decision_log_retries_total {self.retried}",
            f"flyball_decision_log_pending_bytes {self.pending_bytes}",
        ]
        lost = sorted(self.dropped.items())
        return [*lines, *(f'flyball_decision_log_dropped_total{{reason="{name}"}} {count}' for name, count in lost)]


def write_log_status(run: Path, figures: Figures) -> None:
    """Leave the figures in the folder of the running processes, whole or not at all."""
    status = LogStatus(
        sent=figures.sent,
        retried=figures.retried,
        pending_bytes=figures.pending_bytes,
        dropped={name: count for name, count in figures.dropped.items() if count},
    )
    draft = run / f"{_NAME}.draft"
    draft.write_bytes(msgspec.json.encode(status))
    os.replace(draft, run / _NAME)


def read_log_status(run: Path) -> LogStatus | None:
    """What was left there; None where nothing was, or nothing readable."""
    try:
        return msgspec.json.decode((run / _NAME).read_bytes(), type=LogStatus)
    except (OSError, msgspec.DecodeError):
        return None
