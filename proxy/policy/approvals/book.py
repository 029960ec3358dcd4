"""Approvals in the state file: asked for, decided, used up once."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from proxy.core.ids import new_id
from proxy.policy.approvals.approval import (
    COLUMNS,
    WITHDRAWN,
    Approval,
    ApprovalRequest,
    ApprovalState,
    AskedCall,
    ParkedAnswer,
    approval_of,
)
from proxy.policy.approvals.faults import ApprovalsUnavailable, TooMany, Undecidable
from proxy.policy.approvals.schema import STEPS
from proxy.policy.approvals.sealing import CannotOpen, Sealer
from proxy.policy.approvals.settings import ApprovalSettings
from proxy.policy.point import Point
from proxy.state import StateAway, StateBusy, StateFile, migrate

UNFINISHED_NS: Final = 900_000_000_000
"""An answer that is not whole after so long was given up by its worker; its approval no longer counts."""
_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM approvals"  # noqa: S608 - a constant
_LIVE: Final = f"""{_SELECT} WHERE digest = ? AND point = ? AND state IN ('pending', 'approved', 'denied')
    AND expires_ns > ? ORDER BY id DESC LIMIT 1"""
_OPEN: Final = """SELECT 1 FROM approvals WHERE key_id = ? AND point = 'tool_call'
    AND state IN ('pending', 'approved', 'denied') AND expires_ns > ? LIMIT 1"""
_INSERT: Final = """INSERT INTO approvals (id, digest, point, org, team, key_id, key_name, owner, run, agent, end_user,
    endpoint, model, operation, revision, reason, estimate, tools, calls, made_ns, expires_ns, waits_until_ns, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')"""
_LIST: Final = f"""{_SELECT} WHERE (?1 IS NULL OR org = ?1) AND (?2 IS NULL OR team = ?2)
    AND (?3 IS NULL OR key_name = ?3) AND (?4 IS NULL OR point = ?4) AND (?5 IS NULL OR id < ?5)
    AND (?6 IS NULL OR (CASE WHEN state IN ('pending', 'approved') AND expires_ns <= ?7 THEN 'expired' ELSE state END) = ?6)
    ORDER BY id DESC LIMIT ?8"""  # noqa: E501 - read as one condition
_USE: Final = """UPDATE approvals SET state = 'used', used_by = ?, used_ns = ?
    WHERE id = ? AND state = 'approved' AND expires_ns > ?"""
_SAME: Final = """digest, point, org, team, key_id, key_name, owner, run, agent, end_user, endpoint, model, operation,
    revision, reason, estimate, tools, calls, made_ns, expires_ns"""
_ANEW: Final = f"""INSERT INTO approvals (id, {_SAME}, state) SELECT ?, {_SAME}, 'pending' FROM approvals
    WHERE id = ? AND state = 'pending' AND parked = 0"""  # noqa: S608 - a constant
_PARK: Final = """UPDATE approvals SET parked = ?1,
    calls = CASE state WHEN 'pending' THEN ?2 ELSE calls END, tools = CASE state WHEN 'pending' THEN ?3 ELSE tools END
    WHERE id = ?4 AND state IN ('pending', 'approved') AND parked = 0"""
"""Whoever said yes while the connection was held open has seen the calls of then: no others are approved by it."""
_EXPIRE: Final = "UPDATE approvals SET state = 'expired' WHERE state IN ('pending', 'approved') AND expires_ns <= ?"
_DROP: Final = """DELETE FROM approval_answers WHERE approval IN
    (SELECT id FROM approvals WHERE state IN ('expired', 'denied', 'used'))"""
_ENDED: Final = "SELECT 1 FROM approvals WHERE state IN ('pending', 'approved') AND expires_ns <= ? LIMIT 1"
_FORGET: Final = """DELETE FROM approvals WHERE id IN (SELECT id FROM approvals
    WHERE state IN ('expired', 'used') OR (state = 'denied' AND expires_ns <= ?) ORDER BY id LIMIT ?)"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which approvals are listed; None is any. `before` is the id of the last one that one has."""

    org: str | None = None
    team: str | None = None
    key: str | None = None
    point: str | None = None
    state: ApprovalState | None = None
    before: str | None = None


class ApprovalBook:
    """The approvals of all workers of a host; where hosts share the state, of all of them. Its methods block.

    Raises:
        ApprovalsUnavailable: by every method, when the state cannot be had now; nothing was changed.
    """

    def __init__(self, state: StateFile, sealer: Sealer, settings: ApprovalSettings | None = None) -> None:
        # A file object of its own: whoever holds the lock of another one may wait for the disk.
        self._state = StateFile(state.path, shared=state.shared)
        self._glances = StateFile(state.path)
        self._sealer = sealer
        self.settings = settings or ApprovalSettings()
        know_approvals(state)

    def digest(self, *parts: bytes) -> bytes:
        """What a request is known by."""
        return self._sealer.digest(*parts)

    # asking

    def pass_once(self, asked: ApprovalRequest) -> Approval:
        """The approval of this very request: `used` where it was approved, and is used up by this call; else as it
        stands. Where there is none it is asked for.

        Raises:
            TooMany: as many of this key wait as may.
        """
        with self._reading() as connection:
            known = self._live(connection, asked)
        if known is not None and known.state != "approved":
            return known
        with self._changing() as connection:
            known = self._live(connection, asked)
            if known is None:
                return self._insert(connection, asked, ())
            if known.state == "approved":
                _use(connection, known.id, asked.operation, asked.made_ns)
                return msgspec.structs.replace(known, state="used", used_by=asked.operation, used_ns=asked.made_ns)
            return known

    def ask_for_call(
        self, asked: ApprovalRequest, call: AskedCall, size: int, *, waits_until_ns: int = 0
    ) -> tuple[Approval, bool]:
        """The approval for a tool call in an answer of `size` bytes so far, and whether it was made by this.

        `waits_until_ns`: so long the answer's connection is held open for a decision.

        Raises:
            TooMany: as many of this key wait as may, or there is no more room for answers.
        """
        with self._changing() as connection:
            known = self._live(connection, asked)
            if known is not None and _was_given_up(known, asked.made_ns):
                _withdraw(connection, known.id)
                known = None
            if known is not None:
                return known, False
            self._require_room(connection, size)
            return self._insert(connection, asked, (call,), waits_until_ns), True

    def park(self, approval: str, calls: Sequence[AskedCall], answer: ParkedAnswer) -> bool:
        """Keep an answer, whole, until its calls are decided; false, and no longer asked, where there is no room.

        Several calls of one whose connection was held open are asked for anew: the old approval names the new one.
        """
        packed = msgspec.msgpack.encode(answer)
        known = self.find(approval)
        # With an open connection it could be decided on before all calls were there: what somebody looks at then must
        # not become another question under their hands.
        kept = new_id("apr") if len(calls) > 1 and known is not None and known.waits_until_ns else approval
        sealed = self._sealer.seal(f"answer {kept}", packed)
        with self._changing() as connection:
            try:
                self._require_room(connection, len(packed))
            except TooMany as error:
                _withdraw(connection, approval, error.message)
                return False
            if kept != approval and not _ask_anew(connection, approval, kept):
                kept, sealed = approval, self._sealer.seal(f"answer {approval}", packed)
            cursor = connection.execute(_PARK, (len(packed), self._sealed_calls(kept, calls), _names(calls), kept))
            if cursor.rowcount:
                connection.execute("INSERT INTO approval_answers (approval, sealed) VALUES (?, ?)", (kept, sealed))
            return bool(cursor.rowcount)

    def withdraw(self, approval: str, why: str = WITHDRAWN) -> None:
        """Ask no longer: there is nothing that could be approved."""
        with self._changing() as connection:
            _withdraw(connection, approval, why)

    def use(self, approval: str, operation: str, now_ns: int) -> bool:
        """Use up an approval whose answer is at hand; false where that was done, or it is not approved."""
        with self._changing() as connection:
            return _use(connection, approval, operation, now_ns)

    def revoke(self, operation: str, why: str) -> None:
        """Let the answer of this operation be given to nobody, though it is whole."""
        with self._changing() as connection:
            connection.execute(
                "UPDATE approvals SET state = 'expired', note = ? WHERE operation = ? AND point = 'tool_call'"
                " AND state IN ('pending', 'approved')",
                (why, operation),
            )
            connection.execute(_DROP)

    # having

    def may_have_open(self, key_id: str, now_ns: int) -> bool:
        """Whether there may be an approval of this key's tool calls; the one question that an event loop may ask.

        It waits for no lock: some ten microseconds. Where hosts share the state the answer is always yes.
        """
        if self._state.shared is not None:
            return True
        with as_unavailable(), self._glances.read() as connection:
            return connection.execute(_OPEN, (key_id, now_ns)).fetchone() is not None

    def of_call(self, digest: bytes, now_ns: int) -> Approval | None:
        """The approval of an answer to this request that is there whole, or was denied, if one holds now."""
        with self._reading() as connection:
            row = connection.execute(_LIVE, (digest, Point.TOOL_CALL.value, now_ns)).fetchone()
        found = None if row is None else _read(row)
        return found if found is not None and (found.is_whole or found.state == "denied") else None

    def take(self, approval: str, operation: str, now_ns: int) -> tuple[ParkedAnswer, tuple[AskedCall, ...]] | None:
        """The answer that was approved, and which calls were; once: None when another call has had it.

        Raises:
            CannotOpen: it was kept under another body-key.
        """
        with self._changing() as connection:
            if not _use(connection, approval, operation, now_ns):
                return None
            row = connection.execute(
                "SELECT a.sealed, p.calls FROM approval_answers AS a JOIN approvals AS p ON p.id = a.approval"
                " WHERE a.approval = ?",
                (approval,),
            ).fetchone()
            connection.execute("DELETE FROM approval_answers WHERE approval = ?", (approval,))
        if row is None:
            return None
        packed = self._sealer.open(f"answer {approval}", row[0])
        return msgspec.msgpack.decode(packed, type=ParkedAnswer), self._opened_calls(approval, row[1])

    # looking

    def find(self, approval: str) -> Approval | None:
        """One approval; None when there is none."""
        with self._reading() as connection:
            row = connection.execute(f"{_SELECT} WHERE id = ?", (approval,)).fetchone()
        return None if row is None else _read(row)

    def calls(self, approval: str) -> tuple[AskedCall, ...]:
        """The tool calls that it is about, for who may decide on them.

        Raises:
            CannotOpen: they were kept under another body-key.
        """
        with self._reading() as connection:
            row = connection.execute("SELECT calls FROM approvals WHERE id = ?", (approval,)).fetchone()
        return self._opened_calls(approval, None if row is None else row[0])

    def list(self, wanted: Wanted, now_ns: int, limit: int) -> list[Approval]:
        """Approvals, the latest first."""
        with self._reading() as connection:
            rows = connection.execute(
                _LIST,
                (*(wanted.org, wanted.team, wanted.key, wanted.point, wanted.before, wanted.state), now_ns, limit),
            ).fetchall()
        return [_read(row) for row in rows]

    def pending(self, now_ns: int, org: str | None = None, team: str | None = None) -> int:
        """How many wait for somebody."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT COUNT(*) FROM approvals WHERE state = 'pending' AND expires_ns > ?1"
                " AND (?2 IS NULL OR org = ?2) AND (?3 IS NULL OR team = ?3)",
                (now_ns, org, team),
            ).fetchone()
        return int(row[0])

    # deciding

    def decide(
        self, approval: str, verdict: Literal["approved", "denied"], *, by: str, note: str, now_ns: int
    ) -> Approval:
        """Say yes or no, once. Whether `by` may is for the caller to know.

        Raises:
            Undecidable: it is unknown, decided, expired, or not whole yet.
        """
        with self._changing() as connection:
            row = connection.execute(f"{_SELECT} WHERE id = ?", (approval,)).fetchone()
            found = None if row is None else _read(row)
            _require_pending(found, approval, now_ns)
            assert found is not None
            connection.execute(
                "UPDATE approvals SET state = ?, decided_by = ?, decided_ns = ?, note = ? WHERE id = ?",
                (verdict, by, now_ns, note, approval),
            )
            if verdict == "denied":
                connection.execute("DELETE FROM approval_answers WHERE approval = ?", (approval,))
        return msgspec.structs.replace(found, state=verdict, decided_by=by, decided_ns=now_ns, note=note)

    def sweep(self, now_ns: int) -> int:
        """Let what was not used in its time expire, and its answers be gone; how many there were."""
        with self._reading() as connection:
            if connection.execute(_ENDED, (now_ns,)).fetchone() is None:
                return 0
        with self._changing() as connection:
            ended = connection.execute(_EXPIRE, (now_ns,)).rowcount
            connection.execute(_DROP)
        return ended

    def close(self) -> None:
        """Let go of the file."""
        self._state.close()
        self._glances.close()

    # inside

    def _live(self, connection: sqlite3.Connection, asked: ApprovalRequest) -> Approval | None:
        row = connection.execute(_LIVE, (asked.digest, asked.point.value, asked.made_ns)).fetchone()
        return None if row is None else _read(row)

    def _insert(
        self,
        connection: sqlite3.Connection,
        asked: ApprovalRequest,
        calls: Sequence[AskedCall],
        waits_until_ns: int = 0,
    ) -> Approval:
        waiting = connection.execute(
            "SELECT COUNT(*) FROM approvals WHERE key_id = ? AND state = 'pending' AND expires_ns > ?",
            (asked.key_id, asked.made_ns),
        ).fetchone()[0]
        if waiting >= self.settings.max_pending_per_key:
            raise TooMany(
                "too_many_approvals",
                f"{waiting} approvals of this key wait for a person already, which is as many as may; no further one "
                "is made until one of them is decided or expires.",
            )
        self._forget_some(connection, asked.made_ns)
        made = Approval(
            id=new_id("apr"),
            state="pending",
            waits_until_ns=waits_until_ns,
            tools=tuple(call.name for call in calls),
            **{name: getattr(asked, name) for name in _ASKED},
            point=asked.point.value,
        )
        connection.execute(_INSERT, self._columns(asked, made, calls))
        return made

    def _columns(self, asked: ApprovalRequest, made: Approval, calls: Sequence[AskedCall]) -> tuple[object, ...]:
        who = (made.org, made.team, made.key_id, made.key_name, made.owner, made.run, made.agent, made.end_user)
        what = (made.endpoint, made.model, made.operation, made.revision, made.reason, made.estimate)
        sealed = self._sealed_calls(made.id, calls)
        when = (made.made_ns, made.expires_ns, made.waits_until_ns)
        return (made.id, asked.digest, made.point, *who, *what, _names(calls), sealed, *when)

    def _sealed_calls(self, approval: str, calls: Sequence[AskedCall]) -> bytes | None:
        return self._sealer.seal(f"calls {approval}", msgspec.msgpack.encode(tuple(calls))) if calls else None

    def _opened_calls(self, approval: str, sealed: bytes | None) -> tuple[AskedCall, ...]:
        if sealed is None:
            return ()
        opened = self._sealer.open(f"calls {approval}", sealed)
        return msgspec.msgpack.decode(opened, type=tuple[AskedCall, ...])

    def _require_room(self, connection: sqlite3.Connection, size: int) -> None:
        kept = connection.execute(
            "SELECT COALESCE(SUM(parked), 0) FROM approvals WHERE state IN ('pending', 'approved')"
        ).fetchone()[0]
        if size > self.settings.parked_answer_bytes:
            raise TooMany("parked_answer_too_large", "The answer is too large to be kept until a person decides.")
        if kept + size > self.settings.parked_bytes:
            raise TooMany("approvals_full", "There is no more room for answers that wait for a person.")

    def _forget_some(self, connection: sqlite3.Connection, now_ns: int) -> None:
        connection.execute(_EXPIRE, (now_ns,))
        connection.execute(_DROP)
        count = connection.execute("SELECT COUNT(*) FROM approvals").fetchone()[0]
        if count >= self.settings.kept:
            connection.execute(_FORGET, (now_ns, count - self.settings.kept + 1))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with as_unavailable():
            if self._state.shared is not None:
                self._state.follow()  # what was decided on another host a moment ago counts here
            with self._state.read() as connection:
                yield connection

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with as_unavailable(), self._state.change(reloads=False) as connection:
            yield connection


@contextlib.contextmanager
def as_unavailable() -> Iterator[None]:
    """The only place where it is known by name what the state file raises."""
    try:
        yield
    except (StateBusy, StateAway, sqlite3.Error, OSError) as error:
        raise ApprovalsUnavailable(f"{type(error).__name__}: {error}") from error


def know_approvals(state: StateFile) -> None:
    """Make the tables where they are missing, so that what other hosts write can be followed."""
    with contextlib.closing(state.connect()) as connection:
        migrate(connection, "approvals", STEPS)


_ASKED: Final = tuple(name for name in ApprovalRequest.__struct_fields__ if name not in ("digest", "point"))


def _read(row: Sequence[object]) -> Approval:
    values = dict(zip(COLUMNS, row, strict=True))
    return approval_of(tuple(row), msgspec.json.decode(str(values["tools"]), type=tuple[str, ...]))


def _names(calls: Sequence[AskedCall]) -> str:
    return msgspec.json.encode([call.name for call in calls]).decode()


def _use(connection: sqlite3.Connection, approval: str, operation: str, now_ns: int) -> bool:
    """Whether it was approved and not used yet; now it is."""
    return connection.execute(_USE, (operation, now_ns, approval, now_ns)).rowcount == 1


def _withdraw(connection: sqlite3.Connection, approval: str, why: str = WITHDRAWN) -> None:
    connection.execute(
        "UPDATE approvals SET state = 'expired', note = ? WHERE id = ? AND state IN ('pending', 'approved')"
        " AND parked = 0",
        (why, approval),
    )


def _ask_anew(connection: sqlite3.Connection, old: str, new: str) -> bool:
    """Ask the same under another id; whether the old one still waited."""
    if connection.execute(_ANEW, (new, old)).rowcount != 1:
        return False
    _withdraw(connection, old, f"asked for anew with all calls of the answer: {new}")
    return True


def _was_given_up(known: Approval, now_ns: int) -> bool:
    """Whether the answer that it is about never came whole, and is not waited for any more."""
    if known.is_whole or now_ns < known.waits_until_ns:
        return False
    return known.state != "pending" or known.made_ns + UNFINISHED_NS <= now_ns


def _require_pending(found: Approval | None, approval: str, now_ns: int) -> None:
    if found is None:
        raise Undecidable("unknown", f"There is no approval {approval}")
    standing = found.standing(now_ns)
    if standing == "expired":
        raise Undecidable("expired", f"The approval {approval} has expired")
    if standing != "pending":
        raise Undecidable("decided", f"The approval {approval} is {standing} already, by {found.decided_by}")
    if not found.is_decidable(now_ns):
        raise Undecidable("incomplete", f"The answer that {approval} is about is still coming; try again in a moment")


__all__ = ["ApprovalBook", "CannotOpen", "Wanted"]
