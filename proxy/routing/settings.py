"""What flyball.yaml says about routes (DESIGN §10)."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class TargetSettings:
    """One place a route may send a call to."""

    provider: str = field(metadata={"doc": "Name of a provider under `providers`."})
    model: str | None = field(
        default=None, metadata={"doc": "Model name sent to the provider; unset sends the client's own."}
    )
    strip_prefix: str = field(
        default="",
        metadata={"doc": "What the client's own name begins with and the provider's does not, such as `openai/`."},
    )


@dataclass(frozen=True, kw_only=True)
class RouteSettings:
    """Which targets serve a client's model name, or a path that names no model; the first route that matches wins."""

    model: str = field(default="", metadata={"doc": "The client's model name, or a glob such as `gpt-*`."})
    path: str = field(
        default="",
        metadata={
            "doc": "In the place of `model`: the path of calls that name none, such as `/files`, with all below it."
        },
    )
    targets: tuple[TargetSettings, ...] = field(metadata={"doc": "Where matching calls may go, best first."})
    strategy: Literal["priority"] = field(
        default="priority", metadata={"doc": "How a target is chosen; `priority` takes the first one."}
    )
