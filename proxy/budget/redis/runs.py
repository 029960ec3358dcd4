"""Runs in Redis, beside the holds that begin and count them: killing, listing."""

from typing import Any, Final

from proxy.budget.ledger import RunState
from proxy.budget.redis.keys import Keys, run_member
from proxy.budget.redis.scripts import KILL_RUN, KILLED_RUNS, RUNS
from proxy.budget.redis.steps import Scripted

MOST_LISTED: Final = 1000
_US: Final = 1000


class KillRun(Scripted[bool]):
    """Let a run take no more calls; whether it could take any before."""

    __slots__ = ("_at_ns", "_keys", "_memory_s", "_now_ns", "_run")

    script = KILL_RUN
    droppable = False

    def __init__(self, keys: Keys, run: tuple[str, str, str], at_ns: int, now_ns: int, memory_s: int) -> None:
        super().__init__()
        self._keys = keys
        self._run = run
        self._at_ns = at_ns
        self._now_ns = now_ns
        self._memory_s = memory_s

    def touched(self) -> list[bytes]:
        """See kill_run.lua."""
        return self._keys.of_runs(self._run[0])

    def arguments(self) -> list[bytes]:
        """See kill_run.lua."""
        return [run_member(*self._run), b"%d" % self._at_ns, b"%d" % self._now_ns, b"%d" % self._memory_s]

    def read(self, reply: Any) -> bool:
        """Whether it was not killed before."""
        return bool(reply == 1)


class Runs(Scripted[list[RunState]]):
    """The latest runs, of one org or of all."""

    __slots__ = ("_before_ns", "_keys", "_limit", "_now_ns", "_org")

    script = RUNS

    def __init__(self, keys: Keys, org: str | None, limit: int, before_ns: int | None, now_ns: int) -> None:
        super().__init__()
        self._keys = keys
        self._org = org
        self._limit = min(limit, MOST_LISTED)
        self._before_ns = before_ns
        self._now_ns = now_ns

    def touched(self) -> list[bytes]:
        """See runs.lua."""
        keys = self._keys
        return [keys.runs, keys.runs_seen if self._org is None else keys.runs_of(self._org)]

    def arguments(self) -> list[bytes]:
        """See runs.lua."""
        before = b"" if self._before_ns is None else b"%d" % self._before_ns
        return [b"%d" % self._limit, before, b"%d" % self._now_ns]

    def read(self, reply: Any) -> list[RunState]:
        """The most recent first."""
        return [_state_of(member, noted) for member, noted in zip(reply[::2], reply[1::2], strict=True)]


class KilledRuns(Scripted[frozenset[tuple[str, str, str]]]):
    """The runs killed since an instant."""

    __slots__ = ("_keys", "_now_ns", "_since_ns")

    script = KILLED_RUNS

    def __init__(self, keys: Keys, since_ns: int, now_ns: int) -> None:
        super().__init__()
        self._keys = keys
        self._since_ns = since_ns
        self._now_ns = now_ns

    def touched(self) -> list[bytes]:
        """See killed_runs.lua."""
        return [self._keys.runs_killed]

    def arguments(self) -> list[bytes]:
        """See killed_runs.lua."""
        return [b"%d" % self._since_ns, b"%d" % self._now_ns]

    def read(self, reply: Any) -> frozenset[tuple[str, str, str]]:
        """Org, key id, name."""
        return frozenset(_run_of(member) for member in reply)


def _run_of(member: bytes) -> tuple[str, str, str]:
    org, key_id, name = member.split(b"\0", 2)
    return org.decode(), key_id.decode(), name.decode()


def _state_of(member: bytes, noted: bytes) -> RunState:
    started, last, depth, calls, killed, parent = noted.split(b" ", 5)
    return RunState(
        *_run_of(member),
        parent=parent.decode(),
        depth=int(depth),
        started_ns=int(started) * _US,
        last_ns=int(last) * _US,
        calls=int(calls),
        killed_ns=int(killed) * _US or None,
    )
