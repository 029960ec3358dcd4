"""The single rules of policies, found in their syntax: what each reads of its input, and on which others it leans."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from proxy.policy.reading import VOLATILE, Path, chain, cut, is_literal, references, variables

Json: TypeAlias = Any
_ROOTS: Final = ("input", "data")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of a module: its package and its own name from `data` on, and where its text stands, in bytes, up to the
    next one's. `adds`: it is one of any number that add to a set (`contains`). What it reads itself: `inputs`, paths of
    the input; `names`, by bare names in its package; `refers`, by paths from `data` on."""

    module: str
    package: Path
    path: Path
    begin: int
    end: int
    adds: bool
    inputs: frozenset[Path]
    names: frozenset[Path]
    refers: frozenset[Path]
    volatile: bool

    def leans_on(self, other: "Rule") -> bool:
        """Whether something that it reads may be what the other one says. Of other packages all rules count: what the
        engine evaluates of them is its own affair."""
        return any(meet(name, other.path) for name in self.names) or any(
            meet(reference, other.package) for reference in self.refers
        )


def rules_of(syntax_trees: str) -> list[Rule]:
    """The rules of an engine's `get_ast_as_json`, where every package is one module and every import is named."""
    return [rule for parsed in json.loads(syntax_trees) for rule in _rules(parsed)]


def meet(one: Path, other: Path) -> bool:
    """Whether one of two paths leads to the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _rules(parsed: Mapping[str, Json]) -> Iterator[Rule]:
    tree, text = parsed["ast"], parsed["source"]["contents"].encode()
    package = chain(tree["package"]["refr"])
    found = [_told_apart(node) for node in tree["rules"]]
    begins = sorted(begin for _, begin, _, _ in found)
    ends = dict(zip(begins, [*begins, len(text)][1:], strict=True))
    own = {chain(name)[0] for name, _, _, _ in found}
    imports = dict(_imports(tree["imports"], text))
    for name, begin, adds, reading in found:
        words = set(variables(reading))
        read = {*references(reading), *(imports[word] for word in words if word in imports)}
        yield Rule(
            module=parsed["source"]["file"],
            package=package,
            path=(*package, *chain(name)),
            begin=begin,
            end=ends[begin],
            adds=adds,
            inputs=frozenset(path[1:] for path in read if path[0] == "input"),
            names=frozenset((*package, word) for word in words & own),
            refers=frozenset(path[1:] for path in read if path[0] == "data"),
            volatile=VOLATILE.search(text[begin : ends[begin]].decode()) is not None,
        )


def _told_apart(node: Mapping[str, Json]) -> tuple[Json, int, bool, Json]:
    """A rule's name as a reference, where it begins, whether it adds to a set, and all of it that reads something."""
    ((kind, body),) = node.items()
    begin = body["span"]["start"]
    if kind == "Default":
        return body["refr"], begin, False, [body["value"], body["args"]]
    ((form, head),) = body["head"].items()
    name = head["refr"]
    reading = [body["bodies"], *(part for member, part in head.items() if member != "refr"), *_brackets(name)]
    return name, begin, form == "Set" and is_literal(name), reading


def _brackets(reference: Json) -> Iterator[Json]:
    """What stands in the brackets of a reference."""
    ((kind, body),) = reference.items()
    if kind == "RefBrack":
        yield body["index"]
    if kind in ("RefBrack", "RefDot"):
        yield from _brackets(body["refr"])


def _imports(imports: list[Json], text: bytes) -> Iterator[tuple[str, Path]]:
    for each in imports:
        path, named = cut(each["refr"]), each.get("as")
        if named and path and path[0] in _ROOTS:
            yield text[named["start"] : named["end"]].decode(), path
