"""What cannot be done with what is charged."""

from typing import Final, Literal, TypeAlias

Fault: TypeAlias = Literal["invalid", "missing", "closed", "order", "raced"]


class BillingError(Exception):
    """Nothing was changed; `fault` is how, the text says what to do."""

    def __init__(self, fault: Fault, said: str) -> None:
        super().__init__(said)
        self.fault: Final = fault
