"""The one SQLite file of a host: budgets, ledger, keys and admin tokens live in it, each room in tables of its own."""

from proxy.state.file import Checkpoint, StateBusy, StateFile, is_busy
from proxy.state.migrations import StateTooNew, migrate

__all__ = ["Checkpoint", "StateBusy", "StateFile", "StateTooNew", "is_busy", "migrate"]
