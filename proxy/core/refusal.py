"""The closed table of every way we say no (DESIGN §3); status, type and log level derive from it."""

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias, Union

JsonValue: TypeAlias = Union[bool, int, str, list["JsonValue"], dict[str, "JsonValue"], None]

MAX_RETRY_AFTER_S: Final = 60


class Refusal(Enum):
    """One way to refuse: wire code, HTTP status, error type on the wire, and whether the caller is at fault."""

    INVALID_API_KEY = ("invalid_api_key", 401, "authentication_error", True)
    MODEL_NOT_ALLOWED = ("model_not_allowed", 403, "permission_error", True)
    POLICY_DENIED = ("policy_denied", 403, "permission_error", True)
    RUN_STOPPED = ("run_stopped", 403, "permission_error", True)
    APPROVAL_REQUIRED = ("approval_required", 403, "permission_error", True)
    BUDGET_EXCEEDED = ("budget_exceeded", 402, "insufficient_quota", True)
    RATE_LIMITED = ("rate_limited", 429, "rate_limit_error", True)
    MODEL_NOT_FOUND = ("model_not_found", 404, "invalid_request_error", True)
    PATH_NOT_FOUND = ("path_not_found", 404, "invalid_request_error", True)
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405, "invalid_request_error", True)
    NOT_FOUND = ("not_found", 404, "invalid_request_error", True)
    UNPRICED_MODEL = ("unpriced_model", 400, "invalid_request_error", True)
    CAPABILITY_MISSING = ("capability_missing", 400, "invalid_request_error", True)
    INVALID_REQUEST = ("invalid_request", 400, "invalid_request_error", True)
    HOST_NOT_ALLOWED = ("host_not_allowed", 421, "invalid_request_error", True)
    REQUEST_TOO_LARGE = ("request_too_large", 413, "invalid_request_error", True)
    CACHE_MISS = ("cache_miss", 504, "invalid_request_error", True)
    DEPENDENCY_UNAVAILABLE = ("dependency_unavailable", 503, "service_unavailable", False)
    SHUTTING_DOWN = ("shutting_down", 503, "service_unavailable", False)
    INTERNAL_ERROR = ("internal_error", 500, "server_error", False)
    UPSTREAM_TIMEOUT = ("upstream_timeout", 504, "upstream_error", False)
    UPSTREAM_REFUSED = ("upstream_refused", 502, "upstream_error", False)
    UPSTREAM_OVERLOADED = ("upstream_overloaded", 503, "upstream_error", False)
    UPSTREAM_TRUNCATED = ("upstream_truncated", 502, "upstream_error", False)
    UPSTREAM_ERROR = ("upstream_error", 502, "upstream_error", False)

    def __init__(self, code: str, status: int, error_type: str, callers_fault: bool) -> None:
        self.code = code
        self.status = status
        self.error_type = error_type
        self.callers_fault = callers_fault


NEVER_RETRIED: Final = frozenset({Refusal.BUDGET_EXCEEDED, Refusal.RUN_STOPPED, Refusal.APPROVAL_REQUIRED})
"""Answered with `x-should-retry: false`: a repeat of the same call meets the same answer (wire.md §6)."""


class Refused(Exception):
    """A call that is answered with a refusal; caught at the edge only.

    `facts` ride in the body as one object beside the message. `retry_after_s` is in whole seconds, at most 60. `status`
    stands in the place of the table's where it may be set; `headers` go with the answer. `by` names who refuses, as
    scope and name, where an organisation's `enforcement` may have it written down only.
    """

    def __init__(
        self,
        why: Refusal,
        message: str,
        *,
        facts: Mapping[str, JsonValue] | None = None,
        param: str | None = None,
        retry_after_s: int | None = None,
        status: int | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        by: str = "",
    ) -> None:
        super().__init__(message)
        self.why = why
        self.message = message
        self.facts: Mapping[str, JsonValue] = facts or {}
        self.param = param
        self.retry_after_s = None if retry_after_s is None else max(1, min(retry_after_s, MAX_RETRY_AFTER_S))
        self.status = status or why.status
        self.headers = headers
        self.by = by
