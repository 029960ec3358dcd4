"""Scopes as budgets name them: one org, its overhead, one team, key, agent, end user, run or tag, or every one of a
kind."""

import re
from typing import Final

CLAIMED: Final = frozenset({"agent", "user", "run", "tag"})
"""Kinds of scope that a client may claim for itself; which of them is true, only who pinned them on the key knows."""
OTHER: Final = "(other)"
"""What scopes are called together that came after too many others of their kind."""

_N: Final = r"[^/\s*]+"
_GRAMMAR: Final = "|".join(
    (
        rf"(?:org|overhead):{_N}",
        rf"team:{_N}/(?:{_N}|\*)",
        rf"key:{_N}/{_N}/(?:{_N}|\*)",
        rf"(?:agent|user|run):{_N}/\S(?:.{{0,254}}\S)?",
        rf"tag:{_N}/[!#$%&'*+.^_`|~0-9A-Za-z-]{{1,64}}=.{{0,256}}",
    )
)
_SCOPE: Final = re.compile(_GRAMMAR)


def is_scope(text: str) -> bool:
    """Whether a budget may be for that: `org:acme`, `tag:acme/env=prod`, or every one of a kind, `user:acme/*`."""
    return text.isprintable() and _SCOPE.fullmatch(text) is not None


def is_pattern(scope: str) -> bool:
    """Whether a scope stands for every one of a kind, each with a counter of its own."""
    return scope.endswith("*") and not scope.startswith(("org:", "overhead:")) and scope == family_of(scope) + "*"


def kind_of(scope: str) -> str:
    """`org`, `overhead`, `team`, `key`, `agent`, `user`, `run` or `tag`."""
    return scope.partition(":")[0]


def family_of(scope: str) -> str:
    """What a scope shares with all that one pattern stands for, such as `user:acme/` or `tag:acme/env=`."""
    if scope.startswith("tag:"):
        return scope[: scope.find("=") + 1]
    # End users and runs may have slashes in their names; keys have none, and a team before them.
    return scope[: (scope.rfind if scope.startswith("key:") else scope.find)("/") + 1]
