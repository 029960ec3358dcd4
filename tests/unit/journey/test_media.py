"""Images, sound and moderations: relayed as they come, held by their worst, billed by usage or by their units."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.one_worker import JSON_HEADERS, STREAM_HEADERS, Answer, Client, OneWorker, config, one_worker
from tests.unit.wire.test_multipart import form

PRICES = """
models:
  painter: {input_usd_per_mtok: 0, output_usd_per_mtok: 0, image_usd: {high/1024x1024: 0.167, low: 0.011, any: 0.25}}
  artist: {input_usd_per_mtok: 5, output_usd_per_mtok: 10, image_input_usd_per_mtok: 8, image_output_usd_per_mtok: 40}
  reader: {input_usd_per_mtok: 0, output_usd_per_mtok: 0, character_usd_per_million: 15}
  singer: {input_usd_per_mtok: 0.6, output_usd_per_mtok: 10, audio_output_usd_per_mtok: 12}
  writer: {input_usd_per_mtok: 0, output_usd_per_mtok: 0, second_usd: 0.0001}
  scribe: {input_usd_per_mtok: 2.5, audio_input_usd_per_mtok: 6, output_usd_per_mtok: 10, max_output_tokens: 2000}
  judge: {input_usd_per_mtok: 0, output_usd_per_mtok: 0}
  toll: {input_usd_per_mtok: 0, output_usd_per_mtok: 0, call_usd_per_1k: 2.5}
"""
FORM = (b"content-type", b"multipart/form-data; boundary=XyZ")
JSON = (b"content-type", b"application/json")


def routes() -> str:
    names = ("painter", "artist", "reader", "singer", "writer", "scribe", "judge", "toll")
    made = [f"{{model: {name}, targets: [{{provider: up}}]}}" for name in names]
    made.append("{model: alias, targets: [{provider: up, model: painter}]}")
    made.append("{model: omni-moderation-latest, targets: [{provider: up, model: judge}]}")
    return f"[{', '.join(made)}]"


def house_config(limit: str = "limit_usd: 1000", more: str = "") -> str:
    text = config(budget=limit, more=more)
    start, end = text.index("routes: "), text.index("prices: ")
    return f"{text[:start]}routes: {routes()}\n{text[end:]}".replace("prices.yaml", "media.yaml")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[OneWorker]:
    (tmp_path / "media.yaml").write_text(PRICES)
    with one_worker(tmp_path, house_config()) as made:
        yield made
        await made.parts.ledger.close()


def images(count: int, usage: Any = None) -> bytes:
    told = {"created": 1, "data": [{"b64_json": "aGk="}] * count}
    return json.dumps(told if usage is None else {**told, "usage": usage}).encode()


async def asked(house: OneWorker, path: str, body: bytes | dict[str, Any], answer: Answer) -> Client:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    header = FORM if raw.startswith(b"--") else JSON
    return await house.call(Client(raw, path=f"/v1{path}", headers=[header]), answer)


async def spent(house: OneWorker) -> int:
    amount, held = await house.standing()
    assert held == 0
    return amount


@pytest.mark.parametrize(
    ("asks", "unit", "nano"),
    [
        ({"quality": "high", "size": "1024x1024"}, "image:high/1024x1024", 167_000_000),
        ({"quality": "low", "size": "512x512"}, "image:low", 11_000_000),
        ({"quality": "high", "size": "2048x2048"}, "image:any", 250_000_000),
        ({}, "image:any", 250_000_000),
    ],
)
async def test_an_image_has_the_price_of_its_quality_and_size(
    house: OneWorker, asks: dict[str, str], unit: str, nano: int
) -> None:
    body = {"model": "painter", "prompt": "A cat", "n": 3, **asks}
    client = await asked(house, "/images/generations", body, Answer(images(3), headers=JSON_HEADERS))
    assert (client.status, client.text) == (200, images(3))
    (row,) = house.rows()
    assert (row["units"], row["endpoint"], row["usage_source"]) == ({unit: 3}, "images.generations", "estimated")
    assert await spent(house) == 3 * nano == round(float(row["cost_usd"]) * 1e9)
    (attempt,) = house.rows("attempts")
    (line,) = json.loads(attempt["price_lines"])
    assert (line["bucket"], line["quantity"]) == (unit, 3)


async def test_fewer_images_than_asked_for_cost_less(house: OneWorker) -> None:
    body = {"model": "painter", "prompt": "A cat", "n": 4, "quality": "low"}
    await asked(house, "/images/generations", body, Answer(images(1), headers=JSON_HEADERS))
    assert await spent(house) == 11_000_000


async def test_tokens_that_a_provider_tells_are_billed_and_its_output_is_images(house: OneWorker) -> None:
    usage = {
        "input_tokens": 50,
        "output_tokens": 1056,
        "total_tokens": 1106,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    }
    body = form(
        ('name="model"', b"artist"),
        ('name="prompt"', b"Paint it"),
        ('name="image[]"; filename="a.png"', b"\x89PNG\r\n\r\nx"),
        ('name="quality"', b"medium"),
    )
    client = await asked(house, "/images/edits", body, Answer(images(1, usage), headers=JSON_HEADERS))
    assert client.status == 200
    (row,) = house.rows()
    assert (row["input_tokens"], row["image_input_tokens"], row["image_output_tokens"]) == (10, 40, 1056)
    assert row["usage_source"] == "provider"
    assert await spent(house) == 10 * 5_000 + 40 * 8_000 + 1056 * 40_000


async def test_money_for_exactly_three_images_serves_three(tmp_path: Path) -> None:
    (tmp_path / "media.yaml").write_text(PRICES)
    with one_worker(tmp_path, house_config("limit_usd: 0.501")) as house:
        body = {"model": "painter", "prompt": "A cat", "quality": "high", "size": "1024x1024"}
        statuses = []
        for _ in range(5):
            client = await asked(house, "/images/generations", body, Answer(images(1), headers=JSON_HEADERS))
            statuses.append(client.status)
        assert statuses == [200, 200, 200, 402, 402]
        assert await house.standing() == (501_000_000, 0)
        two = await asked(house, "/images/generations", {**body, "n": 2}, Answer(images(2), headers=JSON_HEADERS))
        assert two.status == 402
        await house.parts.ledger.close()


async def test_a_form_passes_as_it_came_but_for_the_models_name(house: OneWorker) -> None:
    body = form(
        ('name="image"; filename="a.png"', b"--XyZ\r\nmodel\r\n--Xy"), ('name="model"', b"alias"), ('name="n"', b"2")
    )
    await asked(house, "/images/variations", body, Answer(images(2), headers=JSON_HEADERS))
    (sent,) = house.rooms.transport.seen  # type: ignore[attr-defined]
    assert sent.body == body.replace(b"\r\n\r\nalias\r\n", b"\r\n\r\npainter\r\n")
    assert (FORM[0], FORM[1]) in sent.headers
    assert sent.path == "/images/variations"


async def test_speech_goes_on_as_it_comes_and_costs_its_characters(house: OneWorker) -> None:
    sound = [b"ID3" + bytes(1000), bytes(2000), bytes(10)]
    client = await asked(
        house,
        "/audio/speech",
        {"model": "reader", "input": "Grüß Gott", "voice": "alloy"},
        Answer(*sound, headers=[(b"content-type", b"audio/mpeg")]),
    )
    assert client.text == b"".join(sound)
    assert [len(message["body"]) for message in client.sent[1:-1]] == [1003, 2000, 10]
    (row,) = house.rows()
    assert row["units"] == {"character": 9}
    assert await spent(house) == 9 * 15_000


async def test_speech_in_events_is_read_for_its_usage(house: OneWorker) -> None:
    done = {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}}
    events = [
        b'data: {"type":"speech.audio.delta","audio":"AAAA"}\n\n',
        b"data: " + json.dumps(done).encode() + b"\n\n",
    ]
    body = {"model": "singer", "input": "Hello", "voice": "alloy", "stream_format": "sse"}
    client = await asked(house, "/audio/speech", body, Answer(*events, headers=STREAM_HEADERS))
    assert client.text == b"".join(events)
    (row,) = house.rows()
    assert (row["outcome"], row["streamed"], row["audio_output_tokens"]) == ("ok", True, 101)
    assert await spent(house) == 14 * 600 + 101 * 12_000


def sound(model: bytes, *more: tuple[str, bytes]) -> bytes:
    return form(('name="file"; filename="a.mp3"', bytes(7500)), ('name="model"', model), *more)


@pytest.mark.parametrize(
    ("model", "answer", "units", "nano"),
    [
        (b"writer", {"text": "Hi", "usage": {"type": "duration", "seconds": 9}}, {"millisecond": 9000}, 900_000),
        (b"writer", {"text": "Hi", "duration": 8.47, "task": "transcribe"}, {"millisecond": 8470}, 847_000),
        (b"writer", {"text": "Hi"}, {"millisecond": 10_000}, 1_000_000),
        (
            b"scribe",
            {
                "text": "Hi",
                "usage": {
                    "type": "tokens",
                    "input_tokens": 14,
                    "output_tokens": 45,
                    "total_tokens": 59,
                    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
                },
            },
            None,
            4 * 2_500 + 10 * 6_000 + 45 * 10_000,
        ),
    ],
)
async def test_a_transcription_is_billed_by_what_its_usage_counts(
    house: OneWorker, model: bytes, answer: dict[str, Any], units: dict[str, int] | None, nano: int
) -> None:
    told = json.dumps(answer).encode()
    client = await asked(house, "/audio/transcriptions", sound(model), Answer(told, headers=JSON_HEADERS))
    assert (client.status, client.text) == (200, told)
    (row,) = house.rows()
    assert row.get("units") == units
    assert await spent(house) == nano


async def test_subtitles_tell_nothing_and_cost_what_was_held(house: OneWorker) -> None:
    body = sound(b"writer", ('name="response_format"', b"srt"))
    plain = [(b"content-type", b"text/plain")]
    await asked(house, "/audio/translations", body, Answer(b"1\n00:00:00,000 --> 00:00:02,000\nHi\n", headers=plain))
    assert await spent(house) == 1_000_000


async def test_a_streamed_transcript_is_read_for_its_usage(house: OneWorker) -> None:
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 2, "total_tokens": 16}
    events = [
        b'event: transcript.text.delta\r\ndata: {"type":"transcript.text.delta","delta":"Hi"}\r\n\r\n',
        b'data: {"type":"transcript.text.done","text":"Hi","usage":' + json.dumps(usage).encode() + b"}\r\n\r",
        b"\n",
    ]
    body = sound(b"scribe", ('name="stream"', b"true"))
    client = await asked(house, "/audio/transcriptions", body, Answer(*events, headers=STREAM_HEADERS))
    assert client.text == b"".join(events)
    (row,) = house.rows()
    assert (row["outcome"], row["input_tokens"], row["output_tokens"]) == ("ok", 14, 2)


async def test_a_streamed_image_of_megabytes_is_read_for_its_usage(house: OneWorker) -> None:
    usage = {"input_tokens": 5, "output_tokens": 1056, "total_tokens": 1061, "input_tokens_details": {"text_tokens": 5}}
    picture = b"A" * 700_000
    events = [
        b'data: {"type":"image_generation.partial_image","partial_image_index":0,"b64_json":"' + picture + b'"}\n\n',
        b'data: {"type":"image_generation.completed","b64_json":"' + picture,
        picture + b'","usage":' + json.dumps(usage).encode() + b',"size":"1024x1024"}\n',
        b"\n",
    ]
    body = {"model": "artist", "prompt": "A cat", "stream": True, "partial_images": 1, "quality": "medium"}
    client = await asked(house, "/images/generations", body, Answer(*events, headers=STREAM_HEADERS))
    assert client.text == b"".join(events)
    (row,) = house.rows()
    assert (row["outcome"], row["image_output_tokens"]) == ("ok", 1056)
    assert await spent(house) == 5 * 5_000 + 1056 * 40_000


async def test_a_stream_that_breaks_off_ends_in_an_error_and_is_billed(house: OneWorker) -> None:
    event = b'data: {"type":"image_generation.partial_image","b64_json":"AAAA"}\n\n'
    body = {"model": "painter", "prompt": "A cat", "stream": True, "quality": "low"}
    client = await asked(house, "/images/generations", body, Answer(event, headers=STREAM_HEADERS))
    assert client.text.startswith(event)
    assert b"upstream_truncated" in client.text
    (row,) = house.rows()
    assert row["outcome"] == "truncated"


async def test_a_moderation_is_free_told_so_and_needs_no_model(tmp_path: Path) -> None:
    (tmp_path / "media.yaml").write_text(PRICES)
    with one_worker(tmp_path, house_config("limit_usd: 0.000001")) as house:
        answer = b'{"id":"modr-1","model":"judge","results":[{"flagged":false}]}'
        client = await asked(house, "/moderations", {"input": "Hello"}, Answer(answer, headers=JSON_HEADERS))
        assert (client.status, client.text) == (200, answer)
        (sent,) = house.rooms.transport.seen  # type: ignore[attr-defined]
        assert json.loads(sent.body) == {"model": "judge", "input": "Hello"}
        (row,) = house.rows()
        assert (row["requested_model"], float(row["cost_usd"]), float(row["held_usd"])) == (
            "omni-moderation-latest",
            0,
            0,
        )
        assert await house.standing() == (0, 0)
        await house.parts.ledger.close()


async def test_a_price_by_the_call_counts_calls(house: OneWorker) -> None:
    await asked(house, "/moderations", {"model": "toll", "input": "x"}, Answer(b'{"results":[]}', headers=JSON_HEADERS))
    assert house.rows()[0]["units"] == {"call": 1}
    assert await spent(house) == 2_500_000


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/images/generations", {"prompt": "x"}, "model"),
        ("/images/generations", {"model": "painter", "prompt": "x", "n": 0}, "n"),
        ("/images/generations", form(('name="model"', b"painter")), None),
        ("/images/edits", form(('name="prompt"', b"x")), "model"),
        ("/images/edits", form(('name="model"', b"painter"), ('name="model"', b"artist")), None),
        ("/images/edits", form(('name="model"', b"painter"), ('name="n"', b"x")), "n"),
        ("/audio/transcriptions", {"model": "writer"}, None),
        ("/audio/transcriptions", form(('name="model"', b"writer")), "file"),
        ("/audio/speech", {"model": "reader", "input": 7}, "input"),
    ],
)
async def test_what_cannot_be_governed_is_refused_by_name(
    house: OneWorker, path: str, body: bytes | dict[str, Any], param: str | None
) -> None:
    client = await asked(house, path, body, Answer(b"{}"))
    assert client.status == 400
    error = json.loads(client.text)["error"]
    assert error["param"] == param
    assert error["code"] in ("invalid_request", "capability_missing")
    assert house.rooms.transport.seen == []  # type: ignore[attr-defined]


async def test_a_picture_that_a_provider_keeps_is_taken_from_its_own_org_only(house: OneWorker) -> None:
    body = {"model": "painter", "prompt": "x", "images": [{"file_id": "file-1"}]}
    client = await asked(house, "/images/edits", body, Answer(b"{}"))
    assert (client.status, json.loads(client.text)["error"]["code"]) == (404, "not_found")
    assert house.rooms.transport.seen == []  # type: ignore[attr-defined]


async def test_rules_see_the_fields_of_a_form_and_that_they_could_not_be_looked_through(tmp_path: Path) -> None:
    (tmp_path / "media.yaml").write_text(PRICES)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "r.rego").write_text(
        "package flyball.request\n"
        'deny contains {"code": "portrait", "msg": "x"} if contains(input.messages.text[_].text, "portrait")\n'
        'deny contains {"code": "four", "msg": "x"} if input.params.n == "4"\n'
        'deny contains {"code": "unread", "msg": "x"} if input.findings_scan.unread_parts > 0\n'
    )
    with one_worker(tmp_path, house_config(more="policy: {dir: rules}")) as house:
        for prompt, count, rules in (
            (b"a portrait", b"1", {"portrait", "unread"}),
            (b"a cat", b"4", {"four", "unread"}),
        ):
            body = form(('name="model"', b"painter"), ('name="prompt"', prompt), ('name="n"', count))
            client = await asked(house, "/images/edits", body, Answer(b"{}"))
            assert client.status == 403
            assert json.loads(client.text)["error"]["flyball"]["rule"] in rules
        client = await asked(house, "/images/generations", {"model": "painter", "prompt": "a portrait"}, Answer(b"{}"))
        assert json.loads(client.text)["error"]["flyball"]["rule"] == "portrait"
        await house.parts.ledger.close()
