"""From what is configured to an engine that decides."""

from pathlib import Path
from typing import Final

from proxy.policy.bundle import read_bundle
from proxy.policy.bundles.archive import MOST_PACKED
from proxy.policy.bundles.reading import PackedBundle, read_archive
from proxy.policy.bundles.settings import BundleSettings
from proxy.policy.engine import PolicyEngine
from proxy.policy.errors import BadPolicy
from proxy.policy.opa import OpaServer
from proxy.policy.rego import EmbeddedRego
from proxy.policy.settings import PolicySettings
from proxy.policy.taken import TakenPolicy, read_taken, source_of, write_taken

NOT_FETCHED: Final = "policy.bundle: was not fetched yet"


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
    bundle = _read(settings, None).bundle if taken is None or not taken.exists() else read_taken(taken).bundle
    if isinstance(known, EmbeddedRego) and known.revision == bundle.revision:
        return known
    return EmbeddedRego(bundle)


def take_policy(settings: PolicySettings, into: Path, *, archive: bytes | None = None, etag: str = "") -> str:
    """Keep the policies as they stand now, found good, whole or not at all; their revision. Nothing for an OPA server.

    `archive` is what was fetched from `policy.bundle.url`, `etag` what its server calls it.

    Raises:
        BadPolicy: they cannot be loaded; what was taken before stays.
    """
    if settings.url is not None:
        into.unlink(missing_ok=True)
        return settings.url
    packed = _read(settings, archive)
    EmbeddedRego(packed.bundle)
    write_taken(into, TakenPolicy(bundle=packed.bundle, source=source_of(settings), etag=etag, named=packed.named))
    return packed.bundle.revision


def check_archive(settings: PolicySettings, archive: bytes) -> PackedBundle:
    """What a fetched bundle holds, found good; nothing is kept.

    Raises:
        BadPolicy: it cannot be loaded.
    """
    packed = _read(settings, archive)
    EmbeddedRego(packed.bundle)
    return packed


def _read(settings: PolicySettings, archive: bytes | None) -> PackedBundle:
    base = settings.base == "flyball"
    if settings.bundle is None:
        return PackedBundle(bundle=read_bundle(settings.dir, base=base, settings=settings.settings), named="")
    if archive is None:
        archive = _archive(settings.bundle)
    return read_archive(archive, settings.bundle, base=base)


def _archive(settings: BundleSettings) -> bytes:
    if settings.file is None:
        raise BadPolicy([NOT_FETCHED])
    try:
        with settings.file.open("rb") as file:
            return file.read(MOST_PACKED + 1)
    except OSError as error:
        raise BadPolicy([f"{settings.file}: {error}"]) from error
