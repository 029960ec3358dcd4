"""How the simulated provider behaves when nobody asks for anything special."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class SimSettings:
    """Pace, seed and memory of the simulated provider."""

    speed: float = field(
        default=1.0, metadata={"doc": "How many times faster than real the tokens come; 0 means with no wait at all."}
    )
    seed: int = field(default=1, metadata={"doc": "Same seed and same requests: same answers at the same pace."})
    keep_requests: int = field(default=1000, metadata={"doc": "How many of the latest requests are remembered."})
    keep_body_bytes: int = field(
        default=65_536, metadata={"doc": "How much of each remembered body is kept, in bytes."}
    )
    max_body_bytes: int = field(default=64 * 1024 * 1024, metadata={"doc": "Larger request bodies are answered 413."})
