"""The table of refusals is closed and consistent."""

from proxy.core.refusal import NEVER_RETRIED, Refusal, Refused


def test_codes_are_unique_and_statuses_are_errors() -> None:
    codes = [refusal.code for refusal in Refusal]
    assert len(codes) == len(set(codes))
    assert all(400 <= refusal.status < 600 for refusal in Refusal)


def test_a_failed_dependency_is_never_taken_for_the_callers_fault() -> None:
    """401, 402, 403 and 429 tell a client that it did wrong; a dependency of ours must not."""
    ours = {refusal.status for refusal in Refusal if not refusal.callers_fault}
    assert ours.isdisjoint({401, 402, 403, 429})
    assert all(refusal.callers_fault for refusal in NEVER_RETRIED)


def test_a_wait_is_between_one_second_and_a_minute() -> None:
    waits = [Refused(Refusal.RATE_LIMITED, "slow down", retry_after_s=s).retry_after_s for s in (0, 30, 86_400, None)]
    assert waits == [1, 30, 60, None]
