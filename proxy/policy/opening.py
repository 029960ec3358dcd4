"""From what is configured to an engine that decides."""

from proxy.policy.bundle import read_bundle
from proxy.policy.engine import PolicyEngine
from proxy.policy.opa import OpaServer
from proxy.policy.rego import EmbeddedRego
from proxy.policy.settings import PolicySettings


def open_policy(settings: PolicySettings, known: PolicyEngine | None = None) -> PolicyEngine:
    """The configured engine; `known` itself where nothing has changed since it was made. Blocks on the disk.

    Raises:
        BadPolicy: the policies cannot be loaded; whoever has a working engine keeps it.
    """
    if settings.url is not None:
        return known if isinstance(known, OpaServer) and known.settings == settings else OpaServer(settings)
    bundle = read_bundle(settings.dir, base=settings.base == "flyball", settings=settings.settings)
    if known is not None and known.revision == bundle.revision:
        return known
    return EmbeddedRego(bundle)
