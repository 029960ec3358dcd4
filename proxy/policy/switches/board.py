"""All kill switches that are set, made so that a call finds those of it quickly; false where there are none."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from proxy.policy.switches.switch import Switch
from proxy.policy.switches.target import SwitchKind

SCOPED: Final = frozenset({SwitchKind.ORG, SwitchKind.TEAM, SwitchKind.KEY, SwitchKind.AGENT, SwitchKind.RUN})


class Switches:
    """What is turned off as of one generation; immutable, shared by all calls.

    Patterns of models and tools match whatever the case: a name that differs only so must not slip through.
    """

    def __init__(self, switches: Sequence[Switch] = ()) -> None:
        self.all: Final = tuple(switches)
        self._scopes = {each.target.text: each for each in reversed(switches) if each.target.kind in SCOPED}
        self._providers = _by_name(switches, SwitchKind.PROVIDER)
        self._models = _patterns(switches, SwitchKind.MODEL)
        self._tools = _patterns(switches, SwitchKind.TOOL)
        self._variants = _by_name(switches, SwitchKind.VARIANT)
        self._writes = _by_name(switches, SwitchKind.WRITES)
        ends = [each.expires_ns for each in switches if each.expires_ns is not None]
        self._first_end_ns = min(ends, default=None)

    def __bool__(self) -> bool:
        return bool(self.all)

    def has_ended(self, now_ns: int) -> bool:
        """Whether one of them has ended by itself since they were read."""
        return self._first_end_ns is not None and self._first_end_ns <= now_ns

    def of_scopes(self, scopes: Iterable[str]) -> Switch | None:
        """What turns a call off that falls under these scopes."""
        known = self._scopes
        if known:
            for scope in scopes:
                if scope in known:
                    return known[scope]
        return None

    def of_candidate(self, provider: str, models: Iterable[str]) -> Switch | None:
        """What turns a provider off, or a model of one of these names."""
        return self._providers.get(provider) or _matching(self._models, models)

    def of_variant(self, route: str, variant: str) -> Switch | None:
        """What turns a named target of a route off."""
        return self._variants.get(f"{route}/{variant}") if self._variants else None

    def gates(self, org: str) -> bool:
        """Whether tool calls of an org have to be looked at."""
        return bool(self._tools or (self._writes and ("" in self._writes or org in self._writes)))

    def of_tool(self, org: str, name: str, is_read: Callable[[str, str], bool]) -> Switch | None:
        """What turns calls of a tool off; `is_read` tells whether an org's tool is registered as one that only reads.

        Where writes are off, a tool of which nothing is known counts as one that writes.
        """
        found = _matching(self._tools, (name,))
        if found is not None or not self._writes:
            return found
        off = self._writes.get("") or self._writes.get(org)
        return None if off is None or is_read(org, name) else off


def _by_name(switches: Sequence[Switch], kind: SwitchKind) -> dict[str, Switch]:
    return {each.target.name: each for each in reversed(switches) if each.target.kind is kind}


def _patterns(switches: Sequence[Switch], kind: SwitchKind) -> tuple[tuple[str, Switch], ...]:
    return tuple((each.target.name.casefold(), each) for each in switches if each.target.kind is kind)


def _matching(patterns: tuple[tuple[str, Switch], ...], names: Iterable[str]) -> Switch | None:
    if patterns:
        for name in names:
            folded = name.casefold().strip()
            for pattern, switch in patterns:
                if fnmatchcase(folded, pattern):
                    return switch
    return None


NO_SWITCHES: Final = Switches()
