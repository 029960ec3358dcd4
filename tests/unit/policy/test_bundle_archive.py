"""The archive of a bundle: what is no plain, small set of files is refused, whoever packed it."""

import gzip
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy import PolicySettings, open_policy
from proxy.policy.bundle import BASE
from proxy.policy.bundles import BundleSettings, archive, read_archive
from proxy.policy.bundles.archive import unpacked
from proxy.policy.errors import BadPolicy
from tests.harness.bundles import FILES, RULE, packed, tar_file, tar_of


def special(name: str, kind: bytes, target: str = "") -> bytes:
    entry = tar_file(name)
    entry.type, entry.linkname = kind, target
    return gzip.compress(tar_of([(entry, b"")]))


WRONG = {
    "a link": (special("a.rego", tarfile.SYMTYPE, "/etc/passwd"), "is no plain file"),
    "a hard link": (special("a.rego", tarfile.LNKTYPE, "b.rego"), "is no plain file"),
    "a device": (special("a.rego", tarfile.CHRTYPE), "is no plain file"),
    "a pipe": (special("a.rego", tarfile.FIFOTYPE), "is no plain file"),
    "a way up": (packed({"../a.rego": b""}), "is no path inside of a bundle"),
    "a way up in the middle": (packed({"a/../../b.rego": b""}), "is no path inside of a bundle"),
    "a way up behind a slash": (packed({"/../b.rego": b""}), "is no path inside of a bundle"),
    "two slashes": (packed({"//etc/b.rego": b""}), "is no path inside of a bundle"),
    "a path of another system": (packed({"a\\b.rego": b""}), "is no path inside of a bundle"),
    "a path that moves the cursor": (packed({"a\x1b[2J.rego": b""}), "is no path inside of a bundle"),
    "a path without end": (packed({"a/" * 400 + "b.rego": b""}), "is no path inside of a bundle"),
    "a file twice": (gzip.compress(tar_of([(tar_file("a"), b"1"), (tar_file("/a"), b"2")])), "in the archive twice"),
    "no gzip": (b"package a", "is not gzipped"),
    "nothing": (b"", "is cut short"),
    "no tar": (gzip.compress(b"package a" * 99), "is no tar archive"),
    "half of it": (packed(FILES)[:-20], "is cut short"),
    "another one behind": (packed(FILES) * 2, "has something behind its end"),
    "a tar behind": (gzip.compress(tar_of([(tar_file("a"), b"")]) + b"x" * 512), "something behind its last file"),
    "a bomb": (gzip.compress(b"\0" * (archive.MOST_UNPACKED * 2), 1), "unpacks to more than"),
    "too much": (b"\x1f" * (archive.MOST_PACKED + 1), "is larger than"),
    "too many": (gzip.compress(tar_of((tar_file(f"f{n}"), b"") for n in range(archive.MOST_FILES + 1))), "holds more"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_plain_archive_is_refused(name: str) -> None:
    packing, said = WRONG[name]
    with pytest.raises(BadPolicy, match=said):
        unpacked(packing)


def test_one_file_that_says_it_is_larger_than_all_may_be_is_not_read() -> None:
    header = tarfile.TarInfo("big.rego")
    header.size = archive.MOST_UNPACKED + 1
    with pytest.raises(BadPolicy, match="unpacks to more than"):
        unpacked(gzip.compress(header.tobuf() + b"\0" * 1024))


def test_holes_are_not_filled() -> None:
    entry = tarfile.TarInfo("holes.rego")
    entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
    with pytest.raises(BadPolicy):
        unpacked(gzip.compress(tar_of([(entry, b"1\n0\n" + b"\0" * 508)])))


def test_paths_are_told_as_opa_tells_them() -> None:
    assert unpacked(packed({"./a/b.rego": b"1", "/c.rego": b"2", "d.rego": b"3"})) == {
        "a/b.rego": b"1",
        "c.rego": b"2",
        "d.rego": b"3",
    }
    folder = tarfile.TarInfo("./")
    folder.type = tarfile.DIRTYPE
    assert unpacked(gzip.compress(tar_of([(folder, b"")]))) == {}


@given(st.dictionaries(st.text("ab/é.", min_size=1, max_size=200), st.binary(max_size=900), max_size=5))
def test_what_was_packed_comes_out_or_is_refused(files: dict[str, bytes]) -> None:
    try:
        found = unpacked(packed(files))
    except BadPolicy:
        assert any(
            {"", ".", ".."} & set(name.removeprefix("./").removeprefix("/").split("/")) for name in files
        ) or len({name.removeprefix("./").removeprefix("/") for name in files}) < len(files)
    else:
        assert sorted(found.values()) == sorted(files.values())


@given(st.data())
def test_bytes_that_were_changed_end_in_files_or_in_a_refusal(data: st.DataObject) -> None:
    raw = bytearray(tar_of((tar_file(name), content) for name, content in FILES.items()))
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=12)):
        raw[at] = data.draw(st.integers(0, 255))
    try:
        found = unpacked(gzip.compress(bytes(raw)))
    except BadPolicy:
        return
    assert sum(map(len, found.values())) <= len(raw)


@given(st.binary(max_size=3000))
def test_any_bytes_end_in_a_refusal(noise: bytes) -> None:
    for given_ in (noise, gzip.compress(noise)):
        try:
            assert unpacked(given_) == {} and not noise.strip(b"\0")
        except BadPolicy:
            continue


def test_a_bundle_is_what_opa_takes_of_it() -> None:
    more = {
        "/rules/models_test.rego": b"package no_test",
        "/rules/other.json": b"not read",
        "/org/data.yaml": b"a: 1\n",
        "/.manifest": b'{"revision": "r1", "metadata": {"x": 1}, "rego_version": 1}',
    }
    found = read_archive(packed({**FILES, **more}), BundleSettings())
    assert found.named == "r1"
    assert set(found.bundle.modules) == {"rules/models.rego", BASE}
    assert found.bundle.data == {"allowed": ["sim-small"], "org": {"a": 1}}
    assert set(read_archive(packed(FILES), BundleSettings(), base=False).bundle.modules) == {"rules/models.rego"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"/.manifest": b"{"}, ".manifest: is no manifest"),
        ({"/.manifest": b'{"rego_version": 0}'}, "another version of Rego"),
        ({"/.manifest": b'{"file_rego_versions": {"/a.rego": 0}}'}, "another version of Rego"),
        ({"/.manifest": b'{"wasm": [{"entrypoint": "a", "module": "policy.wasm"}]}'}, "WebAssembly"),
        ({"/.manifest": b'{"roots": ["allowed"]}'}, "rules/models.rego: its package lies outside"),
        ({"/.manifest": b'{"roots": ["flyball/request"]}'}, "data.allowed: lies outside"),
        ({"/.manifest": b'{"roots": ["flyball/req", "allowed"]}'}, "rules/models.rego: its package lies outside"),
        ({"/patch.json": b"[]"}, "patch.json: is a change"),
        ({"/data.json": b"[1]"}, "data.json: a document"),
        ({"/data.yaml": b"a: [1"}, "data.yaml"),
        ({"/data.yaml": b"a: &a [1]\nb: *a\n"}, "aliases are not taken"),
        ({"/data.yaml": b"allowed: 2020-01-01\n", "/data.json": b"{}"}, "cannot be written as JSON"),
        ({"/a.rego": b"package a\xff"}, "a.rego"),
    ],
)
def test_what_a_bundle_must_not_say(files: dict[str, bytes], said: str) -> None:
    with pytest.raises(BadPolicy) as bad:
        read_archive(packed({**FILES, **files}), BundleSettings())
    assert said in str(bad.value)


def test_a_file_is_opened_like_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "rules.tar.gz"
    settings = PolicySettings(bundle=BundleSettings(file=path))
    with pytest.raises(BadPolicy, match=r"rules\.tar\.gz"):
        open_policy(settings)
    path.write_bytes(packed(FILES))
    known = open_policy(settings)
    assert open_policy(settings, known) is known
    path.write_bytes(packed({**FILES, "/rules/models.rego": RULE.replace("contains {", "contains {{").encode()}))
    with pytest.raises(BadPolicy, match=r"rules/models\.rego:3"):
        open_policy(settings)
