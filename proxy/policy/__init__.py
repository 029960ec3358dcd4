"""Policy: a deterministic engine outside the model that allows, denies and obliges (DESIGN §7)."""

from typing import TYPE_CHECKING

from proxy.policy.approvals import Approval as Approval
from proxy.policy.approvals import ApprovalBook as ApprovalBook
from proxy.policy.approvals import ApprovalRequest as ApprovalRequest
from proxy.policy.approvals import ApprovalSettings as ApprovalSettings
from proxy.policy.approvals import ApprovalState as ApprovalState
from proxy.policy.approvals import ApprovalsUnavailable as ApprovalsUnavailable
from proxy.policy.approvals import AskedCall as AskedCall
from proxy.policy.approvals import CannotOpen as CannotOpen
from proxy.policy.approvals import ParkedAnswer as ParkedAnswer
from proxy.policy.approvals import Sealer as Sealer
from proxy.policy.approvals import TooMany as TooMany
from proxy.policy.approvals import Undecidable as Undecidable
from proxy.policy.approvals import Wanted as Wanted
from proxy.policy.approvals import know_approvals as know_approvals
from proxy.policy.bundle import Bundle as Bundle
from proxy.policy.bundle import read_bundle as read_bundle
from proxy.policy.bundles.archive import MOST_PACKED as MOST_PACKED
from proxy.policy.bundles.settings import BundleSettings as BundleSettings
from proxy.policy.decision import Decision, Denial
from proxy.policy.decision_log import DecisionLogSettings as DecisionLogSettings
from proxy.policy.decision_log import Figures as Figures
from proxy.policy.decision_log import LogSender as LogSender
from proxy.policy.decision_log import NotSent as NotSent
from proxy.policy.decision_log import entries_of as entries_of
from proxy.policy.drafts import read_draft as read_draft
from proxy.policy.engine import PolicyEngine
from proxy.policy.engine import asks_for as asks_for
from proxy.policy.errors import BadPolicy as BadPolicy
from proxy.policy.errors import PolicyUnavailable
from proxy.policy.findings import Edit as Edit
from proxy.policy.findings import Finder as Finder
from proxy.policy.findings import FindingsSettings as FindingsSettings
from proxy.policy.findings import Found as Found
from proxy.policy.findings import Said as Said
from proxy.policy.findings import Unredactable as Unredactable
from proxy.policy.findings import edited as edited
from proxy.policy.obligations import Duties
from proxy.policy.obligations import RequireApproval as RequireApproval
from proxy.policy.obligations import obligations_of as obligations_of
from proxy.policy.opa_testing import run_opa_tests as run_opa_tests
from proxy.policy.opening import check_archive as check_archive
from proxy.policy.opening import open_policy
from proxy.policy.opening import problems_of as problems_of
from proxy.policy.opening import take_candidate as take_candidate
from proxy.policy.opening import take_policy as take_policy
from proxy.policy.point import Point
from proxy.policy.proposals import PolicySet as PolicySet
from proxy.policy.proposals import ProposalError as ProposalError
from proxy.policy.proposals import Proposals as Proposals
from proxy.policy.proposals import ProposalStore as ProposalStore
from proxy.policy.proposals import of_upload as of_upload
from proxy.policy.reading import EVERYTHING as EVERYTHING
from proxy.policy.reading import Reads as Reads
from proxy.policy.reading import both as both
from proxy.policy.rego import EmbeddedRego as EmbeddedRego
from proxy.policy.released.book import MOST_OF_A_KEY as MOST_OF_A_KEY
from proxy.policy.released.book import MOST_OF_A_RUN as MOST_OF_A_RUN
from proxy.policy.released.book import ReleasedCalls as ReleasedCalls
from proxy.policy.released.book import ReleasedUnavailable as ReleasedUnavailable
from proxy.policy.released.book import call_mark as call_mark
from proxy.policy.released.book import run_mark as run_mark
from proxy.policy.released.sqlite import SqliteReleasedCalls as SqliteReleasedCalls
from proxy.policy.replaying import Change as Change
from proxy.policy.replaying import Kept as Kept
from proxy.policy.replaying import Replayed as Replayed
from proxy.policy.replaying import Replayer as Replayer
from proxy.policy.settings import PolicySettings
from proxy.policy.switches.board import NO_SWITCHES as NO_SWITCHES
from proxy.policy.switches.board import Switches as Switches
from proxy.policy.switches.store import LONGEST_REASON as LONGEST_REASON
from proxy.policy.switches.store import SwitchError as SwitchError
from proxy.policy.switches.store import SwitchStore as SwitchStore
from proxy.policy.switches.switch import Switch as Switch
from proxy.policy.switches.target import BadTarget as BadTarget
from proxy.policy.switches.target import SwitchKind as SwitchKind
from proxy.policy.switches.target import SwitchTarget as SwitchTarget
from proxy.policy.switches.target import parse_target as parse_target
from proxy.policy.taken import read_taken as read_taken
from proxy.policy.taken import source_of as source_of
from proxy.policy.tools.book import NO_TOOLS as NO_TOOLS
from proxy.policy.tools.book import ToolBook as ToolBook
from proxy.policy.tools.settings import ToolSettings as ToolSettings
from proxy.policy.tools.settings import tool_problems as tool_problems
from proxy.policy.tracing import trace as trace
from proxy.policy.trying import Tried as Tried
from proxy.policy.trying import run_tests as run_tests
from proxy.policy.unruled import UNRULED as UNRULED
from proxy.policy.watching import fingerprint as fingerprint

if TYPE_CHECKING:
    from proxy.policy.released.redis import RedisReleasedCalls as RedisReleasedCalls
else:

    def __getattr__(name: str) -> object:
        """`RedisReleasedCalls`, when it is first asked for: `redis` is an optional dependency."""
        if name != "RedisReleasedCalls":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from proxy.policy.released.redis import RedisReleasedCalls  # noqa: PLC0415 - see above

        return RedisReleasedCalls


# The names a call or a configuration needs; the others are what these take, give and raise.
__all__ = [
    "Decision",
    "Denial",
    "Duties",
    "Point",
    "PolicyEngine",
    "PolicySettings",
    "PolicyUnavailable",
    "open_policy",
]
