"""A stream through the tool-call gate, its calls judged by a function."""

from collections.abc import Callable, Iterable

from proxy.wire.endpoint import Endpoint
from proxy.wire.gate import ToolGate
from proxy.wire.openai.gate import tool_gate
from proxy.wire.tool_calls import ToolCall, Verdict

YES = Verdict(True)
NO = Verdict(False, "no_tools", "No tools here.")


def judged(
    endpoint: Endpoint,
    pieces: Iterable[bytes],
    judge: Callable[[ToolCall], Verdict],
    gate: ToolGate | None = None,
) -> tuple[bytes, list[ToolCall]]:
    """What goes on, and what was asked."""
    gate = gate or tool_gate(endpoint)
    asked: list[ToolCall] = []
    out = b""
    for piece in pieces:
        out += gate.feed(piece, 0)
        out += _answered(gate, judge, asked)
    out += gate.close()
    out += _answered(gate, judge, asked)
    return out, asked


def _answered(gate: ToolGate, judge: Callable[[ToolCall], Verdict], asked: list[ToolCall]) -> bytes:
    out = b""
    while gate.asks:
        asked += gate.asks
        out += gate.answer([judge(call) for call in gate.asks])
    return out
