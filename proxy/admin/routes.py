"""Every route of the admin API in one table; the OpenAPI document and docs/admin-api.md are made from it.

The examples stand in the order in which they work on a fresh server that knows operation `op_…01` only.
"""

from typing import Final

from proxy.admin.alert_routes import ALERT_ROUTES
from proxy.admin.approval_routes import APPROVAL_ROUTES
from proxy.admin.budget_routes import BUDGET_ROUTES, THE_BUDGET, THE_LIMIT
from proxy.admin.decision_routes import DECISION_ROUTES
from proxy.admin.desks.budgets import (
    delete_budget,
)
from proxy.admin.desks.keys import (
    change_key,
    create_key,
    delete_key,
    get_key,
    get_key_by_id,
    list_keys,
    revoke_key,
    rotate_key,
)
from proxy.admin.desks.limits import (
    delete_limit,
)
from proxy.admin.desks.operations import explain_operation, list_operations
from proxy.admin.desks.people import (
    create_token,
    delete_token,
    get_token,
    list_audit,
    list_tokens,
    open_console,
    who_am_i,
)
from proxy.admin.desks.tenants import (
    delete_org,
    delete_team,
    get_org,
    get_team,
    list_orgs,
    list_teams,
    put_org,
    put_team,
)
from proxy.admin.policy_routes import POLICY_ROUTES
from proxy.admin.provider_routes import PROVIDER_ROUTES
from proxy.admin.purge_routes import PURGE_ROUTES
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.run_routes import RUN_ROUTES
from proxy.admin.shapes.common import Deleted, Listing, PageQuery, TenantPageQuery
from proxy.admin.shapes.operations import Explained, Operation, OperationQuery
from proxy.admin.shapes.people import (
    AuditQuery,
    AuditRecord,
    ConsoleLink,
    IssuedToken,
    Self,
    Token,
    TokenBody,
)
from proxy.admin.shapes.tenants import (
    IssuedKey,
    Key,
    KeyBody,
    KeyCreateBody,
    Org,
    OrgBody,
    RevokeBody,
    RotateBody,
    Team,
    TeamBody,
)
from proxy.admin.spend_routes import SPEND_ROUTES
from proxy.admin.statement_routes import STATEMENT_ROUTES
from proxy.admin.switch_routes import SWITCH_ROUTES

EXAMPLE_OPERATION: Final = "op_019a9f3c8e007b4c8000000000000001"
MADE_KEY: Final = "key_019a9f3c8e007b4c8000000000000002"
"""Stands in the examples for the id of the key that they make."""
_ORG: Final = {"org": "acme"}
_TEAM: Final = {**_ORG, "team": "support"}
_KEY: Final = {**_TEAM, "key": "bot"}
_PERSON: Final = {"token": "anna@example.com"}
_OPERATION: Final = {"operation": EXAMPLE_OPERATION}

ROUTES: Final = (
    Route(
        method="GET",
        path="/self",
        permission=May.KNOW_ONESELF,
        handler=who_am_i,
        answer=Self,
        example=Example(),
    ),
    Route(
        method="PUT",
        path="/orgs/{org}",
        permission=May.CHANGE_TENANTS,
        handler=put_org,
        body=OrgBody,
        answer=Org,
        status=201,
        conditional=True,
        example=Example(path=_ORG, body={"cost_center": "4711"}),
    ),
    Route(
        method="GET",
        path="/orgs",
        permission=May.READ_TENANTS,
        handler=list_orgs,
        query=PageQuery,
        answer=Listing[Org],
        row=Org,
        example=Example(query="limit=20"),
    ),
    Route(
        method="GET",
        path="/orgs/{org}",
        permission=May.READ_TENANTS,
        handler=get_org,
        answer=Org,
        example=Example(path=_ORG),
    ),
    Route(
        method="PUT",
        path="/teams/{org}/{team}",
        permission=May.CHANGE_TENANTS,
        handler=put_team,
        body=TeamBody,
        answer=Team,
        status=201,
        conditional=True,
        example=Example(path=_TEAM, body={}, headers={"if-none-match": "*"}),
    ),
    Route(
        method="GET",
        path="/teams",
        permission=May.READ_TENANTS,
        handler=list_teams,
        query=TenantPageQuery,
        answer=Listing[Team],
        row=Team,
        example=Example(query="org=acme"),
    ),
    Route(
        method="GET",
        path="/teams/{org}/{team}",
        permission=May.READ_TENANTS,
        handler=get_team,
        answer=Team,
        example=Example(path=_TEAM),
    ),
    Route(
        method="POST",
        path="/keys",
        permission=May.CHANGE_TENANTS,
        handler=create_key,
        body=KeyCreateBody,
        answer=IssuedKey,
        status=201,
        example=Example(
            body={
                "org": "acme",
                "team": "support",
                "name": "bot",
                "owner": "anna@example.com",
                "models": ["gpt-*"],
                "agents": ["triage"],
                "tags": {"env": "prod"},
                "expires_at": "2099-01-01T00:00:00Z",
            },
            headers={"idempotency-key": "2f1c6f0a-6d0e-4f0e-9c0a-1f4f6f3b9d11"},
        ),
    ),
    Route(
        method="GET",
        path="/keys",
        permission=May.READ_TENANTS,
        handler=list_keys,
        query=TenantPageQuery,
        answer=Listing[Key],
        row=Key,
        example=Example(query="org=acme&team=support&limit=50"),
    ),
    Route(
        method="GET",
        path="/keys/{org}/{team}/{key}",
        permission=May.READ_TENANTS,
        handler=get_key,
        answer=Key,
        example=Example(path=_KEY),
    ),
    Route(
        method="GET",
        path="/keys/{key_id}",
        permission=May.READ_TENANTS,
        handler=get_key_by_id,
        answer=Key,
        example=Example(path={"key_id": MADE_KEY}),
    ),
    Route(
        method="PUT",
        path="/keys/{org}/{team}/{key}",
        permission=May.CHANGE_TENANTS,
        handler=change_key,
        body=KeyBody,
        answer=Key,
        conditional=True,
        example=Example(
            path=_KEY, body={"owner": "ben@example.com", "models": ["gpt-*", "o*"]}, headers={"if-match": '"1"'}
        ),
    ),
    Route(
        method="POST",
        path="/keys/{org}/{team}/{key}/rotate",
        permission=May.CHANGE_TENANTS,
        handler=rotate_key,
        body=RotateBody,
        answer=IssuedKey,
        example=Example(path=_KEY, body={"old_expires_at": "2098-01-01T00:00:00Z"}),
    ),
    Route(
        method="POST",
        path="/keys/{org}/{team}/{key}/revoke",
        permission=May.CHANGE_TENANTS,
        handler=revoke_key,
        body=RevokeBody,
        answer=Key,
        example=Example(path=_KEY, body={"secret_number": 1}),
    ),
    *BUDGET_ROUTES,
    *SPEND_ROUTES,
    Route(
        method="GET",
        path="/operations",
        permission=May.READ_OPERATIONS,
        handler=list_operations,
        query=OperationQuery,
        answer=Listing[Operation],
        row=Operation,
        example=Example(query="outcome=ok&limit=10"),
    ),
    Route(
        method="GET",
        path="/operations/{operation}",
        permission=May.READ_OPERATIONS,
        handler=explain_operation,
        answer=Explained,
        example=Example(path=_OPERATION),
    ),
    *DECISION_ROUTES,
    *ALERT_ROUTES,
    *POLICY_ROUTES,
    *PROVIDER_ROUTES,
    *RUN_ROUTES,
    *SWITCH_ROUTES,
    *PURGE_ROUTES,
    *STATEMENT_ROUTES,
    *APPROVAL_ROUTES,
    Route(
        method="POST",
        path="/tokens",
        permission=May.CHANGE_TOKENS,
        handler=create_token,
        body=TokenBody,
        answer=IssuedToken,
        status=201,
        example=Example(
            body={
                "name": "anna@example.com",
                "role": "billing",
                "org": "acme",
                "expires_at": "2099-01-01T00:00:00Z",
            }
        ),
    ),
    Route(
        method="GET",
        path="/tokens",
        permission=May.READ_TOKENS,
        handler=list_tokens,
        query=TenantPageQuery,
        answer=Listing[Token],
        row=Token,
        example=Example(),
    ),
    Route(
        method="GET",
        path="/tokens/{token}",
        permission=May.READ_TOKENS,
        handler=get_token,
        answer=Token,
        example=Example(path=_PERSON),
    ),
    Route(
        method="GET",
        path="/audit",
        permission=May.READ_AUDIT,
        handler=list_audit,
        query=AuditQuery,
        answer=Listing[AuditRecord],
        row=AuditRecord,
        example=Example(query="action=key.rotate"),
    ),
    Route(
        method="POST",
        path="/console/links",
        permission=May.KNOW_ONESELF,
        handler=open_console,
        answer=ConsoleLink,
        status=201,
        repeatable=False,
        example=Example(),
    ),
    Route(
        method="DELETE",
        path="/tokens/{token}",
        permission=May.CHANGE_TOKENS,
        handler=delete_token,
        answer=Deleted,
        example=Example(path=_PERSON),
    ),
    Route(
        method="DELETE",
        path="/limits/{limit}",
        permission=May.CHANGE_BUDGETS,
        handler=delete_limit,
        answer=Deleted,
        conditional=True,
        example=Example(path=THE_LIMIT),
    ),
    Route(
        method="DELETE",
        path="/budgets/{budget}",
        permission=May.CHANGE_BUDGETS,
        handler=delete_budget,
        answer=Deleted,
        conditional=True,
        example=Example(path=THE_BUDGET, headers={"if-match": "*"}),
    ),
    Route(
        method="DELETE",
        path="/keys/{org}/{team}/{key}",
        permission=May.CHANGE_TENANTS,
        handler=delete_key,
        answer=Deleted,
        conditional=True,
        example=Example(path=_KEY),
    ),
    Route(
        method="DELETE",
        path="/teams/{org}/{team}",
        permission=May.CHANGE_TENANTS,
        handler=delete_team,
        answer=Deleted,
        conditional=True,
        example=Example(path=_TEAM),
    ),
    Route(
        method="DELETE",
        path="/orgs/{org}",
        permission=May.CHANGE_TENANTS,
        handler=delete_org,
        answer=Deleted,
        conditional=True,
        example=Example(path=_ORG),
    ),
)
