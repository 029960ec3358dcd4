"""Reads the input of a request for a response: every member of every item taken, or refused by name."""

from collections.abc import Callable, Mapping
from typing import Final

from proxy.wire.translate.asked import Image, Part, Role, Shown, Text, Thought, ToolCall, ToolOutput, Turn
from proxy.wire.translate.chat.messages import data_url, document
from proxy.wire.translate.members import Json, Members, invalid, missing, object_of

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_WHOLE_PICTURE: Final = (None, "auto", "high", "original")


def read_input(instructions: str | None, given: Json, provider: str) -> list[Turn]:
    """The turns of a conversation; what a model said, thought and called in a row is one turn."""
    turns = [Turn("system", [Text(instructions, at="instructions")], "instructions")] if instructions else []
    if isinstance(given, str):
        return [*turns, Turn("user", [Text(given, at="input")], "input")]
    if not isinstance(given, list):
        invalid("input", "must be a string or an array of items")
    names: dict[str, str] = {}
    for index, value in enumerate(given):
        turn = _turn(value, f"input[{index}]", names, provider)
        last = turns[-1] if turns else None
        if turn.role == "assistant" and last is not None and last.role == "assistant":
            last.parts += turn.parts
        elif turn.parts or turn.role != "assistant":
            turns.append(turn)
    return turns


def _turn(value: Json, at: str, names: dict[str, str], provider: str) -> Turn:
    given = Members(value, at)
    kind = given.text("type") or "message"
    read = _ITEMS.get(kind)
    if read is None:
        missing(f"{at}.type", provider, f"items of type {kind!r} are not there")
    turn = read(given, names, provider)
    turn.at = at
    # An item's id and how far it came say nothing to a model.
    given.drop("id", "status", "phase")
    given.end(provider)
    return turn


def _message(given: Members, names: dict[str, str], provider: str) -> Turn:
    told = given.needed_text("role")
    role = _ROLES.get(told)
    if role is None:
        missing(given.place("role"), provider, f"messages of the role {told!r} are not there")
    return Turn(role, [*_shown(given, "content", provider)])


def _call(given: Members, names: dict[str, str], provider: str) -> Turn:
    arguments = object_of(given.text("arguments") or "", given.place("arguments"))
    call = ToolCall(given.needed_text("call_id"), given.needed_text("name"), arguments, at=given.at)
    names[call.id] = call.name
    return Turn("assistant", [call])


def _output(given: Members, names: dict[str, str], provider: str) -> Turn:
    call_id = given.needed_text("call_id")
    return Turn("tool", [ToolOutput(call_id, _shown(given, "output", provider), names.get(call_id, ""), at=given.at)])


def _reasoning(given: Members, names: dict[str, str], provider: str) -> Turn:
    """What our own answers tell, with its seal as the encrypted content; what has none cannot be given back."""
    seal = given.text("encrypted_content")
    pieces = [Members(each, given.place("content")).text("text") or "" for each in given.items("content")]
    given.drop("summary")
    text = "".join(pieces)
    parts: list[Part] = []
    if seal:
        parts.append(Thought(text, seal) if text else Thought(hidden=seal))
    return Turn("assistant", parts)


_ITEMS: Final[Mapping[str, Callable[[Members, dict[str, str], str], Turn]]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
    "reasoning": _reasoning,
}


def _shown(given: Members, name: str, provider: str) -> list[Shown]:
    content, at = given.take(name), given.place(name)
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content, at=at)]
    if not isinstance(content, list):
        invalid(at, "must be a string or an array of parts")
    return [_part(value, f"{at}[{index}]", provider) for index, value in enumerate(content)]


def _part(value: Json, at: str, provider: str) -> Shown:
    given = Members(value, at)
    kind = given.needed_text("type")
    part: Shown
    if kind in ("input_text", "output_text"):
        part = Text(given.needed_text("text"))
        given.drop("annotations", "logprobs")
    elif kind == "refusal":
        part = Text(given.needed_text("refusal"))
    elif kind == "input_image":
        part = _image(given, provider)
    elif kind == "input_file":
        part = _file(given, provider)
    else:
        missing(f"{at}.type", provider, f"parts of type {kind!r} are not there")
    part.at = at
    given.drop("prompt_cache_breakpoint")
    given.end(provider)
    return part


def _image(given: Members, provider: str) -> Shown:
    if given.text("file_id"):
        missing(given.place("file_id"), provider, "the file is kept at another provider; send it as `image_url`")
    url, detail = given.needed_text("image_url"), given.text("detail")
    if detail not in _WHOLE_PICTURE:
        missing(given.place("detail"), provider, f"it looks at whole pictures only, not with the detail {detail!r}")
    return Image(*data_url(url, given.place("image_url"))) if url.startswith("data:") else Image(url=url)


def _file(given: Members, provider: str) -> Shown:
    for name in ("file_id", "file_url"):
        if given.text(name):
            missing(given.place(name), provider, "send the file as `file_data`")
    data, place = given.needed_text("file_data"), given.place("file_data")
    if not data.startswith("data:"):
        invalid(place, "must be a data URL that tells the file's type")
    return document(*data_url(data, place), given.text("filename") or "", place)
