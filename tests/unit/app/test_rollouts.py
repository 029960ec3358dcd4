"""Roll-backs stand until a person lifts them, and count anew from there; other versions of models are told once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from proxy.admin.audit import StateAuditLog
from proxy.admin.tables import Tables
from proxy.app.audit_post import Noticed
from proxy.app.rollouts import Rollouts
from proxy.app.stores import Stores
from proxy.budget import RoutingNote
from proxy.config import Config, load_config
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.policy import SwitchKind
from proxy.routing import Versions
from proxy.telemetry import ServedVersion, TelemetryUnavailable, VariantsQuery, VariantTotals

FILE: Final = """
providers: {up: {base_url: "http://127.0.0.1:9/v1"}}
routes:
  - model: assistant
    targets:
      - {provider: up, model: old, variant: stable, expect_model: "old-2026*"}
      - {provider: up, model: new, variant: canary, roll_back: {against: stable, min_calls: 10}}
"""
SPEC: Final = "variant:assistant/canary"
NOW: Final = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Rows:
    """What the store would answer; `asked` are the questions."""

    def __init__(self) -> None:
        self.asked: list[VariantsQuery] = []
        self.failed = 0
        self.versions: list[ServedVersion] = []
        self.away = False

    async def variants(self, asked: VariantsQuery, *, with_likeness: bool = True) -> list[VariantTotals]:
        """Both targets with a hundred calls, of which so many of the new one failed."""
        if self.away:
            raise TelemetryUnavailable("away")
        self.asked.append(asked)
        stable = VariantTotals("assistant", "stable", False, 100, 1, 90.0, 100.0, None, Nano(0), 0, 0, 0)
        return [stable, stable._replace(variant="canary", failed=self.failed), stable._replace(is_copy=True, failed=99)]

    async def served(self, start: datetime, end: datetime) -> list[ServedVersion]:
        """The versions that answered."""
        return self.versions


class House:
    """The watch over real stores in a folder."""

    def __init__(self, folder: Path) -> None:
        (folder / "flyball.yaml").write_text(FILE)
        self.config: Config = replace(load_config(folder / "flyball.yaml", {}), home=folder)
        self.clock = SetClock(NOW)
        self.stores = Stores.open(self.config, folder / "ledger.sqlite", self.clock)
        self.trail = StateAuditLog(Tables(self.stores.state))
        self.rows = Rows()
        self.watch = self.again()

    def again(self) -> Rollouts:
        """As after a restart."""
        noticed, versions = Noticed(self.trail, self.clock), Versions(self.stores.state)
        self.watch = Rollouts(self.rows, self.stores.switches, versions, noticed, self.clock)
        self.watch.take(self.config)
        return self.watch

    def noted(self, action: str) -> int:
        """How often something was noted in the audit trail."""
        return len(self.trail.newest(before=None, org=None, team=None, filters={"action": action}, limit=100))

    async def answered_as(self, *versions: tuple[str, str]) -> list[RoutingNote]:
        """What is newly told once the old target was seen to answer so."""
        before = len(self.watch.notes())
        self.rows.versions = [ServedVersion("up", "old", *version, 3, "op_1") for version in versions]
        self.clock.move(31)
        await self.watch.look()
        return list(self.watch.notes())[before:]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.stores.state.close()


async def test_a_target_that_fails_more_is_left_and_all_are_told_once(house: House) -> None:
    house.rows.failed = 6
    await house.watch.look()
    assert not house.stores.switches.load(), "five in a hundred more are within its rule"
    house.rows.failed = 7
    await house.watch.look()
    await house.watch.look()
    (switch,) = house.stores.switches.load().all
    assert (switch.target.kind, switch.target.text, switch.by) == (SwitchKind.VARIANT, SPEC, "flyball")
    assert "7.0 % of its 100 calls failed and 1.0 % of stable's 100" in switch.reason
    (note,) = house.watch.notes()
    assert note.about == SPEC and "7.0 %" in note.message
    assert house.noted("variant.roll_back") == 1
    assert house.stores.switches.load().of_variant("assistant", "canary") == switch
    assert house.stores.switches.load().of_variant("assistant", "stable") is None


async def test_it_survives_a_restart_and_comes_back_by_a_person_only_with_a_clean_sheet(house: House) -> None:
    house.rows.failed = 50
    await house.watch.look()
    (switch,) = house.stores.switches.load().all
    house.rows.failed = 0
    house.clock.move(3600)
    await house.again().look()
    assert house.stores.switches.load().all == (switch,), "nothing but a person lifts it"
    house.stores.switches.lift(switch.id, by="ada")
    lifted = house.stores.switches.one(switch.id)
    house.rows.asked.clear()
    await house.watch.look()
    assert not house.stores.switches.load()
    assert lifted.lifted_ns is not None
    assert house.rows.asked[-1].start.timestamp() == pytest.approx(lifted.lifted_ns / 1e9, abs=0.001)
    house.rows.failed = 50
    await house.watch.look()
    assert len(house.stores.switches.load().all) == 1


async def test_without_rows_nothing_is_rolled_back(house: House) -> None:
    house.rows.failed, house.rows.away = 50, True
    await house.watch.look()
    assert not house.stores.switches.load()


async def test_another_version_is_told_once_over_restarts_and_the_first_is_no_news(house: House) -> None:
    assert await house.answered_as(("old-2026-01", "fp_a")) == []
    assert await house.answered_as(("old-2026-01", "fp_a")) == []
    (told,) = await house.answered_as(("old-2026-01", "fp_a"), ("old-2026-01", "fp_b"))
    assert "old-2026-01 (fp_b)" in told.message and "old-2026-01 (fp_a)" in told.message
    assert told.operation == "op_1"
    house.again()
    assert await house.answered_as(("old-2026-01", "fp_b"), ("old-2026-01", "fp_a")) == []
    assert len(await house.answered_as(("old-2026-02", ""))) == 1
    assert house.noted("provider.version") == 2


async def test_a_model_that_is_not_the_expected_one_is_told_though_it_is_the_first(house: House) -> None:
    (told,) = await house.answered_as(("old-mini", ""))
    assert told.message == "The target up/old is to answer as old-2026* and has answered as old-mini."
    assert await house.answered_as(("old-mini", "")) == []
