"""Calls of builtins that the embedded engine takes and never answers, looked for at load.

`http.send` compiles and is undefined whatever it is asked (regorus 0.13.0): a `deny` that leans on it would never fire,
and let pass what it is written to stop.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
_UNANSWERED: Final = frozenset({"http.send"})


def unanswered_calls(syntax_trees: str) -> list[str]:
    """One sentence for each such call, with its file and line. `syntax_trees` are an engine's `get_ast_as_json`."""
    return [
        f"{parsed['source']['file']}:{line}: {name} is not in the embedded engine; "
        "give what it would fetch as a data document, or let an OPA server decide (policy.url)"
        for parsed in json.loads(syntax_trees)
        for name, line in _calls(parsed["ast"]["rules"])
        if name in _UNANSWERED
    ]


def _calls(node: Json) -> Iterator[tuple[str, int]]:
    """The name of each builtin or function that is called, and its line."""
    if isinstance(node, list):
        for each in node:
            yield from _calls(each)
    elif isinstance(node, dict):
        call = node.get("Call")
        if call is not None:
            yield _name(call["fcn"]), call["span"]["line"]
        for each in node.values():
            yield from _calls(each)


def _name(function: Json) -> str:
    """A function as it is written, `http.send`; empty for one that is reached in another way."""
    if "Var" in function:
        return str(function["Var"]["value"])
    dotted = function.get("RefDot")
    return "" if dotted is None or dotted["field"] is None else f"{_name(dotted['refr'])}.{dotted['field'][1]}"
