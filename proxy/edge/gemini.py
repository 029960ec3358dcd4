"""The Gemini dialect on the data port: its paths, its query, the places its SDKs put a key in, and its models."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

from proxy.core.refusal import Refusal, Refused
from proxy.edge.credentials import secret_of
from proxy.edge.surface import Matched, Surface
from proxy.wire.endpoint import Endpoint
from proxy.wire.gemini.dialect import GEMINI
from proxy.wire.gemini.paths import METHODS, STREAM, listed, place_of

PREFIX: Final = "/gemini"
_OURS: Final = re.compile(
    rb"/gemini/|/v1beta/|/v1beta1/|/v1alpha/|/v1/(?:projects/[^/]+/locations|publishers|cachedContents|tunedModels)/"
    rb"|/v1/models/[^/]+(?::|%3[aA])(?:" + "|".join(METHODS).encode() + rb")\Z"
)
_SHARED: Final = b"/v1/models"
"""Asked for by OpenAI's SDKs, too."""
_SECRET: Final = frozenset({"key", "access_token", "oauth_token"})
"""Parameters that hold a credential: they end here."""
_REFUSED: Final = frozenset({"fields", "callback", "uploadType", "upload_protocol"})
_SYSTEM: Final = frozenset({"alt", "prettyPrint", ".xgafv"})
"""Parameters of every Google API that may pass, each also with `$` before it."""
METHODS_TAKEN: Final = ", ".join(METHODS)


def owns(raw_path: bytes, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a path is of this dialect; `/v1/models` is where its SDKs' own header for keys comes with it."""
    if _OURS.match(raw_path) is not None:
        return True
    return raw_path.startswith(_SHARED) and b"x-goog-api-key" in headers


def match(raw_path: bytes, query: bytes) -> Matched | None:
    """The governed endpoint at a path; a stream without `alt=sse` is one of its own, sent as an array.

    Raises:
        Refused: INVALID_REQUEST for a parameter that would hide what the call used, or lead elsewhere.
    """
    path = _under_prefix(raw_path)
    place = place_of(path)
    endpoint = None if place is None else place.endpoint
    if place is None or endpoint is None:
        return None
    alt = _checked_alt(query)
    if place.method == STREAM and alt != "sse":
        endpoint = Endpoint.GENERATE_CONTENT_LIST
    return Matched(endpoint, path)


def passed_on(query: bytes) -> bytes:
    """The query without what holds a credential; every other byte as it came."""
    if not query:
        return query
    return b"&".join(part for part in query.split(b"&") if _name(part) not in _SECRET)


def secret(headers: Mapping[bytes, bytes], query: bytes) -> str:
    """The client's secret: of its headers, else of `?key=`."""
    found = secret_of(headers)
    if found or not query:
        return found
    values = [part.partition(b"=")[2] for part in query.split(b"&") if _name(part) == "key"]
    return unquote_plus(values[0].decode("latin-1"), "latin-1") if len(values) == 1 else ""


def own(raw_path: bytes, method: str, models: Sequence[str]) -> dict[str, Any]:
    """The models that a key may use, or one of them, in Google's words.

    Raises:
        Refused: MODEL_NOT_FOUND, METHOD_NOT_ALLOWED, or PATH_NOT_FOUND for what is not served.
    """
    path = _under_prefix(raw_path)
    is_listed, name = listed(path)
    if not is_listed:
        raise unknown_path(path)
    if method != "GET":
        raise Refused(Refusal.METHOD_NOT_ALLOWED, f"{method[:20]} is not taken here; use GET.", facts={"allow": "GET"})
    if not name:
        return model_list(models)
    if name not in models:
        raise Refused(Refusal.MODEL_NOT_FOUND, f"This key may use no model named {name[:200]!r}.", param="model")
    return model_object(name)


def model_list(names: Sequence[str]) -> dict[str, Any]:
    """All models on one page."""
    return {"models": [model_object(name) for name in names]}


def model_object(name: str) -> dict[str, Any]:
    """One model, with every method that is served of any."""
    return {
        "name": f"models/{name}",
        "displayName": name,
        "supportedGenerationMethods": list(METHODS),
    }


def _under_prefix(raw_path: bytes) -> str:
    return raw_path.decode("latin-1").removeprefix(PREFIX)


def _checked_alt(query: bytes) -> str:
    alt = ""
    for part in query.split(b"&") if query else ():
        name = _name(part)
        bare = name.removeprefix("$")
        if bare in _REFUSED or (name.startswith("$") and bare not in _SYSTEM):
            raise Refused(Refusal.INVALID_REQUEST, f"The parameter `{name[:50]}` is not taken here.", param=name[:50])
        if bare == "alt":
            value = unquote_plus(part.partition(b"=")[2].decode("latin-1"))
            # Vertex AI's older libraries ask for numbers in the place of words: `json;enum-encoding=int`.
            form, _, _ = value.partition(";")
            if form not in ("sse", "json") or alt:
                raise Refused(Refusal.INVALID_REQUEST, "`alt` must be sse or json, given once.", param="alt")
            alt = form
    return alt


def _name(part: bytes) -> str:
    return unquote_plus(part.partition(b"=")[0].decode("latin-1"))


def unknown_path(path: str) -> Refused:
    """The refusal of a path that is not served."""
    place = place_of(path)
    if place is not None and place.endpoint is None:
        return Refused(
            Refusal.PATH_NOT_FOUND,
            f"The method {place.method[:50]!r} is not served; served are {METHODS_TAKEN}.",
            facts={"path": path[:200], "known": False},
        )
    return Refused(
        Refusal.PATH_NOT_FOUND,
        f"There is nothing at {path[:100]!r}. Served are /v1beta/models, /v1beta/models/{{model}} and their methods "
        f"{METHODS_TAKEN}, also under /gemini and as Vertex AI writes them; what Google keeps (files, cached contents, "
        "tuned models, interactions) must be owned by somebody before it can be governed.",
        facts={"path": path[:200], "known": False},
    )


GEMINI_SURFACE: Final = Surface(
    dialect=GEMINI,
    owns=owns,
    match=match,
    unknown_path=unknown_path,
    model_object=model_object,
    model_list=model_list,
    secret=secret,
    query=passed_on,
    own=own,
)
