"""Client keys: made, shown, changed, rotated, revoked, deleted."""

from proxy.admin.call import Answer, Call
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.common import Deleted, TenantPageQuery, to_ns
from proxy.admin.shapes.tenants import (
    IssuedKey,
    Key,
    KeyBody,
    KeyCreateBody,
    RevokeBody,
    RotateBody,
    show_key,
)
from proxy.core.secret import Secret
from proxy.core.tenant import LITELLM
from proxy.identity import KeyStore

MARK = "fb-"


def list_keys(call: Call) -> Answer:
    """The keys that the token reaches, by org, team and name."""
    asked = call.query(TenantPageQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    after_org, after_team, after_name = place_of(asked.page, 3)
    found = call.rooms.key_store.keys(
        org=org, team=team, after=(after_org, after_team, after_name), limit=asked.limit + 1
    )
    return Answer(
        listing(found, asked.limit, lambda each: _shown(call, each), lambda each: (each.org, each.team, each.name))
    )


def create_key(call: Call) -> Answer:
    """Make a key; the secret made for it stands in this answer only."""
    body = call.body(KeyCreateBody)
    call.binding.require_rule(body.org, body.team)
    brought = None if body.secret is None else Secret(body.secret)
    issued = call.rooms.key_store.create_key(
        body.org, body.team, body.name, _terms(body), secret=brought or call.fresh_secret(MARK)
    )
    return _issued(call, "key.create", issued, None, brought=brought is not None, status=201)


def get_key(call: Call) -> Answer:
    """One key by its name."""
    key = _shown(call, _key(call))
    return Answer(key, tag=str(key.version))


def get_key_by_id(call: Call) -> Answer:
    """One key by the id that operations carry."""
    key_id = call.path["key_id"]
    record = call.rooms.key_store.key(key_id)
    if not call.binding.sees(record.org, record.team):
        raise Refusal(Fault.NOT_FOUND, f"There is no key {key_id}.")
    key = _shown(call, record)
    return Answer(key, tag=str(key.version))


def change_key(call: Call) -> Answer:
    """Replace all that can be changed of a key; its secrets stay."""
    old = _ruled(call)
    record = call.rooms.key_store.change_key(old.key_id, _terms(call.body(KeyBody)), expect=call.condition.version)
    after = _shown(call, record)
    _audit(call, "key.change", _shown(call, old), after)
    return Answer(after, tag=str(after.version))


def rotate_key(call: Call) -> Answer:
    """Give a key a second live secret, while clients change over."""
    old, body = _ruled(call), call.body(RotateBody)
    brought = None if body.secret is None else Secret(body.secret)
    issued = call.rooms.key_store.rotate(
        old.key_id,
        secret=brought or call.fresh_secret(MARK),
        old_expires_ns=to_ns("old_expires_at", body.old_expires_at),
    )
    return _issued(call, "key.rotate", issued, _shown(call, old), brought=brought is not None, status=200)


def revoke_key(call: Call) -> Answer:
    """Revoke one of a key's secrets, or the whole key for good."""
    old, body = _ruled(call), call.body(RevokeBody)
    after = _shown(call, call.rooms.key_store.revoke(old.key_id, number=body.secret_number))
    _audit(call, "key.revoke", _shown(call, old), after)
    return Answer(after, tag=str(after.version))


def delete_key(call: Call) -> Answer:
    """Delete a key and its secrets; its operations stay in the telemetry."""
    old = _ruled(call)
    call.rooms.key_store.delete_key(old.key_id, expect=call.condition.version)
    _audit(call, "key.delete", _shown(call, old), None)
    return Answer(Deleted(id=old.key_id, object="key"))


def _key(call: Call) -> KeyStore.Key:
    """The key that the path names."""
    org, team, name = call.path["org"], call.path["team"], call.path["key"]
    call.binding.require_sight(org, team)
    return call.rooms.key_store.named_key(org, team, name)


def _ruled(call: Call) -> KeyStore.Key:
    record = _key(call)
    call.binding.require_rule(record.org, record.team)
    return record


def _terms(body: KeyBody) -> KeyStore.Terms:
    return KeyStore.Terms(
        owner=body.owner,
        cost_center=body.cost_center,
        models=body.models,
        agents=body.agents,
        tags=body.tags,
        expires_ns=to_ns("expires_at", body.expires_at),
        compat=(LITELLM,) if body.compat.litellm else (),
    )


def _shown(call: Call, record: KeyStore.Key) -> Key:
    return show_key(record, call.now_ns())


def _issued(
    call: Call, action: str, issued: KeyStore.Issued, before: Key | None, *, brought: bool, status: int
) -> Answer:
    key = _shown(call, issued.key)
    _audit(call, action, before, key)
    secret = None if brought else issued.secret.reveal()
    return Answer(
        IssuedKey(key=key, secret=secret), status=status, tag=str(key.version), made=None if brought else MARK
    )


def _audit(call: Call, action: str, before: Key | None, after: Key | None) -> None:
    key = after or before
    if key is not None:
        subject = f"key:{key.org}/{key.team}/{key.name}"
        call.audit(action, subject, org=key.org, team=key.team, before=before, after=after)
