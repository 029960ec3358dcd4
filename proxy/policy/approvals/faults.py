"""Why an approval is not made, decided or had."""

from typing import Literal, TypeAlias

WhyNot: TypeAlias = Literal["unknown", "decided", "expired", "incomplete"]


class ApprovalsUnavailable(Exception):
    """The state file, or what hosts share of it, cannot be asked now."""


class TooMany(Exception):
    """No further approval is made; `code` is the rule that is told."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Undecidable(Exception):
    """An approval cannot be decided, or not any more."""

    def __init__(self, why: WhyNot, message: str) -> None:
        super().__init__(message)
        self.why = why
