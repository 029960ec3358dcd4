"""Policies that people propose by the admin API, and that others make the ones that decide."""

from proxy.policy.proposals.policy_set import PolicySet, Proposals, of_upload
from proxy.policy.proposals.store import LARGEST_SET, ProposalError, ProposalStore

__all__ = ["LARGEST_SET", "PolicySet", "ProposalError", "ProposalStore", "Proposals", "of_upload"]
