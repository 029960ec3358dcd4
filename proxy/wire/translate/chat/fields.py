"""The fields of a chat request, and what becomes of each where no pair of dialects says otherwise."""

from types import MappingProxyType
from typing import Final

from proxy.wire.translate.treatment import Treatment, Treatments, carried, dropped, refused

_COMMON: Final[dict[str, Treatment]] = {
    "audio": refused("it does not answer in sound"),
    "frequency_penalty": refused("it has no penalties", 0),
    "function_call": refused("functions without ids cannot be carried; use `tool_choice`", "auto"),
    "functions": refused("functions without ids cannot be carried; use `tools`", []),
    "logit_bias": refused("it has no biases", {}),
    "logprobs": refused("it tells no probabilities", False),
    "max_completion_tokens": carried("the output limit"),
    "max_tokens": carried("the output limit"),
    "messages": carried("part by part, as the table of parts says"),
    "metadata": dropped("tags of OpenAI's own log; the model never sees them"),
    "modalities": refused("it answers in text only", ["text"]),
    "model": carried("the model's name there"),
    "moderation": refused("it has no moderation that can be ordered with a call"),
    "n": refused("it makes one answer a call", 1),
    "parallel_tool_calls": carried("how many calls an answer may hold"),
    "prediction": dropped("it makes an answer come sooner, not differ"),
    "presence_penalty": refused("it has no penalties", 0),
    "prompt_cache_key": dropped("where OpenAI looks for a cached prompt"),
    "prompt_cache_options": dropped("how OpenAI caches a prompt; the marks within messages are carried"),
    "prompt_cache_retention": dropped("how OpenAI caches a prompt"),
    "reasoning_effort": carried("how hard to think"),
    "response_format": carried("`json_schema` as the answer's schema"),
    "safety_identifier": carried("the end user's id"),
    "seed": refused("its sampling cannot be seeded"),
    "service_tier": carried("`auto` and `default`; other tiers are refused"),
    "stop": carried("the stop sequences"),
    "store": refused("nothing can be stored at OpenAI by a call that does not reach it", False),
    "stream": carried("a stream"),
    "stream_options": carried("`include_usage`; `include_obfuscation` is left out: nothing is padded"),
    "temperature": carried("the temperature"),
    "tool_choice": carried("`none`, `auto`, `required` or a function; `allowed_tools` and custom tools are refused"),
    "tools": carried("functions; custom tools are refused"),
    "top_k": carried("as it is: no field of OpenAI's, but one that many clients send"),
    "top_logprobs": refused("it tells no probabilities", 0),
    "top_p": carried("the nucleus"),
    "user": carried("the end user's id"),
    "verbosity": refused("it has no such setting", "medium"),
    "web_search_options": refused("its searches are ordered otherwise"),
}


def chat_fields(**changed: Treatment) -> Treatments:
    """What becomes of each field of a chat request at one provider: `changed` in the place of what is common."""
    return MappingProxyType(_COMMON | changed)
