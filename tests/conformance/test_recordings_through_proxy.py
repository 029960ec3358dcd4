"""Every recorded exchange of the served dialects through a running Flyball: byte for byte, token for token, exactly.

Each provider answers exactly as recorded, under its own profile, whole and cut in many ways.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import pytest

from proxy.wire.profile import PROFILES
from tests.harness.recordings import Recording, recordings, told_when_absent
from tests.harness.replayed import CLIENT_KEY, PROVIDER_KEY, Replays, takes_usage_option

NO_LONGER_TRUE: Final = {"transfer-encoding", "content-length", "connection"}
REQUEST_IDS: Final = ("x-request-id", "apim-request-id", "request-id")
INPUT_COLUMNS: Final = ("input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "image_input")
OUTPUT_COLUMNS: Final = ("output", "reasoning", "audio_output", "image_output")

every_recording = pytest.mark.parametrize("recording", recordings(), ids=lambda r: r.name)


def test_the_recordings_are_there() -> None:
    told_when_absent(len(recordings()))
    assert not recordings() or len(recordings()) >= 80


@every_recording
def test_the_answer_passes_byte_for_byte(replays: Replays, recording: Recording) -> None:
    for outcome in replays.of(recording.name):
        assert outcome.status == recording.status, outcome.case.name
        assert digest(outcome.body) == digest(outcome.case.body), outcome.case.name


@every_recording
def test_the_providers_headers_pass(replays: Replays, recording: Recording) -> None:
    for outcome in replays.of(recording.name):
        for name, value in outcome.case.headers.items():
            if name not in NO_LONGER_TRUE:
                assert outcome.headers.get_list(name) == [value], outcome.case.name
        assert outcome.headers["x-flyball-operation"] == outcome.row["operation_id"]
        if "x-request-id" not in recording.headers:
            assert outcome.headers["x-request-id"] == outcome.row["operation_id"]


@every_recording
def test_the_provider_sees_its_own_request(replays: Replays, recording: Recording) -> None:
    """The model's name is the route's, the usage flag where it is needed; every other byte is the client's."""
    for outcome in replays.of(recording.name):
        asked, case = outcome.asked, outcome.case
        route = json.dumps(f"{recording.name}/{recording.model}").encode()
        wanted = case.sent.replace(route, json.dumps(recording.model).encode(), 1)
        if is_flagged(recording):
            assert without_flag(asked.body) == wanted
            assert json.loads(asked.body)["stream_options"]["include_usage"] is True
        else:
            assert asked.body == wanted, case.name
        query = "&".join(f"{key}={value}" for key, value in recording.query.items())
        assert asked.target == recording.base_path + recording.path + ("?" + query if query else "")


@every_recording
def test_the_provider_sees_its_own_credential_only(replays: Replays, recording: Recording) -> None:
    for outcome in replays.of(recording.name):
        asked = outcome.asked
        bare = {"azure": "api-key", "anthropic": "x-api-key"}.get(recording.provider)
        assert asked.header(bare or "authorization") == (PROVIDER_KEY if bare else f"Bearer {PROVIDER_KEY}")
        assert CLIENT_KEY not in repr(asked)
        if recording.streamed:
            assert asked.header("accept-encoding") == "identity"


@every_recording
def test_the_row_tells_the_recorded_usage(replays: Replays, recording: Recording) -> None:
    for outcome in replays.of(recording.name):
        row = outcome.row
        if recording.usage is None:
            unbilled = recording.status >= 400 or recording.endpoint.is_free
            assert row["usage_source"] == ("none" if unbilled else "estimated"), outcome.case.name
            continue
        assert row["usage_source"] == "provider", outcome.case.name
        assert json.loads(outcome.attempt["raw_usage"]) == recording.usage
        assert tokens_of(row) == expected_tokens(recording), outcome.case.name
        assert tokens_of(outcome.attempt) == tokens_of(row)


@every_recording
def test_the_row_tells_how_it_ended(replays: Replays, recording: Recording) -> None:
    in_band_error = recording.status == 200 and b"event: error" in recording.body
    failed = recording.status >= 400 or in_band_error
    for outcome in replays.of(recording.name):
        row = outcome.row
        assert (row["outcome"], row["status"]) == ("upstream_error" if failed else "ok", recording.status)
        assert row["error"] == ("in_band_error" if in_band_error else f"http_{recording.status}" if failed else "")
        assert row["streamed"] == recording.streamed
        assert row["endpoint"] == recording.endpoint.value
        assert row["provider"] == recording.name
        assert row["requested_model"] == f"{recording.name}/{recording.model}"
        if row["usage_source"] == "none":
            assert Decimal(row["cost_usd"]) == 0
        told = {value for name, value in recording.headers.items() if name in REQUEST_IDS}
        assert outcome.attempt["provider_request_id"] in (told or {""}), outcome.case.name


@every_recording
def test_a_recording_costs_the_same_however_it_is_cut(replays: Replays, recording: Recording) -> None:
    assert len({outcome.row["cost_usd"] for outcome in replays.of(recording.name)}) == 1


def test_afterwards_nothing_is_held_and_the_ledger_has_the_sum_of_the_rows(replays: Replays) -> None:
    costs = [Decimal(outcome.row["cost_usd"] or 0) for outcome in replays.outcomes.values()]
    if costs:
        assert sum(costs) > 0
        assert Decimal(replays.budget["held_usd"]) == 0
        assert Decimal(replays.budget["spent_usd"]) == sum(costs)


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def is_flagged(recording: Recording) -> bool:
    return (
        recording.streamed
        and not recording.asked_for_usage
        and takes_usage_option(recording.endpoint)
        and recording.profile in ("openai", "azure", "vllm")
    )


def without_flag(body: bytes) -> bytes:
    return body.replace(b'"stream_options":{"include_usage":true},', b"", 1)


def tokens_of(row: Any) -> dict[str, int]:
    inputs = sum(int(row[f"{name}_tokens"]) for name in INPUT_COLUMNS)
    outputs = sum(int(row[f"{name}_tokens"]) for name in OUTPUT_COLUMNS)
    names = ("cache_read", "cache_write", "reasoning", "audio_input", "audio_output")
    return {"prompt": inputs, "completion": outputs, **{name: int(row[f"{name}_tokens"]) for name in names}}


def expected_tokens(recording: Recording) -> dict[str, int]:
    """What the provider's numbers mean, spelled out a second time from its documentation (wire.md §1)."""
    usage = recording.usage
    assert usage is not None
    if recording.provider == "anthropic":
        return expected_of_anthropic(usage)
    prompt = int(usage.get("prompt_tokens", usage.get("input_tokens", 0)))
    completion = int(usage.get("completion_tokens", usage.get("output_tokens", 0)))
    if recording.provider == "gemini":
        completion = int(usage["total_tokens"]) - prompt
    before = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    after = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    cached = before.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or usage.get("cached_tokens") or 0
    reasoning = int(after.get("reasoning_tokens") or 0)
    if recording.provider == "gemini":
        reasoning = completion - int(usage["completion_tokens"])
    return {
        "prompt": prompt,
        "completion": completion,
        "cache_read": int(cached),
        "cache_write": int(before.get("cache_write_tokens") or 0),
        "reasoning": min(reasoning, completion),
        "audio_input": int(before.get("audio_tokens") or 0),
        "audio_output": int(after.get("audio_tokens") or 0),
    }


def expected_of_anthropic(usage: Mapping[str, Any]) -> dict[str, int]:
    """Input excludes both numbers of the cache."""
    read, wrote = int(usage.get("cache_read_input_tokens", 0)), int(usage.get("cache_creation_input_tokens", 0))
    thought = (usage.get("output_tokens_details") or {}).get("thinking_tokens", 0)
    return {
        "prompt": int(usage["input_tokens"]) + read + wrote,
        "completion": int(usage["output_tokens"]),
        "cache_read": read,
        "cache_write": wrote,
        "reasoning": thought,
        "audio_input": 0,
        "audio_output": 0,
    }


def test_the_flag_is_needed_where_this_page_says_it_is() -> None:
    assert {name for name, profile in PROFILES.items() if profile.inject_usage} == {
        "openai",
        "azure",
        "vllm",
        "ollama",
        "sim",
    }
