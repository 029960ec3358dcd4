"""OpenAI chat completions at AWS Bedrock, by Converse."""

from typing import Final

from proxy.wire.translate.bedrock.errors import read_converse_error
from proxy.wire.translate.bedrock.read_answer import ConverseEvents, tell_answer
from proxy.wire.translate.bedrock.write_parts import FORMAT, PROVIDER
from proxy.wire.translate.bedrock.write_request import converse_request
from proxy.wire.translate.chat.errors import chat_error
from proxy.wire.translate.chat.fields import chat_fields
from proxy.wire.translate.chat.request import read_chat
from proxy.wire.translate.chat.stream import StreamedChat
from proxy.wire.translate.chat.whole import WholeChat
from proxy.wire.translate.pair import Pair
from proxy.wire.translate.treatment import Treatments, carried, dropped, refused

FIELDS: Final[Treatments] = chat_fields(
    max_completion_tokens=carried("`inferenceConfig.maxTokens`"),
    max_tokens=carried("`inferenceConfig.maxTokens`"),
    parallel_tool_calls=refused("it cannot be kept to one call", True),
    reasoning_effort=carried("for Anthropic's models, as they have it; of others only `none` is taken"),
    response_format=carried("`outputConfig.textFormat` for `json_schema`; `json_object` is refused"),
    safety_identifier=dropped("it knows no end users"),
    service_tier=carried("`auto` and `default` are what it does anyway; other tiers are refused"),
    stop=carried("`inferenceConfig.stopSequences`"),
    temperature=carried("`inferenceConfig.temperature`"),
    tool_choice=carried("`auto`, `required` or a function; `none` by leaving the tools out, where none was used yet"),
    top_k=refused("it is each model's own there"),
    top_p=carried("`inferenceConfig.topP`"),
    user=dropped("it knows no end users"),
)

PAIR: Final = Pair(
    fields=FIELDS,
    read_request=lambda body: read_chat(body, FIELDS, PROVIDER),
    write_request=converse_request,
    read_whole=lambda body, writer, context: tell_answer(body, writer, context.answer_id, context.model),
    read_stream=lambda writer, context: ConverseEvents(writer, context.answer_id, context.model),
    read_error=read_converse_error,
    write_whole=lambda asked, context: WholeChat(context.at_s, FORMAT),
    write_stream=lambda asked, context: StreamedChat(context.at_s, FORMAT, usage=asked.wants_usage),
    write_error=chat_error,
    id_header=b"x-request-id",
)
