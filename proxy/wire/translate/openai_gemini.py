"""OpenAI chat completions at Google, AI Studio or Vertex AI."""

from typing import Final

from proxy.wire.translate.chat.errors import chat_error
from proxy.wire.translate.chat.fields import chat_fields
from proxy.wire.translate.chat.request import read_chat
from proxy.wire.translate.chat.stream import StreamedChat
from proxy.wire.translate.chat.whole import WholeChat
from proxy.wire.translate.gemini.errors import read_content_error
from proxy.wire.translate.gemini.read_answer import ContentChunks, tell_content
from proxy.wire.translate.gemini.write_parts import FORMAT, PROVIDER
from proxy.wire.translate.gemini.write_request import content_request
from proxy.wire.translate.pair import Pair
from proxy.wire.translate.treatment import Treatments, carried, dropped, refused

FIELDS: Final[Treatments] = chat_fields(
    frequency_penalty=carried("`generationConfig.frequencyPenalty`"),
    max_completion_tokens=carried("`generationConfig.maxOutputTokens`"),
    max_tokens=carried("`generationConfig.maxOutputTokens`"),
    parallel_tool_calls=refused("it cannot be kept to one call", True),
    presence_penalty=carried("`generationConfig.presencePenalty`"),
    reasoning_effort=carried("`thinkingConfig.thinkingLevel`, or for Gemini 2.5 `thinkingBudget` as Google has it"),
    response_format=carried("`responseMimeType` with `responseJsonSchema`"),
    safety_identifier=dropped("it knows no end users"),
    seed=carried("`generationConfig.seed`"),
    service_tier=carried("`auto` and `default` are what it does anyway; other tiers are refused"),
    stop=carried("`generationConfig.stopSequences`"),
    temperature=carried("`generationConfig.temperature`"),
    tools=carried("functions, their schemas as they are; where one is `strict`, in the mode `VALIDATED`"),
    top_k=carried("`generationConfig.topK`"),
    top_p=carried("`generationConfig.topP`"),
    user=dropped("it knows no end users"),
)

PAIR: Final = Pair(
    fields=FIELDS,
    read_request=lambda body: read_chat(body, FIELDS, PROVIDER),
    write_request=content_request,
    read_whole=lambda body, writer, context: tell_content(body, writer),
    read_stream=lambda writer, context: ContentChunks(writer),
    read_error=read_content_error,
    write_whole=lambda asked, context: WholeChat(context.at_s, FORMAT),
    write_stream=lambda asked, context: StreamedChat(context.at_s, FORMAT, usage=asked.wants_usage),
    write_error=chat_error,
    id_header=b"x-request-id",
)
