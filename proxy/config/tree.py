"""YAML as a tree that remembers where each word stood and how it was written, so that 0.1 stays 0.1."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias, Union

import yaml

NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
MAX_DEPTH: Final = 30


@dataclass(frozen=True, slots=True)
class Scalar:
    """One word of the file as written; `quoted` words are always text."""

    text: str
    quoted: bool
    place: str

    @property
    def is_null(self) -> bool:
        """Whether it says nothing: empty, `~` or `null`, unquoted."""
        return not self.quoted and self.text in NULLS


@dataclass(frozen=True, slots=True)
class Listing:
    """A sequence of the file."""

    items: tuple["Node", ...]
    place: str


@dataclass(slots=True)
class Mapping_:
    """A mapping of the file; `twice` names the keys that stand in it more than once."""

    entries: dict[str, "Node"]
    place: str
    twice: list[str] = field(default_factory=list)


Node: TypeAlias = Union[Scalar, Listing, Mapping_]


class NotYaml(ValueError):
    """The file is not YAML we read; the message carries the place."""


def parse(text: str, name: str) -> Node:
    """The tree of a YAML document; places are written `name:line`.

    Raises:
        NotYaml: broken syntax, several documents, anchors, or nesting deeper than 30.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise NotYaml(f"{name}:{line}: {error.problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise NotYaml(f"{name}: {error}") from None
    if root is None:
        return Mapping_({}, f"{name}:1")
    return _node(root, name, 0)


def _node(node: yaml.Node, name: str, depth: int, mark: yaml.Mark | None = None) -> Node:
    """The node, its place being that of its key where it has one."""
    place = f"{name}:{(mark or node.start_mark).line + 1}"
    if depth > MAX_DEPTH:
        raise NotYaml(f"{place}: nested deeper than {MAX_DEPTH}")
    if isinstance(node, yaml.ScalarNode):
        return Scalar(node.value, node.style in ("'", '"', "|", ">"), place)
    if isinstance(node, yaml.SequenceNode):
        return Listing(tuple(_node(item, name, depth + 1) for item in node.value), place)
    mapping = Mapping_({}, place)
    for key_node, value in node.value:
        key = str(key_node.value)
        if key in mapping.entries:
            mapping.twice.append(key)
        mapping.entries[key] = _node(value, name, depth + 1, key_node.start_mark)
    return mapping
