"""Reads one object of a request of which nothing is silently dropped: every member is taken, or refused by name."""

from typing import Final, NoReturn, TypeAlias, Union

import msgspec

from proxy.core.refusal import Refusal, Refused

Json: TypeAlias = Union[bool, int, float, str, list["Json"], dict[str, "Json"], None]

_ABSENT: Final[tuple[Json, ...]] = (None, [], {})


class Members:
    """The members of one JSON object, as they are taken; `at` is its place in the request, for messages."""

    __slots__ = ("_left", "at")

    def __init__(self, value: object, at: str) -> None:
        if not isinstance(value, dict):
            invalid(at or "body", "must be an object")
        self._left: dict[str, Json] = dict(value)
        self.at = at

    def place(self, name: str) -> str:
        """A member's place in the request."""
        return f"{self.at}.{name}" if self.at else name

    def take(self, name: str) -> Json:
        """A member's value, whatever it is; None for one that is absent or null."""
        return self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        """A string; None for one that is absent or null."""
        value = self._left.pop(name, None)
        if value is None or isinstance(value, str):
            return value
        invalid(self.place(name), "must be a string")

    def needed_text(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        if value is None:
            invalid(self.place(name), "is missing; give a string")
        return value

    def number(self, name: str) -> float | None:
        """A number; None for one that is absent or null."""
        value = self._left.pop(name, None)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        invalid(self.place(name), "must be a number")

    def whole(self, name: str) -> int | None:
        """A whole number; None for one that is absent or null."""
        value = self.number(name)
        if value is None or isinstance(value, int):
            return value
        if value.is_integer():
            return int(value)
        invalid(self.place(name), "must be an integer")

    def flag(self, name: str) -> bool | None:
        """True or false; None for one that is absent or null."""
        value = self._left.pop(name, None)
        if value is None or isinstance(value, bool):
            return value
        invalid(self.place(name), "must be true or false")

    def items(self, name: str) -> list[Json]:
        """An array, empty for one that is absent or null."""
        value = self._left.pop(name, None)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        invalid(self.place(name), "must be an array")

    def part(self, name: str) -> "Members | None":
        """An object; None for one that is absent or null."""
        value = self._left.pop(name, None)
        return None if value is None else Members(value, self.place(name))

    def drop(self, *names: str) -> None:
        """Leave members out whose absence cannot change the answer; docs/translation.md lists each."""
        for name in names:
            self._left.pop(name, None)

    def end(self, provider: str) -> None:
        """Refuse the first member that nobody has taken; null, and empty lists and objects, ask for nothing.

        Raises:
            Refused: CAPABILITY_MISSING, naming it.
        """
        for name, value in self._left.items():
            if value not in _ABSENT:
                missing(self.place(name), provider)


def missing(field: str, provider: str, why: str = "") -> NoReturn:
    """Refuse what the provider has nothing of the kind for.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field.
    """
    told = why or f"{provider} has nothing like it"
    raise Refused(
        Refusal.CAPABILITY_MISSING,
        f"`{field}` cannot be carried to this model: {told}. Leave it out, or use a model of a provider that takes it.",
        param=field,
        facts={"field": field, "provider": provider},
    )


def invalid(field: str, wanted: str) -> NoReturn:
    """Refuse what is not what the client's own dialect says it must be.

    Raises:
        Refused: INVALID_REQUEST, naming the field.
    """
    raise Refused(Refusal.INVALID_REQUEST, f"`{field}` {wanted}.", param=field)


def object_of(text: str, field: str) -> msgspec.Raw:
    """The JSON object that a string holds, byte for byte; an empty string is an empty object.

    Raises:
        Refused: INVALID_REQUEST where it holds anything else.
    """
    stripped = text.strip()
    if not stripped:
        return msgspec.Raw(b"{}")
    try:
        decoded: object = msgspec.json.decode(stripped)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        decoded = None
    if not isinstance(decoded, dict):
        invalid(field, "must hold a JSON object; this provider takes a call's arguments in no other form")
    return msgspec.Raw(stripped.encode())
