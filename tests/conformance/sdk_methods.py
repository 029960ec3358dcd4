"""Every resource method of an SDK, found by looking at it, with arguments made from its annotations."""

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args, get_origin, is_typeddict

TEXT: Final = "a text, with spaces"
FILE: Final = ("name of file.bin", b"\x00\r\n--binary\xff", "application/octet-stream")
DEEPEST: Final = 6
SCALARS: Final[dict[Any, Any]] = {
    str: TEXT,
    object: TEXT,
    Any: TEXT,
    bool: True,
    int: 3,
    float: 0.5,
    bytes: b"\x00\xff",
    datetime: "2026-11-30T00:00:00Z",
}
WRAPPERS: Final = frozenset({"Annotated", "Required", "NotRequired"})
CONTROLS: Final = frozenset({"extra_headers", "extra_query", "extra_body", "timeout", "idempotency_key"})


class NoArgument(Exception):
    """There is no telling what to give for a parameter: the walk must be taught."""


@dataclass(frozen=True)
class Method:
    """One method of one resource: `chat.completions.create`."""

    name: str
    call: Callable[..., Any]

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Its own, by name."""
        signature = inspect.signature(self.call)
        return {name: each for name, each in signature.parameters.items() if name not in CONTROLS}

    @property
    def can_stream(self) -> bool:
        """Whether its answer may be asked for as a stream."""
        return "stream" in self.parameters

    def arguments(self) -> dict[str, Any]:
        """A value for each parameter that must be given."""
        hints = typing.get_type_hints(self.call)
        made = {}
        for name, parameter in self.parameters.items():
            is_wanted = parameter.default is inspect.Parameter.empty or name in self._variant
            if is_wanted and parameter.kind is not parameter.VAR_KEYWORD:
                made[name] = value_of(hints[name])
        return made

    @property
    def _variant(self) -> frozenset[str]:
        """What must be given together, where the SDK takes one of several sets of parameters: the first."""
        closure = getattr(getattr(self.call, "__func__", self.call), "__closure__", None) or ()
        for cell in closure:
            if isinstance(cell.cell_contents, tuple) and cell.cell_contents:
                first = cell.cell_contents[0]
                if isinstance(first, list):
                    return frozenset(first)
        return frozenset()


def methods_of(client: Any, resource_class: type) -> Iterator[Method]:
    """Every public method of every resource of a client, in the order of their names."""
    yield from _of_resource(client, "", resource_class)


def _of_resource(owner: Any, prefix: str, resource_class: type) -> Iterator[Method]:
    for name in sorted(dir(type(owner))):
        if name.startswith("_") or name.startswith("with_"):
            continue
        kind = inspect.getattr_static(type(owner), name)
        if isinstance(kind, property) or type(kind).__name__ == "cached_property":
            try:
                below = getattr(owner, name)
            except AttributeError:
                continue
            if isinstance(below, resource_class):
                yield from _of_resource(below, f"{prefix}{name}.", resource_class)
        elif prefix and callable(kind):
            yield Method(prefix + name, getattr(owner, name))


def value_of(hint: Any, depth: int = 0) -> Any:
    """A value of a type, the first and smallest that can be made."""
    origin, given = get_origin(hint), get_args(hint)
    if isinstance(hint, Hashable) and hint in SCALARS:
        return SCALARS[hint]
    if origin is Literal:
        return given[0]
    if str(origin).rpartition(".")[2] in WRAPPERS or hasattr(hint, "__metadata__"):
        return value_of(given[0], depth)
    if _is_file(hint):
        return FILE
    if origin in (typing.Union, types.UnionType):
        return _first_made(given, depth)
    if is_typeddict(hint) or _is_typed_dict(hint):
        return _typed_dict(hint, depth)
    if isinstance(origin, type) and issubclass(origin, dict | collections.abc.Mapping):
        return {"a key": value_of(given[1], depth + 1)} if depth < DEEPEST else {}
    if _is_sequence(origin):
        return [value_of(given[0], depth + 1)] if depth < DEEPEST else []
    raise NoArgument(repr(hint))


def _is_file(hint: Any) -> bool:
    return "IO[bytes]" in str(hint) or "PathLike" in str(hint)


def _is_sequence(origin: Any) -> bool:
    is_iterable = isinstance(origin, type) and issubclass(origin, collections.abc.Iterable)
    return is_iterable or getattr(origin, "__name__", "") == "SequenceNotStr"


def _is_typed_dict(hint: Any) -> bool:
    return isinstance(hint, type) and hasattr(hint, "__required_keys__")


def _first_made(kinds: tuple[Any, ...], depth: int) -> Any:
    problem: NoArgument | None = None
    for kind in kinds:
        if kind is type(None) or getattr(kind, "__name__", "") in ("Omit", "NotGiven"):
            continue
        try:
            return value_of(kind, depth)
        except NoArgument as error:
            problem = error
    raise problem or NoArgument(repr(kinds))


def _typed_dict(hint: Any, depth: int) -> dict[str, Any]:
    hints = typing.get_type_hints(hint)
    return {name: value_of(hints[name], depth + 1) for name in sorted(hint.__required_keys__)}
