"""Writes turns as chat messages."""

from typing import Final

from proxy.wire.translate.asked import Document, Image, Part, Shown, Sound, Text, Thought, ToolCall, ToolOutput, Turn
from proxy.wire.translate.chat.reasoning import unsealed
from proxy.wire.translate.members import Json, missing

_PROVIDER: Final = "the chat provider"
_FAILED: Final = "Error: "
"""Stands before what came of a call that failed: a chat has no other way to say so."""


def written_turns(turns: list[Turn]) -> list[Json]:
    """The messages. Pictures that came of calls stand in a user's message behind them: chats take them nowhere else.

    Raises:
        Refused: CAPABILITY_MISSING for what a chat cannot hold.
    """
    messages: list[Json] = []
    pending: list[Shown] = []
    last_asked = max((at for at, turn in enumerate(turns) if turn.role == "user"), default=-1)
    for at, turn in enumerate(turns):
        if turn.role == "tool":
            messages.append(_output(turn, pending))
            continue
        if pending and turn.role == "user":
            turn = Turn("user", [*pending, *turn.parts], turn.at)
            pending = []
        _flush(messages, pending)
        pending = []
        if turn.role == "assistant":
            messages.append(_assistant(turn, thinks=at > last_asked))
        else:
            messages.append({"role": turn.role, "content": _content(_shown(turn.parts))})
    _flush(messages, pending)
    return messages


def _flush(messages: list[Json], pending: list[Shown]) -> None:
    if pending:
        messages.append({"role": "user", "content": _content(pending)})


def _shown(parts: list[Part]) -> list[Shown]:
    return [part for part in parts if isinstance(part, Text | Image | Document | Sound)]


def _output(turn: Turn, pending: list[Shown]) -> Json:
    (output,) = turn.parts
    if not isinstance(output, ToolOutput):
        raise TypeError("a turn of a tool holds what came of one call")
    texts = [part for part in output.parts if isinstance(part, Text)]
    pending += [part for part in output.parts if not isinstance(part, Text)]
    said = "\n\n".join(part.text for part in texts)
    return {"role": "tool", "tool_call_id": output.id, "content": _FAILED + said if output.failed else said}


def _assistant(turn: Turn, *, thinks: bool) -> Json:
    """`thinks`: what the model thought is given back, as it is since the last thing a user said."""
    message: dict[str, Json] = {"role": "assistant"}
    shown = _shown(turn.parts)
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    message["content"] = _content(shown) if shown else None if calls else ""
    if thinks:
        for part in turn.parts:
            if isinstance(part, Thought):
                _give_back(message, part)
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    return message


def _give_back(message: dict[str, Json], thought: Thought) -> None:
    for name, value in unsealed(thought).items():
        message[name] = _joined(message.get(name), value)


def _joined(before: Json, value: Json) -> Json:
    if isinstance(before, str) and isinstance(value, str):
        return before + value
    return before + value if isinstance(before, list) and isinstance(value, list) else value


def _call(call: ToolCall) -> Json:
    function: dict[str, Json] = {"name": call.name, "arguments": bytes(call.arguments).decode()}
    return {"id": call.id, "type": "function", "function": function}


def _content(parts: list[Shown]) -> Json:
    """Text as one string, which every server takes; anything else as parts."""
    if all(isinstance(part, Text) for part in parts):
        return "\n\n".join(part.text for part in parts if isinstance(part, Text))
    return [_part(part) for part in parts]


def _part(part: Shown) -> Json:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image):
        url = part.url or f"data:{part.media_type};base64,{part.data}"
        return {"type": "image_url", "image_url": {"url": url}}
    if isinstance(part, Sound):
        return {"type": "input_audio", "input_audio": {"format": part.form, "data": part.data}}
    return _document(part)


def _document(part: Document) -> Json:
    if part.text:
        return {"type": "text", "text": f"{part.name}\n\n{part.text}" if part.name else part.text}
    if part.url:
        missing(part.at, _PROVIDER, "it reads no documents by their address; send their bytes")
    name = part.name or "document.pdf"
    data = f"data:{part.media_type};base64,{part.data}"
    return {"type": "file", "file": {"filename": name, "file_data": data}}
