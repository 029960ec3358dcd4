"""Whose fault it was that a call did not end well: from the closed tables of outcomes and refusals."""

from typing import Final

from proxy.core.refusal import Refusal

_UPSTREAM: Final = "upstream_"
_RULES: Final = (
    Refusal.MODEL_NOT_ALLOWED, Refusal.POLICY_DENIED, Refusal.RUN_STOPPED, Refusal.APPROVAL_REQUIRED,
    Refusal.BUDGET_EXCEEDED, Refusal.RATE_LIMITED, Refusal.UNPRICED_MODEL,
)  # fmt: skip
_OURS: Final = tuple(one for one in Refusal if not one.callers_fault and not one.code.startswith(_UPSTREAM))

RULES, FLYBALL, PROVIDER, CLIENT = "a rule", "Flyball", "provider", "client"


def _listed(refusals: tuple[Refusal, ...]) -> str:
    return ", ".join(f"'{one.code}'" for one in refusals)


FAULT: Final = (
    f"multiIf(outcome IN ('upstream_error', 'truncated', 'lost') OR startsWith(code, '{_UPSTREAM}'), '{PROVIDER}',"
    f" code IN ({_listed(_OURS)}), '{FLYBALL}', code IN ({_listed(_RULES)}), '{RULES}', '{CLIENT}')"
)
"""Of a call that did not end well: what a rule refused is as it should be, `client` asked wrongly or left."""
