"""The policies that were found good, as they are kept in the state folder: what decides, whatever lies elsewhere."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.policy.bundle import Bundle, shipped_base
from proxy.policy.errors import BadPolicy
from proxy.policy.settings import PolicySettings


@dataclass(frozen=True, kw_only=True)
class TakenPolicy:
    """Policies, and where they came from: `source` by the settings, `etag` and `named` by who gave them. `candidate`:
    others that are only tried."""

    bundle: Bundle
    source: str
    candidate: Bundle | None = None
    etag: str = ""
    named: str = ""


def source_of(settings: PolicySettings) -> str:
    """A digest of all that says where policies come from and whose signature they need: equal means the same.

    The grant is part of them, so that another version of it is not one of those taken before.
    """
    bundle = settings.bundle
    said = [str(settings.url), str(settings.dir), str(settings.settings), settings.base, shipped_base()]
    if bundle is not None:
        said += [str(bundle.file), str(bundle.url), bundle.scope]
        for key in bundle.keys:
            said += [key.id, key.algorithm, key.key.reveal() if key.key else ""]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def read_taken(path: Path) -> TakenPolicy:
    """What was kept there.

    Raises:
        BadPolicy: it cannot be read.
    """
    try:
        kept = json.loads(path.read_text("utf-8"))
        return TakenPolicy(
            bundle=Bundle.of(kept["modules"], kept["data"]),
            source=kept.get("source", ""),
            etag=kept.get("etag", ""),
            named=kept.get("named", ""),
            candidate=_bundle(kept.get("candidate")),
        )
    except (OSError, ValueError, KeyError) as error:
        raise BadPolicy([f"{path}: {error}"]) from error


def write_taken(path: Path, taken: TakenPolicy) -> None:
    """Keep policies there for their owner only, whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    kept = _content(taken.bundle)
    if taken.candidate is not None:
        kept["candidate"] = _content(taken.candidate)
    whence = {"source": taken.source, "etag": taken.etag, "named": taken.named}
    draft.write_text(json.dumps({**kept, **whence}), "utf-8")
    os.replace(draft, path)


def _content(bundle: Bundle) -> dict[str, Any]:
    return {"modules": dict(bundle.modules), "data": bundle.data}


def _bundle(kept: Any) -> Bundle | None:
    return None if kept is None else Bundle.of(kept["modules"], kept["data"])
