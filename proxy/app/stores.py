"""What is kept in the state file, as one process sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy.budget import BudgetStore
from proxy.config import Config
from proxy.core.clock import Clock
from proxy.identity import KeyStore, load_or_make_hash_key
from proxy.state import StateFile


@dataclass(kw_only=True)
class Stores:
    """What is kept in the state file, as one process sees it."""

    state: StateFile
    keys: KeyStore
    budgets: BudgetStore

    @classmethod
    def open(cls, home: Path, ledger_path: Path, clock: Clock) -> "Stores":
        """Open the state file and the stores in it."""
        state = StateFile(ledger_path)
        keys = KeyStore(state, load_or_make_hash_key(home), clock=clock)
        return cls(state=state, keys=keys, budgets=BudgetStore(state))

    def follow_file(self, config: Config, environment: Mapping[str, str]) -> None:
        """Make the file-managed objects what flyball.yaml says."""
        self.keys.sync_from_file(config.settings.tenants, environment)
        self.budgets.sync_from_file(config.settings.budgets, config.settings.rate_limits)
