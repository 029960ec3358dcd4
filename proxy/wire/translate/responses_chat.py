"""OpenAI's responses at a provider that has chats only, where nothing is lost by it."""

from typing import Final

from proxy.wire.translate.chat.errors import chat_error
from proxy.wire.translate.chat.read_answer import ChatChunks, tell_chat
from proxy.wire.translate.chat.read_errors import read_chat_error
from proxy.wire.translate.chat.write_request import PROVIDER, chat_request
from proxy.wire.translate.pair import Pair
from proxy.wire.translate.responses.fields import FIELDS
from proxy.wire.translate.responses.request import read_response_request
from proxy.wire.translate.responses.writer import WrittenResponse

PAIR: Final = Pair(
    fields=FIELDS,
    read_request=lambda body: read_response_request(body, FIELDS, PROVIDER),
    write_request=chat_request,
    read_whole=lambda body, writer, context: tell_chat(body, writer),
    read_stream=lambda writer, context: ChatChunks(writer),
    read_error=read_chat_error,
    write_whole=lambda asked, context: WrittenResponse(asked, context.at_s),
    write_stream=lambda asked, context: WrittenResponse(asked, context.at_s),
    write_error=chat_error,
    id_header=b"x-request-id",
)
