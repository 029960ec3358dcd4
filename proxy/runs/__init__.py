"""Runs: which agent run, step, user and tags a call belongs to."""

from proxy.runs.claims import CLAIM_HEADERS, Claims, read_claims

__all__ = ["CLAIM_HEADERS", "Claims", "read_claims"]
