"""The dearest that a call's tokens could be."""

from typing import Final

from proxy.core.money import Nano
from proxy.journey.state import Journey
from proxy.pricing import Price, worst_case

MEDIA_MARKS: Final = (b"image", b"audio", b"video", b"file")
"""A request with none of these in its body can hold nothing dearer than text."""


def worst_price(journey: Journey, price: Price, input_tokens: int, output_tokens: int) -> Nano:
    """The dearest that this call's tokens could be, in nano-dollars, rounded up."""
    return worst_case(
        price,
        journey.at,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        service_tier=journey.request.service_tier,
        media=lambda: any(mark in journey.body for mark in MEDIA_MARKS),
    )
