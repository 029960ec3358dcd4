"""The settings of metering."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class MeteringSettings:
    """How input and output are counted before, and in place of, a provider's word."""

    margin_percent: int = field(
        default=20,
        metadata={"doc": "Added, in percent, to counts by o200k_base for models whose tokenizer is not OpenAI's."},
    )
    memo_bytes: int = field(
        default=16 * 1024 * 1024,
        metadata={"doc": "Memory per worker for token counts of texts seen before, in bytes; 0 remembers none."},
    )
    inline_bytes: int = field(
        default=32 * 1024,
        metadata={
            "doc": "Request bodies up to this size are looked up in the memo before a thread is asked, in bytes."
        },
    )
    image_tokens: int = field(
        default=8192,
        metadata={"doc": "The most tokens an image costs at a model whose own ceiling is not known."},
    )
    file_tokens: int = field(
        default=100_000,
        metadata={"doc": "What a file given by URL is taken to cost, in tokens; its size is not told."},
    )
