"""Embeddings: texts that share words lie near each other, and the same text is always the same vector."""

import base64
import hashlib
import math
import struct
from typing import Any, Final

from proxy.sim.ask import Ask
from proxy.sim.bad_request import BadRequest
from proxy.sim.bill import Used
from proxy.sim.completions import Payload, usage_of

_DIMENSIONS: Final = 256
_MOST_DIMENSIONS: Final = 4096


def embeddings(ask: Ask, used: Used) -> Payload:
    """The list of embeddings, as floats or as base64 of little-endian 32-bit floats."""
    size = ask.body.get("dimensions") or _DIMENSIONS
    if not isinstance(size, int) or not 0 < size <= _MOST_DIMENSIONS:
        raise BadRequest(f"'dimensions' must be from 1 to {_MOST_DIMENSIONS}.", param="dimensions")
    as_base64 = ask.body.get("encoding_format") == "base64"
    texts = ask.texts or tuple(str(ids) for ids in _several(ask.body["input"]))
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(_vector(text, size), as_base64)}
        for index, text in enumerate(texts)
    ]
    return {"object": "list", "data": data, "model": ask.model.name, "usage": usage_of(used, ask.endpoint)}


def _several(given: list[Any]) -> list[Any]:
    return given if isinstance(given[0], list) else [given]


def _vector(text: str, size: int) -> list[float]:
    """The sum of one fixed direction per word, of length one."""
    sums = [0.0] * size
    for word in text.casefold().split() or [""]:
        for place, byte in enumerate(hashlib.shake_128(word.encode(errors="surrogatepass")).digest(size)):
            sums[place] += byte - 127.5
    length = math.sqrt(sum(value * value for value in sums)) or 1.0
    return [value / length for value in sums]


def _encoded(vector: list[float], as_base64: bool) -> list[float] | str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if as_base64 else vector
