"""The demo as a whole, in little: it starts, serves, runs into the cap, tells and stops."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from proxy.cli.demo import DemoOptions, run_demo
from proxy.cli.demo.folder import DemoFolder
from proxy.cli.demo.serving import DidNotStart, Serving


def run(options: DemoOptions) -> tuple[int, str]:
    """Exit code and output."""
    out = io.StringIO()
    return run_demo(options, Console(file=out, width=200)), out.getvalue()


def test_a_short_demo_tells_its_sums_and_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYBALL_HOME", str(tmp_path))
    code, said = run(DemoOptions(seconds=3, rate=16, exit=True))
    assert code == 0, said
    assert re.search(r"48 calls, [1-9]\d* refused", said)
    assert "initech ran into its cap" in said
    spent, billed = (float(amount) for amount in re.findall(r"(?:spent|bill:) \$(\d+\.\d+)", said))
    assert spent == pytest.approx(billed, rel=0.1)
    for part in (
        "/console, by a link from: FLYBALL_HOME=",
        "/admin/v1/spend",
        "ClickHouse datasource http://",
        "curl http://",
    ):
        assert part in said
    # what was stopped has withdrawn its addresses
    assert "data" not in json.loads((tmp_path / "demo" / "run" / "endpoints.json").read_text())


def test_a_folder_that_is_not_a_demos_ends_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLYBALL_HOME", str(tmp_path))
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine").touch()
    assert run(DemoOptions(exit=True))[0] == 1
    assert "was not made by flyball demo" in capsys.readouterr().err


async def test_a_serve_that_does_not_start_is_said_with_its_own_words(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "demo")
    folder.prepare(keep=False)
    folder.config.write_text("nonsense: 1\n")
    serving = Serving(folder)
    with pytest.raises(DidNotStart, match=r"(?s)ended with exit code .*nonsense"):
        await serving.until_ready()
    serving.stop()
