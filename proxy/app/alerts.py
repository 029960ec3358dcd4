"""Alerts, plugged together in the admin process: what looks, what sends, and who is told."""

from collections.abc import Callable, Sequence
from typing import Final

from proxy.app.alert_post import AlertPost
from proxy.app.configuration import environment
from proxy.app.ledgers import alert_lead
from proxy.app.stores import Stores
from proxy.budget import (
    Alerting,
    ApprovalNote,
    Outbox,
    PolicyNote,
    Refusals,
    RoutingNote,
    Sender,
    Watcher,
    receivers_of,
)
from proxy.config import Config
from proxy.core.clock import Clock
from proxy.core.tenant import key_scope
from proxy.policy import Approval, ApprovalBook, Wanted

MOST_WAITING: Final = 500


class AlertParts:
    """Everything that alerts are made of."""

    def __init__(
        self,
        config: Config,
        stores: Stores,
        clock: Clock,
        refused: Callable[[], Refusals],
        noted: Callable[[], Sequence[PolicyNote]],
        happened: Callable[[], Sequence[RoutingNote]] = tuple,
    ) -> None:
        """What this host's workers say: `refused` what refused calls lately, `noted` what rules alerted of; `happened`
        is what became of routes' targets."""
        outbox = Outbox(stores.state)
        self._post = AlertPost()
        self.alerting = Alerting(
            Watcher(stores.budgets, stores.state, outbox, clock),
            Sender(outbox, self._post, clock),
            outbox,
            clock,
            lead=alert_lead(config),
            refused=refused,
            noted=noted,
            happened=happened,
            asked=lambda: waiting_approvals(stores.approvals, clock.now_ns()),
        )
        self.take(config)

    def take(self, config: Config) -> None:
        """Tell those whom a configuration names, from now on."""
        self.alerting.use(config.settings.alerts, receivers_of(config.settings.alerts, environment()))

    async def close(self) -> None:
        """Let go of what is open."""
        await self._post.close()


def waiting_approvals(book: ApprovalBook, now_ns: int) -> list[ApprovalNote]:
    """The approvals that a person can decide on now."""
    found = book.list(Wanted(state="pending"), now_ns, MOST_WAITING)
    return [_note(each) for each in found if each.is_decidable(now_ns)]


def _note(each: Approval) -> ApprovalNote:
    what = f"calls {', '.join(each.tools)}" if each.tools else f"asks {each.model}"
    why = f" ({each.reason})" if each.reason else ""
    scope = key_scope(each.org, each.team, each.key_name)
    return ApprovalNote(each.id, each.org, scope, f"{what}{why}", each.operation, each.made_ns, each.expires_ns)
