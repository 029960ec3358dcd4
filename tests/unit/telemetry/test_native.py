"""Native blocks for newer clients: the same columns, with what those expect before them."""

import pytest

from proxy.telemetry.embedded.native import SINCE, for_revision
from proxy.telemetry.embedded.statement import BadRequest

INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
LETTERS = b"\x02\x02" + b"\x01a\x06String" + b"\x01x\x02yz" + b"\x01n\x06UInt16" + b"\x01\x00\x02\x00"
NEWER = INFO + b"\x02\x02" + b"\x01a\x06String\x00" + b"\x01x\x02yz" + b"\x01n\x06UInt16\x00" + b"\x01\x00\x02\x00"


def test_older_clients_get_what_the_engine_wrote() -> None:
    assert for_revision(LETTERS, SINCE - 1) is LETTERS


def test_newer_clients_get_info_and_a_byte_before_each_column() -> None:
    assert for_revision(LETTERS, SINCE) == NEWER
    assert for_revision(LETTERS + LETTERS, SINCE) == NEWER + NEWER
    assert for_revision(b"", SINCE) == b""


def test_a_block_without_rows_has_no_data() -> None:
    assert for_revision(b"\x01\x00\x01m\x13Map(String, UInt64)", SINCE) == (
        INFO + b"\x01\x00\x01m\x13Map(String, UInt64)\x00"
    )


def test_strings_longer_than_a_byte_counts() -> None:
    block = b"\x01\x02\x01a\x06String" + b"\xc8\x01" + b"x" * 200 + b"\x00"
    assert for_revision(block, SINCE).endswith(b"\x06String\x00" + b"\xc8\x01" + b"x" * 200 + b"\x00")


@pytest.mark.parametrize("kind", ["AggregateFunction(sum, UInt8)", "JSON", "Array(Dynamic)", "Variant(String, UInt8)"])
def test_a_type_of_unknown_length_is_said(kind: str) -> None:
    block = b"\x01\x01\x01a" + bytes([len(kind)]) + kind.encode() + b"\x00" * 40
    with pytest.raises(BadRequest, match="convert it") as refused:
        for_revision(block, SINCE)
    assert refused.value.code == 48


def test_a_block_that_ends_early_is_said() -> None:
    with pytest.raises(BadRequest, match="ends before"):
        for_revision(LETTERS[:-1], SINCE)
