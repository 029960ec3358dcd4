"""The course of a call over its targets: no ceiling is ever passed, and retries keep to their share."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.outcome import Purpose
from proxy.routing import Allowances, AttemptSettings, Candidate, Course, Fault, Step, attempt_problems
from proxy.routing.allowance import RESERVE
from proxy.routing.attempt_settings import USUAL, FallbackSettings, HedgeSettings, RetrySettings

A, B, C = Candidate("a", "m"), Candidate("b", "other"), Candidate("c", "org/M")
triggers = st.sampled_from((None, *USUAL, "content_filter", "invalid_json"))
waits = st.one_of(st.none(), st.floats(0, 20))
faults = st.builds(Fault, triggers, st.just("x"), st.booleans(), st.booleans(), waits)
settings = st.builds(
    AttemptSettings,
    st.builds(
        FallbackSettings,
        when=st.lists(st.sampled_from(USUAL), unique=True).map(tuple),
        max_attempts=st.integers(1, 6),
        max_s=st.floats(0.1, 60),
    ),
    st.builds(
        RetrySettings,
        times=st.integers(0, 4),
        base_ms=st.integers(0, 500),
        cap_ms=st.integers(0, 3000),
        retry_after_s=st.floats(0, 10),
        after_sent=st.booleans(),
    ),
)


@given(settings, st.lists(st.tuples(faults, st.floats(0, 5), st.booleans()), max_size=30), st.floats(0, 0.999))
def test_no_ceiling_is_ever_passed(made: AttemptSettings, story: list[tuple[Fault, float, bool]], luck: float) -> None:
    course = Course((A, B, C), made, Allowances(), lambda: luck)
    step, at_s, asked = Step(A), 0.0, [A]
    course.begin(step)
    for fault, took_s, possible in story:
        at_s += took_s
        last = course.is_last
        following = course.after(step.candidate, fault, at_s)
        if following is None:
            continue
        assert not last, "what is said to be the last is the last"
        assert fault.trigger is not None
        if not possible:
            left = len(course.left)
            course.drop(following)
            assert len(course.left) < left or following.is_retry
            continue
        if following.is_retry:
            assert following.candidate == step.candidate
            assert fault.repeatable
            assert made.retry.after_sent or not fault.billed
            assert (fault.wait_s or 0) <= following.wait_s <= (fault.wait_s or 0) + made.retry.cap_ms / 1000
            assert (fault.wait_s or 0) <= made.retry.retry_after_s
        else:
            assert fault.trigger in made.fallback.when
            assert following.candidate not in asked
            asked.append(following.candidate)
        at_s += following.wait_s
        assert at_s < made.fallback.max_s
        course.begin(following)
        step = following
        assert course.made <= made.fallback.max_attempts
        assert course.retries <= made.retry.times


@given(st.lists(st.sampled_from(["earn", "spend"]), max_size=200), st.floats(0, 1))
def test_further_requests_keep_to_their_share(story: list[str], ratio: float) -> None:
    allowances, earned, spent = Allowances(), 0, 0
    for what in story:
        if what == "earn":
            allowances.earn("retry", A, ratio)
            earned += 1
        elif allowances.has("retry", A):
            allowances.spend("retry", A)
            spent += 1
    assert spent <= RESERVE + ratio * earned
    assert allowances.has("hedge", A), "each use has its own"


def test_the_targets_seen_longest_ago_are_forgotten() -> None:
    allowances = Allowances()
    for number in range(5000):
        allowances.earn("retry", Candidate("a", str(number)), 0.1)
    assert len(allowances._left) == 4096


def test_the_same_model_elsewhere_comes_first_and_last_where_it_is_the_model_that_failed() -> None:
    course = Course((A, B, C), AttemptSettings(), Allowances(), lambda: 0.0)
    course.begin(Step(A))
    assert course.after(A, Fault("server_error", "http_500"), 0) == Step(C)
    assert course.after(A, Fault("context_length", "context_length"), 0) == Step(B)


def test_a_target_is_asked_beside_another_within_its_allowance() -> None:
    made = AttemptSettings(hedge=HedgeSettings(after_ms=10, ratio=0.0))
    allowances = Allowances()
    for _ in range(RESERVE):
        course = Course((A, B), made, allowances, lambda: 0.0)
        course.begin(Step(A))
        assert course.beside(A, 0) == Step(B, Purpose.HEDGE)
        course.spend_hedge(A)
    course = Course((A, B), made, allowances, lambda: 0.0)
    course.begin(Step(A))
    assert course.beside(A, 0) is None


def test_what_cannot_be_meant_is_told_with_its_key() -> None:
    wrong = attempt_problems(
        FallbackSettings(max_attempts=0, max_cost_ratio=Decimal("0.5"), slow_start_ms=0),
        RetrySettings(times=99, ratio=1.5),
        HedgeSettings(after_ms=-1),
    )
    told = dict(wrong)
    assert set(told) == {
        *("fallback.max_attempts", "fallback.max_cost_ratio", "fallback.slow_start_ms"),
        *("retry.times", "retry.ratio", "hedge.after_ms"),
    }
    assert told["fallback.max_attempts"] == "must be from 1 to 16; it is 0"
    assert not list(attempt_problems(FallbackSettings(), RetrySettings(), HedgeSettings()))
