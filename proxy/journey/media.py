"""Images, sound and moderations: what they could cost at most, and what they used where no provider says.

Bounds, with their sources: tokens of an image by quality and size (OpenAI's image generation guide, scaled by pixels
for other sizes); seconds of sound by the lowest rate that speech is encoded at (Opus, 6 kbit/s); tokens of sound by the
Realtime and audio guides (at most 20 a second).
"""

from collections.abc import Mapping
from typing import Final

from proxy.core.money import ZERO
from proxy.core.usage import CALL, CHARACTER, MILLISECOND, Bucket, Usage, UsageSource
from proxy.journey.dearest import worst_price
from proxy.journey.rooms import Rooms
from proxy.journey.state import Estimate, Journey
from proxy.pricing import Price, worst_units
from proxy.wire.endpoint import IMAGES, Endpoint
from proxy.wire.facts import Media

LEAST_BYTES_PER_S: Final = 750
SOUND_PER_S: Final = 20
IMAGE_TOKENS: Final[Mapping[str, int]] = {"low": 272, "medium": 1056, "high": 4160}
"""Output tokens of an image of 1024 by 1024 pixels; larger ones are bounded by half as much again for their pixels."""
PIXELS: Final = 1024 * 1024
PARTIAL_TOKENS: Final = 100
PICTURE_TOKENS: Final = 6500
"""Of an image that is given, at the highest fidelity."""
SPOKEN_PER_CHARACTER: Final = 8
"""Tokens of sound for a character, spoken at a quarter of the usual pace; usually it is four for three."""
WRITTEN: Final = 4096
"""Tokens that are written down at most, where a price does not say."""
NONE: Final = Media()


async def text_tokens(journey: Journey, rooms: Rooms) -> int:
    """The tokens of what is said in the request."""
    prompt = _media(journey).prompt
    return await rooms.counter.count_output(journey.model, [prompt], len(prompt)) if prompt else 0


def worst_media(journey: Journey, price: Price | None, tokens: int) -> Estimate:
    """The most that the call could cost at a price: by its units where it has such, else by tokens."""
    if price is None:
        return Estimate(tokens, 0, ZERO)
    units = _units(journey, price, made=_media(journey).images)
    if units:
        return Estimate(tokens, 0, worst_units(price, units))
    given, made = _most_tokens(journey, price, tokens)
    return Estimate(given, made, worst_price(journey, price, given, made))


def media_usage(journey: Journey, price: Price | None, tokens: int, made: int) -> Usage:
    """What the call used, by what it asked for and the images that came: nobody told it."""
    units = {} if price is None else _units(journey, price, made=made)
    if units:
        return Usage(units=units, source=UsageSource.ESTIMATED)
    return Usage(tokens=_guessed(journey, tokens, made), source=UsageSource.ESTIMATED)


def in_its_buckets(journey: Journey, usage: Usage) -> Usage:
    """Told usage with its output where it belongs: images and speech are no text, and not every provider says so."""
    endpoint = journey.call.endpoint
    bucket = Bucket.IMAGE_OUTPUT if endpoint in IMAGES else Bucket.AUDIO_OUTPUT
    if (endpoint not in IMAGES and endpoint is not Endpoint.SPEECH) or bucket in usage.tokens:
        return usage
    return usage._replace(
        tokens={bucket if each is Bucket.OUTPUT else each: count for each, count in usage.tokens.items()}
    )


def _units(journey: Journey, price: Price, *, made: int) -> dict[str, int]:
    """What is charged beside tokens; empty where only tokens are."""
    units: dict[str, int] = {}
    if not price.has_units:
        return units
    media = _media(journey)
    if media.images and (unit := price.dearest_image(media.quality, media.size)) is not None:
        units[unit] = made
    if media.characters and price.unit_rate(CHARACTER) is not None:
        units[CHARACTER] = media.characters
    if media.sound_bytes and price.unit_rate(MILLISECOND) is not None:
        units[MILLISECOND] = -(-media.sound_bytes * 1000 // LEAST_BYTES_PER_S)
    if price.unit_rate(CALL) is not None:
        units[CALL] = 1
    return units


def _most_tokens(journey: Journey, price: Price, tokens: int) -> tuple[int, int]:
    media = _media(journey)
    made = media.images * (image_tokens(media) + media.partials * PARTIAL_TOKENS)
    given = tokens + media.pictures * PICTURE_TOKENS
    if media.characters:
        made = media.characters * SPOKEN_PER_CHARACTER
    if media.sound_bytes:
        given += -(-media.sound_bytes * SOUND_PER_S // LEAST_BYTES_PER_S)
        made = price.max_output or WRITTEN
    return (given if price.max_input is None else min(given, price.max_input)), made


def image_tokens(media: Media) -> int:
    """Output tokens of one image at most."""
    square = IMAGE_TOKENS.get(media.quality, IMAGE_TOKENS["high"])
    width, _, height = media.size.partition("x")
    if not (width.isdigit() and height.isdigit() and len(media.size) <= len("99999x99999")):
        return square * 3 // 2
    pixels = int(width) * int(height)
    return square if pixels <= PIXELS else -(-square * pixels * 3 // (PIXELS * 2))


def _guessed(journey: Journey, tokens: int, made: int) -> dict[Bucket, int]:
    media = _media(journey)
    guessed = {Bucket.INPUT: tokens}
    if media.images:
        guessed[Bucket.IMAGE_OUTPUT] = made * image_tokens(media)
        guessed[Bucket.IMAGE_INPUT] = media.pictures * PICTURE_TOKENS
    elif media.characters:
        guessed[Bucket.AUDIO_OUTPUT] = -(-media.characters * 4 // 3)
    elif media.sound_bytes:
        guessed[Bucket.AUDIO_INPUT] = max(0, journey.estimate.input_tokens - tokens)
        guessed[Bucket.OUTPUT] = journey.estimate.output_tokens
    return guessed


def _media(journey: Journey) -> Media:
    return journey.request.media or NONE
