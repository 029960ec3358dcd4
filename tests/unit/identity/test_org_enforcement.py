"""An org's enforcement, by the API and by the file."""

from proxy.identity import KeyStore
from proxy.identity.settings import OrgSettings


def test_an_org_is_observed_until_it_is_enforced_again(store: KeyStore) -> None:
    assert store.put_org("acme", cost_center="1").enforcement == "enforce"
    assert store.observing() == frozenset()
    store.put_org("acme", cost_center="1", enforcement="observe")
    assert store.org("acme").enforcement == "observe" and store.observing() == {"acme"}
    store.put_org("acme", cost_center="1")
    assert store.observing() == frozenset()


def test_the_file_says_which_orgs_are_observed(store: KeyStore) -> None:
    store.sync_from_file([OrgSettings(org="acme", enforcement="observe"), OrgSettings(org="beta")], {})
    assert store.observing() == {"acme"}
    assert not store.sync_from_file([OrgSettings(org="acme", enforcement="observe"), OrgSettings(org="beta")], {})
    changes = store.sync_from_file([OrgSettings(org="acme"), OrgSettings(org="beta")], {})
    assert (changes.changed, store.observing()) == (["org:acme"], frozenset())
