"""The closed table of every way the admin port says no, and the one exception that carries a no."""

from collections.abc import Sequence
from enum import Enum

import msgspec

from proxy.core.refusal import JsonValue


class Fault(Enum):
    """One way to refuse: wire code, HTTP status, error type on the wire (DESIGN §3's shape)."""

    INVALID_ADMIN_TOKEN = ("invalid_admin_token", 401, "authentication_error")
    INVALID_SIGNATURE = ("invalid_signature", 401, "authentication_error")
    PERMISSION_DENIED = ("permission_denied", 403, "permission_error")
    OUTSIDE_BINDING = ("outside_binding", 403, "permission_error")
    OWN_REQUEST = ("own_request", 403, "permission_error")
    NOT_FOUND = ("not_found", 404, "invalid_request_error")
    PATH_NOT_FOUND = ("path_not_found", 404, "invalid_request_error")
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405, "invalid_request_error")
    INVALID_REQUEST = ("invalid_request", 400, "invalid_request_error")
    ALREADY_EXISTS = ("already_exists", 409, "invalid_request_error")
    MANAGED_BY_FILE = ("managed_by_file", 409, "invalid_request_error")
    IN_USE = ("in_use", 409, "invalid_request_error")
    REVOKED = ("revoked", 409, "invalid_request_error")
    ALREADY_DECIDED = ("already_decided", 409, "invalid_request_error")
    PERIOD_CLOSED = ("period_closed", 409, "invalid_request_error")
    PERIOD_NOT_READY = ("period_not_ready", 409, "invalid_request_error")
    IDEMPOTENCY_IN_PROGRESS = ("idempotency_in_progress", 409, "invalid_request_error")
    PRECONDITION_FAILED = ("precondition_failed", 412, "invalid_request_error")
    REQUEST_TOO_LARGE = ("request_too_large", 413, "invalid_request_error")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported_media_type", 415, "invalid_request_error")
    HOST_NOT_ALLOWED = ("host_not_allowed", 421, "invalid_request_error")
    IDEMPOTENCY_KEY_REUSED = ("idempotency_key_reused", 422, "invalid_request_error")
    DEPENDENCY_UNAVAILABLE = ("dependency_unavailable", 503, "service_unavailable")
    INTERNAL_ERROR = ("internal_error", 500, "server_error")

    def __init__(self, code: str, status: int, error_type: str) -> None:
        self.code = code
        self.status = status
        self.error_type = error_type


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a request, and where it stands: a field such as `models[0]`, a parameter or a header."""

    param: str
    message: str


class Refusal(Exception):
    """A request that is answered with a fault; caught by the app only. No secret in any of its texts."""

    def __init__(
        self,
        fault: Fault,
        message: str,
        *,
        param: str | None = None,
        problems: Sequence[Problem] = (),
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.param = param
        self.problems = tuple(problems)
        self.headers = tuple(headers)


def error_body(refusal: Refusal) -> bytes:
    """The JSON body of a refusal: the data port's shape, several problems as one object beside the message."""
    error: dict[str, JsonValue] = {
        "message": refusal.message,
        "type": refusal.fault.error_type,
        "param": refusal.param,
        "code": refusal.fault.code,
    }
    if refusal.problems:
        error["flyball"] = {"problems": [{"param": each.param, "message": each.message} for each in refusal.problems]}
    return msgspec.json.encode({"error": error})
