"""Under which row numbers holds stand: no two open operations may meet in one."""

from proxy.budget.steps import number_of
from proxy.core.ids import new_id


def test_operations_of_one_process_have_holds_of_their_own() -> None:
    """Ids that are counted within a millisecond had one number for all of a process: its second call at once was
    refused."""
    numbers = {number_of(new_id("op")) for _ in range(20_000)}
    assert len(numbers) == 20_000
    assert all(0 <= number < 2**62 for number in numbers)


def test_ids_that_are_not_ours_have_numbers_too() -> None:
    assert number_of("op_1") != number_of("op_2")
    assert number_of("op_" + "x" * 32) == number_of("op_" + "x" * 32)
