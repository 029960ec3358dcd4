"""Realtime on the data port: where sessions are opened, and what beside them is refused by name."""

from typing import Final

from proxy.core.refusal import Refusal, Refused

PATH: Final = "/realtime"
_BY_NAME: Final = {
    "client_secrets": "ephemeral realtime keys: whoever holds one reaches the provider past every budget and rule. "
    "Connect to /v1/realtime with a key of your own",
    "sessions": "ephemeral realtime keys: whoever holds one reaches the provider past every budget and rule. "
    "Connect to /v1/realtime with a key of your own",
    "transcription_sessions": "ephemeral realtime keys: whoever holds one reaches the provider past every budget "
    "and rule. Connect to /v1/realtime with a key of your own",
    "calls": "realtime over SIP and WebRTC: its sound would not come through here. Connect to /v1/realtime by "
    "WebSocket",
    "translations": "realtime translation sessions yet",
}


def unserved(path: str) -> Refused:
    """The refusal of a path under `/realtime`, or of `/realtime` itself asked for without a WebSocket."""
    rest = path[len(PATH) :].lstrip("/").partition("/")[0]
    if not rest:
        said = "Realtime sessions are opened over WebSocket: GET /v1/realtime?model=… with `Upgrade: websocket`."
    elif rest in _BY_NAME:
        said = f"Flyball does not serve {_BY_NAME[rest]}."
    else:
        said = f"There is nothing at {path[:100]!r}."
    return Refused(Refusal.PATH_NOT_FOUND, said, facts={"path": path[:200], "known": rest in _BY_NAME or not rest})
