"""Ends a stream that we cut because its money ran out: the last events, in the words of the stream itself.

`stop_reason: "max_tokens"` is true here: the answer was ended by a limit. Blocks that are open are closed first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from proxy.wire.facts import Cut

MOST_BLOCKS: Final = 1024
"""No answer has as many; an index beyond is not one."""


@dataclass(slots=True)
class Kept:
    """What a tap keeps of a stream so that it can be ended: whether it has begun, and which blocks are open."""

    has_begun: bool = False
    open_blocks: set[int] = field(default_factory=set)

    def open(self, index: int | None) -> None:
        """A block begins."""
        if index is not None and 0 <= index < MOST_BLOCKS:
            self.open_blocks.add(index)

    def close(self, index: int | None) -> None:
        """A block is whole."""
        self.open_blocks.discard(-1 if index is None else index)


def cut_ending(kept: Kept, cut: Cut) -> bytes:
    """The events that end the stream; to be sent only where `StreamTap.between_events`."""
    events = [] if kept.has_begun else [_beginning(cut)]
    events += [{"type": "content_block_stop", "index": index} for index in sorted(kept.open_blocks)]
    usage = {"input_tokens": cut.input_tokens, "output_tokens": cut.output_tokens}
    delta = {"stop_reason": "max_tokens", "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": usage, "flyball": dict(cut.flyball)})
    events.append({"type": "message_stop"})
    return b"".join(written_event(event) for event in events)


def written_event(event: Mapping[str, object]) -> bytes:
    """An event under the name that its type says, as SDKs read it."""
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event))


def _beginning(cut: Cut) -> dict[str, object]:
    message = {
        "id": cut.flyball.get("operation"),
        "type": "message",
        "role": "assistant",
        "model": "",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": cut.input_tokens, "output_tokens": 0},
    }
    return {"type": "message_start", "message": message}
