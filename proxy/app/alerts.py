"""Alerts, plugged together in the admin process: what looks, what sends, and who is told."""

from collections.abc import Callable, Sequence

from proxy.app.alert_post import AlertPost
from proxy.app.configuration import environment
from proxy.app.ledgers import alert_lead
from proxy.app.stores import Stores
from proxy.budget import Alerting, Outbox, PolicyNote, Refusals, Sender, Watcher, receivers_of
from proxy.config import Config
from proxy.core.clock import Clock


class AlertParts:
    """Everything that alerts are made of."""

    def __init__(
        self,
        config: Config,
        stores: Stores,
        clock: Clock,
        refused: Callable[[], Refusals],
        noted: Callable[[], Sequence[PolicyNote]],
    ) -> None:
        """What this host's workers say: `refused` what refused calls lately, `noted` what rules alerted of."""
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
        )
        self.take(config)

    def take(self, config: Config) -> None:
        """Tell those whom a configuration names, from now on."""
        self.alerting.use(config.settings.alerts, receivers_of(config.settings.alerts, environment()))

    async def close(self) -> None:
        """Let go of what is open."""
        await self._post.close()
