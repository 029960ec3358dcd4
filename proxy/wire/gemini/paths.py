"""Paths of the Gemini API: the model and the method stand in them, and two products write them in two ways.

AI Studio: `/v1beta/models/{model}:{method}`. Vertex AI: `/v1/projects/{p}/locations/{l}/publishers/google/models/…`, or
without project and location for keys of its express mode. Sources: ai.google.dev/api, Vertex AI REST reference.
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from msgspec import Struct

from proxy.wire.endpoint import Endpoint

STREAM: Final = "streamGenerateContent"
METHODS: Final = {
    "generateContent": Endpoint.GENERATE_CONTENT,
    STREAM: Endpoint.GENERATE_CONTENT,
    "countTokens": Endpoint.GEMINI_COUNT_TOKENS,
    "embedContent": Endpoint.EMBED_CONTENT,
    "batchEmbedContents": Endpoint.BATCH_EMBED_CONTENTS,
}
"""Methods of a model that are governed, and the endpoint that each is."""
_VERSION: Final = r"v1beta1|v1beta|v1alpha|v1"
_OF_MODEL: Final = re.compile(
    rf"/(?P<version>{_VERSION})/"
    r"(?:projects/[^/]+/locations/[^/]+/)?(?:(?P<vertex>publishers/google)/)?models/"
    r"(?P<model>[^/]+)(?::|%3[aA])(?P<method>[A-Za-z]+)\Z"
)
_MODELS: Final = re.compile(rf"/(?P<version>{_VERSION})/(?:publishers/google/)?models(?:/(?P<name>[^/:]+))?\Z")
_VERSIONED: Final = re.compile(rf"/(?:{_VERSION})\Z")
_AI_STUDIO_VERSION: Final = {"v1beta1": "v1beta"}
"""Vertex' preview version is called otherwise at AI Studio."""


class Place(Struct, frozen=True):
    """What a path says: API version, model, method, and whether it is written as Vertex AI has it."""

    version: str
    model: str
    method: str
    is_vertex: bool = False

    @property
    def endpoint(self) -> Endpoint | None:
        """The governed endpoint; None for a method that is not served."""
        return METHODS.get(self.method)


@lru_cache(maxsize=256)
def place_of(path: str) -> Place | None:
    """What the path of a model's method says; None for any other path. The model may be encoded, nothing else.

    It is asked several times a call, and the same for many calls.
    """
    found = _OF_MODEL.match(path)
    if found is None:
        return None
    return Place(found["version"], unquote(found["model"]), found["method"], found["vertex"] is not None)


def listed(path: str) -> tuple[bool, str]:
    """Whether a path asks for models, and which one; none named is all of them."""
    found = _MODELS.match(path)
    return found is not None, "" if found is None else unquote(found["name"] or "")


def with_model(path: str, model: str) -> str:
    """The path with another model in it; the same path for the same model."""
    place = place_of(path)
    if place is None or place.model == model:
        return path
    return f"{path.rpartition('/')[0]}/{quote(model, safe='')}:{place.method}"


def under(base_url: str, path: str) -> str:
    """A client's path as it continues a provider's base URL, whichever of the two products either one is.

    A base that ends in a location (Vertex AI) names project and location itself: a client's are left out. One that
    ends in a version, or at its host, is AI Studio's; the client's version stays where the base has none.
    """
    place = place_of(path)
    if place is None:
        return path
    called = f"{quote(place.model, safe='')}:{place.method}"
    if "/locations/" in base_url:
        return f"/publishers/google/models/{called}"
    if base_url.endswith("/publishers/google"):
        return f"/models/{called}"
    if _VERSIONED.search(base_url):
        return f"/models/{called}"
    return f"/{_AI_STUDIO_VERSION.get(place.version, place.version)}/models/{called}"
