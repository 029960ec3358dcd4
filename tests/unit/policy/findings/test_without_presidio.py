"""Presidio asked for where it is not installed: said at once, and nothing passes unseen."""

import json
from pathlib import Path

import pytest

from proxy.config import BadConfig, load_config
from proxy.policy import PolicyUnavailable
from proxy.policy.findings import Finder, FindingsSettings, PresidioSettings, Said, Unredactable
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, chat, config, one_worker


def problems(tmp_path: Path, presidio: str) -> list[str]:
    path = tmp_path / "flyball.yaml"
    path.write_text(f"policy: {{findings: {{presidio: {{{presidio}}}}}}}")
    with pytest.raises(BadConfig) as raised:
        load_config(path, {})
    return str(raised.value).splitlines()


def test_a_check_says_what_to_install(tmp_path: Path) -> None:
    assert any("flyball[presidio]" in line for line in problems(tmp_path, "entities: [CRYPTO]"))


@pytest.mark.parametrize(
    ("presidio", "said"),
    [
        ("entities: [Person]", "'Person' is no entity"),
        ("entities: [EMAIL_ADDRESS]", "EMAIL_ADDRESS is found without Presidio"),
        ("entities: [PERSON]", "PERSON needs a spaCy model"),
        ("entities: [CRYPTO], min_score: 2", "must be from 0 to 1"),
        ("entities: [CRYPTO], max_chars: 0", "must be from 1 to"),
    ],
)
def test_what_cannot_be_had_is_said(presidio: str, said: str, tmp_path: Path) -> None:
    assert any(said in line for line in problems(tmp_path, presidio))


ASKED = FindingsSettings(presidio=PresidioSettings(entities=("CRYPTO",)))


def test_a_text_that_nobody_could_look_at_is_no_text_without_findings() -> None:
    finder = Finder(ASKED)
    with pytest.raises(PolicyUnavailable, match="presidio-analyzer"):
        finder.look([Said("user", 0, "x")])
    with pytest.raises(PolicyUnavailable):
        finder.redactor(["pii"]).edits("user", "x")
    assert finder.is_slow and not Finder(FindingsSettings()).is_slow


def test_its_kinds_cannot_be_redacted_where_nobody_looks_for_them() -> None:
    with pytest.raises(Unredactable, match="presidio_person"):
        Finder(FindingsSettings()).redactor(["presidio_person"])
    with pytest.raises(Unredactable, match="presidio_person"):
        Finder(ASKED).redactor(["presidio_crypto", "presidio_person"])


@pytest.mark.parametrize(
    "rules",
    [
        'deny contains {"code": "x", "msg": "x"} if count(input.findings) > 0',
        'obligations contains {"type": "redact", "kinds": ["pii"]}',
    ],
)
async def test_where_a_detector_fails_nothing_passes(rules: str, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.rego").write_text(f"package flyball.request\n{rules}")
    with one_worker(tmp_path, config(more="policy: {dir: rules}")) as worker:
        snapshot = worker.rooms.snapshot()
        object.__setattr__(snapshot, "finder", Finder(ASKED))
        client = Client(chat())
        await worker.call(client, Answer(b"{}", headers=JSON_HEADERS))
        error = json.loads(client.text)["error"]
        assert (client.status, error["code"]) == (503, "dependency_unavailable")
        assert "presidio-analyzer" in error["flyball"]["detail"]
        assert worker.rooms.transport.seen == []  # type: ignore[attr-defined] # a scripted one
