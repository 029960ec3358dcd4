"""Approvals: calls that wait for a person's yes or no, and what is kept for them meanwhile."""

from proxy.policy.approvals.approval import Approval, ApprovalRequest
from proxy.policy.approvals.approval import ApprovalState as ApprovalState
from proxy.policy.approvals.approval import AskedCall as AskedCall
from proxy.policy.approvals.approval import ParkedAnswer as ParkedAnswer
from proxy.policy.approvals.book import ApprovalBook
from proxy.policy.approvals.book import Wanted as Wanted
from proxy.policy.approvals.book import know_approvals as know_approvals
from proxy.policy.approvals.faults import ApprovalsUnavailable
from proxy.policy.approvals.faults import TooMany as TooMany
from proxy.policy.approvals.faults import Undecidable as Undecidable
from proxy.policy.approvals.sealing import CannotOpen as CannotOpen
from proxy.policy.approvals.sealing import Sealer
from proxy.policy.approvals.settings import ApprovalSettings

__all__ = ["Approval", "ApprovalBook", "ApprovalRequest", "ApprovalSettings", "ApprovalsUnavailable", "Sealer"]
