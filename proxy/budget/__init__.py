"""Budgets that cannot be overdrawn: what they are, and the ledger that sets money aside before a call costs any."""

from proxy.budget.catalog import BadBudget as BadBudget
from proxy.budget.catalog import Budget as Budget
from proxy.budget.catalog import BudgetCatalog
from proxy.budget.catalog import BudgetSpec as BudgetSpec
from proxy.budget.catalog import length_read as length_read
from proxy.budget.catalog import spec_of as spec_of
from proxy.budget.ledger import Balance as Balance
from proxy.budget.ledger import Granted as Granted
from proxy.budget.ledger import HoldLine as HoldLine
from proxy.budget.ledger import HoldLost as HoldLost
from proxy.budget.ledger import HoldRequest, Ledger, LedgerUnavailable
from proxy.budget.ledger import Lapsed as Lapsed
from proxy.budget.ledger import Settled as Settled
from proxy.budget.ledger import Short as Short
from proxy.budget.settings import BudgetEntry, BudgetSettings
from proxy.budget.sqlite import SqliteLedger as SqliteLedger
from proxy.budget.store import BudgetConflict as BudgetConflict
from proxy.budget.store import BudgetState as BudgetState
from proxy.budget.store import BudgetStore
from proxy.budget.windows import WindowKind as WindowKind

# The names a call or a configuration needs; the others are what these take, give and raise.
__all__ = [
    "BudgetCatalog",
    "BudgetEntry",
    "BudgetSettings",
    "BudgetStore",
    "HoldRequest",
    "Ledger",
    "LedgerUnavailable",
]
