"""Noticing that the configuration file has changed."""

from pathlib import Path


class FileWatch:
    """Whether a file differs from when it was last asked about, by its time, size and inode."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether it changed since the last question; a file that is gone counts as unchanged."""
        now = self._look()
        if now is None or now == self._seen:
            return False
        self._seen = now
        return True

    def _look(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
