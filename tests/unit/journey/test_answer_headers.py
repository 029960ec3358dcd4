"""The headers of an answer: what of the provider's passes, what we add, and what a stream must not promise."""

from proxy.journey.answer_headers import header_text, stream_headers


def test_a_stream_is_not_promised_a_length() -> None:
    """A provider that sends a stream with its length: taking out usage or adding an error made that length a lie."""
    headers = [(b"content-type", b"text/event-stream"), (b"content-length", b"512")]
    assert not [value for name, value in stream_headers(headers) if name == b"content-length"]


def test_a_stream_asks_not_to_be_buffered_unless_the_provider_said_something() -> None:
    assert dict(stream_headers([])) == {b"cache-control": b"no-cache", b"x-accel-buffering": b"no"}
    said = [(b"cache-control", b"private"), (b"x-accel-buffering", b"yes")]
    assert stream_headers(said) == said


def test_a_model_name_cannot_break_a_header_line() -> None:
    assert header_text("gpt\r\nset-cookie: x") == b"gpt??set-cookie: x"
    assert header_text("modèle\x00 ") == b"mod?le? "
    assert len(header_text("x" * 1000)) == 256
