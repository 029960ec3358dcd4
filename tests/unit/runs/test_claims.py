"""Claims: what a client says of a call, within the grammar and under what its key pins."""

import pytest

from proxy.core.refusal import Refused
from proxy.core.tenant import Principal
from proxy.runs import Claims, read_claims

BOT = Principal(org="acme", team="support", key_id="key_1", key_name="bot")


def read(
    headers: dict[bytes, bytes], principal: Principal = BOT, user: str | None = None, session: str | None = None
) -> Claims:
    return read_claims(headers, principal, body_user=user, body_session=session)


def test_the_run_header_wins_over_session_and_trace() -> None:
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    everything = {b"x-flyball-run": b"r1", b"traceparent": trace}
    assert (read(everything, session="s1").run, read(everything).run_source) == ("r1", "header")
    by_session = read({b"traceparent": trace}, session="s1")
    assert (by_session.run, by_session.run_source) == ("s1", "metadata.session_id")
    by_trace = read({b"traceparent": trace})
    assert (by_trace.run, by_trace.run_source) == ("0af7651916cd43dd8448eb211c80319c", "traceparent")


def test_a_key_without_agents_is_its_own_agent() -> None:
    assert read({b"x-flyball-agent": b"whoever"}).agent == "bot"


def test_only_listed_agents_may_be_claimed() -> None:
    listed = Principal(org="acme", team="support", key_id="key_1", key_name="bot", agents=("triage", "draft"))
    assert read({b"x-flyball-agent": b"draft"}, listed).agent == "draft"
    with pytest.raises(Refused, match="triage, draft"):
        read({b"x-flyball-agent": b"other"}, listed)


def test_pinned_tags_win_over_claimed_ones() -> None:
    pinned = Principal(org="acme", team="t", key_id="k", key_name="bot", tags={"env": "prod"})
    claims = read({b"x-flyball-tags": b"env=dev,feature=search%20box;note=ignored"}, pinned)
    assert claims.tags == {"env": "prod", "feature": "search box"}


@pytest.mark.parametrize(
    "tags",
    [
        b"novalue",
        b"bad key=1",
        b",".join(b"k%d=v" % n for n in range(17)),
        b"k=" + b"v" * 257,
        b"k" * 65 + b"=v",
        b"k=%0a",
    ],
)
def test_tags_outside_the_grammar_are_refused(tags: bytes) -> None:
    with pytest.raises(Refused, match="x-flyball-tags"):
        read({b"x-flyball-tags": tags})


@pytest.mark.parametrize("value", [b"\xff\xfe", b"a\x01b", b"x" * 257])
def test_names_that_cannot_be_kept_are_refused(value: bytes) -> None:
    with pytest.raises(Refused, match="x-flyball-run"):
        read({b"x-flyball-run": value})


def test_the_bodys_user_is_the_end_user_unless_a_header_says_so() -> None:
    assert read({}, user="u1").end_user == "u1"
    assert read({b"x-flyball-user": b"u2"}, user="u1").end_user == "u2"
