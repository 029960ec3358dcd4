"""Budgets that cannot be overdrawn: what they are, and the ledger that sets money aside before a call costs any."""

from importlib import import_module
from typing import TYPE_CHECKING

from proxy.budget.alerts import Alert as Alert
from proxy.budget.alerts import Alerting as Alerting
from proxy.budget.alerts import AlertSettings as AlertSettings
from proxy.budget.alerts import AlertState as AlertState
from proxy.budget.alerts import Answered as Answered
from proxy.budget.alerts import ApprovalNote as ApprovalNote
from proxy.budget.alerts import BadReceiver as BadReceiver
from proxy.budget.alerts import Claim as Claim
from proxy.budget.alerts import Delivery as Delivery
from proxy.budget.alerts import Kept as Kept
from proxy.budget.alerts import Lead as Lead
from proxy.budget.alerts import NotPosted as NotPosted
from proxy.budget.alerts import Outbox as Outbox
from proxy.budget.alerts import PolicyNote as PolicyNote
from proxy.budget.alerts import Post as Post
from proxy.budget.alerts import Receiver as Receiver
from proxy.budget.alerts import ReceiverEntry as ReceiverEntry
from proxy.budget.alerts import Refusals as Refusals
from proxy.budget.alerts import RoutingNote as RoutingNote
from proxy.budget.alerts import Sender as Sender
from proxy.budget.alerts import Watcher as Watcher
from proxy.budget.alerts import amounts_of as amounts_of
from proxy.budget.alerts import is_signed as is_signed
from proxy.budget.alerts import receiver_of as receiver_of
from proxy.budget.alerts import receivers_of as receivers_of
from proxy.budget.alerts import sentence as sentence
from proxy.budget.alerts import signed as signed
from proxy.budget.alerts import signing_keys as signing_keys
from proxy.budget.bad_budget import BadBudget as BadBudget
from proxy.budget.budget import Budget as Budget
from proxy.budget.catalog import BudgetCatalog
from proxy.budget.counter_book import Counted as Counted
from proxy.budget.counter_book import CounterBook as CounterBook
from proxy.budget.counter_book import Fullest as Fullest
from proxy.budget.counter_book import Stretch as Stretch
from proxy.budget.fitting import fitted as fitted
from proxy.budget.fitting import tokens_used as tokens_used
from proxy.budget.forecast import Forecast as Forecast
from proxy.budget.forecast import ForecastPoint as ForecastPoint
from proxy.budget.forecast import NoForecast as NoForecast
from proxy.budget.forecast import UsageHistory as UsageHistory
from proxy.budget.forecast import foreseen as foreseen
from proxy.budget.ladder import climbed as climbed
from proxy.budget.ladder import next_gate as next_gate
from proxy.budget.ladder import nominal as nominal
from proxy.budget.ladder import reached as reached
from proxy.budget.ladder import refuses_above as refuses_above
from proxy.budget.ladder import regated as regated
from proxy.budget.ledger import Balance as Balance
from proxy.budget.ledger import Granted as Granted
from proxy.budget.ledger import HoldLine as HoldLine
from proxy.budget.ledger import HoldLost as HoldLost
from proxy.budget.ledger import HoldRequest, Ledger, LedgerUnavailable
from proxy.budget.ledger import Lapsed as Lapsed
from proxy.budget.ledger import LineKind as LineKind
from proxy.budget.ledger import Reached as Reached
from proxy.budget.ledger import Rung as Rung
from proxy.budget.ledger import RunState as RunState
from proxy.budget.ledger import RunTicket as RunTicket
from proxy.budget.ledger import Settled as Settled
from proxy.budget.ledger import Short as Short
from proxy.budget.ledger import Stopped as Stopped
from proxy.budget.ledger import Unit as Unit
from proxy.budget.oversold import Oversold as Oversold
from proxy.budget.raised import Raise as Raise
from proxy.budget.raised import raised_by as raised_by
from proxy.budget.rebuild import Question as Question
from proxy.budget.rebuild import RebuildableBook as RebuildableBook
from proxy.budget.rebuild import Sums as Sums
from proxy.budget.rebuild import questions as questions
from proxy.budget.rebuild import totals as totals
from proxy.budget.redis.settings import RedisSettings as RedisSettings
from proxy.budget.rows import Which as Which
from proxy.budget.rungs import fraction_text as fraction_text
from proxy.budget.rungs import rungs_of as rungs_of
from proxy.budget.scopes import CLAIMED as CLAIMED
from proxy.budget.scopes import family_of as family_of
from proxy.budget.scopes import kind_of as kind_of
from proxy.budget.settings import BudgetEntry, BudgetSettings
from proxy.budget.settings import Enforcement as Enforcement
from proxy.budget.settings import RateLimitEntry as RateLimitEntry
from proxy.budget.settings import RungEntry as RungEntry
from proxy.budget.spec import BudgetSpec as BudgetSpec
from proxy.budget.spec import Limit as Limit
from proxy.budget.spec import TokenKind as TokenKind
from proxy.budget.spec import length_read as length_read
from proxy.budget.spec import limit_of as limit_of
from proxy.budget.spec import rate_limit_of as rate_limit_of
from proxy.budget.spec import rate_of as rate_of
from proxy.budget.spec import rate_window as rate_window
from proxy.budget.spec import spec_of as spec_of
from proxy.budget.spec import token_kind as token_kind
from proxy.budget.sqlite import SqliteLedger as SqliteLedger
from proxy.budget.sqlite_book import SqliteCounterBook as SqliteCounterBook
from proxy.budget.standing import BudgetState as BudgetState
from proxy.budget.store import BudgetConflict as BudgetConflict
from proxy.budget.store import BudgetStore
from proxy.budget.told import WORDS as WORDS
from proxy.budget.told import figures as figures
from proxy.budget.told import spoken as spoken
from proxy.budget.windows import WindowKind as WindowKind

if TYPE_CHECKING:
    from proxy.budget.redis.book import RedisCounterBook as RedisCounterBook
    from proxy.budget.redis.fitness import examined as examined
    from proxy.budget.redis.lead import RedisLead as RedisLead
    from proxy.budget.redis.ledger import RedisLedger as RedisLedger
else:
    _IN_REDIS = {"RedisCounterBook": "book", "RedisLead": "lead", "RedisLedger": "ledger", "examined": "fitness"}

    def __getattr__(name: str) -> object:
        """What works with Redis, when it is first asked for: `redis` is an optional dependency."""
        if name not in _IN_REDIS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f"proxy.budget.redis.{_IN_REDIS[name]}"), name)
        except ModuleNotFoundError as missing:
            if missing.name != "redis":
                raise
            raise ImportError("a ledger in Redis needs the `redis` package: install flyball[redis]") from missing


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
