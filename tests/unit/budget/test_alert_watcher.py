"""Which alerts a standing raises, and that each is raised once: over looks, processes, restarts and windows."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import (
    Alert,
    BudgetSpec,
    BudgetStore,
    LineKind,
    Outbox,
    Receiver,
    Rung,
    Unit,
    Watcher,
    WindowKind,
)
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.core.secret import Secret
from proxy.state import StateFile

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LADDER = (Rung(800_000, "alert"), Rung(900_000, "throttle", delay_ms=100), Rung(1_000_000, "block"))
ALL = Receiver(name="all", url=Secret("http://127.0.0.1:9/"), kind="webhook")


def kinds(alerts: Iterable[Alert]) -> list[str]:
    return sorted(each.kind for each in alerts)


class Scene:
    """A store whose counters a test sets, watched as an admin process would."""

    def __init__(self, folder: Path) -> None:
        self.state = StateFile(folder / "state.sqlite")
        self.clock = SetClock(NOW)
        self.store = BudgetStore(self.state, clock=self.clock)
        self.restart()

    def restart(self) -> None:
        """A new process over the same file."""
        self.outbox = Outbox(self.state)
        self.watcher = Watcher(self.store, self.state, self.outbox, self.clock)

    def budget(self, ladder: tuple[Rung, ...] = LADDER, limit: int = 100, **more: Any) -> None:
        scope = more.pop("scope", "org:acme")
        self.store.put(BudgetSpec(name=more.pop("name", "b"), scope=scope, limit=Nano(limit), ladder=ladder, **more))

    def stand(
        self, spent: int, held: int = 0, overrun: int = 0, scope: str = "org:acme", name: str = "b", older: int = 0
    ) -> None:
        """Let a counter stand so in the present window, or in a bucket before it."""
        budget = self.store.get(name)
        assert budget is not None
        window = budget.window_at(self.clock.now_ns() - older * 10**9)
        with self.state.change() as connection:
            connection.execute(
                "INSERT INTO counters (budget, window, spent, held, overrun) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO"
                " UPDATE SET spent = excluded.spent, held = excluded.held, overrun = excluded.overrun",
                (budget.counter_of(scope), window.name, spent, held, overrun),
            )

    def look(self, refused: Mapping[tuple[str, str], int] | None = None) -> list[str]:
        return kinds(self.watcher.look((ALL,), refused))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_each_rung_that_is_reached_alerts_once(scene: Scene) -> None:
    scene.budget()
    assert scene.look() == []
    scene.stand(79)
    assert scene.look() == []
    scene.stand(80)
    assert scene.look() == ["alert"]
    assert scene.look() == []
    scene.stand(100)
    assert scene.look() == ["block", "throttle"]
    scene.restart()
    assert scene.look() == []


def test_an_alert_is_about_what_is_spent_and_other_rungs_count_what_is_held(scene: Scene) -> None:
    scene.budget()
    scene.stand(50, held=45)
    assert scene.look() == ["throttle"]


def test_the_next_window_alerts_again(scene: Scene) -> None:
    scene.budget(window=WindowKind.MONTH)
    scene.stand(85)
    assert scene.look() == ["alert"]
    scene.clock.move(15 * 86_400)
    assert scene.look() == []
    scene.stand(85)
    assert scene.look() == ["alert"]


@pytest.mark.parametrize("scope", ["org:acme", "user:acme/*"])
def test_what_is_spent_last_in_a_window_alerts_after_its_end(scene: Scene, scope: str) -> None:
    scene.budget(window=WindowKind.MINUTE, scope=scope)
    of = scope.replace("*", "u1")
    scene.stand(85, scope=of)
    scene.clock.move(59)
    assert scene.look() == ["alert"]
    scene.clock.move(10)
    scene.stand(95, scope=of, older=60)
    (raised,) = scene.watcher.look((ALL,))
    assert (raised.kind, raised.window, raised.scope) == ("throttle", "2026-11-20T12:00Z", of)
    scene.clock.move(60)
    assert scene.look() == []


def test_a_rolling_window_alerts_again_after_its_length(scene: Scene) -> None:
    scene.budget(window=WindowKind.ROLLING, length_s=3600)
    scene.stand(85)
    assert scene.look() == ["alert"]
    scene.clock.move(1800)
    scene.stand(60)
    assert scene.look() == ["block", "throttle"]
    scene.clock.move(1900)
    scene.stand(85)
    assert scene.look() == ["alert"]


def test_a_stated_limit_that_changes_makes_new_rungs_and_a_raise_does_not(scene: Scene) -> None:
    scene.budget()
    scene.stand(85)
    assert scene.look() == ["alert"]
    scene.store.raise_limit("b", Nano(1), until_ns=scene.clock.now_ns() + 10**9, reason="launch", made_by="anna")
    assert scene.look() == []
    scene.budget(limit=200)
    assert scene.look() == []
    scene.stand(161)
    assert scene.look() == ["alert"]


def test_a_soft_budget_alerts_at_its_limit_without_a_ladder(scene: Scene) -> None:
    scene.budget(ladder=(), hard=False)
    scene.stand(99, held=50)
    assert scene.look() == []
    scene.stand(100)
    assert scene.look() == ["alert"]


def test_a_hard_budget_tells_that_it_refuses_though_money_is_left(scene: Scene) -> None:
    scene.budget(ladder=())
    scene.stand(95)
    now_ns = scene.clock.now_ns()
    assert scene.look({("org:acme", "b"): now_ns - 30 * 86_400 * 10**9}) == []
    assert scene.look({("org:acme", "c"): now_ns, ("org:globex", "b"): now_ns}) == []
    assert scene.look({("org:acme", "b"): now_ns}) == ["block"]
    assert scene.look({("org:acme", "b"): now_ns}) == []


def test_a_scope_of_a_pattern_tells_that_it_refuses_before_it_has_spent_anything(scene: Scene) -> None:
    scene.budget(scope="user:acme/*")
    refused = {("user:acme/u1", "b"): scene.clock.now_ns()}
    (raised,) = scene.watcher.look((ALL,), refused)
    assert (raised.kind, raised.scope, raised.spent) == ("block", "user:acme/u1", 0)
    assert scene.look(refused) == []


def test_an_overrun_alerts_once_and_again_when_it_has_doubled(scene: Scene) -> None:
    scene.budget(ladder=())
    for overrun, expected in ((5, ["overrun"]), (9, []), (10, ["overrun"]), (19, []), (45, ["overrun"])):
        scene.stand(50, overrun=overrun)
        assert scene.look() == expected, overrun
        scene.restart()
    (last, *_) = scene.outbox.newest(limit=1)
    assert last.alert.overrun == 45


def test_rate_limits_alert_by_their_ladders_only(scene: Scene) -> None:
    scene.budget(ladder=(), kind=LineKind.RATE, unit=Unit.TOKENS, window=WindowKind.MINUTE, name="plain")
    scene.budget(ladder=LADDER[:1], kind=LineKind.RATE, unit=Unit.TOKENS, window=WindowKind.MINUTE, name="steep")
    for name in ("plain", "steep"):
        scene.stand(100, overrun=20, name=name)
    (raised,) = scene.watcher.look()
    assert (raised.kind, raised.budget, raised.subject) == ("alert", "steep", LineKind.RATE)


def test_places_alert_while_they_are_taken_once_an_hour(scene: Scene) -> None:
    scene.budget(ladder=LADDER[:1], kind=LineKind.RATE, unit=Unit.SLOTS, window=WindowKind.TOTAL)
    scene.stand(0, held=80)
    assert scene.look() == ["alert"]
    assert scene.look() == []
    scene.clock.move(3601)
    assert scene.look() == ["alert"]


def test_nothing_used_of_a_limit_of_nothing_is_no_crossing(scene: Scene) -> None:
    scene.budget(limit=0)
    assert scene.look() == []


def test_every_scope_of_a_pattern_alerts_for_itself(scene: Scene) -> None:
    scene.budget(scope="user:acme/*")
    for number in range(200):
        scene.stand(number, scope=f"user:acme/u{number}")
    alerts = [alert for alert in scene.watcher.look((ALL,)) if alert.kind == "alert"]
    assert len(alerts) == 120
    assert {alert.scope for alert in alerts} == {f"user:acme/u{number}" for number in range(80, 200)}
    assert scene.look() == []


def test_one_look_raises_a_thousand_and_the_next_the_rest(scene: Scene) -> None:
    scene.budget(ladder=LADDER[:1] + LADDER[2:], scope="user:acme/*")
    budget = scene.store.get("b")
    assert budget is not None
    with scene.state.change() as connection:
        connection.executemany(
            "INSERT INTO counters (budget, window, spent) VALUES (?, '2026-11', 90)",
            [(budget.counter_of(f"user:acme/u{number}"),) for number in range(1500)],
        )
    assert [len(scene.look()) for _ in range(3)] == [1000, 500, 0]


def test_watchers_at_the_same_moment_raise_it_once(scene: Scene, tmp_path: Path) -> None:
    scene.budget(scope="user:acme/*")
    for number in range(50):
        scene.stand(85, scope=f"user:acme/u{number}")

    def look(_: int) -> int:
        state = StateFile(tmp_path / "state.sqlite")
        store = BudgetStore(state, clock=scene.clock)
        return len(Watcher(store, state, Outbox(state), scene.clock).look((ALL,)))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(look, range(4))) == 50
    assert len(scene.outbox.due("all", scene.clock.now_ns(), 100)) == 50


def test_receivers_get_what_they_want(scene: Scene) -> None:
    scene.budget()
    scene.stand(100)
    wants = {
        "acme": Receiver(name="acme", url=ALL.url, kind="webhook", orgs=frozenset({"acme"})),
        "globex": Receiver(name="globex", url=ALL.url, kind="webhook", orgs=frozenset({"globex"})),
        "blocks": Receiver(name="blocks", url=ALL.url, kind="webhook", kinds=frozenset({"block"})),
    }
    scene.watcher.look(tuple(wants.values()))
    now_ns = scene.clock.now_ns()
    due = {name: kinds(each.alert for each in scene.outbox.due(name, now_ns, 9)) for name in wants}
    assert due == {"acme": ["alert", "block", "throttle"], "globex": [], "blocks": ["block"]}


def test_old_alerts_are_forgotten_and_what_was_not_sent_is_counted(scene: Scene) -> None:
    scene.outbox = Outbox(scene.state, kept=10)
    scene.watcher = Watcher(scene.store, scene.state, scene.outbox, scene.clock)
    scene.budget(scope="user:acme/*", ladder=LADDER[:1] + LADDER[2:])
    for number in range(12):
        scene.stand(85 + number % 3, scope=f"user:acme/u{number}")
    assert len(scene.look()) == 12
    assert len(scene.outbox.newest(limit=100)) == 10
    assert scene.outbox.figures.dropped == 2
    assert scene.look() == []


def test_claims_that_have_lapsed_are_forgotten(scene: Scene) -> None:
    scene.budget(window=WindowKind.MINUTE)
    scene.stand(85)
    scene.look()
    scene.clock.move(3 * 86_400)
    scene.stand(85)
    scene.look()
    with scene.state.read() as connection:
        assert connection.execute("SELECT count(*) FROM alert_claims").fetchone() == (1,)


def test_what_waits_for_a_receiver_that_is_gone_is_given_up(scene: Scene) -> None:
    scene.budget()
    scene.stand(85)
    scene.look()
    assert scene.outbox.give_up(["all"]) == 0
    assert scene.outbox.give_up(["other"]) == 1
    (kept,) = scene.outbox.newest(limit=10)
    assert kept.state == "failed"
    assert "no more" in kept.deliveries[0].error


def test_the_list_can_be_narrowed(scene: Scene) -> None:
    scene.budget(name="a", scope="team:acme/support")
    scene.budget(name="g", scope="org:globex")
    scene.stand(85, name="a", scope="team:acme/support")
    scene.look()
    scene.clock.move(60)
    scene.stand(85, name="g", scope="org:globex")
    scene.watcher.look(())
    listed = scene.outbox.newest
    now_ns = scene.clock.now_ns()

    def names(**asked: Any) -> list[str]:
        return [each.alert.budget for each in listed(limit=10, **asked)]

    assert names() == ["g", "a"]
    assert names(org="acme") == ["a"]
    assert names(org="acme", team="sales") == []
    assert names(org="acme", team="support") == ["a"]
    assert names(budget="g") == ["g"]
    assert names(kind="block") == []
    assert names(state="pending") == ["a"]
    assert names(state="untold") == ["g"]
    assert names(since_ns=now_ns) == ["g"]
    assert names(until_ns=now_ns) == ["a"]
    assert names(before=listed(limit=1)[0].number) == ["a"]
