"""What becomes of each field of a request: carried, left out because it cannot change the answer, or refused."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from proxy.wire.translate.members import Json, missing


class Treatment(Struct, frozen=True):
    """What becomes of one field; `told` says it in docs/translation.md, and in a refusal.

    `neutral` are values that ask for nothing, so that even a field that is refused may have them.
    """

    how: Literal["carried", "dropped", "refused"]
    told: str
    neutral: tuple[Json, ...] = ()


Treatments: TypeAlias = Mapping[str, Treatment]


def carried(told: str) -> Treatment:
    """The provider has the same, under whatever name."""
    return Treatment("carried", told)


def dropped(told: str) -> Treatment:
    """Its absence cannot change the answer; `told` says why."""
    return Treatment("dropped", told)


def refused(told: str, *neutral: Json) -> Treatment:
    """The provider has nothing of the kind; `told` says what is missing."""
    return Treatment("refused", told, neutral)


def check(body: Mapping[str, Json], treatments: Treatments, provider: str) -> None:
    """Refuse the first field that cannot be carried, also one that nobody knows.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field.
    """
    for name, value in body.items():
        if value is None:
            continue
        treatment = treatments.get(name)
        if treatment is None:
            missing(name, provider, "it is not known what it asks for")
        if treatment.how == "refused" and not any(value is each or value == each for each in treatment.neutral):
            missing(name, provider, treatment.told)
