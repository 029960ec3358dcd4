"""One module per package for the embedded engine, whatever files a package is written in.

regorus 0.13 keeps the names of imports per package, not per file, and when it evaluates a package that several files
make up it leaves out, silently, what the files after the first say by such a name or by a rule below it (docs/adr/008).
In one module it does neither. So the files of a package are put together, each at its own lines, and a name that would
come to mean two things is an error. So is reading a package whole that has another one inside: there it still does.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from proxy.policy.errors import BadPolicy
from proxy.policy.reading import Module, variables

Json: TypeAlias = Any
_PLACE: Final = re.compile(r"(?P<module>[^\s:]+ \(\d+ files\)):(?P<line>\d+)")
_LANGUAGE: Final = (b"rego.", b"future.")
"""Imports of words of the language, not of names; the engine knows them anyway, and minds hearing of them twice."""


@dataclass(frozen=True, slots=True)
class Import:
    """`import path as name`, and the line it stands on."""

    path: bytes
    name: str
    line: int

    @property
    def statement(self) -> bytes:
        """The same written out."""
        return b"import " + self.path + b" as " + self.name.encode()


@dataclass(frozen=True, slots=True)
class File:
    """One file: its package, its imports, every name that its rules use, and its rules alone at their own lines."""

    path: str
    package: bytes
    imports: tuple[Import, ...]
    names: frozenset[str]
    rules: bytes


@dataclass(frozen=True, slots=True)
class Merged:
    """What the engine loads, by module; and from which line on each file's text stands in a module of several."""

    modules: Mapping[str, str]
    begins: Mapping[str, list[tuple[int, str]]]

    def placed(self, said: str) -> str:
        """What the engine says, with places in merged modules told as places in files."""
        return _PLACE.sub(self._place, said)

    def _place(self, found: re.Match[str]) -> str:
        line = int(found["line"])
        for begin, path in reversed(self.begins.get(found["module"], [])):
            if line > begin:
                return f"{path}:{line - begin}"
        return found[0]


def merged(syntax_trees: str) -> Merged:
    """The modules of an engine's `get_ast_as_json`, those of one package as one.

    Raises:
        BadPolicy: a name that one file imports means something else in another file of its package.
    """
    packages: dict[bytes, list[File]] = defaultdict(list)
    for parsed in json.loads(syntax_trees):
        file = _file(parsed)
        packages[file.package].append(file)
    if problems := [problem for files in packages.values() for problem in _clashes(files)]:
        raise BadPolicy(problems)
    modules: dict[str, str] = {}
    begins: dict[str, list[tuple[int, str]]] = {}
    for package, files in packages.items():
        name = f"{package.decode()} ({len(files)} files)"
        modules[name], begins[name] = _together(package, sorted(files, key=lambda file: file.path))
    return Merged(modules, begins)


def partly_read(modules: Iterable[Module], queried: Iterable[tuple[str, ...]]) -> list[str]:
    """What reads a package whole that has another package inside of it, of which the engine would leave rules out."""
    modules = list(modules)
    packages = {module.package for module in modules}
    outer = {each for each in packages for other in packages if each != other and other[: len(each)] == each}
    readers = [(module.path, reference) for module in modules for reference in module.refers]
    readers += [("flyball", query) for query in queried]
    return [
        f"{reader}: reads data.{'.'.join(reference)} whole, where the package {'.'.join(package)} has another one "
        "inside of it, of which the embedded engine would leave out rules; name the rule, or move the inner package"
        for reader, reference in sorted(set(readers))
        for package in sorted(outer)
        if package[: len(reference)] == reference
    ]


def _together(package: bytes, files: list[File]) -> tuple[str, list[tuple[int, str]]]:
    head = [b"package " + package, *sorted({each.statement for file in files for each in file.imports})]
    parts, begins = [b"\n".join(head)], []
    line = len(head)
    for file in files:
        begins.append((line, file.path))
        parts.append(file.rules)
        line += file.rules.count(b"\n") + 1
    return b"\n".join(parts).decode(), begins


def _clashes(files: list[File]) -> Iterator[str]:
    """Names that would mean something else in one of the files than what another imports by them."""
    for file in files:
        for own in file.imports:
            for other in files:
                theirs = {each.path for each in other.imports if each.name == own.name}
                if (theirs or own.name in other.names) and theirs != {own.path}:
                    yield (
                        f"{file.path}:{own.line}: imports {own.path.decode()} as {own.name!r}, which is another name "
                        f"in {other.path}: the embedded engine knows one meaning per package; rename one of them"
                    )


def _file(parsed: Mapping[str, Json]) -> File:
    tree, source = parsed["ast"], parsed["source"]
    text = source["contents"].encode()
    rules = bytearray(text)
    for statement in (tree["package"], *tree["imports"]):
        begin, end = statement["span"]["start"], statement["span"]["end"]
        if "as" in statement:
            end = max(end, statement["as"]["end"])
        rules[begin:end] = re.sub(rb"[^\n]", b" ", text[begin:end])
    imports = [_import(each, text) for each in tree["imports"]]
    return File(
        path=source["file"],
        package=_of(tree["package"]["refr"], text),
        imports=tuple(each for each in imports if not each.path.startswith(_LANGUAGE)),
        names=frozenset(variables(tree["rules"])),
        rules=bytes(rules),
    )


def _import(statement: Mapping[str, Json], text: bytes) -> Import:
    path = _of(statement["refr"], text)
    named = statement.get("as")
    name = text[named["start"] : named["end"]] if named else re.split(rb"""[.\["'\]`]+""", path.rstrip(b"\"]'`"))[-1]
    return Import(path, name.decode(), statement["span"]["line"])


def _of(node: Mapping[str, Json], text: bytes) -> bytes:
    """The source of a reference, without the blanks in it."""
    ((_, body),) = node.items()
    return b"".join(text[body["span"]["start"] : body["span"]["end"]].split())
