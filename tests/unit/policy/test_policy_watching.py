"""What counts as a change of policies on the disk, and what is taken of them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.policy import PolicySettings, fingerprint, open_policy, take_policy, watching
from proxy.policy.errors import BadPolicy

RULE = "package flyball.request\n"


def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules" / "org").mkdir(parents=True)
    (tmp_path / "rules" / "org" / "a.rego").write_text(RULE)
    return tmp_path / "rules"


def put_in_place(rules: Path) -> None:
    kept = (rules / "org" / "a.rego").stat()
    (rules / "new").write_text(RULE)
    os.utime(rules / "new", ns=(kept.st_atime_ns, kept.st_mtime_ns))
    os.replace(rules / "new", rules / "org" / "a.rego")


@pytest.mark.parametrize(
    ("change", "is_one"),
    [
        (lambda rules: (rules / "org" / "a.rego").write_text(RULE + "x := 1"), True),
        (lambda rules: (rules / "org" / "a.rego").unlink(), True),
        (lambda rules: (rules / "b.yaml").write_text("a: 1"), True),
        (lambda rules: (rules.parent / "settings.json").write_text("{} "), True),
        (put_in_place, True),
        (lambda rules: (rules / "README.md").write_text("Hi"), False),
        (lambda rules: (rules / ".b.rego").write_text("half"), False),
        (lambda rules: None, False),
    ],
)
def test_a_change_is_seen(tmp_path: Path, change: Callable[[Path], object], is_one: bool) -> None:
    rules = folder(tmp_path)
    (tmp_path / "settings.json").write_text("{}")
    settings = PolicySettings(dir=rules, settings=tmp_path / "settings.json")
    before = fingerprint(settings)
    change(rules)
    assert (fingerprint(settings) != before) is is_one


def test_no_more_than_so_many_files_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_WATCHED", 2)
    rules = folder(tmp_path)
    for name in "bcd":
        (rules / f"{name}.rego").write_text(RULE)
    assert len(fingerprint(PolicySettings(dir=rules))) == 2
    assert fingerprint(PolicySettings()) == frozenset()


def test_what_was_taken_decides_whatever_lies_on_the_disk_since(tmp_path: Path) -> None:
    rules, taken = folder(tmp_path), tmp_path / "taken.json"
    settings = PolicySettings(dir=rules)
    assert open_policy(settings, taken=taken).revision == open_policy(settings).revision
    revision = take_policy(settings, taken)
    (rules / "org" / "a.rego").write_text("package broken {")
    with pytest.raises(BadPolicy):
        open_policy(settings)
    with pytest.raises(BadPolicy):
        take_policy(settings, taken)
    known = open_policy(settings, taken=taken)
    assert known.revision == revision
    assert open_policy(settings, known, taken=taken) is known
    take_policy(PolicySettings(url="http://127.0.0.1:9"), taken)
    assert not taken.exists()
