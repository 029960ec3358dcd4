"""What a path of objects that a provider keeps means, whatever dialect it is of."""

from enum import Enum, auto
from typing import Final, NamedTuple
from urllib.parse import unquote

from msgspec import Struct

from proxy.wire.endpoint import Endpoint

ROUNDS: Final = 4


class Does(Enum):
    """What a call does: make an object, list them, use one (or forget it), work with none, or nobody knows what."""

    MAKE = auto()
    LIST = auto()
    USE = auto()
    WORK = auto()
    UNKNOWN = auto()


class Spends(Enum):
    """What a call costs: nothing that is billed by the call, a batch's work, or what nobody can bound beforehand."""

    NOTHING = auto()
    BATCH = auto()
    UNBOUNDED = auto()


class Yield(NamedTuple):
    """Where an answer names an object of the caller's: a member, or one in a member; a list of ids counts too."""

    member: str
    kind: str


class Place(Struct, frozen=True, kw_only=True):
    """What a method at a path means.

    `kind` and `id` are of the object (both empty where the path names none). `yields` says where the answer names
    objects that are the caller's from now on. `is_whole`: the path ends with the id. `never`: it governs the account
    itself, and passes where that is one org's own only.
    """

    endpoint: Endpoint
    does: Does
    kind: str = ""
    id: str = ""
    spends: Spends = Spends.NOTHING
    yields: tuple[Yield, ...] = ()
    is_whole: bool = False
    never: bool = False
    is_cancel: bool = False
    """Whether the path is an object's own `/cancel`."""
    cursor: str = "after"
    """What the parameter is called by which a list goes on behind an object."""
    streams_in: bool = False
    """Whether its body is a file, to be sent on as it comes; others are read before, for the objects they name."""

    def is_shown(self, method: str) -> bool:
        """Whether the answer is the object itself, as it stands now: asked for, or cancelled."""
        return bool(self.id) and (self.is_whole if method == "GET" else self.is_cancel)


def is_odd(part: str) -> bool:
    """Whether a segment is none, or would be several or a step upwards for who decodes it, be it more than once."""
    for _ in range(ROUNDS):
        if part in ("", ".", "..") or "/" in part or "\\" in part or not part.isprintable() or ";" in part:
            return True
        decoded = unquote(part)
        if decoded == part:
            return False
        part = decoded
    return True


def decoded(part: str) -> str:
    """An object's id as it is, from a segment of a path."""
    return unquote(part)
