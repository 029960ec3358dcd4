"""Keys that follow flyball.yaml."""

import hashlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from proxy.core.clock import SetClock
from proxy.core.secret import Secret
from proxy.identity import IdentityError, IdentitySettings, KeyStore
from proxy.identity.settings import KeySettings, OrgSettings, TeamSettings
from proxy.state import StateFile

BOT, NEXT, OTHER = "bot-secret-0123456789", "next-secret-0123456789", "other-secret-0123456789"
ENV = {"BOT": BOT, "NEXT": NEXT, "OTHER": OTHER}
KEY = KeySettings(name="bot", key_env="BOT", models=("gpt-*",), tags={"env": "prod"})


def tenants(*keys: KeySettings, team: str = "support", org: str = "acme") -> tuple[OrgSettings, ...]:
    return (OrgSettings(org=org, cost_center="4711", teams=(TeamSettings(team=team, keys=keys),)),)


def problems(store: KeyStore, wanted: tuple[OrgSettings, ...], environ: dict[str, str] = ENV) -> list[str]:
    with pytest.raises(IdentityError) as caught:
        store.sync_from_file(wanted, environ)
    assert caught.value.fault == "invalid"
    return list(caught.value.problems)


def names(store: KeyStore) -> list[str]:
    return [f"{each.org}/{each.team}/{each.name}" for each in store.keys(limit=99)]


def test_the_files_objects_come_and_go_with_it(store: KeyStore, clock: SetClock) -> None:
    changes = store.sync_from_file(tenants(KEY), ENV)
    assert changes.added == ["org:acme", "team:acme/support", "key:acme/support/bot"]
    key = store.named_key("acme", "support", "bot")
    assert key.managed_by == "file"
    assert store.load().authenticate(BOT, clock.now_ns()).cost_center == "4711"
    assert store.sync_from_file((), ENV).removed == ["key:acme/support/bot", "team:acme/support", "org:acme"]
    assert store.orgs(limit=9) == []
    assert store.load().verdict(BOT, clock.now_ns()) == ("unknown", None)


def test_following_an_unchanged_file_changes_nothing(store: KeyStore, state: StateFile) -> None:
    store.sync_from_file(tenants(KEY), ENV)
    before = state.generation()
    assert not store.sync_from_file(tenants(KEY), ENV)
    assert state.generation() == before


def test_a_changed_key_keeps_its_id(store: KeyStore, clock: SetClock) -> None:
    store.sync_from_file(tenants(KEY), ENV)
    old = store.named_key("acme", "support", "bot")
    changed = replace(KEY, models=("o*",), expires_at=datetime(2027, 1, 1))
    assert store.sync_from_file(tenants(changed), ENV).changed == ["key:acme/support/bot"]
    new = store.named_key("acme", "support", "bot")
    assert (new.key_id, new.terms.models, new.version) == (old.key_id, ("o*",), 2)
    assert new.terms.expires_ns == 1_798_761_600 * 10**9
    assert new.secrets == old.secrets


def test_secrets_follow_the_file_and_two_can_be_live(store: KeyStore, clock: SetClock) -> None:
    store.sync_from_file(tenants(KEY), ENV)
    store.sync_from_file(tenants(replace(KEY, next_key_env="NEXT")), ENV)
    now = clock.now_ns()
    assert store.load().authenticate(BOT, now) == store.load().authenticate(NEXT, now)
    store.sync_from_file(tenants(replace(KEY, key_env="NEXT")), ENV)
    assert store.load().verdict(BOT, now) == ("unknown", None)
    assert store.load().verdict(NEXT, now)[0] == "valid"


def test_a_secret_can_move_from_one_key_to_another(store: KeyStore, clock: SetClock) -> None:
    one, two = KEY, KeySettings(name="zed", key_env="OTHER")
    store.sync_from_file(tenants(one, two), ENV)
    store.sync_from_file(tenants(replace(one, key_env="OTHER"), replace(two, key_env="BOT")), ENV)
    assert store.load().authenticate(BOT, clock.now_ns()).key_name == "zed"
    assert store.load().authenticate(OTHER, clock.now_ns()).key_name == "bot"


def test_a_secret_can_stand_in_a_file(store: KeyStore, clock: SetClock, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"  {BOT}\nrest\n")
    store.sync_from_file(tenants(KeySettings(name="bot", key_file=tmp_path / "secret")), {})
    assert store.load().verdict(BOT, clock.now_ns())[0] == "valid"


def test_a_key_of_another_proxy_works_by_its_sha256(store: KeyStore, clock: SetClock) -> None:
    moved = KeySettings(name="moved", key_sha256=hashlib.sha256(OTHER.encode()).hexdigest().upper())
    store.sync_from_file(tenants(moved), {})
    assert store.load().authenticate(OTHER, clock.now_ns()).key_name == "moved"
    assert store.load().verdict(BOT, clock.now_ns()) == ("unknown", None)
    twice = (KeySettings(name="same", key_env="OTHER"), moved)
    assert "its secret is that of key 'acme/support/same' too" in problems(store, tenants(*twice))[0]
    wrong = KeySettings(name="wrong", key_sha256="abc")
    assert problems(store, tenants(wrong)) == ["key 'acme/support/wrong': key_sha256 must have 64 hexadecimal digits"]


def test_every_problem_is_said_at_once_and_none_shows_a_secret(store: KeyStore, tmp_path: Path) -> None:
    found = problems(
        store,
        tenants(
            KeySettings(name="unset", key_env="NOT_SET"),
            KeySettings(name="none"),
            KeySettings(name="both", key_env="BOT", key_file=tmp_path / "x"),
            KeySettings(name="lost", key_file=tmp_path / "x"),
            KeySettings(name="short", key_env="SHORT"),
            KEY,
            KEY,
            KeySettings(name="a/b", key_env="NEXT"),
            KeySettings(name="far", key_env="OTHER", expires_at=datetime(9999, 1, 1)),
        ),
        {**ENV, "SHORT": "canary"},
    )
    text = "\n".join(found)
    assert len(found) == 9, text
    for word in (
        "NOT_SET",
        "no secret",
        "contradict",
        str(tmp_path / "x"),
        "SHORT",
        "stands twice",
        "that of",
        "a/b",
        "2262",
    ):
        assert word in text
    assert not any(secret in text for secret in (*ENV.values(), "canary"))
    assert store.orgs(limit=9) == []


def test_names_in_both_are_listed_all(acme: KeyStore) -> None:
    acme.create_key("acme", "support", "bot", KeyStore.Terms())
    acme.put_org("beta", cost_center="")
    found = problems(acme, (*tenants(KEY), *tenants(KeySettings(name="x", key_env="OTHER"), org="beta", team="t")))
    assert [each.split(" is in")[0] for each in found] == [
        "org 'acme'",
        "org 'beta'",
        "team 'acme/support'",
        "key 'acme/support/bot'",
    ]


def test_a_secret_of_an_api_made_key_cannot_come_by_file(store: KeyStore) -> None:
    store.put_org("beta", cost_center="")
    store.put_team("beta", "t", cost_center="")
    store.create_key("beta", "t", "k", KeyStore.Terms(), secret=Secret(BOT))
    assert problems(store, tenants(KEY)) == ["key 'acme/support/bot': its secret is that of a key made by the API"]


def test_the_api_cannot_change_what_follows_the_file(store: KeyStore) -> None:
    store.sync_from_file(tenants(KEY), ENV)
    key_id = store.named_key("acme", "support", "bot").key_id
    for change in (
        lambda: store.put_org("acme", cost_center=""),
        lambda: store.delete_org("acme"),
        lambda: store.put_team("acme", "support", cost_center=""),
        lambda: store.delete_team("acme", "support"),
        lambda: store.change_key(key_id, KeyStore.Terms()),
        lambda: store.rotate(key_id),
        lambda: store.revoke(key_id),
        lambda: store.delete_key(key_id),
    ):
        with pytest.raises(IdentityError) as caught:
            change()
        assert caught.value.fault == "managed_by_file"


def test_what_the_api_made_inside_the_files_org_outlives_it(store: KeyStore, clock: SetClock) -> None:
    store.sync_from_file(tenants(KEY), ENV)
    store.put_team("acme", "api-team", cost_center="")
    made = store.create_key("acme", "support", "mine", KeyStore.Terms())
    store.sync_from_file((), ENV)
    assert names(store) == ["acme/support/mine"]
    assert store.load().verdict(made.secret.reveal(), clock.now_ns())[0] == "valid"
    assert (store.org("acme").managed_by, store.team("acme", "support").managed_by) == ("api", "api")
    # What it let go of, the file may take back.
    store.sync_from_file(tenants(KEY), ENV)
    assert (store.org("acme").managed_by, store.team("acme", "support").managed_by) == ("file", "file")
    assert names(store) == ["acme/support/bot", "acme/support/mine"]


def test_the_file_fills_the_room_it_keeps(store: KeyStore) -> None:
    assert IdentitySettings().tenants == ()
    assert not store.sync_from_file(IdentitySettings().tenants)
