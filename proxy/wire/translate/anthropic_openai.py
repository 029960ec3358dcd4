"""Anthropic's messages at a chat provider: Claude Code, and whatever else speaks to Anthropic, on any model."""

from typing import Final

from proxy.wire.translate.anthropic.fields import CHAT_FIELDS
from proxy.wire.translate.anthropic.request import read_messages
from proxy.wire.translate.anthropic.stream import StreamedMessage
from proxy.wire.translate.anthropic.whole import WholeMessage
from proxy.wire.translate.anthropic.write_errors import messages_error
from proxy.wire.translate.chat.read_answer import ChatChunks, tell_chat
from proxy.wire.translate.chat.read_errors import read_chat_error
from proxy.wire.translate.chat.write_request import PROVIDER, chat_request
from proxy.wire.translate.pair import Pair

PAIR: Final = Pair(
    fields=CHAT_FIELDS,
    read_request=lambda body: read_messages(body, CHAT_FIELDS, PROVIDER),
    write_request=chat_request,
    read_whole=lambda body, writer, context: tell_chat(body, writer),
    read_stream=lambda writer, context: ChatChunks(writer),
    read_error=read_chat_error,
    write_whole=lambda asked, context: WholeMessage(),
    write_stream=lambda asked, context: StreamedMessage(),
    write_error=messages_error,
    id_header=b"request-id",
)
