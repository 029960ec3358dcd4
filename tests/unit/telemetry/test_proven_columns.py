"""What is proven of an operation, and what may be taken out of its row: never the same column."""

from proxy.telemetry.erasing import _EMPTIED
from proxy.telemetry.proofs import MONEY, PROVEN
from proxy.telemetry.rows import OperationRow


def test_erasing_a_person_breaks_no_proof() -> None:
    _, emptied = _EMPTIED["operations"]
    assert not set(emptied) & {*PROVEN, *MONEY}


def test_every_proven_column_is_one() -> None:
    names = (*PROVEN, *MONEY)
    assert set(names) <= set(OperationRow.__struct_fields__) and len(set(names)) == len(names)


def test_no_measured_time_is_proven() -> None:
    """ClickHouse keeps 32 bits of them, so what is read back is not what was written."""
    assert not {"duration_ms", "ttft_ms", "overhead_ms", "stages_ms", "stages_us"} & set(PROVEN)
