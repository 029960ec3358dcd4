"""The state folder: what stands where in it."""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SECRETS: Final = ("admin-token", "first-key", "hash-key", "clickhouse-password", "grafana-password")
"""Files of one line that only their owner may read (DESIGN §1)."""


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Paths under one state folder (DESIGN §1)."""

    home: Path

    @property
    def ledger(self) -> Path:
        """The SQLite state file."""
        return self.home / "ledger.sqlite"

    @property
    def spool(self) -> Path:
        """Rows on their way to ClickHouse."""
        return self.home / "spool"

    @property
    def run(self) -> Path:
        """Addresses and counters of the running processes."""
        return self.home / "run"

    @property
    def endpoints_file(self) -> Path:
        """Every address in use, as JSON."""
        return self.run / "endpoints.json"

    @property
    def taken_config(self) -> Path:
        """The text of flyball.yaml as the supervisor last found it valid; its children read no other."""
        return self.run / "taken.yaml"

    @property
    def taken_policy(self) -> Path:
        """The policies as the supervisor last found them good; its children read no others."""
        return self.run / "taken-policy.json"

    def note_living(self, name: str) -> None:
        """Note that holds may be made in this name: should it die with all of us, they are known to be its."""
        (self.run / f"living-{name}").touch(mode=0o600)

    def forget_living(self, name: str) -> None:
        """All its holds have been ended."""
        (self.run / f"living-{name}").unlink(missing_ok=True)

    def noted_living(self) -> list[str]:
        """The names that were noted and not forgotten."""
        return sorted(path.name.removeprefix("living-") for path in self.run.glob("living-*"))

    def make(self) -> bool:
        """Make the folder, for its owner only; whether it is new."""
        new = not self.ledger.exists()
        for part in (self.home, self.spool, self.run):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        return new

    def exposed_secrets(self) -> list[Path]:
        """The secret files there are that others than their owner may read or write."""
        there = [self.home / name for name in SECRETS if (self.home / name).exists()]
        return [path for path in there if stat.S_IMODE(path.stat().st_mode) & 0o077]

    def write_endpoints(self, endpoints: dict[str, Any]) -> None:
        """Publish the addresses in use, whole or not at all."""
        draft = self.endpoints_file.with_suffix(".draft")
        draft.write_text(json.dumps(endpoints, indent=2) + "\n")
        os.replace(draft, self.endpoints_file)

    def take_config(self, text: str) -> None:
        """Keep a valid configuration's text, whole or not at all."""
        draft = self.taken_config.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(text, "utf-8")
        os.replace(draft, self.taken_config)

    def endpoints(self) -> dict[str, Any]:
        """The addresses in use; empty while nothing runs."""
        try:
            found = json.loads(self.endpoints_file.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def clickhouse(self) -> str | None:
        """Where the embedded ClickHouse answers now; None while it does not run."""
        found = self.endpoints().get("clickhouse")
        return found if isinstance(found, str) else None
