"""Output items of the responses endpoint: which of them are calls that the provider bills by the call."""

from collections.abc import Iterable
from typing import Final

import msgspec

from proxy.core.usage import ToolFee
from proxy.wire.facts import and_tool

CALLS_OF_THE_MODEL: Final = frozenset({"function_call", "custom_tool_call", "computer_call", "local_shell_call"})
"""Items that ask the client to run something."""


class Action(msgspec.Struct, gc=False):
    """What a web search call did: `search` is billed, `open_page` and `find_in_page` are not."""

    type: str | None = None


class ContentPart(msgspec.Struct, gc=False):
    """A part of content told as a list: of a response's items, or of Mistral's reasoning models."""

    text: str | None = None
    refusal: str | None = None
    thinking: list["ContentPart"] | str | None = None


class OutputItem(msgspec.Struct, gc=False):
    """The facts of an output item that decide a fee, and the texts the model has written into it."""

    type: str | None = None
    action: Action | None = None
    container_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    content: list[ContentPart] | None = None
    summary: list[ContentPart] | None = None


class ItemTally:
    """Counts provider-run calls and the model's own tool calls over output items.

    A code interpreter is billed by its container, however often it is called: one that several items name counts once.
    """

    __slots__ = ("_containers", "calls", "fees", "tools")

    def __init__(self, items: Iterable[OutputItem] = ()) -> None:
        self.fees: dict[ToolFee, int] = {}
        self.calls = 0
        self.tools: tuple[str, ...] = ()
        self._containers: set[str] = set()
        for item in items:
            self.add(item)

    def add(self, item: OutputItem) -> None:
        """Count one finished item."""
        fee = self._fee(item)
        if fee is not None:
            self.fees[fee] = self.fees.get(fee, 0) + 1
        elif item.type in CALLS_OF_THE_MODEL:
            self.calls += 1
            self.tools = and_tool(self.tools, item.name or item.type)

    def _fee(self, item: OutputItem) -> ToolFee | None:
        if item.type == "web_search_call":
            looked_up = item.action is None or item.action.type in (None, "search")
            return ToolFee.WEB_SEARCH if looked_up else None
        if item.type == "file_search_call":
            return ToolFee.FILE_SEARCH
        if item.type == "code_interpreter_call" and self._opens_container(item.container_id):
            return ToolFee.CODE_INTERPRETER
        return None

    def _opens_container(self, container: str | None) -> bool:
        if container is None:
            return True
        known = container in self._containers
        self._containers.add(container)
        return not known
