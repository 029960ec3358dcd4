"""Orgs, teams and keys: made, changed, rotated, revoked, deleted."""

import pytest

from proxy.core.clock import SetClock
from proxy.core.refusal import Refused
from proxy.core.secret import Secret
from proxy.identity import IdentityError, KeyStore
from proxy.identity.preconditions import MUST_EXIST, MUST_NOT_EXIST
from proxy.state import StateFile

SECOND = 1_000_000_000


def fault(caught: pytest.ExceptionInfo[IdentityError]) -> str:
    return caught.value.fault


def opens(store: KeyStore, secret: Secret, clock: SetClock) -> bool:
    try:
        store.load().authenticate(secret.reveal(), clock.now_ns())
    except Refused:
        return False
    return True


def test_an_org_is_made_replaced_and_deleted(store: KeyStore) -> None:
    assert store.put_org("acme", cost_center="1").version == 1
    assert store.put_org("acme", cost_center="2", expect=1).version == 2
    assert store.org("acme").cost_center == "2"
    assert store.delete_org("acme", expect=2).org == "acme"
    with pytest.raises(IdentityError) as caught:
        store.org("acme")
    assert fault(caught) == "not_found"


@pytest.mark.parametrize(("expect", "there"), [(1, False), (MUST_EXIST, False), (MUST_NOT_EXIST, True), (7, True)])
def test_a_stale_expectation_changes_nothing(store: KeyStore, expect: int, there: bool) -> None:
    if there:
        store.put_org("acme", cost_center="1")
    with pytest.raises(IdentityError) as caught:
        store.put_org("acme", cost_center="2", expect=expect)
    assert fault(caught) == "stale"
    assert [each.cost_center for each in store.orgs(limit=10)] == (["1"] if there else [])


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "a b", "ä", "x" * 65, "acme\n", "a%2e"])
def test_odd_names_are_refused(acme: KeyStore, name: str) -> None:
    for make in (
        lambda: acme.put_org(name, cost_center=""),
        lambda: acme.put_team("acme", name, cost_center=""),
        lambda: acme.create_key("acme", "support", name, KeyStore.Terms()),
    ):
        with pytest.raises(IdentityError) as caught:
            make()
        assert fault(caught) == "invalid"


def test_what_holds_something_is_not_deleted(acme: KeyStore) -> None:
    key = acme.create_key("acme", "support", "bot", KeyStore.Terms()).key
    for delete in (lambda: acme.delete_org("acme"), lambda: acme.delete_team("acme", "support")):
        with pytest.raises(IdentityError) as caught:
            delete()
        assert fault(caught) == "in_use"
    acme.delete_key(key.key_id)
    acme.delete_team("acme", "support")
    acme.delete_org("acme")
    assert acme.orgs(limit=10) == []


def test_a_key_needs_its_team_and_a_free_name(acme: KeyStore) -> None:
    with pytest.raises(IdentityError) as caught:
        acme.create_key("acme", "sales", "bot", KeyStore.Terms())
    assert fault(caught) == "not_found"
    acme.create_key("acme", "support", "bot", KeyStore.Terms())
    with pytest.raises(IdentityError) as caught:
        acme.create_key("acme", "support", "bot", KeyStore.Terms())
    assert fault(caught) == "exists"


def test_a_brought_secret_works_once_in_the_whole_store(acme: KeyStore, clock: SetClock) -> None:
    secret = Secret("sk-brought-along-0123456789")
    issued = acme.create_key("acme", "support", "bot", KeyStore.Terms(), secret=secret)
    assert issued.secret == secret and opens(acme, secret, clock)
    assert issued.key.secrets[0].prefix == "sk-b"
    with pytest.raises(IdentityError) as caught:
        acme.create_key("acme", "support", "bot2", KeyStore.Terms(), secret=secret)
    assert fault(caught) == "exists" and "sk-b" not in str(caught.value)
    with pytest.raises(IdentityError) as caught:
        acme.create_key("acme", "support", "bot3", KeyStore.Terms(), secret=Secret("too short"))
    assert fault(caught) == "invalid" and "too short" not in str(caught.value)
    assert [each.name for each in acme.keys(limit=10)] == ["bot"]


def test_changing_terms_keeps_id_and_secrets(acme: KeyStore, clock: SetClock) -> None:
    issued = acme.create_key("acme", "support", "bot", KeyStore.Terms(models=("a",)))
    changed = acme.change_key(issued.key.key_id, KeyStore.Terms(models=("b",), owner="ben"), expect=1)
    assert (changed.key_id, changed.terms.models, changed.version) == (issued.key.key_id, ("b",), 2)
    assert opens(acme, issued.secret, clock)


def test_rotation_leaves_two_secrets_live_and_no_third(acme: KeyStore, clock: SetClock) -> None:
    first = acme.create_key("acme", "support", "bot", KeyStore.Terms())
    second = acme.rotate(first.key.key_id)
    assert opens(acme, first.secret, clock) and opens(acme, second.secret, clock)
    with pytest.raises(IdentityError) as caught:
        acme.rotate(first.key.key_id)
    assert fault(caught) == "in_use"
    acme.revoke(first.key.key_id, number=1)
    assert not opens(acme, first.secret, clock) and opens(acme, second.secret, clock)
    third = acme.rotate(first.key.key_id)
    assert [each.number for each in third.key.secrets] == [1, 2, 3]


def test_the_old_secret_can_end_at_a_set_time(acme: KeyStore, clock: SetClock) -> None:
    first = acme.create_key("acme", "support", "bot", KeyStore.Terms())
    second = acme.rotate(first.key.key_id, old_expires_ns=clock.now_ns() + 60 * SECOND)
    assert opens(acme, first.secret, clock)
    clock.move(60)
    assert not opens(acme, first.secret, clock) and opens(acme, second.secret, clock)
    acme.rotate(first.key.key_id)


def test_revoking_a_key_is_for_good_and_deleting_forgets_it(acme: KeyStore, clock: SetClock) -> None:
    issued = acme.create_key("acme", "support", "bot", KeyStore.Terms())
    other = acme.rotate(issued.key.key_id)
    revoked = acme.revoke(issued.key.key_id)
    assert revoked.status(clock.now_ns()) == "revoked"
    assert not opens(acme, issued.secret, clock) and not opens(acme, other.secret, clock)
    assert acme.revoke(issued.key.key_id).revoked_ns == revoked.revoked_ns
    with pytest.raises(IdentityError) as caught:
        acme.rotate(issued.key.key_id)
    assert fault(caught) == "revoked"
    acme.delete_key(issued.key.key_id)
    assert acme.load().verdict(issued.secret.reveal(), clock.now_ns()) == ("unknown", None)


def test_a_key_says_how_it_stands(acme: KeyStore, clock: SetClock) -> None:
    issued = acme.create_key("acme", "support", "bot", KeyStore.Terms(expires_ns=clock.now_ns() + SECOND))
    assert issued.key.status(clock.now_ns()) == "active"
    assert issued.key.status(clock.now_ns() + SECOND) == "expired"
    with pytest.raises(IdentityError) as caught:
        acme.revoke(issued.key.key_id, number=9)
    assert fault(caught) == "not_found"


def test_lists_go_page_by_page_and_keep_to_one_tenant(acme: KeyStore) -> None:
    acme.put_org("beta", cost_center="")
    acme.put_team("beta", "core", cost_center="")
    for name in ("c", "a", "b"):
        acme.create_key("acme", "support", name, KeyStore.Terms())
        acme.create_key("beta", "core", name, KeyStore.Terms())
    page = acme.keys(limit=2)
    assert [each.name for each in page] == ["a", "b"]
    rest = acme.keys(after=("acme", "support", "b"), limit=10)
    assert [(each.org, each.name) for each in rest] == [("acme", "c"), ("beta", "a"), ("beta", "b"), ("beta", "c")]
    assert {each.org for each in acme.keys(org="beta", limit=10)} == {"beta"}
    assert acme.keys(org="beta", team="support", limit=10) == []
    assert [each.team for each in acme.teams(org="beta", limit=10)] == ["core"]
    assert [each.org for each in acme.orgs(only="beta", limit=10)] == ["beta"]


def test_every_change_is_seen_by_other_processes(acme: KeyStore, state: StateFile) -> None:
    elsewhere = StateFile(state.path)
    assert elsewhere.changed()
    assert not elsewhere.changed()
    issued = acme.create_key("acme", "support", "bot", KeyStore.Terms())
    assert elsewhere.changed()
    before = acme.load().generation
    acme.revoke(issued.key.key_id)
    assert elsewhere.changed()
    assert acme.load().generation > before


def test_the_first_key_is_made_only_where_there_is_none(store: KeyStore, clock: SetClock, state: StateFile) -> None:
    path = store.first_key(state.path.parent)
    assert path is not None and path.stat().st_mode & 0o777 == 0o600
    principal = store.load().authenticate(path.read_text().strip(), clock.now_ns())
    assert (principal.org, principal.team, principal.key_name) == ("default", "default", "first-key")
    assert store.first_key(state.path.parent) is None


def test_what_was_refused_left_no_trace(acme: KeyStore, state: StateFile) -> None:
    before = state.generation()
    with pytest.raises(IdentityError):
        acme.create_key("acme", "support", "bot", KeyStore.Terms(), secret=Secret("short"))
    with pytest.raises(IdentityError):
        acme.delete_org("acme")
    assert state.generation() == before
