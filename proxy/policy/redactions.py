"""Kinds of findings that rules write out to be redacted, looked for at load: a slip is told with its file and line."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from proxy.policy.findings import unknown_names

Json: TypeAlias = Any
_TYPE: Final = "redact"


def unknown_redactions(syntax_trees: str) -> list[str]:
    """One sentence for each name in an obligation `redact` that is no kind of finding and no category.

    `syntax_trees` are an engine's `get_ast_as_json`. Names that a rule works out are told when it is asked.
    """
    return [
        f"{parsed['source']['file']}:{line}: redact names {name!r}, which is no kind of finding (docs/findings.md)"
        for parsed in json.loads(syntax_trees)
        for name, line in _names(parsed["ast"]["rules"])
        if unknown_names([name])
    ]


def _names(node: Json) -> Iterator[tuple[str, int]]:
    """Each kind that is written out, and its line."""
    if isinstance(node, list):
        for each in node:
            yield from _names(each)
    elif isinstance(node, dict):
        members = _members(node)
        if _text(members.get("type")) == _TYPE:
            for item in _items(members.get("kinds")):
                if (name := _text(item)) is not None:
                    yield name, item["String"]["span"]["line"]
        for each in node.values():
            yield from _names(each)


def _members(node: Mapping[str, Json]) -> dict[str, Json]:
    """The members of an object that is written out, by their names."""
    fields = node["Object"]["fields"] if "Object" in node and len(node) == 1 else []
    return {name: value for _, key, value in fields if (name := _text(key)) is not None}


def _items(node: Json) -> list[Json]:
    listed = node.get("Array") if isinstance(node, dict) else None
    return listed["items"] if listed is not None else []


def _text(node: Json) -> str | None:
    """What a text says that is written out; None for anything else."""
    literal = node.get("String") if isinstance(node, dict) else None
    return None if literal is None else str(literal["value"])
