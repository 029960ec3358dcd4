"""What each role may do on the admin port: one table, looked at for every request."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

from proxy.identity import AdminTokens

Role: TypeAlias = AdminTokens.Role


class Permission(StrEnum):
    """One thing a person may be allowed to do; every route asks for exactly one."""

    KNOW_ONESELF = "know oneself"
    READ_TENANTS = "read tenants"
    CHANGE_TENANTS = "change tenants"
    READ_BUDGETS = "read budgets"
    CHANGE_BUDGETS = "change budgets"
    READ_SPEND = "read spend"
    READ_OPERATIONS = "read operations"
    CLOSE_PERIODS = "close periods"
    CHANGE_ADJUSTMENTS = "change negotiated adjustments"
    READ_TOKENS = "read tokens"
    CHANGE_TOKENS = "change tokens"
    READ_AUDIT = "read audit"
    READ_RUNS = "read runs"
    STOP_RUNS = "stop runs"
    READ_SWITCHES = "read kill switches"
    SET_SWITCHES = "set kill switches"
    LIFT_SWITCHES = "lift kill switches"
    PURGE_CACHES = "purge caches"
    READ_APPROVALS = "read approvals"
    DECIDE_APPROVALS = "decide approvals"
    READ_POLICIES = "read policies"
    CHANGE_POLICIES = "change policies"
    READ_PROVIDERS = "read providers"


_EVERYONE: Final = frozenset(
    {
        Permission.KNOW_ONESELF,
        Permission.READ_TENANTS,
        Permission.READ_BUDGETS,
        Permission.READ_OPERATIONS,
        Permission.READ_RUNS,
        Permission.READ_SWITCHES,
        Permission.READ_APPROVALS,
        Permission.READ_PROVIDERS,
    }
)

PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.OWNER: frozenset(Permission),
    Role.BILLING: _EVERYONE
    | {Permission.READ_SPEND, Permission.CHANGE_BUDGETS, Permission.STOP_RUNS}
    | {Permission.CLOSE_PERIODS, Permission.CHANGE_ADJUSTMENTS},
    Role.POLICY_ADMIN: _EVERYONE
    | {Permission.STOP_RUNS, Permission.SET_SWITCHES, Permission.LIFT_SWITCHES, Permission.PURGE_CACHES}
    | {Permission.READ_POLICIES, Permission.CHANGE_POLICIES},
    # Who may say no to a call may stop what makes it; to let it go on again is for those who make the policy.
    Role.APPROVER: _EVERYONE | {Permission.STOP_RUNS, Permission.SET_SWITCHES, Permission.DECIDE_APPROVALS},
    Role.AUDITOR: _EVERYONE
    | {Permission.READ_SPEND, Permission.READ_TOKENS, Permission.READ_AUDIT, Permission.READ_POLICIES},
    Role.VIEWER: _EVERYONE | {Permission.READ_SPEND},
}


def may(role: Role, permission: Permission) -> bool:
    """Whether a role includes a permission."""
    return permission in PERMISSIONS[role]
