"""From what is configured to an engine that decides."""

import json
import os
from pathlib import Path

from proxy.policy.bundle import Bundle, read_bundle
from proxy.policy.engine import PolicyEngine
from proxy.policy.errors import BadPolicy
from proxy.policy.opa import OpaServer
from proxy.policy.rego import EmbeddedRego
from proxy.policy.settings import PolicySettings


def open_policy(
    settings: PolicySettings, known: PolicyEngine | None = None, *, taken: Path | None = None
) -> PolicyEngine:
    """The configured engine; `known` itself where nothing has changed since it was made. Blocks on the disk.

    `taken` is where `take_policy` has put what it found good: it stands for what lies on the disk now.

    Raises:
        BadPolicy: the policies cannot be loaded; whoever has a working engine keeps it.
    """
    if settings.url is not None:
        return known if isinstance(known, OpaServer) and known.settings == settings else OpaServer(settings)
    bundle = _read(settings) if taken is None or not taken.exists() else _taken(taken)
    if isinstance(known, EmbeddedRego) and known.revision == bundle.revision:
        return known
    return EmbeddedRego(bundle)


def take_policy(settings: PolicySettings, into: Path) -> str:
    """Keep the policies as they stand now, found good, whole or not at all; their revision. Nothing for an OPA server.

    Raises:
        BadPolicy: they cannot be loaded; what was taken before stays.
    """
    if settings.url is not None:
        into.unlink(missing_ok=True)
        return settings.url
    bundle = _read(settings)
    EmbeddedRego(bundle)
    draft = into.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps({"modules": dict(bundle.modules), "data": bundle.data}), "utf-8")
    os.replace(draft, into)
    return bundle.revision


def _read(settings: PolicySettings) -> Bundle:
    return read_bundle(settings.dir, base=settings.base == "flyball", settings=settings.settings)


def _taken(path: Path) -> Bundle:
    try:
        kept = json.loads(path.read_text("utf-8"))
        return Bundle.of(kept["modules"], kept["data"])
    except (OSError, ValueError, KeyError) as error:
        raise BadPolicy([f"{path}: {error}"]) from error
