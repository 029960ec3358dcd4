"""What is kept of a policy's input: the facts without what was said, and of arguments only what shape they have.

A decision can be explained and, where its rules read nothing else, made again by it; nobody's words are in it.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

Json: TypeAlias = Any
MOST_BYTES: Final = 16_384
"""Of one input; beyond it, its members over a quarter of that are left out."""
MOST_SHAPE_BYTES: Final = 8192
MOST_MEMBERS: Final = 64
DEEPEST: Final = 8
LONGEST_NAME: Final = 64
ALL: Final = "*"
"""Named as not kept: the whole input."""
_PLAIN: Final = frozenset(
    {
        "reasoning_effort",
        "service_tier",
        "tool_choice",
        "verbosity",
        "truncation",
        "prompt_cache_retention",
        "encoding_format",
    }
)
"""Parameters whose texts are words of the API; those of others may be anybody's."""
_LONGEST_WORD: Final = 32
_OF_A_FINDING: Final = frozenset({"kind", "category", "role", "index", "count"})
_encode = msgspec.json.Encoder().encode


class Kept(NamedTuple):
    """An input as it is written down, as JSON, and the members of it that are not as the rules saw them."""

    text: str
    missing: list[str]


def kept_facts(facts: Mapping[str, Json], left_empty: tuple[str, ...]) -> Kept:
    """What is kept of an input; `left_empty` are the members that no rule reads. Never raises for what is in it."""
    missing = list(left_empty)
    told = dict(facts)
    said = facts["messages"]
    if said["text"] is not None:
        told["messages"] = {**said, "text": None}
        missing.append("messages.text")
    if facts["params"]:
        told["params"] = {name: _param(name, value, missing) for name, value in facts["params"].items()}
    if facts["findings"]:
        told["findings"] = [
            {name: value for name, value in found.items() if name in _OF_A_FINDING} for found in facts["findings"]
        ]
    if facts["tool_results_unreleased"]:  # their ids and names are anybody's words
        told["tool_results_unreleased"] = [{"index": each["index"]} for each in facts["tool_results_unreleased"]]
        missing.append("tool_results_unreleased")
    if "tool" in facts:
        told["tool"] = _tool(facts["tool"], missing)
    try:
        text = _encode(told)
        if len(text) > MOST_BYTES:
            text = _encode(_shortened(told, missing))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):  # half a character in a text that a model wrote
        return Kept("", [ALL])
    return Kept(text.decode(), missing) if len(text) <= MOST_BYTES else Kept("", [ALL])


def shape(value: Json, depth: int = 0) -> Json:
    """A value without what it says: names are kept, of texts the length, of everything else what it is."""
    if value is None:
        return None
    if isinstance(value, str):
        return f"string ({len(value)})"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, Mapping):
        return _members(value, depth)
    if isinstance(value, list | tuple):
        return _elements(value, depth)
    return "number"


def _members(value: Mapping[str, Json], depth: int) -> Json:
    if depth >= DEEPEST:
        return f"object ({len(value)})"
    names = list(value)[:MOST_MEMBERS]
    told = {name[:LONGEST_NAME]: shape(value[name], depth + 1) for name in names}
    return told if len(value) <= MOST_MEMBERS else {**told, "…": f"{len(value) - MOST_MEMBERS} more"}


def _elements(value: list[Json] | tuple[Json, ...], depth: int) -> Json:
    if depth >= DEEPEST:
        return f"array ({len(value)})"
    told = [shape(each, depth + 1) for each in value[:MOST_MEMBERS]]
    return told if len(value) <= MOST_MEMBERS else [*told, f"{len(value) - MOST_MEMBERS} more"]


def _param(name: str, value: Json, missing: list[str]) -> Json:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and name in _PLAIN and len(value) <= _LONGEST_WORD:
        return value
    missing.append(f"params.{name[:LONGEST_NAME]}")
    return shape(value)


def _tool(tool: Mapping[str, Json], missing: list[str]) -> Json:
    if tool["arguments"] is None:
        return tool
    missing.append("tool.arguments")
    told = shape(tool["arguments"])
    return {**tool, "arguments": told if len(_encode(told)) <= MOST_SHAPE_BYTES else None}


def _shortened(told: Mapping[str, Json], missing: list[str]) -> Json:
    """The input without its largest members."""
    left = {}
    for name, value in told.items():
        if len(_encode(value)) > MOST_BYTES // 4:
            missing.append(name)
            value = None
        left[name] = value
    return left
