"""Whole sets of policies, as they stand in the state file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from proxy.policy.bundle import BASE, TEST_SUFFIX, Bundle, shipped_base
from proxy.policy.errors import BadPolicy

_PATH: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_LONGEST_PATH: Final = 200


@dataclass(frozen=True, kw_only=True)
class PolicySet:
    """Policies, who proposed them and when (nanoseconds since 1970), and who made them the ones that decide."""

    bundle: Bundle
    proposed_by: str
    proposed_ns: int
    promoted_by: str = ""
    promoted_ns: int | None = None


@dataclass(frozen=True, kw_only=True)
class Proposals:
    """What decides by the API, what waits for somebody to promote it, and what decided before."""

    active: PolicySet | None = None
    candidate: PolicySet | None = None
    previous: PolicySet | None = None

    @property
    def revisions(self) -> dict[str, str]:
        """Their revisions by their places."""
        places = {"active": self.active, "candidate": self.candidate, "previous": self.previous}
        return {place: each.bundle.revision for place, each in places.items() if each is not None}


def of_upload(modules: Mapping[str, str], data: Mapping[str, Any], *, base: bool) -> Bundle:
    """The policies that a person has sent; `flyball/base.rego` comes with them, unless they have one or `base` is
    false.

    Raises:
        BadPolicy: a path that is none of a module.
    """
    problems = [
        f"{path[:_LONGEST_PATH]!a}: is no path of a Rego module"
        for path in modules
        if len(path) > _LONGEST_PATH or not path.endswith(".rego") or not _PATH.fullmatch(path)
    ]
    if problems:
        raise BadPolicy(problems)
    loaded = {path: text for path, text in modules.items() if not path.endswith(TEST_SUFFIX)}
    if base and BASE not in loaded:
        loaded[BASE] = shipped_base()
    return Bundle.of(loaded, data)
