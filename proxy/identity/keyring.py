"""From a secret to the principal behind it, in memory and in about two microseconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from proxy.core.refusal import Refusal, Refused
from proxy.core.tenant import Principal
from proxy.identity.digests import Digester
from proxy.identity.secret_text import LONGEST, weakly_shaped, well_shaped

GENERIC: Final = "The API key is missing or not valid."
NEVER: Final = 2**63 - 1
Verdict: TypeAlias = Literal["valid", "malformed", "unknown", "expired", "revoked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What one digest opens, and until when (nanoseconds since 1970, NEVER = for ever)."""

    principal: Principal
    expires_ns: int
    revoked: bool = False


class Keyring:
    """An immutable snapshot of every secret that opens something; replaced whole when keys change."""

    __slots__ = ("_digester", "_openings", "generation", "is_of_one_org")

    def __init__(self, digester: Digester, openings: Mapping[bytes, Opening], generation: int) -> None:
        self._digester = digester
        self._openings = openings
        self.generation = generation
        self.is_of_one_org = len({each.principal.org for each in openings.values() if not each.revoked}) < 2

    def authenticate(self, secret: str, now_ns: int) -> Principal:
        """Whom a secret stands for.

        Raises:
            Refused: INVALID_API_KEY with one text for every reason; `verdict` knows which, for the log.
        """
        if 0 < len(secret) <= LONGEST and secret.isascii():
            opening = self._openings.get(self._digester.digest(secret))
            if opening is not None and now_ns < opening.expires_ns and not opening.revoked:
                return opening.principal
        raise Refused(Refusal.INVALID_API_KEY, GENERIC)

    def verdict(self, secret: str, now_ns: int) -> tuple[Verdict, str | None]:
        """Why a secret is refused, and the id of the key it once opened: for our own log, never for the caller."""
        if not weakly_shaped(secret):
            return "malformed", None
        opening = self._openings.get(self._digester.digest(secret))
        if opening is None:
            return "unknown" if well_shaped(secret) else "malformed", None
        if opening.revoked:
            return "revoked", opening.principal.key_id
        return ("valid" if now_ns < opening.expires_ns else "expired"), opening.principal.key_id

    def __len__(self) -> int:
        return len(self._openings)

    def __repr__(self) -> str:
        return f"Keyring({len(self._openings)} secrets, generation {self.generation})"
