"""Decisions sent on to a server in the format of OPA's decision logs, off the calls' way."""

from proxy.policy.decision_log.entries import entries_of as entries_of
from proxy.policy.decision_log.sending import Figures as Figures
from proxy.policy.decision_log.sending import LogSender as LogSender
from proxy.policy.decision_log.sending import NotSent as NotSent
from proxy.policy.decision_log.settings import DecisionLogSettings

__all__ = ["DecisionLogSettings", "Figures", "LogSender", "NotSent", "entries_of"]
