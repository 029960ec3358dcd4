"""What the demo shows."""

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console

from proxy.cli.demo.ending import from_here, own_command, tell_sums
from proxy.cli.demo.tally import Balance, Ending, Tally, TenantTally
from proxy.cli.demo.tenants import ORGS
from proxy.cli.demo.view import View, usd, waits
from proxy.core.money import Nano


@pytest.fixture
def tally() -> Tally:
    """Initech at its cap."""
    tally = Tally(planned=10, tenants={org: TenantTally() for org in ORGS})
    initech = tally.tenants["initech"]
    initech.endings |= {Ending.OK: 6, Ending.REFUSED: 3}
    initech.balance = Balance(limit=Nano(2_000_000_000), spent=Nano(1_900_000_000), held=Nano(0))
    initech.first_tokens_ms.extend([100.0, 300.0])
    tally.surprises.append("418 teapot")
    return tally


async def shown(tally: Tally, *, terminal: bool) -> str:
    """The output of half a second of showing."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160)
    task = asyncio.ensure_future(View(tally, 60, console).show())
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_a_terminal_shows_tenants_their_money_and_surprises(tally: Tally) -> None:
    text = await shown(tally, terminal=True)
    for part in ("initech", "$1.9000", "$2.0000", "95 %", "9 of 10 calls", "418 teapot", "300/300 ms"):
        assert part in text
    assert "\x1b[" in text


async def test_elsewhere_one_plain_line_says_the_same(tally: Tally) -> None:
    text = await shown(tally, terminal=False)
    assert "calls 9/10 (0 under way)" in text
    assert "refused 3" in text
    assert "initech $1.9000/$2.0000" in text
    assert "\x1b[" not in text


def test_the_sums_name_the_cap_and_the_providers_own_bill(tally: Tally) -> None:
    console = Console(file=io.StringIO(), width=160)
    tell_sums(console, tally, {"cost_nano": 1_900_000_000})
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "9 calls, 3 refused" in text
    assert "own bill: $1.9000" in text
    assert "initech ran into its cap of $2.0000" in text


def test_paths_are_shown_as_one_would_type_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(tmp_path / "bin" / "flyball")])
    assert (from_here(tmp_path / "a" / "b"), from_here(Path("/x"))) == ("a/b", "/x")
    assert own_command() == "bin/flyball"


def test_figures_for_people() -> None:
    assert usd(Nano(1_234_567)) == "$0.0012"
    assert usd(Nano(12_345_678_900_000)) == "$12,345.68"
    assert waits([]) == "–/– ms"
