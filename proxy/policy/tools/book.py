"""The registry as calls look into it: which entry speaks of a tool."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from proxy.policy.tools.settings import ToolSettings

_MOST_KNOWN: Final = 4096


class ToolBook:
    """The registered tools of one configuration; immutable, shared by all calls. The first entry that matches speaks.

    Names are matched letter for letter: one that differs in its case is another tool, of which nothing is known.
    """

    def __init__(self, tools: Sequence[ToolSettings] = ()) -> None:
        self.all: Final = tuple(tools)
        self._known: dict[tuple[str, str], ToolSettings | None] = {}

    def of(self, org: str, name: str) -> ToolSettings | None:
        """What is registered of a tool, for calls of that org; None where nothing is."""
        if not self.all:
            return None
        try:
            return self._known[org, name]
        except KeyError:
            found = next((each for each in self.all if each.org in (None, org) and fnmatchcase(name, each.name)), None)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        if len(name) <= 256:  # a model chose it
            self._known[org, name] = found
        return found

    def is_read(self, org: str, name: str) -> bool:
        """Whether a tool is registered as one that changes nothing; one that is not registered is not."""
        found = self.of(org, name)
        return found is not None and found.access == "read"


NO_TOOLS: Final = ToolBook()
