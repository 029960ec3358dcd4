"""The one way to say that a budget or limit cannot be meant as it stands."""


class BadBudget(ValueError):
    """A budget that cannot be meant as it stands; `field` names what is wrong with it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
