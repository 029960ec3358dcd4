"""The models that agents' steps get."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from proxy.routing.globs import Matches, any_of
from proxy.routing.settings import AgentSettings
from proxy.routing.when import CallFacts, Condition, when_problems


class StepChoice(NamedTuple):
    """The model that a call gets, and what gives it."""

    model: str
    why: str


class _Profile(NamedTuple):
    is_org: Matches | None
    is_model: Matches
    steps: Mapping[str, str]
    rules: tuple[tuple[Condition, str], ...]
    otherwise: str | None


class AgentBook:
    """All agents' profiles, by name."""

    def __init__(self, agents: Mapping[str, AgentSettings]) -> None:
        self._profiles = {name: _profile(each) for name, each in agents.items()}
        rules = [rule.when for each in agents.values() for rule in each.rules]
        self.reads_asks = any(when.asks or when.lacks for when in rules)

    def model_for(self, model: str, facts: CallFacts) -> StepChoice | None:
        """The model of a call by its step, else by the first rule that is of it; None leaves it the one it names."""
        profile = self._profiles.get(facts.agent)
        if profile is None or not profile.is_model(model):
            return None
        if profile.is_org is not None and not profile.is_org(facts.org):
            return None
        if facts.step in profile.steps:
            return StepChoice(profile.steps[facts.step], f"step {facts.step}")
        for at, (condition, wanted) in enumerate(profile.rules, 1):
            if condition.holds(facts):
                return StepChoice(wanted, f"rule {at}")
        return None if profile.otherwise is None else StepChoice(profile.otherwise, "any other step")


def agent_problems(name: str, agent: AgentSettings) -> Iterator[tuple[str, str]]:
    """What of a profile cannot be meant so: where, and what is wrong."""
    if not (agent.steps or agent.rules or agent.otherwise):
        yield f"agents.{name}", "gives no call a model: set steps, rules or otherwise"
    for at, rule in enumerate(agent.rules):
        for key, what in when_problems(rule.when):
            yield f"agents.{name}.rules[{at}].when.{key}", what


def models_of(name: str, agent: AgentSettings) -> Iterator[tuple[str, str]]:
    """Every model that a profile leads to, with its place in the file."""
    yield from ((f"agents.{name}.steps.{step}", model) for step, model in agent.steps.items())
    yield from ((f"agents.{name}.rules[{at}].model", rule.model) for at, rule in enumerate(agent.rules))
    if agent.otherwise is not None:
        yield f"agents.{name}.otherwise", agent.otherwise


def _profile(agent: AgentSettings) -> _Profile:
    return _Profile(
        is_org=any_of(agent.orgs) if agent.orgs else None,
        is_model=any_of(agent.models),
        steps=agent.steps,
        rules=tuple((Condition(rule.when), rule.model) for rule in agent.rules),
        otherwise=agent.otherwise,
    )
