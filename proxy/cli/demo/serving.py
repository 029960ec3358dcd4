"""`flyball serve` as a child of the demo."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import Final

import httpx

from proxy.cli.demo.folder import DemoFolder

_READY_WITHIN_S: Final = 90
_STOPPED_WITHIN_S: Final = 45
_LOG_TAIL: Final = 12


class DidNotStart(Exception):
    """`flyball serve` ended or never became ready; the message shows the end of its log."""


class Serving:
    """A running `flyball serve`: `data_url` ends in `/v1`, `admin_url` does not."""

    def __init__(self, folder: DemoFolder) -> None:
        self._folder = folder
        self.data_url = ""
        self.admin_url = ""
        command = [sys.executable, "-m", "proxy", "serve", "--config", str(folder.config)]
        environment = {**os.environ, "FLYBALL_HOME": str(folder.home)}
        with folder.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the demo, which then stops this in order.
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    async def until_ready(self) -> None:
        """Wait until it answers; raises DidNotStart."""
        deadline = time.monotonic() + _READY_WITHIN_S
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            while not await self._ready(client):
                if self._process.poll() is not None:
                    raise DidNotStart(self._with_log(f"flyball serve ended with exit code {self._process.returncode}"))
                if time.monotonic() > deadline:
                    raise DidNotStart(self._with_log(f"flyball serve was not ready within {_READY_WITHIN_S} s"))
                await asyncio.sleep(0.2)

    def stop(self) -> None:
        """SIGTERM, then wait until everything is recorded; SIGKILL if that takes too long."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    async def _ready(self, client: httpx.AsyncClient) -> bool:
        endpoints = self._folder.endpoints()
        if endpoints.get("pid", self._process.pid) != self._process.pid or "data" not in endpoints:
            return False
        self.data_url, self.admin_url = f"{endpoints['data']}/v1", str(endpoints["admin"])
        try:
            return (await client.get(f"{endpoints['data']}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    def _with_log(self, what: str) -> str:
        lines = self._folder.log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
        return "\n".join([f"{what}; the end of {self._folder.log}:", *lines])
