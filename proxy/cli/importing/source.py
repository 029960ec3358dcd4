"""A file that is to be carried over: every line of it is either read or told as left behind."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final

from proxy.config.tree import Listing, Mapping_, Node, Scalar, parse

_TRUE: Final = frozenset({"true", "yes", "on"})
_MERGE: Final = "<<"


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """One line that was not carried as it stood: where it stands, what it is, and why or in what way."""

    place: str
    what: str
    why: str


@dataclass(slots=True)
class Notes:
    """What is to be told about a file, in its order."""

    all: list[Note] = field(default_factory=list)

    def add(self, place: str, what: str, why: str) -> None:
        """One more."""
        self.all.append(Note(place=place, what=what, why=why))


class Section:
    """A mapping of the file, whose entries are taken one by one; `leave` tells those that nobody took."""

    def __init__(self, node: Node | None, path: str, notes: Notes) -> None:
        self._entries: dict[str, Node] = _merged(node) if isinstance(node, Mapping_) else {}
        self._taken: set[str] = set()
        self.path = path
        self.place = node.place if node is not None else ""
        self.notes = notes
        if node is not None and not isinstance(node, Mapping_) and not _is_null(node):
            notes.add(node.place, path, "is no mapping")

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        """The names of its entries, in their order."""
        return list(self._entries)

    def text(self, name: str) -> str:
        """A scalar as it is written; empty where there is none."""
        node = self._take(name)
        return node.text if isinstance(node, Scalar) and not node.is_null else ""

    def number(self, name: str) -> Decimal | None:
        """A number, exactly as it is written; None where there is none."""
        text = self.text(name)
        try:
            number = Decimal(text) if text else None
        except InvalidOperation:
            number = None
        if text and (number is None or not number.is_finite()):
            self.notes.add(self.place_of(name), f"{self.path}.{name}", f"is {text[:40]!r}, which is no number")
            return None
        return number

    def flag(self, name: str) -> bool:
        """Whether an entry is true."""
        return self.text(name).lower() in _TRUE

    def texts(self, name: str) -> list[str]:
        """A list of scalars."""
        node = self._take(name)
        items = node.items if isinstance(node, Listing) else ()
        return [item.text for item in items if isinstance(item, Scalar)]

    def section(self, name: str) -> "Section":
        """An entry that is a mapping itself."""
        return Section(self._take(name), self._under(name), self.notes)

    def sections(self, name: str) -> list["Section"]:
        """An entry that is a list of mappings."""
        node = self._take(name)
        items = node.items if isinstance(node, Listing) else ()
        return [Section(item, f"{self._under(name)}[{at}]", self.notes) for at, item in enumerate(items)]

    def leave(self, why: str = "has no counterpart here") -> None:
        """Tell what was not taken."""
        for name, node in self._entries.items():
            if name not in self._taken:
                self.notes.add(node.place, self._under(name), why)

    def drop(self, *names: str) -> None:
        """Pass over entries that need none here: leaving them out changes nothing."""
        self._taken.update(names)

    def tell(self, name: str, why: str) -> None:
        """Tell an entry, if there is one, as left behind or carried in another way."""
        self._taken.add(name)
        if name in self._entries and not _is_null(self._entries[name]):
            self.notes.add(self.place_of(name), self._under(name), why)

    def place_of(self, name: str) -> str:
        """Where an entry stands."""
        node = self._entries.get(name)
        return self.place if node is None else node.place

    def _under(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _take(self, name: str) -> Node | None:
        self._taken.add(name)
        return self._entries.get(name)


def read_source(text: str, name: str, notes: Notes) -> Section:
    """The file as a section.

    Raises:
        NotYaml: it is none that can be read.
    """
    return Section(parse(text, name), "", notes)


def _merged(mapping: Mapping_) -> dict[str, Node]:
    """A mapping with what YAML's merge key brings in, its own entries first (yaml.org/type/merge.html)."""
    entries = {name: node for name, node in mapping.entries.items() if name != _MERGE}
    for source in _sources(mapping.entries.get(_MERGE)):
        for name, node in _merged(source).items():
            entries.setdefault(name, node)
    return entries


def _sources(node: Node | None) -> Iterator[Mapping_]:
    if isinstance(node, Mapping_):
        yield node
    elif isinstance(node, Listing):
        yield from (item for item in node.items if isinstance(item, Mapping_))


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null
