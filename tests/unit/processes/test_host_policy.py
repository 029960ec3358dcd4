"""The policies of one host, as people propose and promote them while it looks."""

from pathlib import Path

import pytest

from proxy.app.bundle_fetch import BundleFetch
from proxy.core.clock import SystemClock
from proxy.policy import PolicySettings, ProposalStore, of_upload, open_policy
from proxy.processes.folder import StateFolder
from proxy.processes.host_policy import HostPolicy
from proxy.state import StateFile

RULE = 'package flyball.request\n\ndeny contains {"code": "one", "msg": "x"} if input.model == "m"\n'


def host(tmp_path: Path) -> tuple[StateFolder, ProposalStore, HostPolicy]:
    folder = StateFolder(tmp_path)
    folder.make()
    store = ProposalStore(StateFile(folder.ledger), clock=SystemClock())
    return folder, store, HostPolicy(PolicySettings(), folder, BundleFetch(), SystemClock())


def decides(folder: StateFolder) -> str:
    return open_policy(PolicySettings(), taken=folder.taken_policy).revision


async def test_what_could_not_be_kept_is_taken_once_it_can_be(tmp_path: Path) -> None:
    """Regression: it was noted as taken before it was kept, and not tried again."""
    folder, store, policy = host(tmp_path)
    before = await policy.begin(store)
    made = store.propose(of_upload({"a.rego": RULE}, {}, base=True), by="mara")
    store.promote(by="noah")
    in_the_way = folder.taken_policy.with_suffix(".draft")
    in_the_way.mkdir()
    with pytest.raises(OSError):
        await policy.follow()
    assert decides(folder) == before
    in_the_way.rmdir()
    assert await policy.follow() and decides(folder) == made.bundle.revision


async def test_what_is_promoted_while_the_candidate_is_being_taken_decides_too(tmp_path: Path) -> None:
    """Regression: it was noted as taken and was not, so that this host went on with what decided before."""
    folder, store, policy = host(tmp_path)
    await policy.begin(store)
    made = store.propose(of_upload({"a.rego": RULE}, {}, base=True), by="mara")
    revisions = store.revisions

    def before_it_was_promoted() -> dict[str, str]:
        found = revisions()
        store.promote(by="noah")
        return found

    store.revisions = before_it_was_promoted  # type: ignore[method-assign]
    assert await policy.follow()
    store.revisions = revisions  # type: ignore[method-assign]
    await policy.follow()
    assert decides(folder) == made.bundle.revision
