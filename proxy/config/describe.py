"""The reference of flyball.yaml, written from the settings themselves: `python -m proxy.config.describe`."""

import sys
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Final, Literal

from proxy.config.schema import FileSettings
from proxy.core.secret import Secret

HEAD: Final = """# Settings

Every key of `flyball.yaml`; all are optional unless marked *required*. The file is found by `--config`, else
`$FLYBALL_CONFIG`, else `./flyball.yaml`. Any key can be set from the environment too: `FLYBALL_SERVER__WORKERS=4` is
`server.workers: 4` and wins over the file. Relative paths are relative to the file's folder. `flyball check` tells
every mistake at once; a running Flyball takes a changed file by itself (or on SIGHUP) and keeps the old one when the
new one is wrong. Changed under a running Flyball are `providers`, `routes`, `tenants`, `budgets`, `rate_limits`,
`enforcement`, `prices` and `policy`; the other parts are read at start.

State is kept in `$FLYBALL_HOME`, else in `.flyball` beside the file, else in `$XDG_STATE_HOME/flyball`
(`~/.local/state/flyball`).

This page is written by `python -m proxy.config.describe`; a test keeps it true.
"""


def describe() -> str:
    """The whole page."""
    return HEAD + "".join(_section(FileSettings, ""))


def undocumented(kind: type[Any], path: str = "") -> list[str]:
    """Settings without their sentence."""
    return [f"{path}{each.name}" for each, _ in _walk(kind, path) if not each.metadata.get("doc")]


def _section(kind: type[Any], path: str) -> Iterator[str]:
    hints = typing.get_type_hints(kind)
    flat = [each for each in fields(kind) if _inner(hints[each.name]) is None]
    deep = [each for each in fields(kind) if _inner(hints[each.name]) is not None]
    if flat:
        yield "\n| key | default | what it means |\n| --- | --- | --- |\n"
        yield from (_row(each, hints[each.name]) for each in flat)
    for each in deep:
        inner = _inner(hints[each.name])
        if inner is None:
            continue
        below = _step(path, each.name, hints[each.name])
        yield f"\n## `{below}`\n\n{each.metadata.get('doc', '')}\n"
        yield from _section(inner, below)


def _row(each: Field[Any], hint: Any) -> str:
    name = each.name
    if Secret in typing.get_args(hint):
        itself = f"{name}`, `" if str in typing.get_args(hint) else ""
        name = f"{itself}{name}_env`, `{name}_file"
    doc = str(each.metadata.get("doc", "")).replace("|", "\\|")
    choices = _choices(hint)
    return f"| `{name}` | {_default(each)} | {doc}{choices} |\n"


def _default(each: Field[Any]) -> str:
    if each.default is not MISSING:
        return "–" if each.default is None or each.default == "" or each.default == () else f"`{_plain(each.default)}`"
    return "–" if each.default_factory is not MISSING else "*required*"


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_plain, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "value", value))


def _choices(hint: Any) -> str:
    literal = next((part for part in (hint, *typing.get_args(hint)) if typing.get_origin(part) is Literal), None)
    return f" One of {', '.join(f'`{choice}`' for choice in typing.get_args(literal))}." if literal else ""


def _step(path: str, name: str, hint: Any) -> str:
    below = f"{path}.{name}" if path else name
    origin = typing.get_origin(hint)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{below}.<name>"
    return f"{below}[]" if isinstance(origin, type) and issubclass(origin, Sequence) else below


def _inner(hint: Any) -> type[Any] | None:
    """The dataclass that a setting is made of, directly, listed, named or optional."""
    if is_dataclass(hint):
        return typing.cast(type[Any], hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType) or (
        isinstance(origin, type) and issubclass(origin, (Sequence, Mapping))
    ):
        return next((found for part in typing.get_args(hint) if (found := _inner(part)) is not None), None)
    return None


def _walk(kind: type[Any], path: str) -> Iterator[tuple[Field[Any], str]]:
    hints = typing.get_type_hints(kind)
    for each in fields(kind):
        yield each, path
        inner = _inner(hints[each.name])
        if inner is not None:
            yield from _walk(inner, f"{path}{each.name}.")


if __name__ == "__main__":
    sys.stdout.write(describe())
