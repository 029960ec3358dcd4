"""LiteLLM's config.yaml and the state of its proxy, made flyball.yaml."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from proxy.cli.importing.litellm_models import Models, read_models, read_router, routes_of
from proxy.cli.importing.litellm_people import People, read_people
from proxy.cli.importing.litellm_state import Org, State
from proxy.cli.importing.source import Notes, Section, read_source

Tree: TypeAlias = dict[str, object]
PRICES: Final = "prices.litellm.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """flyball.yaml as a tree, the price overlay (empty where there is none), and what is to be told.

    `variables` are those that must hold a secret which stood in the file itself → where it stood.
    """

    tree: Tree
    prices: Tree
    notes: Notes
    variables: dict[str, str]


def carry_over(text: str, name: str, state: State, default_org: str) -> Imported:
    """Carry everything that has a counterpart, and tell everything that has none.

    Raises:
        NotYaml: the file cannot be read.
    """
    notes = Notes()
    config = read_source(text, name, notes)
    models = Models()
    read_models(config, models)
    _read_general(config, state, default_org)
    read_router(config, models)
    _tell_settings(config)
    config.leave()
    people = read_people(state, default_org, notes)
    return Imported(tree=_tree(models, people), prices=dict(models.prices), notes=notes, variables=models.variables)


def _read_general(config: Section, state: State, default_org: str) -> None:
    """The budget of the whole proxy is that of the one org there is."""
    settings, general = config.section("litellm_settings"), config.section("general_settings")
    limit = settings.number("max_budget") or general.number("max_budget")
    if limit is not None and not state.organizations:
        duration = settings.text("budget_duration") or general.text("budget_duration")
        org = Org(organization_id=default_org, max_budget=float(limit), budget_duration=duration or None)
        state.organizations.append(org)
    elif limit is not None:
        settings.tell("max_budget", "is of all organizations together; give each org a budget")


def _tell_settings(config: Section) -> None:
    settings = config.section("litellm_settings")
    settings.drop("max_budget", "budget_duration", "fallbacks", "default_fallbacks", "context_window_fallbacks")
    settings.drop("content_policy_fallbacks", "set_verbose", "json_logs", "telemetry", "drop_params", "modify_params")
    settings.tell("cache", "caching is set under `cache`")
    settings.tell("cache_params", "caching is set under `cache`")
    for name in ("callbacks", "success_callback", "failure_callback"):
        settings.tell(name, "calls are recorded in ClickHouse; OpenTelemetry and /metrics are built in")
    settings.leave()
    general = config.section("general_settings")
    general.drop("max_budget", "budget_duration", "database_url", "store_model_in_db", "database_connection_pool_limit")
    general.tell("master_key", "the admin API has tokens of named people; state/admin-token begins")
    general.tell("alerting", "alerts are set under `alerts`")
    general.leave()
    config.tell("environment_variables", "variables are set where Flyball is started")


def _tree(models: Models, people: People) -> Tree:
    tree: Tree = {}
    if models.providers:
        tree["providers"] = models.providers
        tree["routes"] = list(routes_of(models))
    if people.tenants:
        tree["tenants"] = [
            {"org": org, "teams": [{"team": team, "keys": keys} for team, keys in teams.items()]}
            for org, teams in people.tenants.items()
        ]
    if people.budgets:
        tree["budgets"] = people.budgets
    if people.rate_limits:
        tree["rate_limits"] = people.rate_limits
    if models.prices:
        tree["prices"] = {"overlay": PRICES}
    return tree
