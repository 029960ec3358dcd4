"""The tool-call gate of the OpenAI dialect's streams and answers."""

from proxy.wire.endpoint import Endpoint
from proxy.wire.gate import MOST_BYTES, MOST_NS, AnswerGate, Calls, ToolGate
from proxy.wire.openai.gate_chat import ChatCalls
from proxy.wire.openai.gate_responses import ItemCalls


def tool_gate(
    endpoint: Endpoint, *, observes: bool = False, most_bytes: int = MOST_BYTES, most_ns: int = MOST_NS
) -> ToolGate:
    """The gate of one stream."""
    return ToolGate(_calls(endpoint), observes=observes, most_bytes=most_bytes, most_ns=most_ns)


def answer_gate(endpoint: Endpoint, body: bytes) -> AnswerGate:
    """The gate of one answer in one piece."""
    return AnswerGate(_calls(endpoint), body)


def _calls(endpoint: Endpoint) -> Calls:
    return ItemCalls() if endpoint is Endpoint.RESPONSES else ChatCalls()
