"""Ways to slip a call past the gate: whatever a client makes of what goes on, no denied call is in it."""
# ruff: noqa: E501 - one attack a line reads better than one broken over several

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.gate import answer_gate
from proxy.wire.tool_calls import ToolCall, Verdict
from tests.harness.emitted import DONE, Response, call, calls, chunk, ends, function_item, part, raw_chunk
from tests.harness.judged import judged
from tests.harness.read_by_sdk import read_by_sdk

EVIL: Final = '{"path":"EVIL"}'
GOOD: Final = '{"path":"fine"}'
CHAT, RESPONSES = Endpoint.CHAT, Endpoint.RESPONSES


def judge(asked: ToolCall) -> Verdict:
    """Only `read` may be called, and never with what is evil."""
    try:
        told = json.loads(asked.arguments)
    except (ValueError, RecursionError):
        return Verdict(False, "invalid", "No.")
    is_good = asked.name == "read" and isinstance(told, dict) and "EVIL" not in json.dumps(told)
    return Verdict(True) if is_good else Verdict(False, "forbidden", "No.")


def data(text: str) -> bytes:
    return f"data: {text}\n\n".encode()


def delta(text: str, finish: str = "null") -> bytes:
    return data(f'{{"id":"c","choices":[{{"index":0,"delta":{text},"finish_reason":{finish}}}]}}')


def fn(name: str, arguments: str) -> str:
    return json.dumps({"name": name, "arguments": arguments})


EVIL_CALL: Final = f'[{{"index":0,"id":"a","type":"function","function":{fn("delete", EVIL)}}}]'
GOOD_CALL: Final = f'[{{"index":0,"id":"a","type":"function","function":{fn("read", GOOD)}}}]'
LEGACY: Final = f'{{"function_call":{fn("delete", EVIL)}}}'

CHAT_CASES: Final[Mapping[str, bytes]] = {
    "plain": call("delete", EVIL) + ends() + DONE,
    "no end": call("delete", EVIL),
    "no done": call("delete", EVIL) + ends(),
    "done without end": call("delete", EVIL) + DONE,
    "split arguments": b"".join(calls(part(0, "read" if at == 0 else None, each, "a" if at == 0 else None)) for at, each in enumerate(EVIL)) + ends() + DONE,
    "split name": calls(part(0, "del", None, "a")) + calls(part(0, "ete", EVIL)) + ends() + DONE,
    "name overwritten": calls(part(0, "read", None, "a")) + calls(part(0, "delete", GOOD)) + ends() + DONE,
    "name repeated after": calls(part(0, "read", '{"a":', "a")) + calls(part(0, "delete", "1}")) + ends() + DONE,
    "another id on one index": calls(part(0, "read", '{"path":', "a")) + calls(part(0, None, '"EVIL"}', "b")) + ends() + DONE,
    "two calls on one index": calls(part(0, "read", GOOD, "a")) + calls(part(0, "delete", EVIL, "b")) + ends() + DONE,
    "second of two": call("read", GOOD) + call("delete", EVIL, 1, "b") + ends() + DONE,
    "first of two": call("delete", EVIL) + call("read", GOOD, 1, "b") + ends() + DONE,
    "both in one chunk": calls(part(0, "read", GOOD, "a"), part(1, "delete", EVIL, "b")) + ends() + DONE,
    "interleaved": calls(part(0, "read", '{"path":', "a"), part(1, "delete", '{"path":', "b")) + calls(part(1, None, '"EVIL"}'), part(0, None, '"EVIL"}')) + ends() + DONE,
    "more after the end": call("read", "") + ends() + calls(part(0, None, EVIL)) + ends() + DONE,
    "joined after the end": calls(part(0, "read", GOOD, "a")) + ends() + calls(part(0, None, EVIL)) + DONE,
    "begun after the end": call("read", GOOD) + ends() + call("delete", EVIL, 1, "b") + ends() + DONE,
    "after done": call("read", GOOD) + ends() + DONE + call("delete", EVIL, 1, "b") + ends() + DONE,
    "end is stop": call("delete", EVIL) + ends("stop") + DONE,
    "end is length": call("delete", EVIL) + ends("length") + DONE,
    "end with the call": raw_chunk({"index": 0, "delta": {"tool_calls": json.loads(EVIL_CALL)}, "finish_reason": "tool_calls"}) + DONE,
    "end before the call": ends() + call("delete", EVIL) + DONE,
    "second choice": calls(part(0, "delete", EVIL, "a"), index=1) + ends(index=0) + ends(index=1) + DONE,
    "choice without index": raw_chunk({"delta": {"tool_calls": json.loads(EVIL_CALL)}}) + ends() + DONE,
    "two choices under one index": raw_chunk({"index": 0, "delta": {}}, {"index": 0, "delta": {"tool_calls": json.loads(EVIL_CALL)}}) + DONE,
    "legacy": delta(LEGACY) + ends("function_call") + DONE,
    "legacy split": delta('{"function_call":{"name":"read","arguments":"{\\"path\\":"}}') + delta('{"function_call":{"arguments":"\\"EVIL\\"}"}}') + ends("function_call") + DONE,
    "legacy beside new": delta(f'{{"tool_calls":{GOOD_CALL},"function_call":{fn("delete", EVIL)}}}') + ends() + DONE,
    "message in a stream": raw_chunk({"index": 0, "message": {"tool_calls": json.loads(EVIL_CALL)}, "finish_reason": "tool_calls"}) + DONE,
    "no index": calls(part(None, "delete", EVIL, "a")) + ends() + DONE,
    "no index, joined": calls(part(None, "read", '{"path":', "a")) + calls(part(None, None, '"EVIL"}')) + ends() + DONE,
    "no index, two halves": calls(part(None, "read", '{"path":', "a"), part(None, "read", '"EVIL"}', "b")) + ends() + DONE,
    "with and without index": calls(part(0, "read", '{"path":', "a")) + calls(part(None, None, '"EVIL"}')) + ends() + DONE,
    "index as text": delta(EVIL_CALL.replace('"index":0', '"index":"0"').join(['{"tool_calls":', "}"])) + ends() + DONE,
    "index as fraction": delta(EVIL_CALL.replace('"index":0', '"index":0.0').join(['{"tool_calls":', "}"])) + ends() + DONE,
    "negative index": calls(part(-1, "delete", EVIL, "a")) + ends() + DONE,
    "calls as an object": delta(f'{{"tool_calls":{EVIL_CALL[1:-1]}}}') + ends() + DONE,
    "member twice, good last": delta(f'{{"tool_calls":{EVIL_CALL},"tool_calls":{GOOD_CALL}}}') + ends() + DONE,
    "member twice, good first": delta(f'{{"tool_calls":{GOOD_CALL},"tool_calls":{EVIL_CALL}}}') + ends() + DONE,
    "delta twice": data(f'{{"choices":[{{"index":0,"delta":{{"tool_calls":{EVIL_CALL}}},"delta":{{}}}}]}}') + ends() + DONE,
    "choices twice": data(f'{{"choices":[{{"delta":{{"tool_calls":{EVIL_CALL}}}}}],"choices":[]}}') + ends() + DONE,
    "other case": delta(f'{{"Tool_Calls":{EVIL_CALL}}}') + ends() + DONE,
    "other case of the function": delta('{"tool_calls":[{"index":0,"Function":{"name":"delete","arguments":"EVIL"}}]}') + ends() + DONE,
    "long s": delta(f'{{"tool_call\u017f":{EVIL_CALL}}}') + ends() + DONE,
    "escaped member": delta(f'{{"tool\\u005fcalls":{EVIL_CALL}}}') + ends() + DONE,
    "wholly escaped member": delta('{"' + "".join(f"\\u{ord(letter):04X}" for letter in "tool_calls") + f'":{EVIL_CALL}}}') + ends() + DONE,
    "escaped name": delta('{"tool_calls":[{"index":0,"function":{"name":"\\u0064elete","arguments":"{\\"path\\":\\"EVIL\\"}"}}]}') + ends() + DONE,
    "escapes within arguments": calls(part(0, "read", '{"path":"\\u0045VIL"}', "a")) + ends() + DONE,
    "homoglyph": call("re\u0430d", EVIL) + ends() + DONE,
    "invisible letter": call("read\u200b", EVIL) + ends() + DONE,
    "half a character": delta(EVIL_CALL.replace("delete", "\\ud800").join(['{"tool_calls":', "}"])) + ends() + DONE,
    "bytes that are no text": b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"d\xff","arguments":"EVIL"}}]}}]}\n\n' + DONE,
    "not a number": delta(EVIL_CALL.replace('"index":0', '"index":NaN').join(['{"tool_calls":', "}"])) + ends() + DONE,
    "broken json": data('{"choices":[{"index":0,"delta":{"tool_calls":' + EVIL_CALL) + ends() + DONE,
    "trailing comma": data('{"choices":[{"index":0,"delta":{"tool_calls":' + EVIL_CALL + ",}}],}") + ends() + DONE,
    "two values in one event": data("{}{" + f'"choices":[{{"delta":{{"tool_calls":{EVIL_CALL}}}}}]}}') + DONE,
    "a list of chunks": data(f'[{{"choices":[{{"delta":{{"tool_calls":{EVIL_CALL}}}}}]}}]') + DONE,
    "several data lines": delta(f'{{"tool_calls":{EVIL_CALL}}}').replace(b',"finish', b'\ndata: ,"finish') + ends() + DONE,
    "carriage returns": (call("delete", EVIL) + ends() + DONE).replace(b"\n", b"\r"),
    "mixed line ends": call("delete", EVIL).replace(b"\n\n", b"\r\n\n") + ends() + DONE,
    "byte order mark": b"\xef\xbb\xbf" + call("delete", EVIL) + ends() + DONE,
    "no space after data": call("delete", EVIL).replace(b"data: ", b"data:") + ends() + DONE,
    "comment between": calls(part(0, "read", '{"path":', "a")) + b": ping\n\n" + calls(part(0, None, '"EVIL"}')) + ends() + DONE,
    "json without data": b'{"choices":[{"message":{"tool_calls":' + EVIL_CALL.encode() + b"}}]}\n\n",
    "arguments as an object": delta('{"tool_calls":[{"index":0,"function":{"name":"read","arguments":{"path":"EVIL"}}}]}') + ends() + DONE,
    "custom": delta('{"tool_calls":[{"index":0,"type":"custom","custom":{"name":"delete","input":"EVIL"}}]}') + ends() + DONE,
    "function and custom": delta(f'{{"tool_calls":[{{"index":0,"custom":{{"name":"read","input":"EVIL"}},"function":{fn("read", GOOD)}}}]}}') + ends() + DONE,
    "custom, then function": delta('{"tool_calls":[{"index":0,"custom":{"name":"read","input":"{}"}}]}') + delta(f'{{"tool_calls":[{{"index":0,"function":{fn("", EVIL)}}}]}}') + ends() + DONE,
    "huge arguments": call("read", json.dumps({"path": "x" * 300_000 + "EVIL"})) + ends() + DONE,
    "huge in pieces": calls(part(0, "read", '{"path":"', "a")) + b"".join(calls(part(0, None, "x" * 9000)) for _ in range(40)) + calls(part(0, None, 'EVIL"}')) + ends() + DONE,
    "deep arguments": call("read", '{"a":' * 5000 + "EVIL" + "}" * 5000) + ends() + DONE,
    "deep event": data('{"tool_calls":' + "[" * 100_000),
    "many calls": b"".join(call("read", EVIL, at, f"i{at}") for at in range(300)) + ends() + DONE,
    "content beside": delta(f'{{"content":"ok","tool_calls":{EVIL_CALL}}}') + ends() + DONE,
    "good call beside": call("read", GOOD) + delta(f'{{"content":"ok","tool_calls":{EVIL_CALL.replace(":0", ":1")}}}') + ends() + DONE,
}  # fmt: skip


def responses_cases() -> Iterator[tuple[str, bytes]]:
    evil, good = function_item("delete", EVIL), function_item("read", GOOD)
    added, done, arguments = (
        "response.output_item.added",
        "response.output_item.done",
        "response.function_call_arguments",
    )
    yield "plain", Response().call("delete", EVIL).completed(evil)
    yield "only in the list", Response().completed(evil)
    yield "only in the list of an incomplete one", Response().completed(evil, kind="response.incomplete")
    yield "another one in the list", Response().call("read", GOOD).completed(evil)
    yield "one more in the list", Response().call("read", GOOD).completed(good, function_item("delete", EVIL, 1))
    yield "never done", b"".join(Response().event(added, output_index=0, item=evil).events)
    yield "done at once", Response().event(done, output_index=0, item=evil).completed(evil)
    flowed = Response().event(added, output_index=0, item={**good, "arguments": ""})
    flowed.event(f"{arguments}.delta", output_index=0, item_id="fc_0", delta=EVIL)
    yield "flowed otherwise", flowed.event(done, output_index=0, item=good).completed(good)
    told = Response().event(added, output_index=0, item={**good, "arguments": ""})
    told.event(f"{arguments}.done", output_index=0, item_id="fc_0", arguments=EVIL)
    yield "told otherwise", told.event(done, output_index=0, item=good).completed(good)
    named = Response().event(added, output_index=0, item={**evil, "arguments": ""})
    yield "named otherwise", named.event(done, output_index=0, item=good).completed(good)
    late = Response().call("read", GOOD)
    late.event(f"{arguments}.delta", output_index=0, item_id="fc_0", delta=EVIL)
    yield "more after it was done", late.completed(good)
    again = Response().call("read", GOOD).event(done, output_index=0, item=evil)
    yield "done twice", again.completed(good)
    crossed = Response().event(added, output_index=0, item={**good, "arguments": ""})
    crossed.event(f"{arguments}.delta", output_index=1, item_id="fc_0", delta=EVIL)
    yield "pieces at another place", crossed.event(done, output_index=0, item=good).completed(good)
    bare = Response().event(f"{arguments}.done", output_index=0, item_id="x", name="delete", arguments=EVIL)
    yield "arguments alone", bare.completed()
    yield (
        "two of two",
        Response().call("read", GOOD).call("delete", EVIL, 1).completed(good, function_item("delete", EVIL, 1)),
    )
    yield (
        "unknown kind",
        Response().event(done, output_index=0, item={"type": "shell_call", "action": "EVIL"}).completed(),
    )
    yield (
        "kind in another case",
        Response().event(done, output_index=0, item={**evil, "type": "Function_Call"}).completed(),
    )
    yield (
        "item without a kind",
        Response().event(done, output_index=0, item={"name": "delete", "arguments": EVIL}).completed(),
    )
    custom = {"type": "custom_tool_call", "id": "c", "name": "delete", "input": "EVIL"}
    yield "custom", Response().event(done, output_index=0, item=custom).completed(custom)
    asks = {"type": "mcp_approval_request", "id": "m", "name": "delete", "arguments": EVIL}
    yield "to be approved", Response().event(done, output_index=0, item=asks).completed(asks)
    yield (
        "two types",
        Response().call("delete", EVIL).completed(evil).replace(b"event: response.output_item", b"event: x"),
    )
    yield (
        "type by name only",
        re.sub(rb'"type": "response\.[a-z_.]+", ', b"", Response().call("delete", EVIL).completed(evil)),
    )
    yield (
        "member twice",
        Response().completed(good).replace(b'"output": [', b'"output": [%b], "output": [' % json.dumps(evil).encode()),
    )
    yield "other case of the list", Response().completed(evil).replace(b'"output"', b'"Output"')
    yield "place as text", Response().event(done, output_index="0", item=evil).completed()
    yield "escaped kind", Response().completed(evil).replace(b"function_call", b"function\\u005fcall")
    yield (
        "broken",
        b"".join(Response().events)
        + b'event: response.completed\ndata: {"type":"response.completed","response":{"output":[%b\n\n'
        % json.dumps(evil).encode(),
    )


RESPONSES_CASES: Final = dict(responses_cases())


def clients_readings(body: bytes) -> str:
    """Everything that a lenient client could take for part of a call: escapes read, pieces of a stream joined."""
    text = body.decode("utf-8", "replace")
    pieces: list[str] = []
    for line in re.split(r"\r\n|\n|\r", text):
        if line.startswith("data:"):
            try:
                pieces += _strings(json.loads(line[5:], object_pairs_hook=list))
            except (ValueError, RecursionError):
                pieces.append(line)
    return "\n".join([text, "".join(pieces), re.sub(r"\\+u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)])


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)


@pytest.mark.parametrize("name", CHAT_CASES)
@pytest.mark.parametrize("size", [1_000_000, 61])
def test_no_chat_stream_slips_by(name: str, size: int) -> None:
    nothing_slips_by(CHAT, CHAT_CASES[name], size)


@pytest.mark.parametrize("name", RESPONSES_CASES)
@pytest.mark.parametrize("size", [1_000_000, 61])
def test_no_response_stream_slips_by(name: str, size: int) -> None:
    nothing_slips_by(RESPONSES, RESPONSES_CASES[name], size)


def nothing_slips_by(endpoint: Endpoint, body: bytes, size: int) -> None:
    out, _ = judged(endpoint, [body[at : at + size] for at in range(0, len(body), size)], judge)
    assert "EVIL" not in clients_readings(out)
    assert b'"name":"delete"' not in out.replace(b" ", b"")
    if out and body.count(b"\r") == 0:
        read = read_by_sdk(endpoint, out)
        assert all(name in ("read", "") or endpoint is RESPONSES for name, _ in read.calls)
        assert all("EVIL" not in arguments for _, arguments in read.calls)


ANSWERS: Final[Mapping[str, tuple[Endpoint, str]]] = {
    "plain": (CHAT, f'{{"choices":[{{"message":{{"tool_calls":{EVIL_CALL}}},"finish_reason":"tool_calls"}}]}}'),
    "second choice": (CHAT, f'{{"choices":[{{"index":0,"message":{{}}}},{{"index":1,"message":{{"tool_calls":{EVIL_CALL}}}}}]}}'),
    "legacy": (CHAT, f'{{"choices":[{{"message":{LEGACY},"finish_reason":"function_call"}}]}}'),
    "member twice": (CHAT, f'{{"choices":[{{"message":{{"tool_calls":{EVIL_CALL},"tool_calls":{GOOD_CALL}}}}}]}}'),
    "other case": (CHAT, f'{{"Choices":[{{"message":{{"tool_calls":{EVIL_CALL}}}}}]}}'),
    "delta": (CHAT, f'{{"choices":[{{"delta":{{"tool_calls":{EVIL_CALL}}}}}]}}'),
    "broken": (CHAT, f'{{"choices":[{{"message":{{"tool_calls":{EVIL_CALL}'),
    "response": (RESPONSES, json.dumps(Response.body([function_item("delete", EVIL)]))),
    "response, second": (RESPONSES, json.dumps(Response.body([function_item("read", GOOD), function_item("read", EVIL, 1)]))),
    "response, twice": (RESPONSES, '{"output":[{"type":"function_call","name":"delete","arguments":"EVIL"}],"output":[]}'),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_slips_by(name: str) -> None:
    endpoint, body = ANSWERS[name]
    gate = answer_gate(endpoint, body.encode())
    if gate.is_readable:
        out = gate.answer([judge(asked) for asked in gate.asks])
        assert b"EVIL" not in out and b'"name":"delete"' not in out
        assert gate.denied and b"denied by policy" in out


def test_there_are_sixty_cases() -> None:
    assert len(CHAT_CASES) + len(RESPONSES_CASES) + len(ANSWERS) >= 60


def test_text_that_only_speaks_of_calls_passes() -> None:
    body = chunk({"content": 'say "tool_calls": [{"function": {"name": "delete"}}] or \\u0041'}) + ends("stop") + DONE
    assert judged(CHAT, [body], judge) == (body, [])
