"""Saying plainly that the state folder cannot be used, and what to do about it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Final

from proxy.budget import LedgerUnavailable
from proxy.processes.folder import StateFolder
from proxy.state import StateAway, StateBusy, StateTooNew, is_busy

LOCKED: Final = "is locked by another program: end that program and start again"
BROKEN: Final = (
    "cannot be used ({error}): restore it from a backup, or move it and its -wal and -shm files away, "
    "which forgets keys made by the API and what budgets have spent"
)


class NotReady(Exception):
    """What is to serve did not come up; the message says why, or that its own log lines do."""


class StateUnusable(NotReady):
    """The state folder, or the ledger in it, cannot be used; the message says why and what to do."""


@contextlib.contextmanager
def usable(folder: StateFolder) -> Iterator[None]:
    """Around everything that prepares the state folder.

    Raises:
        StateUnusable: in place of what the file system and SQLite raise.
    """
    try:
        yield
    except StateAway as error:
        raise NotReady(f"ledger.url: {error}") from error
    except (StateBusy, LedgerUnavailable) as error:
        raise StateUnusable(f"{folder.ledger} {LOCKED}") from error
    except StateTooNew as error:
        raise StateUnusable(f"{folder.ledger}: {error}; use that version, or another FLYBALL_HOME") from error
    except sqlite3.Error as error:
        why = LOCKED if is_busy(error) else BROKEN.format(error=error)
        raise StateUnusable(f"{folder.ledger} {why}") from error
    except OSError as error:
        raise StateUnusable(
            f"the state folder {folder.home} cannot be used ({error.strerror}: {error.filename}); "
            "make it writable for this user, or set FLYBALL_HOME to another folder"
        ) from error
