"""What a path of objects that a provider keeps means, whatever dialect it is of."""

from enum import Enum, auto
from typing import NamedTuple

from msgspec import Struct

from proxy.wire.endpoint import Endpoint


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
    streams_in: bool = False
    """Whether its body is a file, to be sent on as it comes; others are read before, for the objects they name."""

    def is_shown(self, method: str) -> bool:
        """Whether the answer is the object itself, as it stands now: asked for, or cancelled."""
        return bool(self.id) and (self.is_whole if method == "GET" else self.is_cancel)
