"""Who calls in the demo: three tenants, their teams, keys and agents, and what they like to ask."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoKey:
    """One client key: its agents, the models it calls by weight, and its weight among all calls."""

    org: str
    team: str
    name: str
    weight: int
    agents: tuple[str, ...]
    models: tuple[tuple[str, int], ...]

    @property
    def full_name(self) -> str:
        """`acme-support-bot`: the name of the file that holds its secret."""
        return f"{self.org}-{self.team}-{self.name}"


KEYS: Final = (
    DemoKey(
        org="acme",
        team="support",
        name="bot",
        weight=34,
        agents=("triage", "answer"),
        models=(("sim-small", 8), ("sim-large", 1), ("sim-embed", 2)),
    ),
    DemoKey(
        org="acme",
        team="research",
        name="analyst",
        weight=12,
        agents=("reader", "writer"),
        models=(("sim-large", 5), ("sim-reasoner", 2), ("sim-embed", 1)),
    ),
    DemoKey(
        org="globex",
        team="sales",
        name="copilot",
        weight=30,
        agents=("mailer", "summariser"),
        models=(("sim-small", 6), ("sim-large", 3)),
    ),
    DemoKey(
        org="initech",
        team="platform",
        name="coder",
        weight=24,
        agents=("planner", "coder"),
        models=(("sim-large", 5), ("sim-small", 2), ("sim-reasoner", 1)),
    ),
)

ORGS: Final = tuple(dict.fromkeys(key.org for key in KEYS))
COST_CENTERS: Final = {"acme": "4711", "globex": "2200", "initech": "0815"}
CAPPED: Final = "initech"
"""The tenant whose budget does not last."""

CAP_AT: Final = 55
"""Its budget in percent of what its calls would cost."""
