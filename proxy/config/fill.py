"""From a tree of words to typed settings: every field checked, every error collected with its place."""

import difflib
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from proxy.config.tree import Listing, Mapping_, Node, Scalar
from proxy.core.secret import Secret

VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TRUE: Final = frozenset({"true", "yes", "on"})
FALSE: Final = frozenset({"false", "no", "off"})
Settings = TypeVar("Settings")


class Filler:
    """Fills dataclasses from nodes; `errors` holds one sentence per thing that is wrong."""

    def __init__(self, base: Path, environment: Mapping[str, str]) -> None:
        self.errors: list[str] = []
        self._base = base
        self._environment = environment

    def fill(self, kind: type[Settings], node: Node, path: str) -> Settings | None:
        """A settings object of this dataclass, or None when something in it was wrong."""
        if not isinstance(node, Mapping_):
            self._say(node, path, "must be a mapping of keys")
            return None
        before = len(self.errors)
        for key in node.twice:
            self._say(node.entries[key], f"{path}.{key}", "stands twice")
        hints = typing.get_type_hints(kind)
        known: dict[str, Field[Any]] = {each.name: each for each in fields(kind) if each.init}  # type: ignore[arg-type]
        secrets = {name for name in known if Secret in typing.get_args(hints[name])}
        # What is secret only sometimes, such as a URL with a password in it, may stand in the file otherwise.
        plain = {name for name in secrets if str in typing.get_args(hints[name])}
        values: dict[str, Any] = {}
        for key, value in node.entries.items():
            stem = key.removesuffix("_env").removesuffix("_file")
            if key in secrets - plain:
                self._say(value, _join(path, key), f"must not stand in a file; use {key}_env or {key}_file")
            elif stem in secrets and key != stem:
                values[stem] = self._secret(value, _join(path, key), from_file=key.endswith("_file"))
            elif key not in known:
                self._unknown(value, path, key, known)
            else:
                values[key] = self._value(hints[key], value, _join(path, key))
        for name, each in known.items():
            if name not in values and each.default is MISSING and each.default_factory is MISSING:
                self._say(node, _join(path, name), "is missing and has no default")
        return kind(**values) if len(self.errors) == before else None

    def _secret(self, node: Node, path: str, *, from_file: bool) -> Secret | None:
        if not isinstance(node, Scalar) or node.is_null:
            self._say(node, path, "must name a file" if from_file else "must name an environment variable")
            return None
        if not from_file and not VARIABLE.fullmatch(node.text):
            # Whoever writes the secret itself here must not find it in a log; so what stands here is not repeated.
            self._say(node, path, "must be the name of an environment variable (letters, digits and _)")
            return None
        try:
            text = (self._base / node.text).read_text() if from_file else self._environment.get(node.text, "")
        except (OSError, UnicodeDecodeError) as error:
            self._say(node, path, f"cannot be read: {error}")
            return None
        if not text.strip():
            what = f"the file {node.text} is empty" if from_file else f"the environment variable {node.text} is not set"
            self._say(node, path, f"names a secret that is not there: {what}")
            return None
        return Secret(text.strip())

    def _value(self, kind: Any, node: Node, path: str) -> Any:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (typing.Union, types.UnionType):
            return self._union(arguments, node, path)
        if origin in (tuple, list, Sequence) or (isinstance(origin, type) and issubclass(origin, Sequence)):
            return self._sequence(arguments[0], node, path)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._mapping(arguments[1], node, path)
        if is_dataclass(kind):
            return self.fill(typing.cast(type[Any], kind), node, path)
        if not isinstance(node, Scalar):
            self._say(node, path, "must be one word, not a list or a mapping")
            return None
        if origin is Literal:
            return self._one_of(arguments, node, path)
        return self._scalar(kind, node, path)

    def _union(self, arguments: tuple[Any, ...], node: Node, path: str) -> Any:
        if isinstance(node, Scalar) and node.is_null and type(None) in arguments:
            return None
        kinds = [each for each in arguments if each is not type(None)]
        return self._value(kinds[0], node, path)

    def _sequence(self, kind: Any, node: Node, path: str) -> tuple[Any, ...]:
        if not isinstance(node, Listing):
            self._say(node, path, "must be a list")
            return ()
        return tuple(self._value(kind, item, f"{path}[{at}]") for at, item in enumerate(node.items))

    def _mapping(self, kind: Any, node: Node, path: str) -> dict[str, Any]:
        if not isinstance(node, Mapping_):
            self._say(node, path, "must be a mapping of names")
            return {}
        for key in node.twice:
            self._say(node.entries[key], f"{path}.{key}", "stands twice")
        return {key: self._value(kind, value, _join(path, key)) for key, value in node.entries.items()}

    def _one_of(self, choices: tuple[Any, ...], node: Scalar, path: str) -> Any:
        for choice in choices:
            if node.text == str(choice):
                return choice
        self._say(node, path, f"must be one of {', '.join(map(str, choices))}; it is {node.text!r}")
        return None

    def _scalar(self, kind: Any, node: Scalar, path: str) -> Any:
        try:
            return self._read(kind, node)
        except (ValueError, InvalidOperation):
            wanted = {bool: "true or false", int: "a whole number", float: "a number", Decimal: "a decimal number"}
            self._say(node, path, f"must be {wanted.get(kind, kind.__name__)}; it is {node.text!r}")
            return None

    def _read(self, kind: Any, node: Scalar) -> Any:
        if kind is str:
            if node.is_null:
                raise ValueError
            return node.text
        if node.quoted and kind in (bool, int, float):
            raise ValueError
        if kind is bool:
            return _truth(node.text)
        if kind is Path:
            return (self._base / Path(node.text).expanduser()).absolute()
        if kind is datetime:
            return datetime.fromisoformat(node.text)
        if kind is int:
            return int(node.text.replace("_", ""), 10)
        value = kind(node.text)
        if kind in (Decimal, float) and not Decimal(value).is_finite():
            raise ValueError
        return value

    def _unknown(self, node: Node, path: str, key: str, known: Mapping[str, object]) -> None:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        self._say(node, _join(path, key), f"is not a key we know; {hint}")

    def _say(self, node: Node, path: str, what: str) -> None:
        self.errors.append(f"{node.place}: {path or 'the file'} {what}")


def _truth(text: str) -> bool:
    word = text.lower()
    if word not in TRUE | FALSE:
        raise ValueError
    return word in TRUE


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
