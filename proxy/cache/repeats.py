"""Which requests a run has had answered: asked again within it, they are answered anew."""

from typing import Final

MOST: Final = 65_536


class Repeats:
    """Requests by run; bounded, forgetting the oldest half at a time.

    An agent that asks the same thing again was not content with what it got: it must not get it again.
    """

    def __init__(self, most: int = MOST) -> None:
        self._half = max(1, most // 2)
        self._young: set[tuple[bytes, str]] = set()
        self._old: set[tuple[bytes, str]] = set()

    def has(self, key: bytes, run: str) -> bool:
        """Whether this run has had an answer to the request of this key."""
        asked = (key, run)
        return asked in self._young or asked in self._old

    def note(self, key: bytes, run: str) -> None:
        """This run has had one."""
        self._young.add((key, run))
        if len(self._young) > self._half:
            self._old, self._young = self._young, set()
