"""Every table of the state file is either shared by all hosts or one host's own, and each host has all shared ones."""

import ast
import re
from pathlib import Path

from proxy.app.ledgers import LOCAL
from proxy.app.stores import Stores
from proxy.billing import Adjustments, Statements
from proxy.budget import BudgetStore
from proxy.cache import PurgeStore
from proxy.core.clock import SystemClock
from proxy.identity import KeyStore
from proxy.ownership import OwnershipSettings, SqliteOwnership
from proxy.policy import ApprovalBook, ProposalStore, Sealer, SqliteReleasedCalls, SwitchStore
from proxy.processes.joining import know_all_tables
from proxy.routing import SqliteHealthStore
from proxy.state import StateFile

SOURCE = Path(__file__).parents[3] / "proxy"
SHARED = {
    *("orgs", "teams", "keys", "key_secrets", "admin_tokens"),
    *("budgets", "budget_raises"),
    *("alerts", "alert_deliveries", "alert_claims"),
    *("audit", "admin_answers"),
    "kill_switches",
    "cache_purges",
    *("approvals", "approval_answers"),
    "policy_sets",
    *("closed_periods", "statements", "billing_adjustments"),
}
CLOCKS_AND_CHANCE = re.compile(
    r"\b(CURRENT_TIME|CURRENT_DATE|CURRENT_TIMESTAMP|strftime|julianday|unixepoch|random|randomblob)\b"
)


def test_a_host_that_joins_has_every_table_that_is_shared(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "ledger.sqlite")
    stores = Stores(
        state=state,
        keys=KeyStore(state, b"h" * 32),
        budgets=BudgetStore(state, clock=SystemClock()),
        switches=SwitchStore(state, clock=SystemClock()),
        purges=PurgeStore(state, clock=SystemClock()),
        proposals=ProposalStore(state, clock=SystemClock()),
        approvals=ApprovalBook(state, Sealer(b"b" * 32)),
        released=SqliteReleasedCalls(state),
        ownership=SqliteOwnership(state, OwnershipSettings()),
        health=SqliteHealthStore(state, SystemClock()),
        statements=Statements(state),
        adjustments=Adjustments(state, clock=SystemClock()),
    )
    know_all_tables(stores)
    with state.read() as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert found - {"state", "migrations", "sqlite_sequence"} == SHARED | LOCAL


def test_no_statement_asks_for_a_clock_or_for_chance() -> None:
    """Hosts would come to different tables by the same change."""
    rooms = ("identity", "budget", "billing", "admin", "policy", "cache")
    for path in (path for room in rooms for path in SOURCE.glob(f"{room}/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                changes = re.match(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", node.value)
                assert not (changes and CLOCKS_AND_CHANCE.search(node.value)), f"{path}:{node.lineno}"
