"""What of a delta or a message is output."""

from collections.abc import Iterator, Sequence

from proxy.wire.openai.events import Delta
from proxy.wire.openai.items import ContentPart


def is_plain(delta: Delta) -> bool:
    """Whether a delta holds content at most: no reasoning, refusal, tool call or sound."""
    return (
        delta.tool_calls is None
        and delta.reasoning is None
        and delta.reasoning_content is None
        and delta.refusal is None
        and delta.function_call is None
        and delta.audio is None
    )


def pieces_of(delta: Delta) -> Iterator[str]:
    """Every piece of output in a delta or a message: content, reasoning, refusal, tool calls, spoken words."""
    if delta.content:
        yield from _content(delta.content)
    yield from _told(delta.reasoning_content or delta.reasoning, delta.refusal)
    for call in delta.tool_calls or ():
        if call.function is not None:
            yield from _told(call.function.name, call.function.arguments)
        if call.custom is not None:
            yield from _told(call.custom.name, call.custom.input)
    if delta.function_call is not None:
        yield from _told(delta.function_call.name, delta.function_call.arguments)
    if delta.audio is not None and delta.audio.transcript:
        yield delta.audio.transcript


def _content(content: str | Sequence[ContentPart]) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for part in content:
        if part.text:
            yield part.text
        if part.thinking:
            yield from _content(part.thinking)


def _told(*texts: str | None) -> Iterator[str]:
    for text in texts:
        if text:
            yield text
