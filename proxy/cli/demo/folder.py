"""The demo's own state folder: its config, its keys, and the marks it leaves."""

import json
import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from proxy.cli.demo.tenants import CAPPED, COST_CENTERS, KEYS, ORGS, DemoKey
from proxy.core.money import Nano, to_usd_text

_MARK: Final = ".flyball-demo"
_ROOMY_USD: Final = "250"
_USUAL_PORTS: Final = {"listen": 4000, "admin_listen": 4001, "telemetry": 8123}


class NotADemoFolder(Exception):
    """The folder holds something that is not a demo's; it is left as it is."""


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """Everything a demo keeps, in one folder that it may empty when it starts anew."""

    home: Path

    @property
    def config(self) -> Path:
        """The generated flyball.yaml."""
        return self.home / "flyball.yaml"

    @property
    def log(self) -> Path:
        """What `flyball serve` wrote."""
        return self.home / "serve.log"

    def key_file(self, key: DemoKey) -> Path:
        """Where a client key's secret lies."""
        return self.home / "keys" / key.full_name

    def prepare(self, *, keep: bool) -> None:
        """Make the folder; an earlier demo's state goes, unless it is to be kept.

        Raises:
            NotADemoFolder: it exists, is not empty and was not made by a demo.
        """
        if self.home.exists() and any(self.home.iterdir()):
            if not (self.home / _MARK).exists():
                raise NotADemoFolder(f"{self.home} was not made by flyball demo; move it away or set FLYBALL_HOME")
            if not keep:
                shutil.rmtree(self.home)
        for folder in (self.home, self.home / "keys"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.home / _MARK).touch()

    def write(self, sim_url: str, cap: Nano) -> None:
        """Write keys that are not there yet, and the config."""
        for key in KEYS:
            _write_secret(self.key_file(key))
        text = yaml.safe_dump(self._settings(sim_url, cap), sort_keys=False, width=120)
        self.config.write_text(f"# Written by flyball demo.\n{text}")

    def secrets(self) -> Mapping[str, str]:
        """Full name of a key → its secret."""
        return {key.full_name: self.key_file(key).read_text().strip() for key in KEYS}

    def endpoints(self) -> Mapping[str, Any]:
        """The addresses that `flyball serve` says it uses; empty before it does."""
        try:
            found = json.loads((self.home / "run" / "endpoints.json").read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def admin_token(self) -> str:
        """The bootstrap token of the admin API."""
        return (self.home / "admin-token").read_text().strip()

    def _settings(self, sim_url: str, cap: Nano) -> dict[str, Any]:
        ports = {name: _free(port) for name, port in _USUAL_PORTS.items()}
        return {
            "server": {
                "listen": f"127.0.0.1:{ports['listen']}",
                "admin_listen": f"127.0.0.1:{ports['admin_listen']}",
                "workers": 1,
            },
            "telemetry": {"listen": f"127.0.0.1:{ports['telemetry']}"},
            "providers": {"sim": {"dialect": "openai", "base_url": sim_url, "profile": "sim"}},
            "routes": [{"model": "sim-*", "targets": [{"provider": "sim"}]}],
            "tenants": [self._tenant(org) for org in ORGS],
            "budgets": [_budget(org, cap) for org in ORGS],
        }

    def _tenant(self, org: str) -> dict[str, Any]:
        teams: dict[str, list[dict[str, Any]]] = {}
        for key in KEYS:
            if key.org == org:
                path = str(self.key_file(key).relative_to(self.home))
                entry = {"name": key.name, "key_file": path, "agents": list(key.agents)}
                teams.setdefault(key.team, []).append(entry)
        listed = [{"team": team, "keys": keys} for team, keys in teams.items()]
        return {"org": org, "cost_center": COST_CENTERS[org], "teams": listed}


def demo_folder(environment: Mapping[str, str]) -> DemoFolder:
    """`$FLYBALL_HOME/demo`, else `./.flyball/demo`."""
    return DemoFolder((Path(environment.get("FLYBALL_HOME") or ".flyball") / "demo").absolute())


def _budget(org: str, cap: Nano) -> dict[str, Any]:
    limit = to_usd_text(cap) if org == CAPPED else _ROOMY_USD
    scope = {"name": f"{org}-month", "scope": f"org:{org}", "window": "month", "timezone": "UTC"}
    return {**scope, "limit_usd": limit, "hard": True}


def _write_secret(path: Path) -> None:
    if path.exists():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"fb-demo-{secrets.token_urlsafe(24)}\n")


def _free(port: int) -> int:
    """The usual port if nobody has it, else 0: any free one."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
