"""Everything in a request that is billed as input: texts to be counted, and what else has a size."""

from msgspec import Struct


class Countable(Struct, frozen=True):
    """The input of one request.

    `texts` hold every text the model reads, tool definitions and schemas as JSON among them. `messages` counts
    messages, tool calls and other items that get a frame of their own; `markers` single tokens beside those; `tools`
    tool definitions and the schema of a structured output. `images` includes `low_detail_images`. `audio_bytes` and
    `file_bytes` are decoded sizes, `files` counts files whose size is not told (by URL or id). `opaque_bytes` are
    decoded sizes of encrypted reasoning. `token_ids` are tokens that the client has counted itself.
    """

    texts: tuple[str, ...] = ()
    messages: int = 0
    markers: int = 0
    tools: int = 0
    images: int = 0
    low_detail_images: int = 0
    audio_bytes: int = 0
    file_bytes: int = 0
    files: int = 0
    opaque_bytes: int = 0
    token_ids: int = 0

    @property
    def is_text(self) -> bool:
        """Whether there is nothing but messages of text and token ids: what can be counted exactly."""
        sizes = (self.tools, self.images, self.audio_bytes, self.file_bytes, self.files, self.opaque_bytes)
        return not any(sizes)
