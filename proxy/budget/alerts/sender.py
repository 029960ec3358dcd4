"""Tells receivers what is in the outbox, each at its own pace, again and again until they have taken it."""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from proxy.budget.alerts.alert import Alert
from proxy.budget.alerts.messages import body_for
from proxy.budget.alerts.outbox import Delivery, Due, Outbox
from proxy.budget.alerts.receiver import Receiver
from proxy.budget.alerts.settings import AlertSettings
from proxy.budget.alerts.signing import signed
from proxy.core.clock import Clock

_NS: Final = 1_000_000_000
_LONGEST_PAUSE_S: Final = 3600.0
_GONE: Final = 410
_AT_ONCE: Final = 20
log = logging.getLogger("flyball.alerts")


class Answered(NamedTuple):
    """What a receiver answered; `said` is the beginning of its body, `retry_after_s` what it asked for."""

    status: int
    said: str = ""
    retry_after_s: float | None = None


class NotPosted(Exception):
    """No answer came; the message says why, without the URL."""


class Post(Protocol):
    """One POST, straight there: no redirect is followed, no proxy used, and a name that leads into private space is
    refused unless the receiver allows it.

    Raises:
        NotPosted: no answer within the time, or no way there.
    """

    async def __call__(
        self, receiver: Receiver, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float
    ) -> Answered:
        """Send a JSON body."""
        ...


@dataclass(kw_only=True, slots=True)
class SenderFigures:
    """What was done in this process, by receiver."""

    sent: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)


class Sender:
    """Sends what is due; one receiver's slowness is no other's."""

    def __init__(self, outbox: Outbox, post: Post, clock: Clock, settings: AlertSettings | None = None) -> None:
        self._outbox = outbox
        self._post = post
        self._clock = clock
        self.settings = settings or AlertSettings()
        self.figures = SenderFigures()

    async def send_due(self, receiver: Receiver) -> int:
        """Tell a receiver what is due, what has waited longest first; how many deliveries were tried.

        After the first that does not arrive the rest waits for the next time: it would meet the same.
        """
        due = await asyncio.to_thread(self._outbox.due, receiver.name, self._clock.now_ns(), _AT_ONCE)
        for tried, each in enumerate(due):
            if not await self._tell(receiver, each):
                return tried + 1
        return len(due)

    async def test(self, receiver: Receiver, alert: Alert) -> Answered:
        """Send one alert now, and only once.

        Raises:
            NotPosted: no answer came.
        """
        return await self._send(receiver, alert)

    async def _tell(self, receiver: Receiver, due: Due) -> bool:
        status, problem, asked_s = None, "", None
        try:
            answered = await self._send(receiver, due.alert)
        except NotPosted as error:
            problem = str(error)
        else:
            status, asked_s = answered.status, answered.retry_after_s
            problem = "" if 200 <= status < 300 else f"answered {status}: {answered.said}"
        delivery = self._after(receiver, due, status, problem, asked_s)
        await asyncio.to_thread(self._outbox.told, due.alert.id, delivery)
        self._note(receiver, due, delivery)
        return not problem

    async def _send(self, receiver: Receiver, alert: Alert) -> Answered:
        # Signed anew each time: receivers refuse old timestamps, and know a repetition by its id.
        body, at_s = body_for(receiver.kind, alert), self._clock.now_ns() // _NS
        headers = [
            ("content-type", "application/json"),
            ("user-agent", "flyball-alerts"),
            ("webhook-id", alert.id),
            ("webhook-timestamp", str(at_s)),
        ]
        if receiver.keys:
            headers.append(("webhook-signature", signed(receiver.keys, alert.id, at_s, body)))
        return await self._post(receiver, headers, body, self.settings.timeout_s)

    def _after(self, receiver: Receiver, due: Due, status: int | None, problem: str, asked_s: float | None) -> Delivery:
        """What becomes of a delivery that was tried."""
        now_ns, attempts = self._clock.now_ns(), due.attempts + 1
        state, next_ns = "sent", now_ns
        if problem:
            # Full jitter: who failed together does not come back together.
            longest_s = min(_LONGEST_PAUSE_S, self.settings.first_retry_s * 2.0 ** min(due.attempts, 30))
            pause_s = max(random.uniform(0, longest_s), min(asked_s or 0.0, _LONGEST_PAUSE_S))
            next_ns = now_ns + int(pause_s * _NS)
            over_ns = due.alert.at_ns + self.settings.retry_for_s * _NS
            state = "failed" if status == _GONE or next_ns >= over_ns else "pending"
        return Delivery(
            receiver=receiver.name,
            state=state,  # type: ignore[arg-type]  # one of the three
            attempts=attempts,
            next_ns=next_ns,
            status=status,
            error=problem,
        )

    def _note(self, receiver: Receiver, due: Due, delivery: Delivery) -> None:
        by_state = {"sent": self.figures.sent, "failed": self.figures.failed, "pending": self.figures.retried}
        counts = by_state[delivery.state]
        counts[receiver.name] = counts.get(receiver.name, 0) + 1
        facts = {
            "receiver": receiver.name,
            "alert": due.alert.id,
            "attempts": delivery.attempts,
            "error": delivery.error[:200],
        }
        if delivery.state == "failed":
            log.error("an alert could not be delivered and is given up", extra=facts)
        elif delivery.state == "pending":
            log.warning("an alert was not taken and is sent again later", extra=facts)
