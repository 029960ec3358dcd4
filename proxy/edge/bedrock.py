"""AWS Bedrock's dialect on the data port: `/model/{id}/converse` and its like, also under `/bedrock`."""

from collections.abc import Mapping
from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.edge.openai import model_list, model_object
from proxy.edge.surface import Matched, Surface
from proxy.wire.bedrock.dialect import BEDROCK
from proxy.wire.bedrock.paths import ACTIONS, read_path

PREFIX: Final = b"/bedrock"
_BEGINNING: Final = b"/model/"


def owns(raw_path: bytes, headers: Mapping[bytes, bytes]) -> bool:
    """Whether it is a path of AWS's runtime."""
    return raw_path.startswith((_BEGINNING, PREFIX + b"/"))


def match(raw_path: bytes, query: bytes) -> Matched | None:
    """The governed endpoint at a path, None when there is none."""
    path = raw_path.removeprefix(PREFIX).decode("latin-1")
    read = read_path(path)
    return None if read is None else Matched(read.endpoint, path)


def unknown_path(path: str) -> Refused:
    """The refusal of a path that is not served."""
    return Refused(
        Refusal.PATH_NOT_FOUND,
        f"There is nothing at {path[:100]!r}. Served are /model/{{id}}/ with {', '.join(ACTIONS)} behind it, the id "
        "percent-encoded in one segment; paths are taken as written.",
        facts={"path": path[:200], "known": False},
    )


BEDROCK_SURFACE: Final = Surface(
    dialect=BEDROCK,
    owns=owns,
    match=match,
    unknown_path=unknown_path,
    model_object=model_object,
    model_list=model_list,
)
