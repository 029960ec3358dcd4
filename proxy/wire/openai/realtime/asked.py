"""What a query asks of a realtime session, and the query that its provider gets."""

from typing import Final
from urllib.parse import parse_qsl, quote

from proxy.core.refusal import Refusal, Refused

MAX_MODEL_CHARS: Final = 512
STATEFUL: Final = ("call_id",)
"""Parameters that name what a provider keeps."""


def model_asked(query: bytes) -> str:
    """The model that a session is asked for.

    Raises:
        Refused: INVALID_REQUEST where none is named, or two are; CAPABILITY_MISSING for a session of another kind.
    """
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
    for name in (*STATEFUL, "intent"):
        if any(name == given for given, _ in pairs):
            raise Refused(
                Refusal.CAPABILITY_MISSING,
                f"`{name}` is not served for realtime sessions; open one with `?model=…`.",
                param=name,
            )
    models = [value for name, value in pairs if name == "model"]
    if len(models) != 1 or not models[0].strip() or len(models[0]) > MAX_MODEL_CHARS or not models[0].isprintable():
        raise Refused(
            Refusal.INVALID_REQUEST,
            f"A realtime session needs one model of at most {MAX_MODEL_CHARS} printable characters: `?model=…`.",
            param="model",
        )
    return models[0]


def query_for(query: bytes, asked: str, sent: str) -> bytes:
    """The query with the model's name in place, every other byte of it as the client wrote it."""
    if asked == sent:
        return query
    parts = query.split(b"&")
    return b"&".join(b"model=" + quote(sent, safe="").encode() if _is_model(part) else part for part in parts)


def _is_model(part: bytes) -> bool:
    return any(name == "model" for name, _ in parse_qsl(part.decode("latin-1"), keep_blank_values=True))
