"""What is kept in the state file, as one process sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy.app.ledgers import counter_book, health_store, ownership, released_calls, shared_state
from proxy.billing import Adjustments, Statements
from proxy.budget import BudgetStore
from proxy.cache import PurgeStore
from proxy.config import Config
from proxy.core.clock import Clock
from proxy.identity import KeyStore, load_or_make_body_key, load_or_make_hash_key
from proxy.ownership import Ownership
from proxy.policy import ApprovalBook, ProposalStore, ReleasedCalls, Sealer, SwitchStore
from proxy.routing import HealthStore
from proxy.state import StateFile


@dataclass(kw_only=True)
class Stores:
    """What is kept in the state file, as one process sees it."""

    state: StateFile
    keys: KeyStore
    budgets: BudgetStore
    switches: SwitchStore
    purges: PurgeStore
    proposals: ProposalStore
    approvals: ApprovalBook
    released: ReleasedCalls
    ownership: Ownership
    health: HealthStore
    statements: Statements
    adjustments: Adjustments

    @classmethod
    def open(cls, config: Config, ledger_path: Path, clock: Clock) -> "Stores":
        """Open the state file and the stores in it; where hosts share one, what stands in it is looked at later."""
        state = StateFile(ledger_path, shared=shared_state(config))
        keys = KeyStore(state, hash_key_of(config), clock=clock)
        return cls(
            state=state,
            keys=keys,
            budgets=BudgetStore(state, clock=clock, book=counter_book(config, state)),
            switches=SwitchStore(state, clock=clock),
            purges=PurgeStore(state, clock=clock),
            proposals=ProposalStore(state, clock=clock),
            approvals=ApprovalBook(state, Sealer(body_key_of(config)), config.settings.policy.approvals),
            released=released_calls(config, state),
            ownership=ownership(config, state),
            health=health_store(config, state, clock),
            statements=Statements(state),
            adjustments=Adjustments(state, clock=clock),
        )

    def follow_file(self, config: Config, environment: Mapping[str, str]) -> None:
        """Make the file-managed objects what flyball.yaml says."""
        self.keys.sync_from_file(config.settings.tenants, environment)
        self.budgets.sync_from_file(config.settings.budgets, config.settings.rate_limits)


def hash_key_of(config: Config) -> bytes:
    """What keys are hashed with: as it is set, else the state folder's own."""
    return load_or_make_hash_key(config.home, config.settings.server.hash_key)


def body_key_of(config: Config) -> bytes:
    """What is kept of bodies is encrypted with: as it is set, else the state folder's own."""
    return load_or_make_body_key(config.home, config.settings.server.body_key)
