"""The Lua scripts: one per step, shipped beside this file, known to Redis by their digests."""

from hashlib import sha1
from importlib import resources
from typing import Final


class Script:
    """A script's text and the digest that Redis knows it by."""

    __slots__ = ("digest", "name", "text")

    def __init__(self, name: str, *parts: str) -> None:
        self.name: Final = name
        flags, _, body = _read(name).partition("\n")
        # The first line says what the script may do; Redis wants it first.
        self.text: Final = "".join([f"{flags}\n", *parts, body]).encode()
        self.digest: Final = sha1(self.text, usedforsecurity=False).hexdigest().encode()


def _read(name: str) -> str:
    return (resources.files("proxy.budget.redis") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


_AMOUNTS: Final = _read("amounts")
_CLOCKS: Final = _read("clocks")
_RUNS: Final = _read("run_notes")

HOLD: Final = Script("hold", _AMOUNTS, _CLOCKS, _RUNS)
DISPATCH: Final = Script("dispatch")
EXTEND: Final = Script("extend", _AMOUNTS)
SETTLE: Final = Script("settle", _AMOUNTS)
RELEASE: Final = Script("release")
RENEW: Final = Script("renew", _CLOCKS)
LAPSED: Final = Script("lapsed", _CLOCKS)
BALANCES: Final = Script("balances", _AMOUNTS)
KILL_RUN: Final = Script("kill_run", _CLOCKS, _RUNS)
RUNS: Final = Script("runs", _CLOCKS)
KILLED_RUNS: Final = Script("killed_runs", _CLOCKS)
