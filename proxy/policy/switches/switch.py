"""One kill switch: what it turns off, since when, by whom and why."""

from dataclasses import dataclass

from proxy.policy.switches.target import SwitchTarget


@dataclass(frozen=True, kw_only=True, slots=True)
class Switch:
    """A kill switch. Moments are nanoseconds since 1970; `expires_ns` None ends only by being lifted."""

    id: str
    target: SwitchTarget
    reason: str
    by: str
    since_ns: int
    expires_ns: int | None = None
    lifted_ns: int | None = None
    lifted_by: str = ""

    def is_on(self, now_ns: int) -> bool:
        """Whether it turns anything off now."""
        return self.lifted_ns is None and (self.expires_ns is None or now_ns < self.expires_ns)
