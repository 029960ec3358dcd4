"""Which objects an answer names that are its caller's, and a list of objects cut down to the caller's own."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from proxy.wire.place import Yield

_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])
_encode: Final = msgspec.json.Encoder().encode


class Named(Struct, frozen=True):
    """One object that an answer names."""

    id: str
    kind: str


class ListPage(Struct):
    """One page of a provider's list: its members, and what is in it, each with its id (empty: it has none)."""

    members: dict[str, Raw]
    items: list[tuple[str, Raw]]
    has_more: bool

    @property
    def last(self) -> str:
        """The id that the next page begins after."""
        return self.items[-1][0] if self.items else ""


def named_in(body: bytes, yields: Sequence[Yield]) -> list[Named]:
    """The objects that an answer names; none for what is no JSON object."""
    if not yields:
        return []
    try:
        told = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    return [Named(id, each.kind) for each in yields for id in _ids(told, each.member)]


def _ids(told: Any, member: str) -> Iterable[str]:
    for name in member.split("."):
        told = told.get(name) if isinstance(told, dict) else None
    if isinstance(told, str) and told:
        return [told]
    return [each for each in told if isinstance(each, str)] if isinstance(told, list) else []


def read_page(body: bytes) -> ListPage | None:
    """A list as a provider sends it; None for what is none."""
    try:
        members = _MEMBERS.decode(body)
        items = msgspec.json.decode(members["data"], type=list[Raw])
        more = members.get("has_more")
        return ListPage(members, [(_id_of(each), each) for each in items], more is not None and bytes(more) == b"true")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        return None


class _Item(Struct, gc=False):
    id: str = ""


def _id_of(item: Raw) -> str:
    try:
        return msgspec.json.decode(item, type=_Item).id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def with_items(page: ListPage, items: Sequence[tuple[str, Raw]], *, has_more: bool) -> bytes:
    """The list with these items in the place of its own; every other member as it came."""
    members: dict[str, Any] = {**page.members, "data": [raw for _, raw in items]}
    if "has_more" in members or has_more:
        members["has_more"] = has_more
    for name, at in (("first_id", 0), ("last_id", -1)):
        if name in members:
            members[name] = items[at][0] if items else None
    if "total" in members:
        members["total"] = len(items)
    return _encode(members)


def owned_of(page: ListPage, owned: Collection[str]) -> list[tuple[str, Raw]]:
    """Its items that are the caller's, in their order."""
    return [each for each in page.items if each[0] in owned]
