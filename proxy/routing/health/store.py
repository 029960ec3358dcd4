"""Where workers leave for each other what they know of targets."""

from collections.abc import Sequence
from typing import Final, Protocol

from proxy.routing.health.report import Told

KEPT_S: Final = 60.0
"""A report that is older is of a worker that is gone."""


class HealthUnavailable(Exception):
    """Nothing can be told or heard now."""


class HealthStore(Protocol):
    """The last report of each worker. Its methods block, from any thread."""

    def exchange(self, worker: str, report: bytes) -> Sequence[Told]:
        """Leave a worker's report in the place of its last one, and take all there are, one's own among them.

        No report (empty) leaves the last one as it is.

        Raises:
            HealthUnavailable: it cannot be reached now.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...
