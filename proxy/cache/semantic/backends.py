"""Which vector store is used: the embedded one, or any that gptcache knows by name."""

from collections.abc import Mapping
from typing import Any, Final

from proxy.cache.semantic.no_installs import BackendMissing, forbid_installs
from proxy.cache.semantic.tails import TAIL

EMBEDDED: Final = "embedded"


def open_vectors(name: str, options: Mapping[str, Any], dimension: int) -> Any:
    """gptcache's VectorBase of this name, for vectors of so many numbers and their partition.

    Raises:
        BackendMissing: a package that it needs is not installed, or gptcache knows no store of this name.
    """
    forbid_installs()
    from gptcache.manager.vector_data.manager import VectorBase  # noqa: PLC0415 - only after the line above

    from proxy.cache.semantic.vectors import EmbeddedVectors  # noqa: PLC0415

    if name == EMBEDDED:
        return EmbeddedVectors(dimension)
    try:
        return VectorBase.get(name, **{"dimension": dimension + TAIL, "top_k": 8, **options})
    except ImportError as error:
        raise BackendMissing(f"the vector store {name!r} needs a package that is not installed: {error}") from error
    except Exception as error:
        raise BackendMissing(f"the vector store {name!r} cannot be used: {error}") from error
