"""What policies read of their input, found in their syntax: so that a decision can be remembered by just that."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from proxy.policy.bundle import BASE
from proxy.policy.point import Point

Path: TypeAlias = tuple[str, ...]

EVERYTHING: Final[Path] = ()
PACKAGE: Final = "flyball"
VOLATILE: Final = re.compile(
    r"\b(?:time\.now_ns|rand\.intn|uuid\.rfc4122|http\.send|opa\.runtime|net\.lookup_ip_addr)\b"
)


@dataclass(frozen=True, kw_only=True)
class Reads:
    """What one point's rules read. `live`: there is a rule beyond the grant. `volatile`: a decision may be another
    one the next moment. `paths` of the input, the whole of it being the empty path."""

    live: bool
    volatile: bool
    paths: frozenset[Path]


@lru_cache(maxsize=64)
def both(one: Reads, other: Reads) -> Reads:
    """What two sets of rules read together."""
    return Reads(live=one.live or other.live, volatile=one.volatile or other.volatile, paths=one.paths | other.paths)


@dataclass(frozen=True, kw_only=True)
class Module:
    """What is known of one module: its package, the heads of its rules, the paths and packages it refers to."""

    path: str
    package: Path
    heads: frozenset[Path]
    inputs: frozenset[Path]
    refers: frozenset[Path]
    volatile: bool


def modules_of(syntax_trees: str) -> list[Module]:
    """The modules of an engine's `get_ast_as_json`."""
    return [_module(each) for each in json.loads(syntax_trees)]


def queries_of(point: Point) -> tuple[Path, Path]:
    """The package that decides at a point, and its shadow."""
    return (PACKAGE, point.value), (PACKAGE, "shadow", point.value)


def reads_of(modules: list[Module], point: Point, *, shadow: bool = False) -> Reads:
    """What a point's rules read: those of its package, and of every package that they reach."""
    root = queries_of(point)[shadow]
    own = [each for each in modules if _contributes(each, root)]
    reached = _closure(own, modules)
    return Reads(
        live=any(each.path != BASE for each in own),
        volatile=any(each.volatile for each in reached),
        paths=frozenset(path for each in reached for path in each.inputs),
    )


def _contributes(module: Module, root: Path) -> bool:
    """Whether some rule of the module says something in that package, or in one inside of it."""
    if module.package[: len(root)] == root:
        return True
    rest = root[len(module.package) :]
    return root[: len(module.package)] == module.package and any(head[: len(rest)] == rest for head in module.heads)


def _closure(begun: list[Module], modules: list[Module]) -> list[Module]:
    reached, waiting = [], list(begun)
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached.append(module)
        waiting += [
            other
            for other in modules
            if other.package == module.package or any(_meet(other, reference) for reference in module.refers)
        ]
    return reached


def _meet(module: Module, reference: Path) -> bool:
    """Whether a reference into `data` may lead into the module; one that is cut short by a variable leads anywhere."""
    length = min(len(reference), len(module.package))
    return reference[:length] == module.package[:length]


def _module(parsed: Mapping[str, Any]) -> Module:
    tree, source = parsed["ast"], parsed["source"]
    package = chain(tree["package"]["refr"])
    found = list(references({"imports": tree["imports"], "rules": tree["rules"]}))
    return Module(
        path=source["file"],
        package=package,
        heads=frozenset(_head(rule) for rule in tree["rules"]),
        inputs=frozenset(path[1:] for path in found if path[0] == "input"),
        refers=frozenset(path[1:] for path in found if path[0] == "data"),
        volatile=VOLATILE.search(source["contents"]) is not None,
    )


def _head(rule: Mapping[str, Any]) -> Path:
    (kind, body), *_ = rule.items()
    if kind == "Default":
        return chain(body["refr"])
    (_, head), *_ = body["head"].items()
    return chain(head["refr"])


def chain(node: Any) -> Path:
    """The names of a reference from its root as far as they are written out; nothing for what is no reference."""
    (kind, body), *_ = node.items()
    if kind == "Var":
        return (body["value"],)
    if kind == "RefDot":
        return (*chain(body["refr"]), body["field"][1])
    if kind == "RefBrack":
        (index_kind, index), *_ = body["index"].items()
        if index_kind in ("String", "RawString") and is_literal(body["refr"]):
            return (*chain(body["refr"]), index["value"])
        return chain(body["refr"])
    return ()


def is_literal(node: Any) -> bool:
    """Whether a reference is written out to its end, with no variable on the way."""
    (kind, body), *_ = node.items()
    if kind == "Var":
        return True
    if kind == "RefDot":
        return is_literal(body["refr"])
    if kind == "RefBrack":
        (index_kind, _), *_ = body["index"].items()
        return index_kind in ("String", "RawString") and is_literal(body["refr"])
    return False


def cut(node: Any) -> Path:
    """A reference's names up to its first variable index."""
    while not is_literal(node):
        (_, body), *_ = node.items()
        if "refr" not in body:
            return ()
        node = body["refr"]
    return chain(node)


def references(node: Any) -> Iterator[Path]:
    """Every reference into `input` or `data` in a syntax tree, cut at its first variable; their indices as well."""
    if isinstance(node, list):
        for each in node:
            yield from references(each)
        return
    if not isinstance(node, dict):
        return
    for kind in ("RefDot", "RefBrack", "Var"):
        if kind in node and len(node) == 1:
            path = cut(node)
            if path and path[0] in ("input", "data"):
                yield path
                yield from _indices(node)
                return
            break
    for each in node.values():
        yield from references(each)


def _indices(node: Any) -> Iterator[Path]:
    """What stands in the brackets of a reference."""
    (kind, body), *_ = node.items()
    if kind == "RefBrack":
        yield from references(body["index"])
    if kind in ("RefBrack", "RefDot"):
        yield from _indices(body["refr"])


def variables(node: Any) -> Iterator[str]:
    """Every bare name in a syntax tree, of rules, imports and what is bound on the way alike."""
    if isinstance(node, list):
        for each in node:
            yield from variables(each)
    elif isinstance(node, dict):
        if "Var" in node and len(node) == 1:
            yield node["Var"]["value"]
        for each in node.values():
            yield from variables(each)
