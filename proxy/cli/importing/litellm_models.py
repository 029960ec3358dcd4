"""LiteLLM's `model_list` and router settings, made providers, routes and prices."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeAlias

from proxy.cli.importing.litellm_hosts import Host, host_of
from proxy.cli.importing.source import Section

Tree: TypeAlias = dict[str, object]
_ENV: Final = "os.environ/"
_TOKENS: Final = Decimal(1_000_000)
_RATES: Final = {
    "input_cost_per_token": "input_usd_per_mtok",
    "output_cost_per_token": "output_usd_per_mtok",
    "cache_read_input_token_cost": "cache_read_usd_per_mtok",
    "cache_creation_input_token_cost": "cache_write_usd_per_mtok",
}
_HARMLESS: Final = ("id", "mode", "base_model", "db_model", "created_at", "updated_at", "created_by", "updated_by")
_FIRST_ONLY: Final = "is written as a further target of its route; only the first target of a route is used so far"


@dataclass(slots=True)
class Models:
    """What became of the models. `routes` are targets by the name that clients ask for."""

    providers: dict[str, Tree] = field(default_factory=dict)
    routes: dict[str, list[Tree]] = field(default_factory=dict)
    prices: dict[str, Tree] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    """Variables that are to hold what stood in the file itself → where it stood."""
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """What stood as a provider's key, so that two keys make two providers; never written."""


def read_models(config: Section, models: Models) -> None:
    """Read `model_list`; every entry of it is carried or told."""
    for entry in config.sections("model_list"):
        _read_entry(entry, models)
        entry.drop("model_info")
        entry.leave()


def read_router(config: Section, models: Models) -> None:
    """Read fallbacks and aliases, from `router_settings` and from `litellm_settings`, where both may stand."""
    router = config.section("router_settings")
    for section in (router, config.section("litellm_settings")):
        for entry in section.sections("fallbacks"):
            for name in entry.names():
                _add_fallbacks(entry, name, models)
        section.tell("default_fallbacks", "there are no fallbacks for all models; name them at each route")
        for name in ("context_window_fallbacks", "content_policy_fallbacks"):
            section.tell(name, "only ordinary fallbacks are known")
    aliases = router.section("model_group_alias")
    for name in aliases.names():
        model = aliases.text(name) or aliases.section(name).text("model")
        if model in models.routes:
            models.routes[name] = [_target_of(target, model) for target in models.routes[model]]
        else:
            aliases.tell(name, f"is an alias of {model!r}, which is no model of the list")
    router.drop("redis_host", "redis_port", "redis_password", "redis_url")
    router.tell("routing_strategy", "targets are taken in their order")
    for name in ("num_retries", "timeout", "allowed_fails", "cooldown_time", "retry_policy"):
        router.tell(name, "retries are the client's; nothing that was sent is sent twice")
    router.leave()


def _read_entry(entry: Section, models: Models) -> None:
    name, params, info = entry.text("model_name"), entry.section("litellm_params"), entry.section("model_info")
    model = params.text("model")
    host, known_as = host_of(model, params.text("custom_llm_provider"))
    if not name or not model or host is None:
        why = f"the provider of {model!r} is not known" if name and model else "names no model"
        params.notes.add(entry.place, entry.path, f"{why}; add it as a provider of its dialect by hand")
        return
    provider = _provider(params, host, models)
    if provider is None:
        return
    target: Tree = {"provider": provider}
    if not _name_target(target, entry, name, known_as):
        return
    if target not in models.routes.setdefault(name, []):
        models.routes[name].append(target)
    if len(models.routes[name]) > 1:
        entry.notes.add(entry.place, entry.path, f"a further deployment of {name!r}: {_FIRST_ONLY}")
    _read_prices(params, info, known_as, models)
    info.drop(*_HARMLESS)
    info.leave("prices and limits of models come from the price book")
    _tell_params(params)


def _name_target(target: Tree, entry: Section, name: str, known_as: str) -> bool:
    """Say under which name a target gets the model; whether that can be said."""
    if "*" not in name:
        if known_as != name:
            target["model"] = known_as
        return True
    if name.count("*") > 1 or known_as.count("*") > 1 or not name.endswith("*") or not known_as.endswith("*"):
        entry.notes.add(entry.place, entry.path, f"the pattern {name!r} cannot be written as a route")
        return False
    asked, sent = name.removesuffix("*"), known_as.removesuffix("*")
    if not asked.endswith(sent):
        entry.notes.add(entry.place, entry.path, f"the pattern {name!r} is sent under other names")
        return False
    if asked != sent:
        target["strip_prefix"] = asked.removesuffix(sent) if sent else asked
    return True


def _provider(params: Section, host: Host, models: Models) -> str | None:
    """The provider of a deployment, made if there is none like it yet; None where it cannot be reached."""
    base_url = _base_url(params, host)
    if not base_url:
        params.notes.add(params.place, params.path, f"{host.name} needs an api_base, and none is given")
        return None
    settings: Tree = {} if host.dialect == "openai" else {"dialect": host.dialect}
    settings["base_url"] = base_url
    for key, value in host.extra:
        settings[key] = value
    return _free_name(host.name.replace("_", "-"), settings, params, host, models)


def _free_name(stem: str, settings: Tree, params: Section, host: Host, models: Models) -> str:
    """The name of the provider with these settings and this key, made if there is none; each key is one provider."""
    key, place = params.text("api_key"), params.place_of("api_key")
    organization = params.text("organization")
    if organization and not organization.startswith(_ENV):
        settings["extra_headers"] = {"openai-organization": organization}
    names = (stem if number == 1 else f"{stem}-{number}" for number in itertools.count(1))
    for name in names:
        variable = _variable(key, host, name)
        wanted = {**settings, "api_key_env": variable} if variable else settings
        known = models.providers.setdefault(name, wanted)
        if known == wanted and models.secrets.setdefault(name, key) == key:
            break
    if key and not key.startswith(_ENV):
        models.variables.setdefault(variable, place)
    return name


def _variable(key: str, host: Host, name: str) -> str:
    """Which variable holds a key; one that stood in the file itself gets one of its own, and is never written."""
    if key.startswith(_ENV):
        return key.removeprefix(_ENV)
    if key:
        return re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_API_KEY"
    return host.key_env


def _base_url(params: Section, host: Host) -> str:
    given = params.text("api_base") or params.text("base_url")
    if given.startswith(_ENV):
        params.notes.add(
            params.place, f"{params.path}.api_base", "an address is written in the file, not in a variable"
        )
        return ""
    if not given:
        return host.base_url
    given = given.rstrip("/")
    return given if not host.path or given.endswith(host.path) or "/openai/" in given else given + host.path


def _read_prices(params: Section, info: Section, model: str, models: Models) -> None:
    entry: Tree = {}
    for ours, theirs in ((ours, theirs) for theirs, ours in _RATES.items()):
        rate = params.number(theirs)
        rate = info.number(theirs) if rate is None else rate
        if rate is not None:
            entry[ours] = rate * _TOKENS
    if "input_usd_per_mtok" in entry and "output_usd_per_mtok" in entry:
        models.prices[model] = {**entry, "source": "litellm config"}
    elif entry:
        params.notes.add(params.place, params.path, f"{model!r} has a price for one side only; both are needed")


def _tell_params(params: Section) -> None:
    params.drop("api_version", "drop_params", "region_name")
    for name in ("rpm", "tpm", "max_parallel_requests"):
        params.tell(name, "a provider's own limit is not kept here; rate limits are per org, team, key or user")
    for name in ("timeout", "stream_timeout", "max_retries", "num_retries"):
        params.tell(name, "timeouts are the provider's (first_byte_timeout_s, total_timeout_s); retries the client's")
    for name in ("weight", "order", "tags"):
        params.tell(name, "targets are taken in the order of the list")
    params.leave()


def _add_fallbacks(entry: Section, name: str, models: Models) -> None:
    for model in entry.texts(name):
        if name not in models.routes or model not in models.routes:
            entry.tell(name, f"{name!r} or {model!r} is no model of the list")
            continue
        entry.tell(name, f"the fallback {model!r} of {name!r} {_FIRST_ONLY}")
        for target in models.routes[model]:
            wanted = _target_of(target, model)
            if wanted not in models.routes[name]:
                models.routes[name].append(wanted)


def _target_of(target: Tree, model: str) -> Tree:
    """A target of one route, for a route of another name: the model is to be named."""
    return target if "model" in target or "strip_prefix" in target else {**target, "model": model}


def routes_of(models: Models) -> Iterator[Tree]:
    """The routes, exact names before patterns, so that the first match is the nearest."""
    for name, targets in sorted(models.routes.items(), key=lambda route: ("*" in route[0], -len(route[0]))):
        yield {"model": name, "targets": targets}
