"""What passes to the provider is a list; what passes back is everything but a few."""

import pytest

from proxy.upstream import Provider, forwardable, relayable

PROVIDER = Provider(name="p", base_url="https://api.example/v1")
PASSING = [
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip"),
    (b"content-type", b"application/json"),
    (b"content-encoding", b"gzip"),
    (b"user-agent", b"OpenAI/Python"),
    (b"idempotency-key", b"k"),
    (b"traceparent", b"00-1"),
    (b"tracestate", b"a=b"),
    (b"openai-organization", b"o"),
    (b"anthropic-beta", b"b"),
    (b"x-stainless-lang", b"python"),
    (b"x-stainless-retry-count", b"1"),
]


def test_what_stands_on_the_list_passes_in_its_order() -> None:
    assert forwardable(PASSING, PROVIDER) == PASSING


@pytest.mark.parametrize(
    "name",
    [b"authorization", b"cookie", b"host", b"x-flyball-user", b"x-forwarded-for", b"x-openai-x", b"baggage", b"expect"],
)
def test_anything_else_does_not(name: bytes) -> None:
    assert forwardable([(name, b"x")], PROVIDER) == []


def test_an_encoding_that_cannot_be_read_is_not_asked_for() -> None:
    assert forwardable([(b"accept-encoding", b"br, gzip")], PROVIDER) == [(b"accept-encoding", b"gzip")]
    assert forwardable([(b"accept-encoding", b"br")], PROVIDER) == [(b"accept-encoding", b"identity")]


def test_a_provider_may_ask_for_more() -> None:
    provider = Provider(name="p", base_url="https://api.example", forward_headers=frozenset({b"x-session"}))
    assert forwardable([(b"x-session", b"1"), (b"x-other", b"2")], provider) == [(b"x-session", b"1")]


def test_a_providers_own_header_stands_in_for_the_clients() -> None:
    provider = Provider(name="p", base_url="https://api.example", extra_headers={"openai-project": "ours"})
    assert forwardable([(b"openai-project", b"theirs"), (b"accept", b"*/*")], provider) == [(b"accept", b"*/*")]


def test_what_connection_names_is_of_this_hop_only() -> None:
    sent = [(b"connection", b"keep-alive, Openai-Beta , x-a"), (b"openai-beta", b"1"), (b"x-a", b"2"), (b"x-b", b"3")]
    assert forwardable(sent, PROVIDER) == []
    assert relayable(sent) == [(b"x-b", b"3")]


def test_an_answers_headers_pass_but_for_the_connections_and_the_servers_own() -> None:
    kept = [
        (b"content-type", b"text/event-stream"),
        (b"content-encoding", b"gzip"),
        (b"x-request-id", b"r"),
        (b"openai-processing-ms", b"3"),
        (b"x-ratelimit-remaining-tokens", b"5"),
        (b"retry-after", b"1"),
        (b"x-should-retry", b"false"),
        (b"date", b"now"),
        (b"content-length", b"2"),
    ]
    dropped = [
        (name, b"x")
        for name in (
            b"connection", b"keep-alive", b"transfer-encoding", b"trailer", b"upgrade", b"te", b"proxy-authenticate",
            b"set-cookie", b"alt-svc", b"server", b"x-flyball-operation", b"x-flyball-cost-usd",
        )
    ]  # fmt: skip
    assert relayable([*dropped[:6], *kept, *dropped[6:]]) == kept
