"""What flyball.yaml says about one tool, or about all whose names match a pattern."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

_NUMBER: Final = r"(?:0|[1-9]\d*)"
_WORD: Final = rf"(?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)"
SEMVER: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_WORD}(?:\.{_WORD})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?", re.ASCII
)
"""A version as semver.org 2.0.0 writes it, and as `semver.compare` of Rego takes it."""


@dataclass(frozen=True, kw_only=True)
class ToolSettings:
    """One tool, or all whose names match."""

    name: str = field(
        metadata={"doc": "The tool's name, or a pattern of names (`read_*`); of one that the provider runs its type."}
    )
    owner: str = field(default="", metadata={"doc": "Who answers for it: a person or a team."})
    risk: Literal["low", "medium", "high"] = field(
        default="medium", metadata={"doc": "How much harm a call can do; rules may read it."}
    )
    access: Literal["read", "write"] = field(
        default="write", metadata={"doc": "Whether it changes anything; `flyball kill writes` turns off what does."}
    )
    version: str | None = field(
        default=None, metadata={"doc": "The version of its schema (semver, `1.4.0`); rules may compare it."}
    )
    org: str | None = field(default=None, metadata={"doc": "Whose tool it is; unset is everybody's."})


def tool_problems(tools: Sequence[ToolSettings]) -> list[str]:
    """What a registry says that cannot be meant so, one sentence each."""
    found = []
    seen: set[tuple[str | None, str]] = set()
    for at, tool in enumerate(tools):
        if not tool.name or not tool.name.isprintable() or tool.name != tool.name.strip():
            found.append(f"tools[{at}].name: a tool has a printable name, or a pattern of names like read_*")
        if tool.version is not None and SEMVER.fullmatch(tool.version) is None:
            found.append(f"tools[{at}].version: is no semantic version such as 1.4.0: {tool.version!r}")
        if (tool.org, tool.name) in seen:
            found.append(f"tools[{at}].name: {tool.name!r} is there twice; the first would win")
        seen.add((tool.org, tool.name))
    return found
