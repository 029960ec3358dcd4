"""What went wrong inside, as what the admin port says of it; foreign exceptions are known here by name only."""

import logging
import sqlite3
import traceback
from collections.abc import Mapping
from typing import Final

from proxy.admin.faults import Fault, Refusal
from proxy.billing import BillingError
from proxy.budget import BudgetConflict, LedgerUnavailable
from proxy.core import refusal as core
from proxy.identity import IdentityError
from proxy.policy import ApprovalsUnavailable, SwitchError
from proxy.state import StateAway, StateBusy, StateForeign

LOG: Final = logging.getLogger("flyball.admin")

_IDENTITY: Final[Mapping[str, Fault]] = {
    "not_found": Fault.NOT_FOUND,
    "exists": Fault.ALREADY_EXISTS,
    "managed_by_file": Fault.MANAGED_BY_FILE,
    "stale": Fault.PRECONDITION_FAILED,
    "invalid": Fault.INVALID_REQUEST,
    "in_use": Fault.IN_USE,
    "revoked": Fault.REVOKED,
}
_SWITCH: Final[Mapping[str, Fault]] = {
    "invalid": Fault.INVALID_REQUEST,
    "not_found": Fault.NOT_FOUND,
    "ended": Fault.REVOKED,
}
_BILLING: Final[Mapping[str, Fault]] = {
    "invalid": Fault.INVALID_REQUEST,
    "missing": Fault.NOT_FOUND,
    "closed": Fault.PERIOD_CLOSED,
    "order": Fault.PERIOD_NOT_READY,
    "raced": Fault.PERIOD_NOT_READY,
}
_CORE: Final[Mapping[core.Refusal, Fault]] = {
    core.Refusal.INVALID_REQUEST: Fault.INVALID_REQUEST,
    core.Refusal.DEPENDENCY_UNAVAILABLE: Fault.DEPENDENCY_UNAVAILABLE,
}
_RETRY: Final = ((b"retry-after", b"1"),)


def refusal_of(error: Exception) -> Refusal:
    """The refusal that answers an exception; what is not foreseen is logged by place and type, never by its text."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, IdentityError):
        return Refusal(_IDENTITY[error.fault], f"{error}.", param=error.param)
    if isinstance(error, SwitchError):
        return Refusal(_SWITCH[error.fault], f"{error}.", param=error.param)
    if isinstance(error, BillingError):
        return Refusal(_BILLING[error.fault], f"{error}.")
    if isinstance(error, BudgetConflict):
        taken = error.code == "already_exists"
        return Refusal(Fault.ALREADY_EXISTS if taken else Fault.MANAGED_BY_FILE, f"{error}.")
    if isinstance(error, LedgerUnavailable):
        LOG.warning("%s", error)
        message = f"The {error.dependency} cannot be reached, so nothing was read or changed; try again."
        return Refusal(Fault.DEPENDENCY_UNAVAILABLE, message, headers=_RETRY)
    if isinstance(error, StateAway | StateForeign):
        LOG.warning("%s", error)
        message = "The state that all hosts share cannot be reached, so nothing was changed; try again."
        return Refusal(Fault.DEPENDENCY_UNAVAILABLE, message, headers=_RETRY)
    if isinstance(error, StateBusy | sqlite3.Error | ApprovalsUnavailable):
        LOG.warning("state file unavailable: %s", type(error).__name__)
        return Refusal(Fault.DEPENDENCY_UNAVAILABLE, "The state file is busy; try again.", headers=_RETRY)
    if isinstance(error, core.Refused) and error.why in _CORE:
        again = error.retry_after_s
        headers = () if again is None else ((b"retry-after", str(again).encode("ascii")),)
        return Refusal(_CORE[error.why], f"{error.message}.", param=error.param, headers=headers)
    LOG.error("unforeseen %s at %s", type(error).__name__, _place(error))
    return Refusal(Fault.INTERNAL_ERROR, "Something went wrong on our side; the log says where.")


def _place(error: Exception) -> str:
    # A message or a local value could hold a secret; file and line cannot.
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{each.filename.rpartition('proxy/')[2]}:{each.lineno}" for each in reversed(frames[-4:]))
