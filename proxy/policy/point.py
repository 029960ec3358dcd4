"""Where on a call's journey a policy is asked (DESIGN §7)."""

from enum import StrEnum


class Point(StrEnum):
    """One place where policy decides; the name is the package's, `data.flyball.<point>`."""

    REQUEST = "request"
    ROUTE = "route"
    TOOL_CALL = "tool_call"
    RESPONSE = "response"
