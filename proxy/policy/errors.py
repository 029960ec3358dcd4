"""What can go wrong with policies; none of it ever lets a call pass."""


class BadPolicy(ValueError):
    """Policies that cannot be loaded as they stand; each problem names its file and, where it is known, its line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class PolicyUnavailable(Exception):
    """The engine gave no decision: an exception, a timeout, an answer that is none. The call is answered 503."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"policy: {reason}")
        self.reason = reason
