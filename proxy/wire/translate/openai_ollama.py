"""OpenAI chat completions at Ollama, by its own chats."""

from typing import Final

from proxy.wire.translate.chat.errors import chat_error
from proxy.wire.translate.chat.fields import chat_fields
from proxy.wire.translate.chat.request import read_chat
from proxy.wire.translate.chat.stream import StreamedChat
from proxy.wire.translate.chat.whole import WholeChat
from proxy.wire.translate.ollama.read_answer import ChatLines, read_ollama_error, tell_ollama
from proxy.wire.translate.ollama.write_request import FORMAT, PROVIDER, ollama_request
from proxy.wire.translate.pair import Pair
from proxy.wire.translate.treatment import Treatments, carried, dropped, refused

FIELDS: Final[Treatments] = chat_fields(
    frequency_penalty=carried("`options.frequency_penalty`"),
    max_completion_tokens=carried("`options.num_predict`"),
    max_tokens=carried("`options.num_predict`"),
    parallel_tool_calls=refused("it cannot be kept to one call", True),
    presence_penalty=carried("`options.presence_penalty`"),
    reasoning_effort=carried("`think`: `none` as false, `low`, `medium` and `high` as they are; others are refused"),
    response_format=carried("`format`: `json`, or the schema"),
    safety_identifier=dropped("it knows no end users"),
    seed=carried("`options.seed`"),
    service_tier=carried("`auto` and `default` are what it does anyway; other tiers are refused"),
    stop=carried("`options.stop`"),
    temperature=carried("`options.temperature`"),
    tool_choice=carried("`auto`, and `none` by leaving the tools out; `required` and one function are refused"),
    tools=carried("functions; `strict` ones are refused"),
    top_k=carried("`options.top_k`"),
    top_p=carried("`options.top_p`"),
    user=dropped("it knows no end users"),
)

PAIR: Final = Pair(
    fields=FIELDS,
    read_request=lambda body: read_chat(body, FIELDS, PROVIDER),
    write_request=ollama_request,
    read_whole=lambda body, writer, context: tell_ollama(body, writer, context.answer_id),
    read_stream=lambda writer, context: ChatLines(writer, context.answer_id),
    read_error=read_ollama_error,
    write_whole=lambda asked, context: WholeChat(context.at_s, FORMAT),
    write_stream=lambda asked, context: StreamedChat(context.at_s, FORMAT, usage=asked.wants_usage),
    write_error=chat_error,
    id_header=b"x-request-id",
)
