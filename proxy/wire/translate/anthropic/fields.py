"""The fields of a request to Anthropic's Messages API, and what becomes of each at a chat provider."""

from types import MappingProxyType
from typing import Final

from proxy.wire.translate.treatment import Treatments, carried, dropped, refused

CHAT_FIELDS: Final[Treatments] = MappingProxyType(
    {
        "cache_control": dropped("chats cache their prompts by themselves; so do the marks within messages and tools"),
        "container": refused("it has no containers"),
        "context_management": carried("edits of thinking only: none of it reaches a chat; other edits are refused"),
        "diagnostics": dropped("it asks for a note on caching beside the answer"),
        "inference_geo": refused("where it computes cannot be promised", "global"),
        "max_tokens": carried("`max_completion_tokens` at OpenAI and Azure, else `max_tokens`"),
        "messages": carried("block by block, as the table of blocks says"),
        "metadata": carried("`user_id` as `user`; one of more than 64 signs as its SHA-256"),
        "model": carried("the model's name there"),
        "output_config": carried("`effort` as `reasoning_effort`, `format` as `response_format`"),
        "service_tier": carried("`auto`, and `standard_only` as `default`"),
        "speed": refused("it has no such setting", "standard"),
        "stop_sequences": carried("`stop`"),
        "stream": carried("a stream"),
        "system": carried("a system message; its blocks are joined by a blank line"),
        "temperature": carried("`temperature`"),
        "thinking": carried(
            "a budget as `reasoning_effort` (low below 4,096 tokens, high from 16,384); `adaptive` and `disabled` "
            "leave it to the model, `between_tools` is refused, `display` is left out"
        ),
        "tool_choice": carried("`tool_choice`, and `disable_parallel_tool_use` as `parallel_tool_calls`"),
        "tools": carried("tools with a schema; those that Anthropic defines or runs are refused"),
        "top_k": refused("chats have no such field"),
        "top_p": carried("`top_p`"),
        "user_profile_id": refused("the profile is kept at Anthropic"),
        "workspace_id": refused("the workspace is Anthropic's"),
    }
)
