"""What is purged is given to nobody any more, and nothing else is."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxy.cache import BadPurge, Purge, Purges, PurgeStore
from proxy.core.clock import SetClock, utc
from proxy.state import StateFile


@dataclass
class Kept:
    org: str = "acme"
    entry: str = "op_1"
    model: str = "gpt-5-2026"
    sent_model: str = "gpt-5"
    revision: str = "r1"
    tags: dict[str, str] = field(default_factory=lambda: {"env": "prod"})
    made_ns: int = 100


def taken(target: str, org: str = "", at_ns: int = 100, kept: Kept | None = None) -> bool:
    return Purges([Purge(id="pur_1", target=target, org=org, by="anna", at_ns=at_ns)]).takes(kept or Kept())


TARGETS = ("all", "entry:op_1", "model:gpt-5", "model:gpt-5-2026", "revision:r1", "tag:env=prod")


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_takes_what_is_of_it(target: str) -> None:
    assert taken(target) and taken(target, "acme")
    assert not taken(target, "beta") and not taken(target, at_ns=99)
    assert not taken(target + "x") or target == "all"


def test_nothing_purged_takes_nothing() -> None:
    assert not Purges() and not Purges().takes(Kept())


def test_purges_are_kept_and_heard_of(tmp_path: Path) -> None:
    clock = SetClock(utc(10**18))
    store = PurgeStore(StateFile(tmp_path / "ledger.sqlite"), clock=clock)
    assert not store.load()
    store.purge("model:gpt-5", org="", by="anna")
    clock.move(1)
    again = store.purge("model:gpt-5", org="", by="ben")
    assert store.newest(9) == [again] and store.load().takes(Kept(made_ns=again.at_ns))
    with pytest.raises(BadPurge, match="tag:env=prod"):
        store.purge("models", org="", by="anna")
