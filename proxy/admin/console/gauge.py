"""A budget or limit as its pages show it: the numbers of the admin API's object, in its own unit, nothing added."""

from datetime import datetime
from typing import Any, Final

from msgspec import UNSET

from proxy.admin.console.figures import permille, usd, usd_html
from proxy.admin.console.markup import Child
from proxy.admin.shapes.forecasts import BudgetForecast
from proxy.budget import Unit, spoken
from proxy.core.money import Nano

NEAR_PERMILLE: Final = 800
_WORDS: Final = {"usd": Unit.USD, "tokens": Unit.TOKENS, "requests": Unit.REQUESTS, "concurrent": Unit.SLOTS}
_TOKENS: Final = {"input": Unit.INPUT_TOKENS, "output": Unit.OUTPUT_TOKENS}


class Gauge:
    """One budget or limit with its amounts as whole numbers of its unit."""

    def __init__(self, shape: Any) -> None:
        self.shape: Final = shape
        self.word: Final = next(word for word in _WORDS if _told(shape, f"limit_{word}") is not None)
        tokens = _told(shape, "tokens")
        self.unit: Final = _TOKENS.get(tokens, _WORDS[self.word]) if tokens else _WORDS[self.word]
        self.name: Final[str] = shape.name
        self.limit, self.spent, self.held = (self.amount(name) for name in ("limit", "spent", "held"))
        self.overrun, self.remaining = self.amount("overrun"), self.amount("remaining")

    def amount(self, name: str, of: Any = None) -> int:
        """An amount of it, or of another object in the same unit; nothing where it has none."""
        found = _told(self.shape if of is None else of, f"{name}_{'nano' if self.word == 'usd' else self.word}")
        return int(found or 0)

    def has(self, name: str, of: Any) -> bool:
        """Whether another object in the same unit has that amount."""
        return _told(of, f"{name}_{self.word}") is not None

    def told(self, amount: int) -> str:
        """An amount in words, exact."""
        return usd(Nano(amount)) if self.unit is Unit.USD else spoken(self.unit, amount)

    def shown(self, amount: int) -> Child:
        """The same for the eye: dollars first, what is finer than a cent set back."""
        return usd_html(Nano(amount)) if self.unit is Unit.USD else spoken(self.unit, amount)

    @property
    def used_permille(self) -> int:
        """How full it is, with what is held, in thousandths; 1000 is the most."""
        return permille(self.spent + self.held, self.limit) if self.limit else 1000

    @property
    def tone(self) -> str:
        """How its bar is coloured."""
        if self.spent + self.held >= self.limit:
            return "full"
        return "near" if self.used_permille >= NEAR_PERMILLE else ""

    @property
    def forecast(self) -> BudgetForecast | None:
        """How its window goes on, where it was asked for."""
        found = _told(self.shape, "forecast")
        return found if isinstance(found, BudgetForecast) else None

    @property
    def scope(self) -> str:
        """Whose amounts these are."""
        counted: str | None = _told(self.shape, "counted_scope")
        return counted or str(self.shape.scope)

    @property
    def is_pattern(self) -> bool:
        """Whether many have it, each for itself."""
        return _told(self.shape, "counted_scopes") is not None

    @property
    def is_limit(self) -> bool:
        """Whether it is a rate limit."""
        return str(self.shape.object) == "limit"

    @property
    def resets_at(self) -> datetime | None:
        """When its window ends; None: never."""
        at: datetime | None = self.shape.resets_at
        return at

    def fact(self, name: str) -> Any:
        """Another field of it; None where it has no such field."""
        return _told(self.shape, name)


def _told(shape: Any, name: str) -> Any:
    found = getattr(shape, name, None)
    return None if found is UNSET else found
