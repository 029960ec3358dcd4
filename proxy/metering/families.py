"""Which models are counted by which vocabulary, and what an image or a second of sound costs them at most.

Sources: tiktoken's model table (which vocabulary); OpenAI's guide to images and vision (tiles of 512 px and patches of
32 px with a factor per model). A ceiling is what the largest image costs: 8 tiles, or all patches allowed.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from proxy.metering.vocabulary import EncodingName


@dataclass(frozen=True, kw_only=True)
class ImageCeiling:
    """The most input tokens that one image can cost, by the detail it is asked for in."""

    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class Family:
    """How a model's tokens are counted.

    `native`: the vocabulary is the model's own, so that text is counted exactly. `preamble` are tokens that the
    provider puts before every prompt, `tools_preamble` those that it adds when there are tools: bounds, from
    recordings (75 for a gpt-5-mini with one function; none to 71 for gpt-oss, whose template has a system message).
    `stretch_percent`: how many tokens more than the vocabulary's the model's own may make of a text.
    """

    encoding: EncodingName
    native: bool
    image: ImageCeiling | None = None
    preamble: int = 0
    stretch_percent: int = 0
    tools_preamble: int = 100


# Llama's template adds 35 tokens to a recorded call, a two-message one of vLLM 44; DeepSeek's with tools 310, and
# Anthropic documents 313 to 346 for tools.
_OTHER: Final = Family(encoding="o200k_base", native=False, preamble=64, tools_preamble=400)

# Anthropic documents up to 804 tokens for tools and, from Opus 4.7 on, up to 1.35 times the tokens of before.
_CLAUDE: Final = Family(
    encoding="o200k_base",
    native=False,
    preamble=64,
    tools_preamble=900,
    stretch_percent=35,
)

_ENCODINGS: Final[tuple[tuple[re.Pattern[str], EncodingName], ...]] = (
    (re.compile(r"gpt-4(-|$)|gpt-3\.5|gpt-35|text-embedding-|davinci-002|babbage-002"), "cl100k_base"),
    (re.compile(r"gpt-|chatgpt-|o\d(-|$)|codex-|computer-use-preview"), "o200k_base"),
)

_CLAUDES: Final = ("claude-", "anthropic.claude-")
_HARMONY_PREAMBLE: Final = 80

# The first that begins a name counts; longer names stand before the shorter ones they begin with.
_IMAGES: Final = (
    ("gpt-4o-mini", ImageCeiling(low=2833, high=2833 + 8 * 5667)),
    ("gpt-4.1-mini", ImageCeiling(low=2489, high=2489)),
    ("gpt-4.1-nano", ImageCeiling(low=3779, high=3779)),
    ("gpt-5-mini", ImageCeiling(low=2489, high=2489)),
    ("gpt-5-nano", ImageCeiling(low=3779, high=3779)),
    ("o4-mini", ImageCeiling(low=2642, high=2642)),
    ("gpt-4", ImageCeiling(low=85, high=1536)),
    ("chatgpt-4o", ImageCeiling(low=85, high=1536)),
    ("o1", ImageCeiling(low=75, high=75 + 8 * 150)),
    ("o3", ImageCeiling(low=75, high=75 + 8 * 150)),
    ("computer-use", ImageCeiling(low=65, high=65 + 8 * 129)),
    # From gpt-5.2 on patches count 1.2 fold, from gpt-5.4 on up to 10,000 of them are taken.
    ("gpt-5.", ImageCeiling(low=1844, high=12_000)),
    ("gpt-5", ImageCeiling(low=70, high=1536)),
)


@lru_cache(maxsize=1024)
def family_of(model: str) -> Family:
    """The family of a model name, behind a vendor's prefix (`openai/gpt-5`) or as a fine-tune (`ft:gpt-4o:…`) too."""
    # Bedrock writes the vendor with a dot.
    name = model.rsplit("/", 1)[-1].lower().removeprefix("openai.").removeprefix("ft:")
    for pattern, encoding in _ENCODINGS:
        if pattern.match(name):
            preamble = _HARMONY_PREAMBLE if name.startswith("gpt-oss") else 0
            return Family(encoding=encoding, native=True, image=_image_ceiling(name), preamble=preamble)
    return _CLAUDE if name.startswith(_CLAUDES) else _OTHER


def _image_ceiling(name: str) -> ImageCeiling | None:
    return next((ceiling for beginning, ceiling in _IMAGES if name.startswith(beginning)), None)
