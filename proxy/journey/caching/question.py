"""The question of a call, as a semantic cache compares it: the last thing that its user said."""

from typing import Final, NamedTuple

from proxy.journey.caching.key import head_of
from proxy.journey.caching.never import kept_from, said_never
from proxy.journey.state import Journey
from proxy.wire.endpoint import Endpoint
from proxy.wire.texts import Text, Texts, said

CHATS: Final = frozenset({Endpoint.CHAT, Endpoint.MESSAGES})
MOST_CHARS: Final = 2048
_USER: Final = "user"
_PLACE: Final = b"\0the question\0"


class Question(NamedTuple):
    """What is compared, and the partition within which it is: all else that may change the answer, letter by letter."""

    text: str
    partition: bytes


def question_of(journey: Journey, model: str, share: str) -> Question | None:
    """The question of a chat; None where it has none that may be compared. `model` is what makes vectors.

    None with tools, or calls or results of them anywhere, with pictures and files, where the last message is not one
    text of the user's, and with whatever no cache may keep.
    """
    call, body = journey.call, journey.body
    if call.endpoint not in CHATS or journey.request.has_tools or kept_from(journey):
        return None
    if said_never(call.endpoint, body):
        return None
    last = _last(call.dialect.texts_in(call.endpoint, body))
    if last is None or last.end - last.start > 6 * MOST_CHARS:
        return None
    text = said(body, last)
    if not text.strip() or len(text) > MOST_CHARS:
        return None
    head = repr(("semantic", model, *_sharers(journey, share))).encode() + head_of(journey)
    rest = body[: last.start] + _PLACE + body[last.end :]
    return Question(text, journey.snapshot.caching.key(journey.principal.org, head, rest))


def _last(texts: Texts) -> Text | None:
    """The only text of the last message, if it is the user's and all that is said is text."""
    if texts.unread or not texts.parts:
        return None
    number = max(text.number for text in texts.parts)
    last = [text for text in texts.parts if text.number == number]
    return last[0] if len(last) == 1 and last[0].role == _USER else None


def _sharers(journey: Journey, share: str) -> tuple[str, ...]:
    principal = journey.principal
    if share == "org":
        return ()
    return (principal.team,) if share == "team" else (principal.team, principal.key_id)
