"""What the host's workers keep of semantic entries: one SQLite file, bounded by bytes."""

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from gptcache.manager.scalar_data.base import CacheData, CacheStorage

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, partition TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
  vector BLOB NOT NULL, made_s INTEGER NOT NULL, used_s INTEGER NOT NULL, size INTEGER NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS entries_by_use ON entries (used_s);
CREATE INDEX IF NOT EXISTS entries_deleted ON entries (deleted) WHERE deleted;
"""
_OVERHEAD: Final = 256
_BUSY_MS: Final = 50


class SqlitePayloads(CacheStorage):
    """See gptcache's CacheStorage: a session is a partition. From any thread; raises sqlite3.Error."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._base = sqlite3.connect(file, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
        file.chmod(0o600)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        self.create()

    def create(self) -> None:
        """See CacheStorage."""
        with self._lock:
            self._base.executescript(_SCHEMA)

    def batch_insert(self, all_data: Iterable[CacheData]) -> list[int]:
        """See CacheStorage: the ids they are given."""
        now_s = int(time.time())
        ids: list[int] = []
        with self._lock:
            for data in all_data:
                vector = np.asarray(data.embedding_data, dtype=np.float32).astype(np.float16).tobytes()
                answer = str(data.answers[0].answer) if data.answers else ""
                size = len(vector) + len(data.question) + len(answer) + _OVERHEAD
                row = (data.session_id or "", data.question, answer, vector, now_s, now_s, size)
                told = self._base.execute(
                    "INSERT INTO entries (partition, question, answer, vector, made_s, used_s, size) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
                ids.append(int(told.lastrowid or 0))
        return ids

    def get_data_by_id(self, key: int) -> CacheData | None:
        """See CacheStorage."""
        with self._lock:
            found = self._base.execute(
                "SELECT question, answer, vector, partition, made_s, used_s FROM entries WHERE id = ? AND NOT deleted",
                (key,),
            ).fetchone()
        if found is None:
            return None
        question, answer, vector, partition, made_s, used_s = found
        made, used = (datetime.fromtimestamp(at, UTC) for at in (made_s, used_s))
        return CacheData(question, [answer], _vector(vector), partition, made, used)

    def touch(self, keys: Iterable[int]) -> None:
        """These were used now."""
        now_s = int(time.time())
        with self._lock:
            self._base.executemany("UPDATE entries SET used_s = ? WHERE id = ?", [(now_s, key) for key in keys])

    def since(self, key: int, most: int) -> list[tuple[int, str, Any]]:
        """Entries that were added after this one, by whatever worker: id, partition and vector."""
        with self._lock:
            rows = self._base.execute(
                "SELECT id, partition, vector FROM entries WHERE id > ? AND NOT deleted ORDER BY id LIMIT ?",
                (key, most),
            ).fetchall()
        return [(id, partition, _vector(vector)) for id, partition, vector in rows]

    def older_than(self, age_s: int) -> list[int]:
        """The entries that were made longer ago."""
        with self._lock:
            rows = self._base.execute("SELECT id FROM entries WHERE made_s < ?", (int(time.time()) - age_s,)).fetchall()
        return [id for (id,) in rows]

    def oldest_beyond(self, max_bytes: int) -> list[int]:
        """The entries that were used longest ago, as many as must go for the others to fit."""
        with self._lock:
            (held,) = self._base.execute("SELECT coalesce(sum(size), 0) FROM entries WHERE NOT deleted").fetchone()
            if held <= max_bytes:
                return []
            rows = self._base.execute("SELECT id, size FROM entries WHERE NOT deleted ORDER BY used_s, id")
            gone: list[int] = []
            for id, size in rows:
                gone.append(id)
                held -= size
                if held <= max_bytes * 9 // 10:
                    break
        return gone

    def mark_deleted(self, keys: Iterable[int]) -> None:
        """See CacheStorage."""
        with self._lock:
            self._base.executemany("UPDATE entries SET deleted = 1 WHERE id = ?", [(key,) for key in keys])

    def clear_deleted_data(self) -> None:
        """See CacheStorage."""
        with self._lock:
            self._base.execute("DELETE FROM entries WHERE deleted")

    def get_ids(self, deleted: bool = True) -> list[int]:
        """See CacheStorage."""
        with self._lock:
            return [id for (id,) in self._base.execute("SELECT id FROM entries WHERE deleted = ?", (int(deleted),))]

    def count(self, state: int = 0, is_all: bool = False) -> int:
        """See CacheStorage."""
        with self._lock:
            (held,) = self._base.execute(
                "SELECT count(*) FROM entries WHERE ? OR deleted = (? < 0)", (is_all, state)
            ).fetchone()
        return int(held)

    def add_session(self, question_id: int, session_id: str, session_question: str) -> None:
        """See CacheStorage: an entry has its partition when it is inserted, and never gets another."""

    def list_sessions(self, session_id: str | None = None, key: int | None = None) -> list[str]:
        """See CacheStorage."""
        with self._lock:
            rows = self._base.execute(
                "SELECT DISTINCT partition FROM entries WHERE (? IS NULL OR id = ?) AND (? IS NULL OR partition = ?)",
                (key, key, session_id, session_id),
            ).fetchall()
        return [partition for (partition,) in rows]

    def delete_session(self, keys: Sequence[int]) -> None:
        """See CacheStorage: sessions go with their entries."""

    def report_cache(self, *told: object) -> None:
        """See CacheStorage: rows of calls tell of hits."""

    def close(self) -> None:
        """See CacheStorage."""
        with self._lock:
            self._base.close()


def _vector(raw: bytes) -> Any:
    return np.frombuffer(raw, dtype=np.float16).astype(np.float32)
