"""The course of one call over a route's targets: which request follows on one that failed, if any may."""

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from proxy.core.outcome import Purpose
from proxy.routing.allowance import Allowances
from proxy.routing.attempt_settings import FallbackSettings, HedgeSettings, RetrySettings, Trigger
from proxy.routing.candidate import Candidate

_RETRIED: Final[frozenset[Trigger]] = frozenset(
    {"unreachable", "rate_limited", "overloaded", "server_error", "timeout", "broken"}
)
_OF_THE_MODEL: Final[frozenset[Trigger]] = frozenset({"context_length", "content_filter", "invalid_json"})
"""What the same model would do elsewhere too."""


class Fault(Struct, frozen=True):
    """How an attempt failed before its client got a byte.

    `trigger` None: in a way that no other target mends. `billed`: whether the provider may charge for it.
    `repeatable`: whether it lets the same be asked again; `wait_s`, after how long. `said` is the row's word for it.
    """

    trigger: Trigger | None
    said: str
    billed: bool = False
    repeatable: bool = True
    wait_s: float | None = None


class Step(Struct, frozen=True):
    """The next request: to whom, after how long, and what it is: at the same target again, beside it, or the call's."""

    candidate: Candidate
    kind: Purpose = Purpose.SERVE
    wait_s: float = 0.0

    @property
    def is_retry(self) -> bool:
        """Whether it goes to the last one's target again."""
        return self.kind is Purpose.RETRY


class Course:
    """Where a call has been and may still go. Times are seconds since its first request; `jitter` is in [0, 1).

    Retries come before fallbacks: a target that says when to come again is asked again if that is soon. Among the
    targets that are left one with the same model comes first, and last where it is the model that failed.
    """

    def __init__(
        self,
        order: Iterable[Candidate],
        settings: "AttemptSettings",
        allowances: Allowances,
        jitter: Callable[[], float],
    ) -> None:
        self.left = list(order)
        self.made = 0
        self.retries = 0
        self.stopped = ""
        """Why no request follows, where something other than the end of the targets says so."""
        self._settings = settings
        self._allowances = allowances
        self._jitter = jitter

    @property
    def is_last(self) -> bool:
        """Whether no other request can follow on the one that is made now, however it fails."""
        settings = self._settings
        if self.made >= settings.fallback.max_attempts:
            return True
        return not (self.left and settings.fallback.when) and self.retries >= settings.retry.times

    def begin(self, step: Step) -> None:
        """This request is made."""
        self.made += 1
        if step.is_retry:
            self.retries += 1
            self._allowances.spend("retry", step.candidate)
            return
        if step.candidate in self.left:
            self.left.remove(step.candidate)
        if self._settings.retry.times:
            self._allowances.earn("retry", step.candidate, self._settings.retry.ratio)
        if self._settings.hedge.after_ms is not None:
            self._allowances.earn("hedge", step.candidate, self._settings.hedge.ratio)

    def after(self, failed: Candidate, fault: Fault, at_s: float) -> Step | None:
        """The request that follows; None where none may. `drop` what cannot be asked, and ask again."""
        self.stopped = ""
        if fault.trigger is None or self._is_over(at_s):
            return None
        return self._again(failed, fault, at_s) or self._elsewhere(failed, fault)

    def beside(self, slow: Candidate, at_s: float) -> Step | None:
        """The request that is made beside one whose answer has not begun; None where none may."""
        if not self.left or self._is_over(at_s) or not self._allowances.has("hedge", slow):
            return None
        return Step(self._nearest(slow, of_the_model=False), Purpose.HEDGE)

    def spend_hedge(self, slow: Candidate) -> None:
        """A request is made beside one to this target."""
        self._allowances.spend("hedge", slow)

    def drop(self, step: Step) -> None:
        """This target cannot be asked."""
        if step.is_retry:
            self.retries = self._settings.retry.times
        elif step.candidate in self.left:
            self.left.remove(step.candidate)

    def _is_over(self, at_s: float) -> bool:
        if self.made >= self._settings.fallback.max_attempts:
            self.stopped = f"{self.made} attempts"
        elif at_s >= self._settings.fallback.max_s:
            self.stopped = f"{self._settings.fallback.max_s:g} s"
        return bool(self.stopped)

    def _again(self, failed: Candidate, fault: Fault, at_s: float) -> Step | None:
        retry = self._settings.retry
        if self.retries >= retry.times or fault.trigger not in _RETRIED or not fault.repeatable:
            return None
        if fault.billed and not retry.after_sent:
            return None
        most_ms = min(retry.cap_ms, retry.base_ms * 2**self.retries)
        wait_s = self._jitter() * most_ms / 1000
        if fault.wait_s is not None:
            if fault.wait_s > retry.retry_after_s:
                return None
            wait_s += fault.wait_s
        if at_s + wait_s >= self._settings.fallback.max_s or not self._allowances.has("retry", failed):
            return None
        return Step(failed, Purpose.RETRY, wait_s)

    def _elsewhere(self, failed: Candidate, fault: Fault) -> Step | None:
        if not self.left or fault.trigger not in self._settings.fallback.when:
            return None
        return Step(self._nearest(failed, of_the_model=fault.trigger in _OF_THE_MODEL))

    def _nearest(self, failed: Candidate, *, of_the_model: bool) -> Candidate:
        same = _bare(failed.model)
        return min(self.left, key=lambda each: (_bare(each.model) == same) is of_the_model)


class AttemptSettings(Struct, frozen=True):
    """What a route says of further attempts."""

    fallback: FallbackSettings = FallbackSettings()
    retry: RetrySettings = RetrySettings()
    hedge: HedgeSettings = HedgeSettings()


def _bare(model: str) -> str:
    """A model's name without whose it is, as marketplaces write it before a slash."""
    return model.rpartition("/")[2].lower()
