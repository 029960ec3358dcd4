"""Bundles that OPA itself has built and signed: taken as they are, refused when a byte differs."""

import gzip
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from proxy.core.secret import Secret
from proxy.policy.bundles import BundleKey, BundleSettings, read_archive
from proxy.policy.bundles.archive import unpacked
from proxy.policy.errors import BadPolicy
from tests.contract.policy.real_opa import opa_command
from tests.harness.bundles import packed, rsa_pair

pytestmark = [pytest.mark.long, pytest.mark.timeout(1600)]
RULE = 'package flyball.request\n\ndeny contains {"code": "é", "msg": "x"} if input.model == data.org.m\n'
DATA = (
    '{"b": 1.0, "a": 1e3, "t": "\\u00e9<&>\\n\\u2028\\b\\u0007", '
    '"z": {"y": [1, -0, null, true], "\\uffff": 1, "\\ud83d\\ude00": 2}}'
)
YAML = "m: x\nlist: [a, 2, 1.5, 1.0, true, null]\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opa")
    private, public = rsa_pair()
    (folder / "private.pem").write_text(private)
    (folder / "public.pem").write_text(public)
    (folder / "claims.json").write_text(json.dumps({"scope": "prod", "keyid": "one"}))
    bundle = folder / "bundle"
    (bundle / "rules").mkdir(parents=True)
    (bundle / "org").mkdir()
    (bundle / "rules" / "a.rego").write_text(RULE)
    (bundle / "data.json").write_text(DATA)
    (bundle / "org" / "data.yaml").write_text(YAML)
    (bundle / "README.md").write_text("Not read, and signed all the same.")
    return folder


def opa(folder: Path, *arguments: str) -> None:
    done = subprocess.run([opa_command(), *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def settings(folder: Path, name: str, scope: str = "") -> BundleSettings:
    key = BundleKey(id=name, algorithm="RS256", key=Secret((folder / "public.pem").read_text()))
    return BundleSettings(keys=(key,), scope=scope)


def test_what_opa_build_signs_is_taken(source: Path) -> None:
    opa(source, "build", "-b", "bundle", "-r", "rev7", "--signing-key", "private.pem", "-o", "built.tar.gz")
    archive = (source / "built.tar.gz").read_bytes()
    found = read_archive(archive, settings(source, "default"))
    assert found.named == "rev7" and RULE.split()[1] in "".join(found.bundle.modules.values())
    assert found.bundle.data["b"] == 1.0 and found.bundle.data["org"]["list"] == ["a", 2, 1.5, 1.0, True, None]
    files = unpacked(archive)
    for path in sorted(files.keys() - {".signatures.json"}):
        with pytest.raises(BadPolicy):
            read_archive(packed({**files, path: files[path] + b"\n{"}), settings(source, "default"))
    with pytest.raises(BadPolicy, match="known are: other"):
        read_archive(archive, settings(source, "other"))


def test_what_opa_sign_signs_is_taken_as_it_stands_in_the_folder(source: Path) -> None:
    bundle = source / "bundle"
    opa(bundle, "sign", "--signing-key", "../private.pem", "--claims-file", "../claims.json", "--bundle", ".")
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        tar.add(bundle, arcname=".")
    archive = gzip.compress(raw.getvalue())
    assert found_model(archive, settings(source, "one", "prod")) == "x"
    for wrong in (settings(source, "one"), settings(source, "one", "test")):
        with pytest.raises(BadPolicy, match="is signed for the scope"):
            read_archive(archive, wrong)


def found_model(archive: bytes, settings: BundleSettings) -> str:
    model: str = read_archive(archive, settings).bundle.data["org"]["m"]
    return model
