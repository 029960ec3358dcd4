"""What Flyball is asked besides the ordinary call: a long prompt, what a rule denies, what there is no money for."""

from dataclasses import dataclass
from typing import Final

from tests.bench.candidates import POOR


@dataclass(frozen=True)
class Variant:
    """One kind of call. `status` is what it is answered with; `prompts` how many KB it says."""

    name: str
    model: str = "bench-unary"
    status: int = 200
    prompts: int = 1
    key_end: str = ""


ORDINARY: Final = Variant("ordinary")
OF_ALL: Final = (Variant("prompt of 100 KB", prompts=100),)
"""Asked of every candidate."""
OF_RULED: Final = (
    Variant("under a rule that allows it"),
    Variant("denied by that rule", model="bench-blocked", status=403),
    Variant("no money left", status=402, key_end=POOR),
    Variant("a model not on the key's list", model="other", status=403),
)
"""Asked of Flyball with a rule set."""
