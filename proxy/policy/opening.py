"""From what is configured to an engine that decides."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from proxy.policy.bundle import Bundle, read_bundle
from proxy.policy.bundles.archive import MOST_PACKED
from proxy.policy.bundles.reading import PackedBundle, read_archive
from proxy.policy.bundles.settings import BundleSettings
from proxy.policy.engine import PolicyEngine
from proxy.policy.errors import BadPolicy
from proxy.policy.opa import OpaServer
from proxy.policy.rego import EmbeddedRego
from proxy.policy.settings import PolicySettings
from proxy.policy.shadowing import Shadowed
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
    if taken is None or not taken.exists():
        return _live(_read(settings, None).bundle, known)
    kept = read_taken(taken)
    live = _live(kept.bundle, known)
    if kept.candidate is None:
        return live
    if isinstance(known, Shadowed) and known.live is live and known.candidate.revision == kept.candidate.revision:
        return known
    try:
        return Shadowed(live, EmbeddedRego(kept.candidate))
    except BadPolicy:
        # Another version found it good. What is only tried keeps nobody from serving.
        return live


def take_policy(
    settings: PolicySettings,
    into: Path,
    *,
    archive: bytes | None = None,
    etag: str = "",
    promoted: Bundle | None = None,
    candidate: Bundle | None = None,
) -> str:
    """Keep the policies as they stand now, found good, whole or not at all; their revision. Nothing for an OPA server.

    `archive` is what was fetched from `policy.bundle.url`, `etag` what its server calls it. `promoted` stands in the
    place of the starter library where the file names no policies; `candidate` is only tried.

    Raises:
        BadPolicy: they cannot be loaded; what was taken before stays.
    """
    if settings.url is not None:
        into.unlink(missing_ok=True)
        return settings.url
    if promoted is not None and not settings.by_file:
        packed = PackedBundle(bundle=promoted, named="")
    else:
        packed = _read(settings, archive)
    EmbeddedRego(packed.bundle)
    if candidate is not None and problems_of(candidate):
        # One that another version has found good keeps nothing from deciding; who proposes it is told.
        candidate = None
    taken = TakenPolicy(
        bundle=packed.bundle, candidate=candidate, source=source_of(settings), etag=etag, named=packed.named
    )
    write_taken(into, taken)
    return packed.bundle.revision


def take_candidate(into: Path, candidate: Bundle | None) -> None:
    """Keep another candidate, or none, beside the policies that decide as they were taken.

    Raises:
        BadPolicy: it cannot be loaded, or nothing was taken yet.
    """
    if candidate is not None and (problems := problems_of(candidate)):
        raise BadPolicy(problems)
    write_taken(into, replace(read_taken(into), candidate=candidate))


def _live(bundle: Bundle, known: PolicyEngine | None) -> EmbeddedRego:
    """The engine of these policies; the known one where it is."""
    engine = known.live if isinstance(known, Shadowed) else known
    same = isinstance(engine, EmbeddedRego) and engine.revision == bundle.revision
    return engine if same and isinstance(engine, EmbeddedRego) else EmbeddedRego(bundle)


def problems_of(bundle: Bundle) -> list[str]:
    """What is wrong with policies; nothing where they can be loaded. No engine leaves with it: one must be let go of in
    the thread that made it."""
    try:
        EmbeddedRego(bundle)
    except BadPolicy as error:
        return error.problems
    return []


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
