"""Policies and their data as they are read from a folder."""

from pathlib import Path

import pytest

from proxy.policy.bundle import BASE, Bundle, read_bundle
from proxy.policy.errors import BadPolicy


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_documents_lie_under_the_folders_they_lie_in(tmp_path: Path) -> None:
    files = {
        "top.json": '{"a": {"b": 1}}',
        "x/y/more.yaml": "c: 2",
        "x/y/other.json": '{"d": 3}',
        "z.json": '{"a": {"e": 4}}',
    }
    bundle = read_bundle(write(tmp_path, files))
    assert bundle.data == {"a": {"b": 1, "e": 4}, "x": {"y": {"c": 2, "d": 3}}}


def test_tests_contracts_and_hidden_files_are_never_loaded(tmp_path: Path) -> None:
    files = {
        "a.rego": "package a",
        "a_test.rego": "package a_test",
        "contract.json": '{"no": 1}',
        ".git/b.rego": "package b",
        "a_test.json": '{"no": 1}',
    }
    bundle = read_bundle(write(tmp_path, files))
    assert set(bundle.modules) == {"a.rego", BASE} and bundle.data == {}


def test_the_base_is_left_out_where_it_is_not_wanted_and_replaced_by_ones_own(tmp_path: Path) -> None:
    assert set(read_bundle(write(tmp_path, {"a.rego": "package a"}), base=False).modules) == {"a.rego"}
    own = read_bundle(write(tmp_path, {BASE: "package flyball\n"}))
    assert own.modules[BASE] == "package flyball\n"


def test_what_contradicts_itself_is_said_at_once_with_its_file(tmp_path: Path) -> None:
    files = {"a.json": '{"a": {"b": 1}}', "b.json": '{"a": {"b": 2}}', "c.json": "{", "d.yaml": "[1]", "e.yaml": "a: ["}
    with pytest.raises(BadPolicy) as bad:
        read_bundle(write(tmp_path, files))
    said = " ".join(bad.value.problems)
    for part in ("b.json: data.a.b is already set", "c.json: is no JSON", "d.yaml: a document", "e.yaml: is no YAML"):
        assert part in said
    with pytest.raises(BadPolicy, match="is no folder"):
        read_bundle(tmp_path / "nowhere")


def test_the_revision_is_of_everything_and_of_nothing_else(tmp_path: Path) -> None:
    one = Bundle.of({"a": "x", "b": "y"}, {"k": 1, "l": 2})
    assert one.revision == Bundle.of({"b": "y", "a": "x"}, {"l": 2, "k": 1}).revision
    others = [
        Bundle.of({"a": "x", "b": "z"}, {"k": 1, "l": 2}),
        Bundle.of({"a": "x", "b": "y"}, {"k": 1, "l": 3}),
        Bundle.of({"a": "xb", "": "y"}, {"k": 1, "l": 2}),
    ]
    assert one.revision not in {each.revision for each in others}


def test_the_starter_library_grants_and_waits(tmp_path: Path) -> None:
    assert BASE in read_bundle(None).modules
    settings = tmp_path / "settings.json"
    settings.write_text('{"settings": {"mine": 1}}')
    assert read_bundle(None, settings=settings).data["settings"]["mine"] == 1
