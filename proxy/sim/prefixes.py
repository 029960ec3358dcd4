"""The prompt cache: how much of a prompt's beginning was seen before."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

_BLOCK: Final = 128
_SHORTEST: Final = 1024


class PrefixCache:
    """Remembers prompt prefixes in blocks of 128 tokens, from 1,024 on, for each credential apart."""

    def __init__(self, limit: int = 65_536) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._limit = limit

    def cached(self, credential: str, tokens: Sequence[str]) -> int:
        """Tokens of the longest prefix seen before, 0 if that is under 1,024; the prompt is remembered."""
        digest = hashlib.sha256(credential.encode())
        known, unbroken = 0, True
        for end in range(_BLOCK, len(tokens) + 1, _BLOCK):
            digest.update(" ".join(tokens[end - _BLOCK : end]).encode(errors="surrogatepass"))
            mark = digest.digest()[:12]
            unbroken = unbroken and mark in self._seen
            known = end if unbroken else known
            self._remember(mark)
        return known if known >= _SHORTEST else 0

    def _remember(self, mark: bytes) -> None:
        self._seen[mark] = None
        self._seen.move_to_end(mark)
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
