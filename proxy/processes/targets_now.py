"""How targets stand at the workers of a host, together: for /metrics."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from proxy.processes.tally import escaped


class TargetsNow:
    """Workers by what they make of each target, and the least headroom any of them knows of."""

    def __init__(self) -> None:
        self._workers: Counter[tuple[str, str, str]] = Counter()
        self._headroom: dict[tuple[str, str], float] = {}

    def add(self, targets: Iterable[Sequence[Any]]) -> None:
        """Take one worker's, as its file has them."""
        for provider, model, state, headroom in targets:
            self._workers[provider, model, state] += 1
            key = (provider, model)
            self._headroom[key] = min(headroom, self._headroom.get(key, 1.0))

    def left_alone(self) -> list[tuple[str, str, str, int]]:
        """Provider, model, state and number of workers, of targets that are not asked as usual."""
        return [(*key, count) for key, count in sorted(self._workers.items()) if key[2] != "closed"]

    def lines(self) -> list[str]:
        """As lines of the page."""
        return [
            *(
                f'flyball_target_workers{{{_target(provider, model)},state="{state}"}} {count}'
                for (provider, model, state), count in self._workers.items()
            ),
            *(f"flyball_target_headroom_ratio{{{_target(*key)}}} {left:g}" for key, left in self._headroom.items()),
        ]


def _target(provider: str, model: str) -> str:
    return f'provider="{escaped(provider)}",model="{escaped(model)}"'
