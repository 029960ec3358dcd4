"""HTML as values: everything is escaped unless it was made here."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias, Union

VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta"})


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is safe to send; a plain `str` is never trusted to be that."""

    text: str


Child: TypeAlias = Union[Html, str, int, Iterable["Child"], None]
Attribute: TypeAlias = Union[str, int, bool, None]


def el(element: str, /, *children: Child, **attributes: Attribute) -> Html:
    """One element. `class_` and `for_` lose their underscore, `aria_label` becomes `aria-label`.

    A `None` or `False` attribute is left out, a `True` one stands without a value.
    """
    start = "".join(
        _attribute(key, value) for key, value in attributes.items() if value is not None and value is not False
    )
    if element in VOID:
        return Html(f"<{element}{start}>")
    return Html(f"<{element}{start}>{_joined(children)}</{element}>")


def join(*children: Child) -> Html:
    """Several pieces one after the other, without an element around them."""
    return Html(_joined(children))


def _attribute(key: str, value: str | int | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def _joined(children: Iterable[Child]) -> str:
    return "".join(_one(child) for child in children)


def _one(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child.text
    if isinstance(child, str | int):
        return escape(str(child))
    return _joined(child)
