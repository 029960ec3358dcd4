"""Why a change to orgs, teams, keys or admin tokens was not made."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

Fault: TypeAlias = Literal["not_found", "exists", "managed_by_file", "stale", "invalid", "in_use", "revoked"]


class IdentityError(Exception):
    """A change that cannot be made; nothing was written. `problems` holds one sentence each, no secret in any.

    `param` names the field at fault, when it is one.
    """

    def __init__(self, fault: Fault, *problems: str, param: str | None = None) -> None:
        super().__init__("; ".join(problems))
        self.fault: Fault = fault
        self.problems: Sequence[str] = problems
        self.param = param
