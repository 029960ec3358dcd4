"""The fields of a request for a response, and what becomes of each at a chat provider."""

from types import MappingProxyType
from typing import Final

from proxy.wire.translate.treatment import Treatments, carried, dropped, refused

FIELDS: Final[Treatments] = MappingProxyType(
    {
        "access_programs": refused("they are OpenAI's own"),
        "background": refused("nothing runs on behind a chat", False),
        "context_management": refused("a conversation is edited by its client only", []),
        "conversation": refused("conversations are kept at OpenAI"),
        "image": refused("how pictures are kept cannot be told"),
        "include": carried("`reasoning.encrypted_content`, which is told in any case; others are refused"),
        "input": carried("item by item, as the table of items says"),
        "instructions": carried("a system message before all others"),
        "max_output_tokens": carried("`max_completion_tokens` at OpenAI and Azure, else `max_tokens`"),
        "max_tool_calls": refused("it counts calls of tools that the provider runs"),
        "metadata": dropped("tags of OpenAI's own log; the model never sees them"),
        "model": carried("the model's name there"),
        "moderation": refused("it has no moderation that can be ordered with a call"),
        "parallel_tool_calls": carried("`parallel_tool_calls`"),
        "previous_response_id": refused("responses are kept at OpenAI; send the conversation whole"),
        "prompt": refused("prompts are kept at OpenAI"),
        "prompt_cache_key": dropped("where OpenAI looks for a cached prompt"),
        "prompt_cache_options": dropped("how OpenAI caches a prompt"),
        "prompt_cache_retention": dropped("how OpenAI caches a prompt"),
        "reasoning": carried("`effort` as `reasoning_effort`; `summary` is left out: what is thought is told as it is"),
        "safety_identifier": carried("`user`"),
        "service_tier": carried("`auto` and `default`; other tiers are refused"),
        "store": dropped("nothing is stored; answers say `store: false`"),
        "stream": carried("a stream"),
        "stream_options": carried("`include_obfuscation` is left out: nothing is padded"),
        "temperature": carried("`temperature`"),
        "text": carried("`format` as `response_format`; a `verbosity` other than `medium` is refused"),
        "tool_choice": carried("`none`, `auto`, `required` or a function; other choices are refused"),
        "tools": carried("functions; tools that OpenAI defines or runs are refused"),
        "top_logprobs": refused("probabilities are not carried", 0),
        "top_p": carried("`top_p`"),
        "truncation": refused("a conversation is cut by its client only", "disabled"),
        "user": carried("`user`"),
    }
)
