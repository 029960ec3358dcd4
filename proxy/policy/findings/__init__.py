"""Findings: personal data, secrets and injected orders in a call's texts, told by kind and number, never by value."""

from proxy.policy.findings.finder import Edit, Finder, Finding, Found, Said, Unredactable, edited
from proxy.policy.findings.kinds import CATEGORIES, KINDS, kinds_of, unknown_names
from proxy.policy.findings.settings import FindingsSettings, PresidioSettings

__all__ = [
    "CATEGORIES",
    "KINDS",
    "Edit",
    "Finder",
    "Finding",
    "FindingsSettings",
    "Found",
    "PresidioSettings",
    "Said",
    "Unredactable",
    "edited",
    "kinds_of",
    "unknown_names",
]
