"""Noticing that the configuration file has changed, or what belongs to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

QUIET_LOOKS: Final = 10
"""How many looks an empty file is given to be filled: it is valid, and takes away all that stood in it."""


class FileWatch:
    """Whether a file differs from when it was last asked about, by its time, size and inode; or what lies beside it."""

    def __init__(self, path: Path | None, beside: Callable[[], object] = lambda: None) -> None:
        """`beside` gives something that is equal as long as nothing beside the file has changed."""
        self._path = path
        self._beside = beside
        self._seen = self._look()
        self._seen_beside = beside()
        self._looked_empty = 0

    def may_be_filled(self) -> bool:
        """Whether it is empty and has not been so for long: somebody may be about to write it. To be asked at each look
        that found it unchanged."""
        is_empty = self._seen is not None and self._seen[1] == 0
        self._looked_empty = self._looked_empty + 1 if is_empty else 0
        return 0 < self._looked_empty < QUIET_LOOKS

    def changed(self) -> bool:
        """Whether it changed since the last question; a file that is gone counts as unchanged."""
        now, beside = self._look(), self._beside()
        if (now is None or now == self._seen) and beside == self._seen_beside:
            return False
        self._seen = self._seen if now is None else now
        self._seen_beside = beside
        self._looked_empty = 0
        return True

    def _look(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
