"""Named people on the admin port."""

import pytest

from proxy.core.clock import SetClock
from proxy.core.secret import Secret
from proxy.identity import AdminIdentity, AdminTokens, IdentityError, KeyStore
from proxy.identity.tokens import GENERIC
from proxy.state import StateFile

SECOND = 1_000_000_000


def refused(tokens: AdminTokens, token: str, now_ns: int) -> str:
    with pytest.raises(IdentityError) as caught:
        tokens.authenticate(token, now_ns)
    return str(caught.value)


def test_a_token_stands_for_its_person_until_it_ends(acme: KeyStore, tokens: AdminTokens, clock: SetClock) -> None:
    ends = clock.now_ns() + SECOND
    issued = tokens.create("anna@x.org", AdminTokens.Role.BILLING, org="acme", team="support", expires_ns=ends)
    secret = issued.secret.reveal()
    assert secret.startswith("fba-") and secret not in repr(issued)
    assert tokens.authenticate(secret, ends - 1) == AdminIdentity(
        name="anna@x.org", role=AdminTokens.Role.BILLING, org="acme", team="support"
    )
    assert refused(tokens, secret, ends) == GENERIC
    tokens.delete("anna@x.org")
    assert refused(tokens, secret, 0) == GENERIC


@pytest.mark.parametrize("token", ["", "x" * 30, "fba-", "ü" * 40, "x" * 300])
def test_other_texts_open_nothing(tokens: AdminTokens, token: str) -> None:
    assert refused(tokens, token, 0) == GENERIC


def test_the_file_token_is_an_owner_in_no_list(state: StateFile) -> None:
    token = Secret("the-bootstrap-token-0123456789")
    tokens = AdminTokens(state, b"k" * 32, bootstrap=token)
    assert tokens.authenticate(token.reveal(), 0) == AdminIdentity(name="bootstrap", role=AdminTokens.Role.OWNER)
    assert tokens.tokens(limit=10) == []
    with pytest.raises(IdentityError, match="bootstrap"):
        tokens.create("bootstrap", AdminTokens.Role.VIEWER)


def test_bindings_must_exist_and_keep_their_org(acme: KeyStore, tokens: AdminTokens) -> None:
    viewer = AdminTokens.Role.VIEWER
    for org, team, fault in (("gone", None, "not_found"), ("acme", "gone", "not_found"), (None, "support", "invalid")):
        with pytest.raises(IdentityError) as caught:
            tokens.create("ben", viewer, org=org, team=team)
        assert caught.value.fault == fault
    tokens.create("ben", viewer, org="acme", team="support")
    for delete in (lambda: acme.delete_team("acme", "support"), lambda: acme.delete_org("acme")):
        with pytest.raises(IdentityError) as caught:
            delete()
        assert caught.value.fault == "in_use"


def test_names_are_taken_once_and_plain(tokens: AdminTokens) -> None:
    tokens.create("ben", AdminTokens.Role.VIEWER)
    with pytest.raises(IdentityError) as caught:
        tokens.create("ben", AdminTokens.Role.OWNER)
    assert caught.value.fault == "exists"
    with pytest.raises(IdentityError) as caught:
        tokens.create("a/b", AdminTokens.Role.OWNER)
    assert caught.value.fault == "invalid"
    with pytest.raises(IdentityError) as caught:
        tokens.delete("nobody")
    assert caught.value.fault == "not_found"


def test_lists_keep_to_a_binding(acme: KeyStore, tokens: AdminTokens) -> None:
    tokens.create("all", AdminTokens.Role.OWNER)
    tokens.create("one", AdminTokens.Role.OWNER, org="acme")
    tokens.create("two", AdminTokens.Role.VIEWER, org="acme", team="support")
    assert [each.name for each in tokens.tokens(limit=10)] == ["all", "one", "two"]
    assert [each.name for each in tokens.tokens(org="acme", limit=10)] == ["one", "two"]
    assert [each.name for each in tokens.tokens(org="acme", team="support", limit=10)] == ["two"]
    assert [each.name for each in tokens.tokens(after="all", limit=1)] == ["one"]
