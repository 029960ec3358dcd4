"""The names of the GenAI conventions, as they are released and as they are to be (field facts of November 2026).

`CURRENT` are those of opentelemetry-semantic-conventions 0.66b2 (a test compares). `NEXT` are those of the conventions'
own repository that no release has yet: counters in the place of one histogram, `cache_write` for `cache_creation`.
"""

from typing import Final, NamedTuple

OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
AGENT_NAME: Final = "gen_ai.agent.name"
TOKEN_TYPE: Final = "gen_ai.token.type"
TOKEN_MODALITY: Final = "gen_ai.token.modality"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
SERVICE_TIER: Final = "openai.response.service_tier"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
HTTP_STATUS: Final = "http.response.status_code"

OPERATIONS: Final = {
    "chat.completions": "chat",
    "responses": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
    "gemini.generate_content": "generate_content",
    "gemini.generate_content_list": "generate_content",
    "gemini.embed_content": "embeddings",
    "gemini.batch_embed_contents": "embeddings",
}
"""Our endpoints in the conventions' words."""

PROVIDERS: Final = {
    "openai": "openai",
    "azure": "azure.ai.openai",
    "mistral": "mistral_ai",
    "groq": "groq",
    "deepseek": "deepseek",
    "xai": "x_ai",
    "gemini": "gcp.gemini",
    "bedrock-mantle": "aws.bedrock",
}
"""Our profiles in the conventions' words; a provider of another profile keeps the name that it is configured by."""

TOKEN_USAGE: Final = "gen_ai.client.token.usage"
OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
OPERATION_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
SERVER_DURATION: Final = "gen_ai.server.request.duration"
SERVER_FIRST_TOKEN: Final = "gen_ai.server.time_to_first_token"
TOKEN_BUCKETS: Final = tuple(4**power for power in range(14))
DURATION_BUCKETS: Final = tuple(0.01 * 2**power for power in range(14))

OURS: Final = "flyball."
COST: Final = "flyball.cost.nanodollars"
"""Cost has no convention: whole billionths of a dollar, in our own namespace."""


class Server(NamedTuple):
    """A provider as the conventions name it, and where it is."""

    provider: str
    address: str = ""
    port: int = 0


class NameSet(NamedTuple):
    """What differs between the two. `counts`: tokens are counters by class, with their modality."""

    cache_write: str
    counts: bool


CURRENT: Final = NameSet("gen_ai.usage.cache_creation.input_tokens", counts=False)
NEXT: Final = NameSet("gen_ai.usage.cache_write.input_tokens", counts=True)
USAGE: Final = "gen_ai.client.inference.usage."
"""How the names of the next set's counters begin."""
INFERENCE: Final = "gen_ai.client.inference.operation."
"""And of its histograms."""
NAME_SETS: Final = {"current": CURRENT, "next": NEXT}
