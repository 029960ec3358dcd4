"""Deciding again, by other policies, what was decided before: from the inputs that were kept."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from proxy.policy.bundle import Bundle
from proxy.policy.decision import Decision
from proxy.policy.errors import PolicyUnavailable
from proxy.policy.obligations import obligations_of
from proxy.policy.point import Point
from proxy.policy.reading import Path
from proxy.policy.rego import EmbeddedRego

_ALL: Final = "*"
_encode = msgspec.json.Encoder(order="sorted").encode


class Change(StrEnum):
    """What other policies make of a decision."""

    SAME = "same"
    NEWLY_DENIED = "newly_denied"
    NEWLY_ALLOWED = "newly_allowed"
    OTHER_REASON = "other_reason"
    OBLIGATIONS_DIFFER = "obligations_differ"
    FAILED = "failed"
    NOT_REPLAYED = "not_replayed"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A decision as it was kept. `denials`: codes, a route's as `code:candidate`. `facts` is None where no input was
    kept; `unread` names its members that are not as a rule may have seen them."""

    point: Point
    allow: bool
    denials: tuple[str, ...]
    obligations: tuple[Mapping[str, Any], ...]
    facts: Mapping[str, Any] | None
    unread: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """A decision decided again. `why`: what kept it from being replayed or decided; empty otherwise."""

    change: Change
    decision: Decision | None = None
    why: str = ""

    @property
    def denials(self) -> tuple[str, ...]:
        """The codes of the new decision, as they are kept."""
        return () if self.decision is None else denials_of(self.decision)


class Replayer:
    """Decides again by one set of policies; for one thread, and for none that has an event loop."""

    def __init__(self, bundle: Bundle, *, version: int) -> None:
        """`version` of the inputs that these policies would be asked with.

        Raises:
            BadPolicy: they cannot be loaded.
        """
        self.engine: Final = EmbeddedRego(bundle, memo_entries=0)
        self._version = version

    def replay(self, kept: Kept) -> Replayed:
        """What these policies make of a decision; never raises for what was kept."""
        if why := self._missing(kept):
            return Replayed(change=Change.NOT_REPLAYED, why=why)
        assert kept.facts is not None
        try:
            decision = asyncio.run(self.engine.decide(kept.point, kept.facts))
        except PolicyUnavailable as error:
            return Replayed(change=Change.FAILED, why=error.reason)
        return Replayed(change=_change(kept, decision), decision=decision)

    def _missing(self, kept: Kept) -> str:
        """Why these policies cannot decide on what was kept; empty when they can."""
        if kept.facts is None or _ALL in kept.unread:
            return "no input was kept"
        if kept.facts.get("version") != self._version:
            return f"the input is of version {kept.facts.get('version')}"
        reads = self.engine.reads(kept.point)
        if reads.volatile:
            return "its rules look at a clock or at chance of their own"
        unknown = sorted(name for name in kept.unread if _is_read(tuple(name.split(".")), reads.paths))
        return f"its rules read what was not kept: input.{', input.'.join(unknown)}" if unknown else ""


def denials_of(decision: Decision) -> tuple[str, ...]:
    """The codes of all that said no, as they are kept with a decision."""
    named = [denial.code for denial in decision.denials]
    return (*named, *(f"{each.code}:{each.id}" for each in decision.deny_candidates))


def _is_read(member: Path, read: frozenset[Path]) -> bool:
    """Whether a path that is read leads to a member, through it, or into it."""
    return any(path[: len(member)] == member or member[: len(path)] == path for path in read)


def _change(kept: Kept, decision: Decision) -> Change:
    if kept.allow != decision.allow:
        return Change.NEWLY_ALLOWED if decision.allow else Change.NEWLY_DENIED
    if not decision.allow:
        return Change.SAME if sorted(kept.denials) == sorted(denials_of(decision)) else Change.OTHER_REASON
    same = _comparable(kept.obligations) == _comparable(msgspec.to_builtins(obligations_of(decision.duties)))
    same_candidates = sorted(kept.denials) == sorted(denials_of(decision))
    return Change.SAME if same and same_candidates else Change.OBLIGATIONS_DIFFER


def _comparable(obligations: Any) -> list[bytes]:
    return sorted(_encode(each) for each in obligations)
