"""Every dialect that is served, by its name and by its endpoints."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from proxy.wire.anthropic.dialect import ANTHROPIC
from proxy.wire.bedrock.dialect import BEDROCK
from proxy.wire.dialect import Dialect
from proxy.wire.endpoint import Endpoint
from proxy.wire.gemini.dialect import GEMINI
from proxy.wire.openai.dialect import OPENAI

DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {dialect.name: dialect for dialect in (OPENAI, ANTHROPIC, GEMINI, BEDROCK)}
)
_OF: Final = {endpoint: DIALECTS[endpoint.dialect] for endpoint in Endpoint}


def dialect_of(endpoint: Endpoint) -> Dialect:
    """The dialect that an endpoint belongs to."""
    return _OF[endpoint]
