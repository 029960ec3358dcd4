"""Receivers of alerts in flyball.yaml: taken as meant, and refused with their place, without telling what is secret."""

import base64
from pathlib import Path

import pytest

from proxy.budget import Receiver, receivers_of
from proxy.config import BadConfig, load_config

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
ENVIRONMENT = {
    "HOOK_SECRET": SECRET,
    "HOOK_URL": "https://hooks.slack.com/services/T0/B0/very-secret",
    "BAD": "whsec_x",
}


def load(folder: Path, receivers: str) -> tuple[Receiver, ...]:
    path = folder / "flyball.yaml"
    path.write_text(f"alerts:\n  receivers:\n    - {receivers}\n")
    return receivers_of(load_config(path, ENVIRONMENT).settings.alerts, ENVIRONMENT)


def test_receivers_are_taken_as_meant(tmp_path: Path) -> None:
    (hook,) = load(tmp_path, "{name: ops, url: 'https://ops.example/flyball', secret_env: HOOK_SECRET, orgs: [acme]}")
    assert (hook.kind, hook.host, hook.keys, hook.orgs) == (
        "webhook",
        "ops.example",
        (bytes(range(24)),),
        frozenset({"acme"}),
    )
    (slack,) = load(tmp_path, "{name: slack, url_env: HOOK_URL, kinds: [block, overrun]}")
    assert (slack.kind, slack.host, slack.kinds) == ("slack", "hooks.slack.com", frozenset({"block", "overrun"}))
    assert "very-secret" not in repr(slack)
    assert SECRET[6:] not in repr(hook)
    (tmp_path / "url").write_text("https://chat.example/hook\n")
    (filed,) = load(tmp_path, "{name: chat, url_file: url, kind: slack}")
    assert (filed.kind, filed.url.reveal()) == ("slack", "https://chat.example/hook")


@pytest.mark.parametrize(
    ("receiver", "told"),
    [
        ("{name: a b, url: 'https://x.example/'}", "flyball.yaml:3: alerts.receivers[0].name cannot be used"),
        ("{name: a}", "flyball.yaml:3: alerts.receivers[0].url cannot be used: exactly one of"),
        ("{name: a, url: 'https://x.example/', url_env: HOOK_URL}", "alerts.receivers[0].url cannot be used: exactly"),
        ("{name: a, url: 'ftp://x.example/'}", "alerts.receivers[0].url cannot be used: must be an http"),
        ("{name: a, url: 'https://me:pass@x.example/'}", "alerts.receivers[0].url cannot be used: must be an http"),
        ("{name: a, url: 'https://x.example:0/'}", "alerts.receivers[0].url cannot be used: must be an http"),
        ("{name: a, url: 'https://x.example:99999/'}", "alerts.receivers[0].url cannot be used: must be an http"),
        ("{name: a, url_env: BAD}", "alerts.receivers[0].url_env cannot be used: must be an http"),
        ("{name: a, url_env: GONE}", "alerts.receivers[0].url_env cannot be used: names an environment variable"),
        ("{name: a, url_file: gone}", "alerts.receivers[0].url_file cannot be used: cannot be read"),
        ("{name: a, url: 'https://x.example/', secret_env: BAD}", "alerts.receivers[0].secret cannot be used: a sign"),
        ("{name: a, url: 'https://x.example/', secret: whsec_y}", "alerts.receivers[0].secret must not stand in a"),
        ("{name: a, url: 'https://x.example/', kinds: [all]}", "alerts.receivers[0].kinds[0] must be one of alert"),
        (
            "{name: a, url: 'https://x.example/'}\n    - {name: a, url: 'https://x.example/'}",
            "flyball.yaml:4: alerts.receivers[1].name repeats 'a'",
        ),
        ("{name: a, url: 'https://x.example/'}\n  timeout_s: 0", "alerts.timeout_s must be more than nothing"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(tmp_path: Path, receiver: str, told: str) -> None:
    with pytest.raises(BadConfig) as bad:
        load(tmp_path, receiver)
    (error,) = bad.value.errors
    assert told in error
    assert "whsec" not in error or "whsec_ and" in error
