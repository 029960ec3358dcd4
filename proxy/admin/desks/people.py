"""Admin tokens, who one is, the trail of changes, and the way into the console."""

import anyio.from_thread
import msgspec

from proxy.admin.call import Answer, Call
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.roles import PERMISSIONS
from proxy.admin.rooms import Change
from proxy.admin.shapes.common import Deleted, TenantPageQuery, moment, to_ns
from proxy.admin.shapes.people import (
    AuditQuery,
    AuditRecord,
    ConsoleLink,
    IssuedToken,
    Self,
    Token,
    TokenBody,
    show_token,
)
from proxy.identity import AdminTokens

MARK = "fba-"
LINK_LIFE_S = 60


def who_am_i(call: Call) -> Answer:
    """The person behind the token that asks."""
    person = call.identity
    permissions = tuple(sorted(each.value for each in PERMISSIONS[person.role]))
    return Answer(Self(name=person.name, role=person.role, org=person.org, team=person.team, permissions=permissions))


def list_tokens(call: Call) -> Answer:
    """The tokens bound to what the asking token reaches, by name."""
    asked = call.query(TenantPageQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    (after,) = place_of(asked.page, 1)
    found = call.rooms.tokens.tokens(org=org, team=team, after=after, limit=asked.limit + 1)
    return Answer(listing(found, asked.limit, show_token, lambda each: (each.name,)))


def create_token(call: Call) -> Answer:
    """Make a token for a named person; its secret stands in this answer only.

    A bound owner makes tokens that are bound to the same org, or team, and to no less.
    """
    body = call.body(TokenBody)
    if call.binding.org is not None:
        call.binding.require_rule(body.org or "", body.team)
    issued = call.rooms.tokens.create(
        body.name,
        body.role,
        org=body.org,
        team=body.team,
        expires_ns=to_ns("expires_at", body.expires_at),
        secret=call.fresh_secret(MARK),
    )
    token = show_token(issued.token)
    _audit(call, "token.create", None, token)
    return Answer(IssuedToken(token=token, secret=issued.secret.reveal()), status=201, made=MARK)


def get_token(call: Call) -> Answer:
    """One token by its name."""
    return Answer(show_token(_seen(call)))


def delete_token(call: Call) -> Answer:
    """Revoke a token for good, and sign its person out of the console."""
    record = _seen(call)
    call.rooms.tokens.delete(record.name)
    if call.rooms.signed_out is not None:
        anyio.from_thread.run_sync(call.rooms.signed_out, record.name)  # sessions belong to the event loop
    _audit(call, "token.delete", show_token(record), None)
    return Answer(Deleted(id=record.name, object="token"))


def list_audit(call: Call) -> Answer:
    """The trail of changes to what the token reaches, newest first."""
    asked = call.query(AuditQuery)
    org, team = call.binding.narrowed(None, None)
    (before,) = place_of(asked.page, 1)
    filters = {
        name: value
        for name, value in (("actor", asked.actor), ("action", asked.action), ("subject", asked.subject))
        if value is not None
    }
    found = call.audit_log.newest(
        before=int(before) if before.isascii() and before.isdigit() else None,
        org=org,
        team=team,
        filters=filters,
        limit=asked.limit + 1,
    )
    return Answer(listing(found, asked.limit, lambda each: show_change(*each), lambda each: (str(each[0]),)))


def open_console(call: Call) -> Answer:
    """Make a link into the console that signs the asking person in, once, within a minute."""
    if call.rooms.console_link is None:
        raise Refusal(Fault.PATH_NOT_FOUND, "This server has no console.")
    path = anyio.from_thread.run_sync(call.rooms.console_link, call.identity)
    return Answer(ConsoleLink(path=path, expires_in_s=LINK_LIFE_S), status=201)


def _seen(call: Call) -> AdminTokens.Record:
    """The token that the path names; one outside the asking token's binding is not there."""
    name = call.path["token"]
    record = call.rooms.tokens.token(name)
    if call.binding.org is not None and not call.binding.rules(record.org or "", record.team):
        raise Refusal(Fault.NOT_FOUND, f"There is no token named {name}.")
    return record


def _audit(call: Call, action: str, before: Token | None, after: Token | None) -> None:
    token = after or before
    if token is not None:
        subject = f"token:{token.name}"
        call.audit(action, subject, org=token.org, team=token.team, before=before, after=after)


def show_change(number: int, change: Change) -> AuditRecord:
    """A change as it is shown."""
    return AuditRecord(
        id=number,
        at=moment(change.at_ns),
        actor=change.actor,
        role=change.role,
        action=change.action,
        subject=change.subject,
        org=change.org,
        team=change.team,
        before=None if change.before is None else msgspec.json.decode(change.before),
        after=None if change.after is None else msgspec.json.decode(change.after),
    )
