"""Of a fully populated input just what some rules read: all the engine needs, and all a decision can be known by."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from proxy.policy.reading import EVERYTHING, Path

Tree: TypeAlias = "tuple[tuple[str, Tree | None], ...]"
_encode: Final = msgspec.json.Encoder().encode


class Lean:
    """What stands at some paths of an input; the whole of it where everything is read."""

    def __init__(self, paths: frozenset[Path]) -> None:
        self._tree = None if EVERYTHING in paths else _tree(paths)

    def written(self, facts: Mapping[str, Any]) -> bytes:
        """As JSON, member for member in one order; what is missing in the input is missing there."""
        return _encode(facts if self._tree is None else _picked(facts, self._tree))


def _picked(facts: Mapping[str, Any], tree: Tree) -> Mapping[str, Any]:
    picked = {}
    for name, inner in tree:
        if name in facts:
            value = facts[name]
            picked[name] = _picked(value, inner) if inner is not None and isinstance(value, dict) else value
    return picked


def _tree(paths: Iterable[Path]) -> Tree:
    """The paths that lie in no other of them, by their first names; a name is read whole where nothing follows."""
    by_name: dict[str, list[Path]] = {}
    for path in sorted(paths):
        by_name.setdefault(path[0], []).append(path[1:])
    return tuple((name, None if EVERYTHING in rests else _tree(rests)) for name, rests in by_name.items())
