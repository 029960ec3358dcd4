"""What targets are thought of, by what became of the calls to them."""

from datetime import UTC, datetime
from random import Random

import pytest

from proxy.core.clock import SetClock
from proxy.routing import Candidate, Ended, EndKind, Headroom, Health, HealthSettings

ONE = Candidate("up", "m")
TWIN = Candidate("up", "other")
SETTINGS = HealthSettings(window_s=30)
NOW = datetime(2026, 11, 30, tzinfo=UTC)


class Trial:
    """Health over a clock that is moved by hand."""

    def __init__(self, settings: HealthSettings = SETTINGS) -> None:
        self.clock = SetClock(NOW)
        self.health = Health(settings, self.clock, Random(7))

    def call(self, kind: EndKind = "ok", took_s: float = 0.1, candidate: Candidate = ONE, **more: object) -> None:
        """One call from its beginning to its end."""
        self.health.began(candidate)
        self.clock.move(took_s)
        self.health.ended(candidate, Ended(kind, took_ms=took_s * 1000, **more))  # type: ignore[arg-type]

    def fail(self, times: int = SETTINGS.min_calls, **more: object) -> None:
        """So many calls that fail."""
        for _ in range(times):
            self.call("fault", **more)  # type: ignore[arg-type]

    def admitted(self, looks: int = 1000) -> int:
        """Of so many calls, how many might go to the target now."""
        return sum(self.health.look(ONE).ready for _ in range(looks))


def test_a_target_that_was_never_asked_is_ready() -> None:
    look = Trial().health.look(ONE)
    assert (look.ready, look.wait_s, look.ttft_ms, look.tokens_per_s, look.busy, look.headroom) == (
        True,
        0,
        None,
        None,
        0,
        1,
    )


def test_failing_calls_open_the_breaker_once_there_are_enough_of_them() -> None:
    trial = Trial()
    trial.fail(SETTINGS.min_calls - 1)
    assert trial.health.look(ONE).ready
    trial.fail(1)
    look = trial.health.look(ONE)
    assert not look.ready
    assert "open" in look.why
    assert 0 < look.wait_s <= SETTINGS.pause_s * 1.1


def test_fewer_failures_than_the_rate_leave_it_closed() -> None:
    trial = Trial()
    for _ in range(12):
        trial.call("ok")
        trial.call("ok")
        trial.call("fault")
    assert trial.health.look(ONE).ready


def test_failures_of_long_ago_are_forgotten() -> None:
    trial = Trial()
    trial.fail(SETTINGS.min_calls - 1)
    trial.clock.move(SETTINGS.window_s + 3)
    trial.fail(1)
    assert trial.health.look(ONE).ready


@pytest.mark.parametrize("kind", ["ours", "cancelled", "ok"])
def test_what_is_not_the_targets_fault_never_counts(kind: EndKind) -> None:
    trial = Trial()
    for _ in range(100):
        trial.call(kind)
    assert trial.health.look(ONE) == trial.health.look(ONE)
    assert trial.health.look(ONE).ready


def test_slow_calls_open_it_too() -> None:
    trial = Trial()
    for _ in range(SETTINGS.min_calls):
        trial.call("ok", took_s=1, ttft_ms=SETTINGS.slow_ttft_s * 1000 + 1)
    assert not trial.health.look(ONE).ready
    drip = Trial(HealthSettings(window_s=30, slow_tokens_per_s=20))
    for _ in range(SETTINGS.min_calls):
        assert drip.health.look(ONE).ready
        drip.call("ok", took_s=3, ttft_ms=100.0, output_tokens=32)
    assert not drip.health.look(ONE).ready
    given_up = Trial()
    for _ in range(SETTINGS.min_calls):
        given_up.call("slow", took_s=2)
    assert not given_up.health.look(ONE).ready


def test_it_is_tried_by_a_bounded_number_of_calls() -> None:
    trial = Trial()
    trial.fail()
    trial.clock.move(3)
    went = 0
    for _ in range(100):
        if trial.health.look(ONE).ready:
            trial.health.began(ONE)
            went += 1
    assert went == SETTINGS.probes
    trial.clock.move(SETTINGS.pause_s)
    assert trial.health.look(ONE).ready, "probes that hang keep their places for a pause only"


def test_a_probe_that_fails_keeps_it_away_for_longer_up_to_a_bound() -> None:
    trial, waits = Trial(), []
    trial.fail()
    for _ in range(6):
        waits.append(trial.health.look(ONE).wait_s)
        trial.clock.move(waits[-1] + 1)
        trial.call("fault")
    assert waits[1] > waits[0] * 1.5
    assert max(waits) <= SETTINGS.max_pause_s * 1.1


def test_one_that_is_back_gets_more_calls_little_by_little() -> None:
    trial = Trial()
    trial.fail()
    trial.clock.move(3)
    trial.call("ok")
    shares = []
    for _ in range(5):
        shares.append(trial.admitted())
        trial.clock.move(SETTINGS.ramp_s / 5)
    assert 50 < shares[0] < 200
    assert shares == sorted(shares)
    trial.clock.move(SETTINGS.ramp_s)
    assert trial.admitted() == 1000


def test_one_that_fails_again_while_it_comes_back_is_left_alone_at_once() -> None:
    trial = Trial()
    trial.fail()
    trial.clock.move(3)
    trial.call("ok")
    trial.fail(3)
    assert trial.admitted() == 0


def test_answers_to_calls_of_before_the_trial_do_not_end_it() -> None:
    trial = Trial()
    trial.health.began(ONE)
    trial.fail()
    trial.clock.move(3)
    assert trial.health.look(ONE).ready
    trial.health.ended(ONE, Ended("ok", took_ms=3_800.0))
    trial.health.began(ONE)
    trial.health.began(ONE)
    assert not trial.health.look(ONE).ready, "it is still being tried"


def test_a_streams_first_output_ends_the_trial() -> None:
    trial = Trial()
    trial.fail()
    trial.clock.move(3)
    trial.health.look(ONE)
    trial.health.began(ONE)
    trial.clock.move(1)
    trial.health.answered(ONE, 1000.0)
    assert 50 < trial.admitted() < 200


def test_a_provider_that_cannot_be_reached_is_left_alone_under_all_its_names() -> None:
    trial = Trial()
    trial.fail(reached=False)
    assert not trial.health.look(ONE).ready
    assert "provider" in trial.health.look(TWIN).why
    trial.clock.move(3)
    assert trial.health.look(TWIN).ready
    trial.call("ok", candidate=TWIN)
    trial.clock.move(SETTINGS.ramp_s + 1)
    assert trial.health.look(ONE).ready


def test_a_failing_model_leaves_its_providers_others_alone() -> None:
    trial = Trial()
    trial.fail(50)
    assert not trial.health.look(ONE).ready
    assert trial.health.look(TWIN).ready


def test_a_429_is_a_cooldown_as_long_as_it_says() -> None:
    trial = Trial()
    trial.call("limited", retry_after_s=20.0)
    look = trial.health.look(ONE)
    assert not look.ready
    assert 19 < look.wait_s <= 20
    trial.clock.move(21)
    assert 0 < trial.admitted() < 500, "it comes back little by little"
    trial.clock.move(SETTINGS.ramp_s)
    assert trial.admitted() == 1000


def test_a_429_that_says_nothing_is_a_short_one_that_grows() -> None:
    trial, waits = Trial(), []
    for _ in range(12):
        trial.call("limited")
        waits.append(round(trial.health.look(ONE).wait_s))
        trial.clock.move(waits[-1])
    assert waits[:4] == [2, 4, 8, 16]
    assert max(waits) <= SETTINGS.max_cooldown_s
    trial.call("ok")
    trial.call("limited")
    assert round(trial.health.look(ONE).wait_s) == 2


def test_many_429s_at_once_are_one_cooldown() -> None:
    trial = Trial()
    for _ in range(20):
        trial.call("limited", took_s=0)
    assert trial.health.look(ONE).wait_s <= 2


def test_no_cooldown_is_longer_than_is_set() -> None:
    trial = Trial()
    trial.call("limited", retry_after_s=86_400.0)
    assert trial.health.look(ONE).wait_s <= SETTINGS.max_cooldown_s


def test_headroom_is_told_until_the_limits_are_full_again() -> None:
    trial = Trial()
    trial.call("ok", headroom=Headroom(0.05, 30.0))
    assert trial.health.look(ONE).headroom == 0.05
    trial.clock.move(31)
    assert trial.health.look(ONE).headroom == 1


def test_headers_are_asked_for_once_a_second() -> None:
    trial = Trial()
    trial.health.began(ONE)
    asked = []
    for _ in range(40):
        asked.append(trial.health.asks_limits(ONE))
        trial.clock.move(0)
    assert sum(asked) == 1
    trial.clock.move(1)
    assert trial.health.asks_limits(ONE)


def test_paces_fade_with_time_and_not_with_the_number_of_calls() -> None:
    trial = Trial()
    for _ in range(1000):
        trial.call("ok", took_s=0, ttft_ms=100.0)
    trial.clock.move(60)
    trial.call("ok", took_s=0, ttft_ms=1000.0)
    first = trial.health.look(ONE).ttft_ms
    assert first is not None
    assert 800 < first < 1000
    trial.clock.move(400)
    assert trial.health.look(ONE).ttft_ms is None


def test_the_time_to_first_output_is_known_before_the_answer_is_whole() -> None:
    trial = Trial()
    trial.health.began(ONE)
    trial.health.answered(ONE, 250.0)
    assert trial.health.look(ONE).ttft_ms == 250.0


def test_tokens_a_second_are_of_the_time_after_the_first() -> None:
    trial = Trial()
    trial.call("ok", took_s=11, ttft_ms=1000.0, output_tokens=500)
    assert trial.health.look(ONE).tokens_per_s == pytest.approx(50)


def test_calls_under_way_are_counted_and_never_below_none() -> None:
    trial = Trial()
    trial.health.began(ONE)
    trial.health.began(ONE)
    assert trial.health.look(ONE).busy == 2
    for _ in range(4):
        trial.health.ended(ONE, Ended("cancelled"))
    assert trial.health.look(ONE).busy == 0


def test_targets_are_bounded_and_those_in_use_are_kept() -> None:
    trial = Trial()
    trial.health.began(ONE)
    for number in range(5_000):
        trial.call("fault", took_s=0, candidate=Candidate("up", f"m{number}"))
    assert len(trial.health._targets) <= 2_000
    assert trial.health.look(ONE).busy == 1
