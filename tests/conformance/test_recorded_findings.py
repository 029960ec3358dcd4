"""What detectors see in recorded traffic, none of which was made for them: what is found there is known one by one."""

from collections import Counter

import msgspec

from proxy.policy import Finder, FindingsSettings, Said
from proxy.wire.openai.texts import texts_in
from proxy.wire.texts import said
from tests.harness.recordings import recordings, told_when_absent

FINDER = Finder(FindingsSettings())
ANSWERS_WITH_MARKS = 2
"""Answers of a model that went on to write the other side's turn: `<|im_end|>\\n<|im_start|>user`."""


def test_nothing_is_found_in_recorded_requests() -> None:
    told_when_absent(len(recordings()))
    for recorded in recordings():
        body = msgspec.json.encode(recorded.request)
        texts = texts_in(recorded.endpoint, body)
        spoken = [Said(text.role, text.number, said(body, text)) for text in texts.parts]
        found = FINDER.look(spoken, texts.unread)
        assert found.is_whole and found.findings == (), recorded.name


def test_in_recorded_answers_only_what_is_there() -> None:
    counted: Counter[str] = Counter()
    for recorded in recordings():
        for finding in FINDER.look([Said("tool", 0, recorded.body.decode())]).findings:
            counted[finding.kind] += 1
    assert set(counted) <= {"role_markup"} and counted.total() <= ANSWERS_WITH_MARKS, counted
