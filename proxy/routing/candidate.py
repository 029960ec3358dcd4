"""One place a call may be sent to."""

from msgspec import Struct


class Candidate(Struct, frozen=True):
    """One provider that could serve the call, under the model name it would be sent."""

    provider: str
    model: str
