"""OpenTelemetry's export, plugged together in the collector; its SDK is loaded where it is on, and nowhere else."""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from proxy import telemetry
from proxy.config import Config
from proxy.telemetry import PROVIDERS, Server
from proxy.upstream import Provider

if TYPE_CHECKING:
    from proxy.telemetry import OtelExport


def open_export(config: Config, environment: Mapping[str, str]) -> "OtelExport":
    """The export, running; `stop` ends it."""
    providers = config.settings.providers.items()
    servers = {name: server_of(Provider.of(name, settings)) for name, settings in providers}
    return telemetry.OtelExport(config.settings.telemetry, servers, environment)


def server_of(provider: Provider) -> Server:
    """A provider as the conventions name it, and where it is."""
    parts = urlsplit(provider.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Server(PROVIDERS.get(provider.profile.name, provider.name), parts.hostname or "", port)
