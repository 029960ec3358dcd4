"""Alerts: who wants to hear of a budget is told once when it stands where its ladder has a rung.

`Watcher` finds crossings in the counters, `Outbox` keeps each in the state file, `Sender` tells receivers, and
`Alerting` keeps the three going in the one process that does this.
"""

from proxy.budget.alerts.alert import Alert as Alert
from proxy.budget.alerts.alert import AlertKind as AlertKind
from proxy.budget.alerts.alert import Claim as Claim
from proxy.budget.alerts.alerting import Alerting
from proxy.budget.alerts.alerting import Lead as Lead
from proxy.budget.alerts.messages import amounts_of as amounts_of
from proxy.budget.alerts.messages import sentence as sentence
from proxy.budget.alerts.of_approval import ApprovalNote as ApprovalNote
from proxy.budget.alerts.of_policy import PolicyNote as PolicyNote
from proxy.budget.alerts.of_routing import RoutingNote as RoutingNote
from proxy.budget.alerts.outbox import AlertState as AlertState
from proxy.budget.alerts.outbox import Delivery as Delivery
from proxy.budget.alerts.outbox import Kept as Kept
from proxy.budget.alerts.outbox import Outbox
from proxy.budget.alerts.receiver import BadReceiver as BadReceiver
from proxy.budget.alerts.receiver import Receiver
from proxy.budget.alerts.receiver import receiver_of as receiver_of
from proxy.budget.alerts.receiver import receivers_of as receivers_of
from proxy.budget.alerts.sender import Answered as Answered
from proxy.budget.alerts.sender import NotPosted as NotPosted
from proxy.budget.alerts.sender import Post as Post
from proxy.budget.alerts.sender import Sender
from proxy.budget.alerts.settings import AlertSettings
from proxy.budget.alerts.settings import ReceiverEntry as ReceiverEntry
from proxy.budget.alerts.signing import is_signed as is_signed
from proxy.budget.alerts.signing import signed as signed
from proxy.budget.alerts.signing import signing_keys as signing_keys
from proxy.budget.alerts.watcher import Refusals as Refusals
from proxy.budget.alerts.watcher import Watcher

__all__ = ["AlertSettings", "Alerting", "Outbox", "Receiver", "Sender", "Watcher"]
