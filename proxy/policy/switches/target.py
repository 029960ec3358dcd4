"""What a kill switch turns off, as people write it: `org:acme`, `model:gpt-*`, `tool:delete_*`, `variant:a/b`."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class SwitchKind(StrEnum):
    """What kind of thing is turned off."""

    ORG = "org"
    TEAM = "team"
    KEY = "key"
    AGENT = "agent"
    RUN = "run"
    MODEL = "model"
    PROVIDER = "provider"
    TOOL = "tool"
    WRITES = "writes"
    VARIANT = "variant"


class BadTarget(ValueError):
    """A text that names nothing which could be turned off; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class SwitchTarget:
    """One thing that is turned off. `org` and `team` say whose it is: None where it is everybody's, or the org's."""

    kind: SwitchKind
    name: str
    org: str | None = None
    team: str | None = None

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.kind.value}:{self.name}" if self.name else self.kind.value


_N: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_ORG: Final = rf"(?P<org>{_N})"
_TEXT: Final = r"\S(?:.{0,254}\S)?"
_SHAPES: Final = {
    SwitchKind.ORG: (_ORG, "org:acme"),
    SwitchKind.TEAM: (rf"{_ORG}/(?P<team>{_N})", "team:acme/support"),
    SwitchKind.KEY: (rf"{_ORG}/(?P<team>{_N})/{_N}", "key:acme/support/bot"),
    SwitchKind.AGENT: (rf"{_ORG}/{_TEXT}", "agent:acme/triage"),
    SwitchKind.RUN: (rf"{_ORG}/{_TEXT}", "run:acme/nightly-42"),
    SwitchKind.MODEL: (_TEXT, "model:gpt-*"),
    SwitchKind.PROVIDER: (_TEXT, "provider:openai"),
    SwitchKind.TOOL: (_TEXT, "tool:delete_*"),
    SwitchKind.WRITES: (rf"{_ORG}?", "writes or writes:acme"),
    SwitchKind.VARIANT: (rf"{_TEXT}/{_TEXT}", "variant:assistant/canary"),
}
_PATTERNS: Final = {kind: re.compile(shape) for kind, (shape, _) in _SHAPES.items()}


def parse_target(text: str) -> SwitchTarget:
    """The thing that a text names.

    Raises:
        BadTarget: it names none.
    """
    kind_text, colon, name = text.partition(":")
    if kind_text not in set(SwitchKind):
        raise BadTarget(f"a target begins with one of {', '.join(SwitchKind)}, as in {_SHAPES[SwitchKind.ORG][1]}")
    kind = SwitchKind(kind_text)
    match = _PATTERNS[kind].fullmatch(name)
    if match is None or not name.isprintable() or (colon and not name):
        raise BadTarget(f"a target of this kind is written like {_SHAPES[kind][1]}")
    given = match.groupdict()
    return SwitchTarget(kind, name, given.get("org"), given.get("team"))
