"""The starter library with every rule set, and random inputs that meet all of its rules; every member always there."""

import random
from typing import Any, Final

from proxy.policy import Bundle
from proxy.policy.bundle import TEST_SUFFIX, read_files

SETTINGS: Final[dict[str, Any]] = {
    "models": {
        "orgs": {"acme": ["gpt-*", "sim-*"], "größe": []},
        "teams": {"acme/support": ["gpt-5-mini", "claude-*"]},
        "keys": {"acme/support/bot": ["*"]},
        "blocked": ["gpt-4", "*-preview"],
    },
    "pinning": {"required": True, "except": ["sim-*", "gpt-5*"]},
    "call_limits": {"max_output_tokens": 4096, "max_usd": "0.50"},
    "tools": {"agents": {"triage": ["read_*", "web_search"], "*": ["read_mail"]}},
    "agents": {
        "triage": {"models": ["gpt-5-mini", "sim-*"], "max_usd_per_call": "0.10", "tags": ["ticket", "case"]},
        "bot": {"max_usd_per_call": "0.0000001"},
        "idle": {},
    },
    "hours": {
        "orgs": {
            "acme": {"weekdays": [1, 2, 3, 4, 5], "from": 8, "to": 18},
            "*": {"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": 0, "to": 24},
        }
    },
    "residency": {
        "orgs": {"acme": {"regions": ["eu", "ch"], "max_retention_days": 0}, "*": {"max_retention_days": 30}},
        "providers": {
            "here": {"region": "eu", "retention_days": 0},
            "kept": {"region": "eu", "retention_days": 30},
            "there": {"region": "us", "retention_days": 0.5},
        },
    },
    "unpriced": {"deny": True},
    "ungated": {"deny": True, "write_tag": {"key": "may", "value": "write"}},
    "tool_calls": {
        "agents": {"triage": ["read_*", "send"], "*": ["read_mail", "web_*"]},
        "write_actions": ["send", "code_*"],
        "write_tag": {"key": "env", "value": "prod"},
        "registered_only": True,
        "write_by_registry": True,
    },
    "forged_results": {"deny": True, "except_agents": ["idle"]},
    "pii": {
        "kinds": ["pii"],
        "action": "redact",
        "unread": "pass",
        "orgs": {"acme": {"action": "deny", "kinds": ["card", "email"]}, "größe": {"unread": "refuse"}},
    },
    "pii_providers": {
        "trusted": ["here"],
        "unread": "pass",
        "orgs": {"acme": {"trusted": ["here", "kept"]}, "other": {"action": "redact", "kinds": ["email", "card"]}},
    },
    "secrets": {"kinds": ["secret"], "orgs": {"acme": {"action": "redact"}, "other": {"unread": "refuse"}}},
    "injection": {"roles": ["tool", "user"], "action": "strip_tools", "write_tools": ["send", "code_*"]},
}
ODD: Final = ("", "100%s", "größe", "a\nb", 'q"uote', "\u0430cme", "x" * 300, "*", "acme/support", "%!d", "🜚")
MODELS: Final = ("gpt-4", "gpt-5-mini", "gpt-4o-2024-08-06", "claude-sonnet-4-20250514", "sim-small", "o9-preview")
TOOLS: Final = ("read_mail", "read_x", "send", "web_search", "code_interpreter", "read_mаil")
PROVIDERS: Final = ("here", "kept", "there", "unknown")
USD: Final = ("0", "0.5", "0.500000001", "0.10", "0.100000001", "12345.678901234", "0.000000001", "1000000000")


def bundle(*, tests: bool = False) -> Bundle:
    """The whole library."""
    modules = {path: text for path, text in read_files(None).items() if path.endswith(".rego")}
    own = {path: text for path, text in modules.items() if tests or not path.endswith(TEST_SUFFIX)}
    return Bundle.of(own, {"settings": SETTINGS})


def with_gaps(draw: random.Random) -> Bundle:
    """The library with settings in which some members are left out, as people write them."""

    def thinned(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: thinned(each) for name, each in value.items() if draw.random() < 0.75}

    settings = {name: thinned(each) for name, each in SETTINGS.items()}
    return Bundle.of(bundle().modules, {"settings": settings})


def drawn(draw: random.Random) -> dict[str, Any]:
    """One input, for all points alike."""

    def some(*usual: str) -> str:
        return draw.choice(usual) if draw.random() < 0.9 else draw.choice(ODD)

    def several(*of: str) -> list[str]:
        return [some(*of) for _ in range(draw.randrange(4))]

    tool = some(*TOOLS)
    return {
        "version": 1,
        "point": "request",
        "operation": f"op_{draw.getrandbits(64):x}",
        "method": draw.choice(("POST", "GET")),
        "path": draw.choice(("/chat/completions", "/files/file-1")),
        "gate": draw.choice(("full", "none")),
        "endpoint": draw.choice(("chat.completions", "responses", "embeddings")),
        "org": some("acme", "other", "größe"),
        "team": some("support", "sales"),
        "key": some("bot", "other"),
        "key_id": "key_1",
        "cost_center": some("", "cc-1"),
        "user": some("", "u1"),
        "agent": some("triage", "bot", "idle", "x"),
        "run": some("", "run_1"),
        "step": some("", "plan"),
        "tags": {name: some("prod", "test") for name in several("env", "team")},
        "claims": {
            "tags": {name: some("", "7") for name in several("ticket", "case", "env")},
            "parent_run": "",
            "run_source": "",
        },
        "model": some(*MODELS),
        "requested_model": some(*MODELS),
        "provider": some(*PROVIDERS),
        "stream": draw.random() < 0.5,
        "max_tokens": draw.choice((None, 0, 1, 4095, 4096, 4097, 10**7)),
        "params": draw.choice(({}, {"temperature": 0.7, "stop": ["x"], "metadata": None})),
        "messages": {
            "count": draw.randrange(9),
            "bytes": draw.randrange(10**6),
            "roles": several("user"),
            "text": None,
        },
        "tools": [{"name": name, "type": "function", "access": None, "risk": None} for name in several(*TOOLS)],
        "provider_tools": several(*TOOLS),
        "tool_results_unreleased": [{"id": some("c1", ""), "name": None, "index": 2}] if draw.random() < 0.2 else [],
        "findings": [_finding(draw, some("tool", "user", "system")) for _ in range(draw.randrange(3))],
        "findings_scan": {"whole": draw.random() < 0.9, "unread_parts": draw.choice((0, 0, 0, 2))},
        "estimate_usd": draw.choice(USD),
        "estimate": {"input_tokens": draw.randrange(10**6), "output_tokens": draw.randrange(10**6)},
        "priced": draw.random() < 0.8,
        "budgets": [],
        "run_counters": {},
        "clock": {
            "now": "2026-11-20T12:00:00+00:00",
            "unix": 1_795_176_000,
            "weekday": draw.randrange(1, 8),
            "hour": draw.randrange(24),
            "minute": draw.randrange(60),
        },
        "tool": {
            "name": tool,
            "type": "function",
            "arguments": draw.choice(({}, {"path": "/x", "n": 1.5}, None)),
            "arguments_bytes": draw.randrange(99),
            "valid": draw.random() < 0.8,
            "known": draw.random() < 0.8,
            "registered": draw.choice(
                (None, {"owner": "o", "risk": "low", "access": draw.choice(("read", "write")), "version": None})
            ),
        },
        "candidates": [{"id": f"{name}/m", "provider": name, "model": "m"} for name in several(*PROVIDERS)],
    }


def _finding(draw: random.Random, role: str) -> dict[str, Any]:
    kind, category = draw.choice(
        (("email", "pii"), ("card", "pii"), ("jwt", "secret"), ("instruction_override", "injection"), ("shoe", "size"))
    )
    return {"kind": kind, "category": category, "role": role, "index": draw.randrange(9), "count": draw.randrange(1, 4)}
