"""A signed bundle decides; the next one is taken while serving, and one that is not right keeps the old one."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proxy.cli import main
from tests.harness.bundle_server import bundle_server
from tests.harness.bundles import FILES, SECRET, packed, signed
from tests.harness.command import command
from tests.harness.flyball import Flyball
from tests.journey.test_policy_reload import answers, asked, log, until

pytestmark = pytest.mark.timeout(300)
CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 2}
policy: {bundle: {file: rules.tar.gz, keys: [{id: one, algorithm: HS256, key_env: BUNDLE_KEY}]}}
"""


def allowing(*models: str) -> dict[str, bytes]:
    return {**FILES, "/data.json": json.dumps({"allowed": models}).encode()}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Flyball]:
    (tmp_path / "rules.tar.gz").write_bytes(packed(signed(allowing("sim-small"))))
    with Flyball(tmp_path, CONFIG, {"BUNDLE_KEY": SECRET}) as flyball:
        yield flyball


def test_a_signed_bundle_is_replaced_and_a_forged_one_is_not_taken(served: Flyball) -> None:
    bundle = served.folder / "rules.tar.gz"
    refused = asked(served, "sim-large")
    assert (refused.status_code, refused.json()["error"]["flyball"]["rule"]) == (403, "only_small")
    assert asked(served, "sim-small").status_code == 200

    bundle.write_bytes(packed(signed(allowing("sim-large"))))
    until(lambda: answers(served, "sim-large", 200))
    assert asked(served, "sim-small").status_code == 403

    bundle.write_bytes(packed({**signed(allowing("sim-large")), "/data.json": b'{"allowed": ["sim-small"]}'}))
    until(lambda: bool(log(served, "data.json: is not what was signed")))
    assert answers(served, "sim-large", 200)
    assert asked(served, "sim-small").status_code == 403


def stale(flyball: Flyball) -> bool:
    told = httpx.get(f"{flyball.data}/readyz", timeout=10)
    assert told.status_code == 200
    return bool(told.json()["dependencies"]["policy"] == "stale")


@pytest.mark.long
def test_a_server_of_bundles_is_followed_and_its_forgeries_are_not(tmp_path: Path) -> None:
    with bundle_server(packed(signed(allowing("sim-small")))) as server:
        config = CONFIG.replace("file: rules.tar.gz", f"url: '{server.url}', poll_s: 5")
        with Flyball(tmp_path, config, {"BUNDLE_KEY": SECRET}) as served:
            assert answers(served, "sim-large", 403) and answers(served, "sim-small", 200)
            server.bundle = packed(signed(allowing("sim-large")))
            until(lambda: answers(served, "sim-large", 200))

            server.bundle = packed(allowing("sim-small"))
            until(lambda: stale(served))
            assert answers(served, "sim-large", 200)
            doctor = command(["doctor", "--config", str(served.config)], served.environment)
            assert doctor.returncode == 1 and "the bundle is not signed" in doctor.stdout
            metrics = httpx.get(f"{served.admin_url}/metrics", timeout=10).text
            assert "flyball_policy_stale 1\n" in metrics

            server.status = 503
        # Started again while the server is away: the last good one decides, and it is said.
        with Flyball(tmp_path, config, {"BUNDLE_KEY": SECRET}) as served:
            assert answers(served, "sim-large", 200) and answers(served, "sim-small", 403)
            until(lambda: stale(served))
            server.status, server.bundle = 0, packed(signed(allowing("sim-small")))
            until(lambda: answers(served, "sim-small", 200))
            until(lambda: not stale(served))


def test_nothing_is_served_without_a_first_bundle(tmp_path: Path) -> None:
    with bundle_server(b"nothing") as server:
        config = CONFIG.replace("file: rules.tar.gz", f"url: '{server.url}'")
        with pytest.raises(RuntimeError, match=r"no policy decides: .*is not gzipped"):
            Flyball(tmp_path, config, {"BUNDLE_KEY": SECRET}).start()


def test_check_asks_the_server_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUNDLE_KEY", SECRET)
    with bundle_server(packed(signed(allowing("sim-small")))) as server:
        path = tmp_path / "flyball.yaml"
        path.write_text(CONFIG.replace("file: rules.tar.gz", f"url: '{server.url}'"))
        assert main(["check", "--config", str(path)]) == 0
        assert "bundle r1, revision" in capsys.readouterr().out and server.answers == [200]
        server.bundle = packed(allowing("sim-small"))
        assert main(["check", "--config", str(path)]) == 1
        assert "policy.bundle: .signatures.json: is missing" in capsys.readouterr().err
        server.status = 404
        assert main(["check", "--config", str(path)]) == 1
        assert "the server answers 404" in capsys.readouterr().err
