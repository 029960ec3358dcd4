"""The gate of Anthropic's `tool_use` blocks: the general one, with this dialect's reading of calls."""

from proxy.wire.anthropic.gate_blocks import BlockCalls
from proxy.wire.endpoint import Endpoint
from proxy.wire.gate import MOST_BYTES, MOST_NS, AnswerGate, ToolGate


def tool_gate(
    endpoint: Endpoint, *, observes: bool = False, most_bytes: int = MOST_BYTES, most_ns: int = MOST_NS
) -> ToolGate:
    """The gate of one stream."""
    return ToolGate(BlockCalls(), observes=observes, most_bytes=most_bytes, most_ns=most_ns)


def answer_gate(endpoint: Endpoint, body: bytes) -> AnswerGate:
    """The gate of an answer in one piece."""
    return AnswerGate(BlockCalls(), body)
