"""`flyball check`: every mistake a file can hold, told by its key in words that say what to change."""

import os
from pathlib import Path

import pytest

from proxy.cli import main

PROVIDER = "providers: {up: {base_url: 'http://127.0.0.1:9/v1'}}\n"
ROUTE = "routes: [{model: m, targets: [{provider: up}]}]\n"

MISTAKES = {
    "bundle of nowhere": ("policy: {bundle: {}}", "policy.bundle needs exactly one of file and url"),
    "bundle of two": (
        "policy: {bundle: {file: a.tar.gz, url: 'https://x/a.tar.gz'}}",
        "policy.bundle needs exactly one of file and url",
    ),
    "bundle and folder": (
        "policy: {dir: rules, bundle: {url: 'https://x/a'}}",
        "policy.bundle stands in the place of policy.dir",
    ),
    "bundle for all to change": (
        "policy: {bundle: {url: 'http://bundles.example.com/a'}}",
        "anyone on the way could change policies that come over http",
    ),
    "bundle with a password": ("policy: {bundle: {url: 'https://u:w@x/a'}}", "policy.bundle.url must be"),
    "bundle too often": ("policy: {bundle: {url: 'https://x/a', poll_s: 1}}", "policy.bundle.poll_s must be at least"),
    "bundle without end": ("policy: {bundle: {url: 'https://x/a', timeout_s: 0}}", "policy.bundle.timeout_s must be"),
    "bundle with a scope alone": (
        "policy: {bundle: {url: 'https://x/a', scope: s}}",
        "policy.bundle.scope is part of a signature",
    ),
    "bundle with one key twice": (
        "policy: {bundle: {url: 'https://x/a', keys: [{id: k}, {id: k}]}}",
        "policy.bundle.keys[1].id repeats 'k'",
    ),
    "bundle that is not there": ("policy: {bundle: {file: gone.tar.gz}}", "policy.bundle "),
    "bundle beside settings": (
        "policy: {settings: s.json, bundle: {url: 'https://x/a'}}",
        "put data documents into policy.bundle",
    ),
    "no target": (PROVIDER + "routes: [{model: m, targets: []}]", "routes[0].targets is empty"),
    "prefix of a name that is given": (
        PROVIDER + "routes: [{model: m, targets: [{provider: up, model: x, strip_prefix: p/}]}]",
        "routes[0].targets[0].strip_prefix says nothing beside `model`",
    ),
    "route twice": (
        PROVIDER + "routes: [{model: m, targets: [{provider: up}]}, {model: m, targets: [{provider: up}]}]",
        "routes[1].model repeats 'm'; the first route would always win",
    ),
    "unknown provider": (
        PROVIDER + "routes: [{model: m, targets: [{provider: down}]}]",
        "routes[0].targets[0].provider names 'down', which is not under providers (there: up)",
    ),
    "provider without host": ("providers: {up: {base_url: 'ftp://x'}}", "providers.up cannot be used"),
    "provider with a password": ("providers: {up: {base_url: 'https://u:secret-word@x/v1'}}", "use api_key_env"),
    "no workers": ("server: {workers: 0}", "server.workers must be from 1 to 64; it is 0"),
    "address without port": ("server: {listen: localhost}", "server.listen must be host:port; it is 'localhost'"),
    "port too large": ("server: {admin_listen: 'x:70000'}", "server.admin_listen must be host:port"),
    "one port for both": (
        "server: {listen: '127.0.0.1:4000', admin_listen: '127.0.0.1:4000'}",
        "server.admin_listen must differ from server.listen",
    ),
    "prices that are not there": ("prices: {overlay: gone.yaml}", "prices"),
    "budget of nothing": (
        "budgets: [{name: b, scope: 'nonsense', window: month, limit_usd: 1}]",
        "budgets[0].scope cannot be meant so",
    ),
    "budget of an odd time": (
        "budgets: [{name: b, scope: 'org:a', window: month, timezone: Mars/Olympus, limit_usd: 1}]",
        "budgets[0].timezone cannot be meant so",
    ),
    "budget twice": (
        "budgets: [{name: b, scope: 'org:a', window: month, limit_usd: 1},"
        " {name: b, scope: 'org:b', window: month, limit_usd: 1}]",
        "budgets[1].name repeats 'b'",
    ),
    "key without secret": (
        "tenants: [{org: a, teams: [{team: b, keys: [{name: c}]}]}]",
        "tenants[0].teams[0].keys[0] needs exactly one of key_env, key_file and key_sha256",
    ),
    "key from nowhere": (
        "tenants: [{org: a, teams: [{team: b, keys: [{name: c, key_env: NO_SUCH_VARIABLE}]}]}]",
        "tenants[0].teams[0].keys[0].key_env names NO_SUCH_VARIABLE, which is not set",
    ),
    "ceiling that is no money": ("limits: {hosted_tools_ceiling_usd: -1}", "limits.hosted_tools_ceiling_usd must not"),
    "negative size": ("server: {max_body_bytes: -5}", "server.max_body_bytes must not be negative; it is -5"),
    "time that is no number": ("limits: {ping_after_s: .nan}", "limits.ping_after_s must be a number"),
    "nan by its name": ("limits: {ping_after_s: nan}", "limits.ping_after_s must be a number; it is 'nan'"),
    "endless time": ("limits: {drain_s: inf}", "limits.drain_s must be a number; it is 'inf'"),
    "unknown key": ("servers: {workers: 1}", "servers is not a key we know; did you mean 'server'?"),
    "unknown key deep down": (PROVIDER.replace("base_url", "base_uri"), "did you mean 'base_url'?"),
    "missing key": ("providers: {up: {}}", "providers.up.base_url is missing and has no default"),
    "key twice": ("server: {workers: 1}\nserver: {workers: 2}", "stands twice"),
    "list for a mapping": ("server: [1]", "server must be a mapping of keys"),
    "word for a list": ("routes: all", "routes must be a list"),
    "word for names": ("providers: openai", "providers must be a mapping of names"),
    "list for a word": ("server: {workers: [1]}", "server.workers must be one word"),
    "word for a number": ("server: {workers: many}", "server.workers must be a whole number; it is 'many'"),
    "fraction for a number": ("server: {workers: 1.5}", "server.workers must be a whole number"),
    "quoted number": ("server: {workers: '2'}", "server.workers must be a whole number"),
    "number that is none": ("budgets: [{name: b, scope: 'org:a', window: month, limit_usd: .nan}]", "limit_usd"),
    "word for a truth": (PROVIDER.replace("}}", ", allow_private: perhaps}}"), "must be true or false"),
    "one of a few": ("prices: {unpriced: maybe}", "prices.unpriced must be one of"),
    "secret in the file": (PROVIDER.replace("}}", ", api_key: x}}"), "must not stand in a file; use api_key_env"),
    "secret that names nothing": (PROVIDER.replace("}}", ", api_key_env: [x]}}"), "must name an environment variable"),
    "secret file that is gone": (PROVIDER.replace("}}", ", api_key_file: gone}}"), "cannot be read"),
    "secret that is unset": (PROVIDER.replace("}}", ", api_key_env: NO_SUCH_VARIABLE}}"), "is not set"),
    "no YAML": ("server: {workers: 1", "flyball.yaml:"),
    "an alias": ("server: &a {workers: 1}\nlimits: *a", "flyball.yaml:"),
    "a tag": ("server: !!python/object/apply:os.system ['true']", "flyball.yaml:"),
    "two documents": ("server: {workers: 1}\n---\nserver: {workers: 2}", "flyball.yaml:"),
    "a list": ("- 1", "must be a mapping of keys"),
    "deep": ("server: " + "[" * 100 + "]" * 100, "flyball.yaml:"),
}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("FLYBALL_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FLYBALL_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_by_its_key(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, words = MISTAKES[case]
    Path("flyball.yaml").write_text(text + "\n")
    assert main(["check"]) == 1
    told = capsys.readouterr().err
    assert words in told
    assert "flyball.yaml" in told
    assert "Traceback" not in told
    assert "secret-word" not in told


def test_the_good_parts_of_those_files_are_good(capsys: pytest.CaptureFixture[str]) -> None:
    Path("flyball.yaml").write_text(PROVIDER + ROUTE)
    assert main(["check"]) == 0, capsys.readouterr().err


def test_mistakes_in_the_environment_are_told_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("flyball.yaml").write_text(PROVIDER + ROUTE + "enforcement: enforce\n")
    monkeypatch.setenv("FLYBALL_SERVER__WORKERS", "none")
    monkeypatch.setenv("FLYBALL_ENFORCEMENT__X", "y")
    monkeypatch.setenv("FLYBALL_SEVRER__WORKERS", "1")
    assert main(["check"]) == 1
    told = capsys.readouterr().err
    assert "environment FLYBALL_SERVER__WORKERS" in told or "environment FLYBALL_ENFORCEMENT__X" in told


def test_a_huge_file_is_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("flyball.yaml").open("wb") as file:
        file.truncate(9 * 1024 * 1024)
    assert main(["check"]) == 1
    assert "larger than" in capsys.readouterr().err


def test_a_file_that_is_no_text_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("flyball.yaml").write_bytes(b"\xff\xfe\x00server")
    assert main(["check"]) == 1
    assert "cannot be read" in capsys.readouterr().err
