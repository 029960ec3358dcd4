"""All dialects that the data port serves; a path belongs to the first that owns it."""

from collections.abc import Mapping
from typing import Final

from proxy.edge.anthropic import ANTHROPIC_SURFACE
from proxy.edge.azure import AZURE_SURFACE
from proxy.edge.bedrock import BEDROCK_SURFACE
from proxy.edge.gemini import GEMINI_SURFACE
from proxy.edge.openai import MATCHED, OPENAI_SURFACE
from proxy.edge.surface import Surface

SURFACES: Final[tuple[Surface, ...]] = (
    GEMINI_SURFACE,
    ANTHROPIC_SURFACE,
    BEDROCK_SURFACE,
    AZURE_SURFACE,
    OPENAI_SURFACE,
)
"""The last one owns every path."""


def surface_of(raw_path: bytes, headers: Mapping[bytes, bytes]) -> Surface:
    """Whose path it is; some paths are several dialects', and the headers of its SDKs tell whose."""
    if raw_path in MATCHED:
        return OPENAI_SURFACE
    return next(surface for surface in SURFACES if surface.owns(raw_path, headers))
