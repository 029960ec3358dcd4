"""The Lua scripts: one per step, shipped beside this file, known to Redis by their digests."""

from hashlib import sha1
from importlib import resources
from typing import Final


class Script:
    """A script's text and the digest that Redis knows it by."""

    __slots__ = ("digest", "name", "text")

    def __init__(self, name: str) -> None:
        self.name: Final = name
        flags, _, body = _read(name).partition("\n")
        # The first line says what the script may do; Redis wants it first.
        self.text: Final = f"{flags}\n{_AMOUNTS}{body}".encode()
        self.digest: Final = sha1(self.text, usedforsecurity=False).hexdigest().encode()


def _read(name: str) -> str:
    return (resources.files("proxy.budget.redis") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


_AMOUNTS: Final = _read("amounts")

HOLD: Final = Script("hold")
DISPATCH: Final = Script("dispatch")
EXTEND: Final = Script("extend")
SETTLE: Final = Script("settle")
RELEASE: Final = Script("release")
RENEW: Final = Script("renew")
LAPSED: Final = Script("lapsed")
BALANCES: Final = Script("balances")
