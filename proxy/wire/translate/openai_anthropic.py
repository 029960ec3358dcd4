"""OpenAI chat completions at Anthropic."""

from typing import Final

from proxy.wire.translate.anthropic.errors import read_error
from proxy.wire.translate.anthropic.read_answer import MessageEvents, tell_message
from proxy.wire.translate.anthropic.write_parts import FORMAT
from proxy.wire.translate.anthropic.write_request import PROVIDER, messages_request
from proxy.wire.translate.chat.errors import chat_error
from proxy.wire.translate.chat.fields import chat_fields
from proxy.wire.translate.chat.request import read_chat
from proxy.wire.translate.chat.stream import StreamedChat
from proxy.wire.translate.chat.whole import WholeChat
from proxy.wire.translate.pair import Pair
from proxy.wire.translate.treatment import Treatments, carried

FIELDS: Final[Treatments] = chat_fields(
    max_completion_tokens=carried("`max_tokens`; without one, the model's own limit, or 4096 where it is not known"),
    max_tokens=carried("`max_tokens`"),
    parallel_tool_calls=carried("`tool_choice.disable_parallel_tool_use`"),
    reasoning_effort=carried("`thinking` with `output_config.effort`, or with a budget for Claude 3.7 to 4.5"),
    response_format=carried("`output_config.format` for `json_schema`; `json_object` is refused"),
    safety_identifier=carried("`metadata.user_id`, before `user`"),
    service_tier=carried("`auto`, and `default` as `standard_only`; other tiers are refused"),
    stop=carried("`stop_sequences`"),
    temperature=carried("`temperature`; above 1 it is refused"),
    user=carried("`metadata.user_id`"),
)

PAIR: Final = Pair(
    fields=FIELDS,
    read_request=lambda body: read_chat(body, FIELDS, PROVIDER),
    write_request=messages_request,
    read_whole=lambda body, writer, context: tell_message(body, writer),
    read_stream=lambda writer, context: MessageEvents(writer),
    read_error=read_error,
    write_whole=lambda asked, context: WholeChat(context.at_s, FORMAT),
    write_stream=lambda asked, context: StreamedChat(context.at_s, FORMAT, usage=asked.wants_usage),
    write_error=chat_error,
    id_header=b"x-request-id",
)
