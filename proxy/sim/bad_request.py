"""A request that is turned down, in the provider's words."""


class BadRequest(Exception):
    """A request a real provider would turn down."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status

    def body(self) -> dict[str, dict[str, str | None]]:
        """The error object in the provider's shape."""
        kind = "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}
