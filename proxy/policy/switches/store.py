"""Kill switches in the state file: set, lifted, listed. Where hosts share the state, they share these as well."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any, Final, Literal

from proxy.core.clock import Clock
from proxy.core.ids import new_id
from proxy.policy.switches.board import Switches
from proxy.policy.switches.schema import ROOM, STEPS
from proxy.policy.switches.switch import Switch
from proxy.policy.switches.target import SwitchKind, SwitchTarget, parse_target
from proxy.state import StateFile, migrate

MOST_SET: Final = 1000
LONGEST_REASON: Final = 500
_KEPT: Final = 10_000
"""How many are remembered, ended ones among them."""
_COLUMNS: Final = "id, target, reason, made_by, since_ns, expires_ns, lifted_ns, lifted_by"
_IS_ON: Final = "(lifted_ns IS NULL AND (expires_ns IS NULL OR expires_ns > ?1))"
_NEWEST: Final = f"""SELECT number, {_COLUMNS} FROM kill_switches
    WHERE number < ?2 AND (?3 IS NULL OR org IS NULL OR org = ?3) AND (?4 IS NULL OR team IS NULL OR team = ?4)
    AND (?5 IS NULL OR {_IS_ON} = ?5) ORDER BY number DESC LIMIT ?6"""  # noqa: S608 - a constant
_GAUGE: Final = "flyball_kill_switches"
_LAST: Final = (1 << 63) - 1


class SwitchError(Exception):
    """A kill switch that cannot be set or lifted; nothing was changed. `fault` is how, `param` the field at fault."""

    def __init__(self, fault: Literal["invalid", "not_found", "ended"], said: str, param: str | None = None) -> None:
        super().__init__(said)
        self.fault: Final = fault
        self.param = param


class SwitchStore:
    """The one place where kill switches are set and lifted; every change makes workers look. Its methods block."""

    def __init__(self, state: StateFile, *, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        with closing(state.connect()) as connection:
            migrate(connection, ROOM, STEPS)

    def load(self) -> Switches:
        """All that are set now, the first set first."""
        with self._state.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM kill_switches WHERE {_IS_ON} ORDER BY number",  # noqa: S608 - constants
                (self._clock.now_ns(),),
            ).fetchall()
        return Switches([_switch(row) for row in rows])

    def set(self, target: SwitchTarget, *, reason: str, by: str, expires_ns: int | None = None) -> Switch:
        """Turn something off. What is off already is turned off once more: each is lifted by itself.

        Raises:
            SwitchError: there is no reason, it would have ended already, or too many are set.
        """
        now_ns = self._clock.now_ns()
        if not 0 < len(reason.strip()) <= LONGEST_REASON:
            raise SwitchError("invalid", f"a kill switch has a reason of 1 to {LONGEST_REASON} characters", "reason")
        if expires_ns is not None and expires_ns <= now_ns:
            raise SwitchError("invalid", "a kill switch ends in the future", "expires_at")
        made = Switch(id=new_id("kil"), target=target, reason=reason, by=by, since_ns=now_ns, expires_ns=expires_ns)
        with self._state.change() as connection:
            on = connection.execute(f"SELECT count(*) FROM kill_switches WHERE {_IS_ON}", (now_ns,))  # noqa: S608
            if on.fetchone()[0] >= MOST_SET:
                raise SwitchError("invalid", f"{MOST_SET} kill switches are set already; lift one first", "target")
            connection.execute(
                "INSERT INTO kill_switches (id, target, org, team, reason, made_by, since_ns, expires_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (made.id, target.text, target.org, target.team, reason, by, now_ns, expires_ns),
            )
            connection.execute(
                f"DELETE FROM kill_switches WHERE NOT {_IS_ON}"  # noqa: S608 - constants
                " AND number <= (SELECT max(number) FROM kill_switches) - ?2",
                (now_ns, _KEPT),
            )
        return made

    def lift(self, switch_id: str, *, by: str) -> Switch:
        """Let go on what a kill switch has turned off, unless another one does.

        Raises:
            SwitchError: there is none of that id, or it has ended.
        """
        now_ns = self._clock.now_ns()
        with self._state.change() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM kill_switches WHERE id = ?",  # noqa: S608 - constants
                (switch_id,),
            ).fetchone()
            if row is None:
                raise SwitchError("not_found", f"there is no kill switch {switch_id}")
            if not _switch(row).is_on(now_ns):
                raise SwitchError("ended", f"the kill switch {switch_id} has ended already")
            connection.execute(
                "UPDATE kill_switches SET lifted_ns = ?, lifted_by = ? WHERE id = ?", (now_ns, by, switch_id)
            )
        return self.one(switch_id)

    def one(self, switch_id: str) -> Switch:
        """The kill switch of that id, set or ended.

        Raises:
            SwitchError: there is none.
        """
        with self._state.read() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM kill_switches WHERE id = ?",  # noqa: S608 - constants
                (switch_id,),
            ).fetchone()
        if row is None:
            raise SwitchError("not_found", f"there is no kill switch {switch_id}")
        return _switch(row)

    def newest(
        self,
        *,
        limit: int,
        before: int | None = None,
        org: str | None = None,
        team: str | None = None,
        is_on: bool | None = None,
    ) -> list[tuple[int, Switch]]:
        """Kill switches with their numbers, the last set first, from the one before number `before`.

        `org` and `team` leave out those of others; what is everybody's stays. None is all.
        """
        asked = (self._clock.now_ns(), before or _LAST, org, team, None if is_on is None else int(is_on), limit)
        with self._state.read() as connection:
            rows = connection.execute(_NEWEST, asked).fetchall()
        return [(row[0], _switch(row[1:])) for row in rows]

    def metrics(self) -> str:
        """How many are set, by kind, in Prometheus' text format."""
        counts = dict.fromkeys(SwitchKind, 0)
        for each in self.load().all:
            counts[each.target.kind] += 1
        lines = [f"# HELP {_GAUGE} Kill switches that are set, by kind.", f"# TYPE {_GAUGE} gauge"]
        lines += [f'{_GAUGE}{{kind="{kind}"}} {count}' for kind, count in counts.items()]
        return "\n".join(lines) + "\n"


def _switch(row: Sequence[Any]) -> Switch:
    named = dict(zip(_COLUMNS.split(", "), row, strict=True))
    return Switch(
        id=named["id"],
        target=parse_target(named["target"]),
        reason=named["reason"],
        by=named["made_by"],
        since_ns=named["since_ns"],
        expires_ns=named["expires_ns"],
        lifted_ns=named["lifted_ns"],
        lifted_by=named["lifted_by"],
    )
