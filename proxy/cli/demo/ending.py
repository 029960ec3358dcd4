"""What the demo says when the traffic is over: the sums, and where to look."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from proxy.cli.demo.folder import DemoFolder
from proxy.cli.demo.serving import Serving
from proxy.cli.demo.tally import Ending, Tally
from proxy.cli.demo.tenants import CAPPED, KEYS
from proxy.cli.demo.view import tenants_table, usd
from proxy.core.money import Nano


def tell_sums(console: Console, tally: Tally, sim_bill: Mapping[str, Any] | None) -> None:
    """The last figures, and what the provider itself would charge."""
    console.print()
    if not console.is_terminal:  # a terminal shows it already
        console.print(tenants_table(tally))
    calls = f"{tally.ended} calls, {tally.count(Ending.REFUSED)} refused before they cost anything"
    console.print(f"{calls}; spent {usd(tally.spent)} in all.")
    failed, hung_up = tally.count(Ending.FAILED), tally.count(Ending.HUNG_UP)
    console.print(
        f"Part of the play: {failed} met provider errors or cut streams, {hung_up} were hung up on by their client."
    )
    if sim_bill is not None:
        own = usd(Nano(sim_bill["cost_nano"]))
        console.print(f"The provider's own bill: {own}; a call that ends without its usage is estimated here.")
    capped = tally.tenants[CAPPED]
    if capped.endings[Ending.REFUSED]:
        limit = usd(capped.balance.limit)
        console.print(f"{CAPPED} ran into its cap of {limit}: from then on what did not fit was refused with 402.")


def tell_addresses(console: Console, folder: DemoFolder, serving: Serving) -> None:
    """Where to look, and a line to paste."""
    home = from_here(folder.home)
    clickhouse = folder.endpoints().get("clickhouse", "http://127.0.0.1:8123")
    rows = [
        (
            "console",
            f"{serving.admin_url}/console, by a link from: FLYBALL_HOME={home} {own_command()} console",
        ),
        ("admin API", f"{serving.admin_url}/admin/v1/spend?group_by=org, bearer token in {home}/admin-token"),
        ("Grafana", f"ClickHouse datasource {clickhouse}, database flyball,"),
        ("", f"user grafana, password in {home}/grafana-password"),
        ("call it", f"curl {serving.data_url}/chat/completions -H 'Content-Type: application/json' \\"),
        ("", f'  -H "Authorization: Bearer $(cat {from_here(folder.key_file(KEYS[0]))})" \\'),
        ("", """  -d '{"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}]}'"""),
    ]
    console.print()
    for name, what in rows:
        console.print(f"[bold]{name:<10}[/bold] ", end="")
        console.print(what, soft_wrap=True, markup=False, highlight=False)


def from_here(path: Path) -> str:
    """A path as one would type it in the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def own_command() -> str:
    """How this very program was called: `flyball` where it is installed, its path in a checkout."""
    called = Path(sys.argv[0])
    if called.name != "flyball":
        return "flyball"
    return "flyball" if shutil.which("flyball") == str(called.absolute()) else from_here(called.absolute())


async def sim_bill(sim_url: str) -> Mapping[str, Any] | None:
    """The simulated provider's account; None when it does not answer."""
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        try:
            answer = await client.get(f"{sim_url.removesuffix('/v1')}/sim/bill")
        except httpx.TransportError:
            return None
    bill: Mapping[str, Any] = answer.json()
    return bill
