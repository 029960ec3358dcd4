"""Prices of what is not counted in tokens: images, seconds of sound, characters, calls.

A unit is named in a row's `units`: `image:<quality>/<size>`, `millisecond`, `character`, `call`. Rates are kept as all
others are, per million: of milliseconds, too, so that a part of a second costs its part.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from proxy.core.usage import CALL, CHARACTER, IMAGE, MILLISECOND
from proxy.pricing.entry import Entry

ANY: Final = "any"
_MILLION: Final = Decimal(1_000_000)
_THOUSAND: Final = Decimal(1000)


def usd_per_million(data: Entry, unit: str) -> Decimal | None:
    """What a million of a unit costs, None where nobody wrote it down.

    An image's price is that of its quality and size, else of its size, else of its quality, else of any image.
    """
    if unit == MILLISECOND:
        return None if data.second_usd is None else data.second_usd * _THOUSAND
    if unit == CHARACTER:
        return data.character_usd_per_million
    if unit == CALL:
        return None if data.call_usd_per_1k is None else data.call_usd_per_1k * _THOUSAND
    for name in _spellings(unit):
        if name in data.image_usd:
            return data.image_usd[name] * _MILLION
    return None


def dearest_image(data: Entry, quality: str, size: str) -> str:
    """The unit of the dearest image that a provider may make of these words, which leave open what they do not say."""
    if quality and size:
        known = next((name for name in _spellings(f"{IMAGE}:{quality}/{size}") if name in data.image_usd), "")
        if known:
            return f"{IMAGE}:{known}"
    fitting = [name for name in data.image_usd if name != ANY and _fits(name, quality, size)]
    if ANY in data.image_usd and not {quality, size} & data.image_usd.keys():
        fitting.append(ANY)
    return f"{IMAGE}:{max(fitting or data.image_usd, key=lambda name: data.image_usd[name])}"


def _fits(name: str, quality: str, size: str) -> bool:
    """Whether an image of that quality and size could have that price."""
    of_quality, both, of_size = name.rpartition("/")
    if both:
        return quality in ("", of_quality) and size in ("", of_size)
    return name == (size or name) if name[:1].isdigit() else name == (quality or name)


def _spellings(unit: str) -> Iterator[str]:
    kind = unit.partition(":")[2]
    yield kind
    quality, _, size = kind.rpartition("/")
    yield from (size, quality, ANY)
