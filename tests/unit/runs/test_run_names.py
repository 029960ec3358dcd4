"""Where a call's run is read: our header, other proxies' headers, the body, the trace, in that order."""

import pytest

from proxy.core.tenant import Principal
from proxy.runs import Claims, RunNames, RunSettings, read_claims
from proxy.runs.names import BadAlias, read_alias

BOT = Principal(org="acme", team="support", key_id="key_1", key_name="bot")
NAMES = RunNames.of(RunSettings())
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def read(headers: dict[bytes, bytes], names: RunNames = NAMES, session: str | None = None) -> Claims:
    return read_claims(headers, BOT, body_user=None, body_session=session, names=names)


@pytest.mark.parametrize("alias", RunSettings().aliases)
def test_every_alias_names_the_run_and_the_row_says_which(alias: str) -> None:
    claims = read({alias.encode(): b" s-1 ", b"traceparent": TRACE}, session="of the body")
    assert (claims.run, claims.run_source) == ("s-1", alias)


def test_our_own_header_wins_over_an_alias_and_the_first_alias_over_a_later_one() -> None:
    both = {b"x-session-id": b"later", b"x-litellm-session-id": b"first"}
    assert read(both).run == "first"
    assert read({**both, b"x-flyball-run": b"own"}).run == "own"


@pytest.mark.parametrize("value", [b"", b"  ", b"x" * 257, b"\xff", b"a\x01b"])
def test_an_alias_that_is_no_name_is_passed_over(value: bytes) -> None:
    """It is another tool's header: a call is not refused for it."""
    claims = read({b"x-session-id": value}, session="s1")
    assert (claims.run, claims.run_source) == ("s1", "metadata.session_id")


def test_aliases_are_what_the_settings_say() -> None:
    names = RunNames.of(RunSettings(aliases=("X-Job",)))
    assert read({b"x-job": b"nightly"}, names).run_source == "x-job"
    assert read({b"x-session-id": b"s1"}, names).run == ""


def test_a_parent_is_read_from_its_aliases_too() -> None:
    assert read({b"x-parent-session-id": b"root"}).parent_run == "root"
    assert read({b"x-parent-session-id": b"root", b"x-flyball-parent-run": b"own"}).parent_run == "own"


@pytest.mark.parametrize("name", ["", "two words", "Authorization", "x-api-key", "x-flyball-agent", "a:b"])
def test_a_secret_or_a_header_of_ours_is_no_alias(name: str) -> None:
    with pytest.raises(BadAlias):
        read_alias(name)
