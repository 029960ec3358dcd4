"""The demo as it runs: a live table on a terminal, a line every few seconds elsewhere."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from proxy.cli.demo.tally import Ending, Tally, TenantTally, quantile
from proxy.core.money import Nano

_REFRESH_S: Final = 0.25
_LINE_EVERY_S: Final = 5.0
_BAR: Final = 8


class View:
    """Shows a tally until it is told to stop."""

    def __init__(self, tally: Tally, seconds: float, console: Console) -> None:
        self._tally = tally
        self._seconds = seconds
        self._console = console
        self._started = time.monotonic()

    async def show(self) -> None:
        """Keep showing until cancelled; the last state stays on the screen."""
        if self._console.is_terminal:
            await self._live()
        else:
            await self._lines()

    async def _live(self) -> None:
        with Live(self._screen(), console=self._console, refresh_per_second=4, transient=False) as live:
            try:
                while True:
                    await asyncio.sleep(_REFRESH_S)
                    live.update(self._screen())
            finally:
                live.update(self._screen(), refresh=True)

    async def _lines(self) -> None:
        try:
            while True:
                await asyncio.sleep(_LINE_EVERY_S)
                self._console.print(self._line(), soft_wrap=True)
        finally:
            self._console.print(self._line(), soft_wrap=True)

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def _screen(self) -> Group:
        tally = self._tally
        bar = ProgressBar(total=tally.planned, completed=tally.ended, width=40)
        clock = Text(f"{min(self._elapsed_s, self._seconds):4.0f} of {self._seconds:.0f} s")
        calls = Text(f"{tally.ended} of {tally.planned} calls, {tally.open} under way")
        head = Table.grid(padding=(0, 2))
        head.add_row(Text("Flyball demo", style="bold"), clock, bar, calls)
        return Group(head, tenants_table(tally), *(Text(line, style="red") for line in tally.surprises))

    def _line(self) -> str:
        tally = self._tally
        money = "  ".join(
            f"{org} {usd(tenant.balance.spent)}/{usd(tenant.balance.limit)}" for org, tenant in tally.tenants.items()
        )
        said = [f"{self._elapsed_s:4.0f} s", f"calls {tally.ended}/{tally.planned} ({tally.open} under way)"]
        said += [f"refused {tally.count(Ending.REFUSED)}", f"failed {tally.count(Ending.FAILED)}", money]
        said += [f"TTFT p50/p95 {waits(tally.first_tokens_ms)}"]
        return "  ".join(said)


def tenants_table(tally: Tally) -> Table:
    """One line per tenant: calls, money against the budget, and waiting times."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("tenant", no_wrap=True)
    for name in ("calls", "refused", "failed", "spent", "budget"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("used", no_wrap=True)
    table.add_column("TTFT p50/p95", justify="right", no_wrap=True)
    for org, tenant in tally.tenants.items():
        table.add_row(*_row(org, tenant))
    return table


def usd(amount: Nano) -> str:
    """Dollars for people: four digits after the point while amounts are small."""
    return f"${amount / 1e9:,.4f}" if amount < 10_000_000_000 else f"${amount / 1e9:,.2f}"


def waits(samples: Sequence[float]) -> str:
    """Median and 95th percentile of waiting times in milliseconds."""
    shown = [quantile(samples, fraction) for fraction in (0.5, 0.95)]
    return "/".join("–" if value is None else f"{value:.0f}" for value in shown) + " ms"


def _row(org: str, tenant: TenantTally) -> list[str | Text]:
    refused = tenant.endings[Ending.REFUSED]
    failed = tenant.endings[Ending.FAILED] + tenant.endings[Ending.HUNG_UP]
    balance = tenant.balance
    return [
        Text(org, style="bold"),
        str(tenant.ended),
        Text(str(refused), style="bold red" if refused else ""),
        Text(str(failed), style="yellow" if failed else ""),
        usd(balance.spent),
        usd(balance.limit),
        _used(balance.spent, balance.limit),
        waits(tenant.first_tokens_ms),
    ]


def _used(spent: Nano, limit: Nano) -> Text:
    percent = 100 * spent // limit if limit else 0
    full = min(_BAR, _BAR * percent // 100)
    style = "red" if percent >= 90 else "yellow" if percent >= 75 else "green"
    return (
        Text("█" * full, style=style).append("░" * (_BAR - full), style="dim").append(f" {percent:3d} %", style=style)
    )
