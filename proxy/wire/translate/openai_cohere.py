"""OpenAI chat completions at Cohere."""

from typing import Final

from proxy.wire.translate.chat.errors import chat_error
from proxy.wire.translate.chat.fields import chat_fields
from proxy.wire.translate.chat.request import read_chat
from proxy.wire.translate.chat.stream import StreamedChat
from proxy.wire.translate.chat.whole import WholeChat
from proxy.wire.translate.cohere.errors import read_cohere_error
from proxy.wire.translate.cohere.read_answer import ChatEvents, tell_cohere
from proxy.wire.translate.cohere.write_request import FORMAT, PROVIDER, cohere_request
from proxy.wire.translate.pair import Pair
from proxy.wire.translate.treatment import Treatments, carried, dropped, refused

FIELDS: Final[Treatments] = chat_fields(
    frequency_penalty=carried("`frequency_penalty`"),
    max_completion_tokens=carried("`max_tokens`"),
    max_tokens=carried("`max_tokens`"),
    parallel_tool_calls=refused("it cannot be kept to one call", True),
    presence_penalty=carried("`presence_penalty`"),
    reasoning_effort=carried("`none` as `thinking` disabled; other efforts are refused, for it has budgets only"),
    response_format=carried("`response_format` with `json_schema`, which has no name there"),
    safety_identifier=dropped("it knows no end users"),
    seed=carried("`seed`"),
    service_tier=carried("`auto` and `default` are what it does anyway; other tiers are refused"),
    stop=carried("`stop_sequences`"),
    temperature=carried("`temperature`"),
    tool_choice=carried("`auto`, `none` or `required`; one function is refused"),
    tools=carried("functions; all of them `strict` as `strict_tools`, some of them is refused"),
    top_k=carried("`k`"),
    top_p=carried("`p`"),
    user=dropped("it knows no end users"),
)

PAIR: Final = Pair(
    fields=FIELDS,
    read_request=lambda body: read_chat(body, FIELDS, PROVIDER),
    write_request=cohere_request,
    read_whole=lambda body, writer, context: tell_cohere(body, writer, context.model),
    read_stream=lambda writer, context: ChatEvents(writer, context.model),
    read_error=read_cohere_error,
    write_whole=lambda asked, context: WholeChat(context.at_s, FORMAT),
    write_stream=lambda asked, context: StreamedChat(context.at_s, FORMAT, usage=asked.wants_usage),
    write_error=chat_error,
    id_header=b"x-request-id",
)
