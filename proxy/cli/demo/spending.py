"""What Flyball says the tenants have spent: their budgets, asked of the admin API."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx

from proxy.cli.demo.tally import Balance, Tally
from proxy.core.money import exact_usd

_EVERY_S: Final = 1.0


class Spending:
    """Keeps a tally's balances at what the admin API tells."""

    def __init__(self, admin_url: str, token: str, tally: Tally) -> None:
        self._tally = tally
        headers = {"authorization": f"Bearer {token}"}
        self._client = httpx.AsyncClient(base_url=admin_url, headers=headers, timeout=10, trust_env=False)

    async def follow(self) -> None:
        """Ask once a second until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(_EVERY_S)

    async def ask(self) -> None:
        """Ask once; an admin that does not answer leaves the last figures standing."""
        try:
            answer = await self._client.get("/admin/v1/budgets")
        except httpx.TransportError:
            return
        if answer.status_code == 200:
            for budget in answer.json()["data"]:
                _, _, org = budget["scope"].partition(":")
                if org in self._tally.tenants:
                    self._tally.tenants[org].balance = _balance(budget)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()


def _balance(budget: Mapping[str, Any]) -> Balance:
    limit, spent, held = (exact_usd(budget[f"{name}_usd"]) for name in ("limit", "spent", "held"))
    return Balance(limit=limit, spent=spent, held=held)
