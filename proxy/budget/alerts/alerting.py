"""Alerts as one process keeps them going: looks, tells, and says how it stands."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from proxy.budget.alerts.alert import Alert
from proxy.budget.alerts.of_approval import ApprovalNote, approval_alerts
from proxy.budget.alerts.of_policy import PolicyNote, policy_alerts
from proxy.budget.alerts.of_routing import RoutingNote, routing_alerts
from proxy.budget.alerts.outbox import Outbox
from proxy.budget.alerts.receiver import Receiver
from proxy.budget.alerts.sender import Answered, Sender
from proxy.budget.alerts.settings import AlertSettings
from proxy.budget.alerts.watcher import Refusals, Watcher
from proxy.budget.ledger import LineKind, Unit
from proxy.core.clock import Clock
from proxy.core.money import ZERO

TELL_EVERY_S: Final = 0.25
_SHARE: Final = 10
_MOST_REMEMBERED: Final = 10_000
_COMPLAIN_EVERY_S: Final = 30.0
_HELP: Final = (
    ("flyball_alerts_total", "counter", "Alerts raised, by kind."),
    ("flyball_alert_deliveries_total", "counter", "Attempts to tell a receiver of an alert, by what came of them."),
    ("flyball_alert_deliveries_dropped_total", "counter", "Alerts forgotten before a receiver had been told."),
    ("flyball_alert_deliveries_pending", "gauge", "Alerts that wait for a receiver to take them."),
)
log = logging.getLogger("flyball.alerts")


class Lead(Protocol):
    """Which of several hosts looks and tells."""

    def is_ours(self) -> bool:
        """Whether it is this one, for the next seconds; blocks for a moment."""
        ...


class Alerting:
    """Looks about once a second and tells receivers, until cancelled."""

    def __init__(
        self,
        watcher: Watcher,
        sender: Sender,
        outbox: Outbox,
        clock: Clock,
        *,
        lead: Lead | None = None,
        refused: Callable[[], Refusals] = dict,
        noted: Callable[[], Sequence[PolicyNote]] = tuple,
        asked: Callable[[], Sequence[ApprovalNote]] = tuple,
        happened: Callable[[], Sequence[RoutingNote]] = tuple,
    ) -> None:
        """`refused` tells what refused calls lately, `noted` what rules of a policy alerted of, `asked` which approvals
        wait, `happened` what became of routes' targets."""
        self.outbox = outbox
        self.receivers: tuple[Receiver, ...] = ()
        self._watcher = watcher
        self._sender = sender
        self._clock = clock
        self._lead = lead
        self._refused = refused
        self._noted = noted
        self._asked = asked
        self._happened = happened
        self._raised: set[str] = set()
        self._leads = lead is None
        self._telling: set[str] = set()
        self._complained = float("-inf")

    def use(self, settings: AlertSettings, receivers: Sequence[Receiver]) -> None:
        """Take what flyball.yaml says; what waits for a receiver that it no longer names is given up."""
        self._sender.settings = settings
        self.outbox.kept = settings.kept
        self.receivers = tuple(receivers)

    @property
    def leads(self) -> bool:
        """Whether this host is the one that looks."""
        return self._leads

    async def run(self) -> None:
        """Look and tell until cancelled, whatever happens meanwhile."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            while True:
                for receiver in self.receivers:
                    if self._leads and receiver.name not in self._telling:
                        self._telling.add(receiver.name)
                        tasks.create_task(self._tell(receiver))
                await asyncio.sleep(TELL_EVERY_S)

    async def test(self, receiver: Receiver) -> tuple[Alert, Answered]:
        """Send a test alert to one receiver, once.

        Raises:
            NotPosted: no answer came.
        """
        alert = _test_alert(receiver, self._clock.now_ns())
        return alert, await self._sender.test(receiver, alert)

    def metrics(self) -> str:
        """The page's part in Prometheus' text format; asks the state file."""
        figures, raised = self._sender.figures, self.outbox.figures
        said = {
            "flyball_alerts_total": [(f'{{kind="{kind}"}}', count) for kind, count in sorted(raised.raised.items())],
            "flyball_alert_deliveries_total": [
                (f'{{receiver="{name}",result="{result}"}}', count)
                for result, counts in (("failed", figures.failed), ("retried", figures.retried), ("sent", figures.sent))
                for name, count in sorted(counts.items())
            ],
            "flyball_alert_deliveries_dropped_total": [("", raised.dropped)],
            "flyball_alert_deliveries_pending": [
                (f'{{receiver="{name}"}}', count) for name, count in sorted(self.outbox.pending().items())
            ],
        }
        return "".join(_lines(name, kind, text, said[name]) for name, kind, text in _HELP)

    async def _watch(self) -> None:
        while True:
            began, used_s = time.monotonic(), 0.0
            try:
                used_s = await asyncio.to_thread(self._look)
            except Exception as error:  # noqa: BLE001 (crash boundary: a look that failed is done again, and said so)
                self._complain("budgets could not be looked at for alerts", error)
            took_s = time.monotonic() - began
            # Never more than a tenth of a core, and the ledger is not asked more than half the time.
            await asyncio.sleep(max(self._sender.settings.look_every_s, used_s * _SHARE, took_s))

    def _look(self) -> float:
        """Look once; the seconds of a core that it took."""
        began = time.thread_time()
        self._leads = self._lead is None or self._lead.is_ours()
        if self._leads:
            self._raise()
        self._raise_of_policy()  # by each host: what its workers say no other one knows
        return time.thread_time() - began

    def _raise(self) -> None:
        self.outbox.give_up([each.name for each in self.receivers])
        for alert in self._watcher.look(self.receivers, self._refused()):
            log.warning(
                "a budget alert was raised",
                extra={"alert": alert.id, "kind": alert.kind, "budget": alert.budget, "scope": alert.scope},
            )

    def _raise_of_policy(self) -> None:
        """Raise what rules alerted of, what waits for a person by them, and what became of targets; each once,
        whichever worker, host or earlier process was the first."""
        known = (
            *policy_alerts(self._noted()),
            *approval_alerts(self._asked()),
            *routing_alerts(self._happened()),
        )
        found = [each for each in known if each[1].key not in self._raised]
        if not found:
            return
        told = [(alert, claim, [each.name for each in self.receivers if each.wants(alert)]) for alert, claim in found]
        for alert in self.outbox.put(told, self._clock.now_ns()):
            log.warning(f"a {alert.kind} alert was raised", extra={"alert": alert.id, "scope": alert.scope})
        if len(self._raised) > _MOST_REMEMBERED:
            self._raised.clear()
        self._raised |= {claim.key for _, claim in found}

    async def _tell(self, receiver: Receiver) -> None:
        try:
            await self._sender.send_due(receiver)
        except Exception as error:  # noqa: BLE001 (crash boundary: one receiver's fault must end neither it nor others)
            self._complain("alerts could not be sent", error, receiver=receiver.name)
        finally:
            self._telling.discard(receiver.name)

    def _complain(self, what: str, error: Exception, receiver: str = "") -> None:
        now = time.monotonic()
        if now - self._complained >= _COMPLAIN_EVERY_S:
            self._complained = now
            # Not its text: a URL or a secret could stand in it.
            log.error(what, extra={"receiver": receiver, "error": type(error).__name__})


def _lines(name: str, kind: str, text: str, samples: Iterable[tuple[str, int]]) -> str:
    body = "".join(f"{name}{labels} {count}\n" for labels, count in samples)
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n{body}"


def _test_alert(receiver: Receiver, now_ns: int) -> Alert:
    return Alert(
        id=f"alr_test{now_ns:x}",
        at_ns=now_ns,
        kind="test",
        subject=LineKind.BUDGET,
        budget="test",
        org=min(receiver.orgs, default="test"),
        scope="org:test",
        window="total",
        resets_at_ns=None,
        unit=Unit.USD,
        fraction_millionths=0,
        limit=ZERO,
        spent=ZERO,
        held=ZERO,
        overrun=ZERO,
        hard=False,
    )
