"""Azure OpenAI's paths on the data port: `/openai/deployments/{deployment}/…` and `/openai/…`, with `api-version`."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

from proxy.core.refusal import Refusal, Refused
from proxy.edge import openai
from proxy.edge.surface import Matched, Placed, Surface
from proxy.wire.endpoint import PATHS
from proxy.wire.openai.azure import DEPLOYMENTS, read_deployment
from proxy.wire.openai.dialect import OPENAI

PREFIX: Final = "/openai"
_BEGINNING: Final = b"/openai/"
_OPENAIS: Final = b"/openai/v1/"
"""What OpenAI's own clients ask for under the same prefix, and Azure's newer ones."""
VERSION: Final = "api-version"


def owns(raw_path: bytes, headers: Mapping[bytes, bytes]) -> bool:
    """Whether it is a path as Azure's clients write it."""
    return raw_path.startswith(_BEGINNING) and not raw_path.startswith(_OPENAIS)


def match(raw_path: bytes, query: bytes) -> Matched | None:
    """The governed endpoint at a path and the deployment it names; None when there is none."""
    path = raw_path.decode("latin-1").removeprefix(PREFIX)
    if path.startswith(DEPLOYMENTS):
        found = read_deployment(path)
        return None if found is None else Matched(found.endpoint, found.path, found.model)
    endpoint = PATHS.get(path)
    return None if endpoint is None else Matched(endpoint, path)


def place(method: str, raw_path: bytes) -> Placed | None:
    """What a path of objects that a provider keeps means; below a deployment there are none."""
    below = raw_path.startswith((PREFIX + DEPLOYMENTS).encode())
    return None if below else openai.place(method, raw_path)


def passed_on(query: bytes) -> bytes:
    """The query without `api-version`, which is of Azure's interface: a provider's own is among its settings."""
    if not query:
        return query
    return b"&".join(part for part in query.split(b"&") if _name(part) != VERSION)


def _name(part: bytes) -> str:
    return unquote_plus(part.partition(b"=")[0].decode("latin-1"))


def unknown_path(path: str) -> Refused:
    """The refusal of a path that is not served."""
    if not path.startswith(DEPLOYMENTS):
        return openai.unknown_path(path)
    return Refused(
        Refusal.PATH_NOT_FOUND,
        f"There is nothing at {path[:100]!r}. Served below {PREFIX}{DEPLOYMENTS}{{deployment}} are {', '.join(PATHS)}; "
        "paths are taken as written.",
        facts={"path": path[:200], "known": False},
    )


AZURE_SURFACE: Final = Surface(
    dialect=OPENAI,
    owns=owns,
    match=match,
    place=place,
    unknown_path=unknown_path,
    model_object=openai.model_object,
    model_list=openai.model_list,
    query=passed_on,
)
