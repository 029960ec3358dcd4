"""A bundle's `.manifest`: its revision, and which part of `data` is its own."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from proxy.policy.errors import BadPolicy

NAME: Final = ".manifest"
_PACKAGE: Final = re.compile(r"package\s+([^\s#]+)")
_NAMES: Final = re.compile(r"""\.?([A-Za-z_][A-Za-z0-9_]*)|\["([^"]*)"\]""")
_LANGUAGE: Final = 1
"""The version of Rego that is read here."""


class Manifest(msgspec.Struct, kw_only=True):
    """What a manifest says; the other members are for others. `roots`: paths into `data`, the empty one being all."""

    revision: str = ""
    roots: list[str] | None = None
    rego_version: int | None = None
    file_rego_versions: dict[str, int] = {}
    wasm: list[Any] = []

    @classmethod
    def of(cls, text: bytes | None) -> "Manifest":
        """The manifest of a bundle, or that of a bundle without one.

        Raises:
            BadPolicy: it is none, or asks for what is not to be had here.
        """
        try:
            found = cls() if text is None else msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadPolicy([f"{NAME}: is no manifest: {error}"]) from error
        versions = {found.rego_version, *found.file_rego_versions.values()}
        if versions - {None, _LANGUAGE}:
            raise BadPolicy([f"{NAME}: has policies in another version of Rego than v1"])
        if found.wasm:
            raise BadPolicy([f"{NAME}: has policies in WebAssembly; only Rego is read"])
        return found

    def outside(self, modules: Mapping[str, str], data: Mapping[str, Any]) -> Iterator[str]:
        """What the bundle says outside of its roots, one sentence each."""
        roots = [_steps(root) for root in ([""] if self.roots is None else self.roots)]
        for path, text in modules.items():
            package = package_of(text)
            if not any(_inside(package, root) for root in roots):
                yield f"{path}: its package lies outside of the roots that {NAME} names"
        for place in _documents_outside(data, (), roots):
            yield f"data.{'.'.join(place)}: lies outside of the roots that {NAME} names"


def package_of(module: str) -> tuple[str, ...]:
    """The names of a module's package; none where the text does not begin with one."""
    for line in module.splitlines():
        text = line.strip()
        if text and not text.startswith("#"):
            found = _PACKAGE.match(text)
            return tuple(plain or quoted for plain, quoted in _NAMES.findall(found[1])) if found else ()
    return ()


def _steps(root: str) -> tuple[str, ...]:
    return tuple(step for step in root.split("/") if step)


def _inside(place: tuple[str, ...], root: tuple[str, ...]) -> bool:
    return place[: len(root)] == root


def _documents_outside(value: Any, place: tuple[str, ...], roots: list[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    if any(_inside(place, root) for root in roots):
        return
    if isinstance(value, Mapping) and any(_inside(root, place) for root in roots):
        for name, inner in value.items():
            yield from _documents_outside(inner, (*place, name), roots)
    elif place:
        yield place
