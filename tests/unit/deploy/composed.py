"""deploy/compose.yaml and deploy/Dockerfile, read."""

import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

ROOT: Final = Path(__file__).parents[3]
DEPLOY: Final = ROOT / "deploy"


def compose() -> dict[str, Any]:
    """The whole file, its anchors resolved."""
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


SERVICES: Final[dict[str, dict[str, Any]]] = compose()["services"]


class Instruction(NamedTuple):
    """One instruction of a Dockerfile: its word, and what follows, on one line."""

    word: str
    rest: str


def dockerfile() -> list[list[Instruction]]:
    """The instructions of each stage."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    stages: list[list[Instruction]] = []
    for line in filter(None, lines):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append(Instruction(word, rest))
    return stages


def environment(service: str, secrets: dict[str, str]) -> dict[str, str]:
    """What the service's environment is, with these secrets put in."""
    told = SERVICES[service].get("environment", {})
    return {name: _filled(str(value), secrets) for name, value in told.items()}


def _filled(text: str, secrets: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: secrets[found[1]], text)
