"""What a host's supervisor knows of its policies, left where its other processes find it."""

import os
from pathlib import Path
from typing import Final, Literal

import msgspec

_NAME: Final = "policy.json"


class PolicyStatus(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`stale`: there are others that could not be taken, and `error` says why; times are seconds since 1970."""

    source: str = ""
    revision: str = ""
    named: str = ""
    stale: bool = False
    error: str = ""
    since: int = 0
    taken: int = 0
    refused: int = 0
    unreachable: int = 0

    def write(self, run: Path) -> None:
        """Leave it in the folder of the running processes, whole or not at all."""
        draft = run / f"{_NAME}.draft"
        draft.write_bytes(msgspec.json.encode(self))
        os.replace(draft, run / _NAME)

    def metrics(self) -> list[str]:
        """The same as lines for Prometheus."""
        outcomes: dict[Literal["taken", "refused", "unreachable"], int] = {
            "taken": self.taken,
            "refused": self.refused,
            "unreachable": self.unreachable,
        }
        lines = [f'flyball_policy_takes_total{{outcome="{name}"}} {count}' for name, count in outcomes.items()]
        return [*lines, f"flyball_policy_stale {int(self.stale)}"]


def read_status(run: Path) -> PolicyStatus | None:
    """What was left there; None where nothing was, or nothing readable."""
    try:
        return msgspec.json.decode((run / _NAME).read_bytes(), type=PolicyStatus)
    except (OSError, msgspec.DecodeError):
        return None
