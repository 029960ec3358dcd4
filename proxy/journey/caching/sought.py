"""That a semantic cache was asked for an answer to a question, and what came of it."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from proxy.core.money import ZERO, Nano

if TYPE_CHECKING:
    from proxy.cache import SemanticSight


class Sought(Struct):
    """Within which partition what text was looked for, for which body, and what is said of it in the row.

    `mode` is `audit` where the call is ours, to find out whether a hit was right. `said` is the live answer's text.
    `status` is what the row says; `agreement` how alike the answer that would have been given is to the live one, None
    where nobody could tell.
    """

    partition: bytes
    text: str
    body: bytes
    mode: Literal["shadow", "serve", "audit"]
    looking: "Future[SemanticSight | None]"
    said: Sequence[str] = ()
    status: str = ""
    entry: str = ""
    similarity: float = 0.0
    age_s: int = 0
    agreement: float | None = None
    would_save: Nano = ZERO
