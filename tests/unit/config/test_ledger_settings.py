"""`ledger:` in flyball.yaml: which URLs are taken, and that no password is ever repeated."""

from pathlib import Path

import pytest

from proxy.config import BadConfig, Config, load_config

PASSWORD = "a-secret-word"


def load(folder: Path, text: str, **environment: str) -> Config:
    path = folder / "flyball.yaml"
    path.write_text(text)
    return load_config(path, environment)


def told(folder: Path, text: str, **environment: str) -> str:
    with pytest.raises(BadConfig) as bad:
        load(folder, text, **environment)
    return str(bad.value)


@pytest.mark.parametrize("url", ["redis://r:6379/0", "rediss://r", "unix:///run/redis.sock"])
def test_a_url_without_a_password_stands_in_the_file(tmp_path: Path, url: str) -> None:
    redis = load(tmp_path, f"ledger: {{url: '{url}', name: acme, deadline_ms: 80}}").settings.ledger.redis
    assert redis is not None
    assert redis.reveal() == url


def test_one_with_a_password_comes_from_elsewhere(tmp_path: Path) -> None:
    url = f"redis://:{PASSWORD}@r"
    (tmp_path / "url").write_text(url + "\n")
    for config in (
        load(tmp_path, "ledger: {url_env: REDIS}", REDIS=url),
        load(tmp_path, "ledger: {url_file: url}"),
        load(tmp_path, "", FLYBALL_LEDGER__URL=url),
    ):
        redis = config.settings.ledger.redis
        assert redis is not None
        assert redis.reveal() == url
        assert PASSWORD not in repr(config.settings)


@pytest.mark.parametrize("url", [f"redis://:{PASSWORD}@r", f"redis://r?password={PASSWORD}"])
def test_a_password_in_the_file_is_a_mistake_and_not_repeated(tmp_path: Path, url: str) -> None:
    said = told(tmp_path, f"ledger: {{url: '{url}'}}")
    assert "flyball.yaml:1: ledger.url has a password in it" in said
    assert PASSWORD not in said


def test_what_is_no_redis_is_told_without_the_url(tmp_path: Path) -> None:
    said = told(tmp_path, f"ledger: {{url: 'postgres://:{PASSWORD}@r'}}")
    assert "must begin with redis://" in said
    assert PASSWORD not in said


def test_without_the_package_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.config.ledger.importlib.util.find_spec", lambda name: None)
    assert "install flyball[redis]" in told(tmp_path, "ledger: {url: 'redis://r'}")


def test_alone_it_is_sqlite(tmp_path: Path) -> None:
    assert load(tmp_path, "").settings.ledger.redis is None
