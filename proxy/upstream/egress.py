"""The way out to a provider: through which proxy, and with which certificate of ours (mutual TLS)."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from proxy.core.secret import Secret
from proxy.upstream.bad_provider import BadProvider
from proxy.upstream.settings import ProviderSettings

_NO_PASSPHRASE: Final = ""


@dataclass(frozen=True, kw_only=True)
class ClientCertificate:
    """A certificate (PEM, its chain behind it) and its key, which may stand in the same file. `stamps` change with the
    files, so that a renewed certificate is taken with the next reload of the configuration."""

    certificate: Path
    key: Path
    stamps: tuple[int, ...] = ()

    def load_into(self, context: ssl.SSLContext) -> None:
        """Show this certificate to servers that ask for one.

        Raises:
            OSError, ssl.SSLError: a file that cannot be read, is no PEM, is locked by a passphrase, or whose key is
                not the certificate's.
        """
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(self.certificate, self.key, password=_NO_PASSPHRASE)


@dataclass(frozen=True, kw_only=True)
class Egress:
    """How connections to one provider are made. `proxy_credentials` is `user:password`."""

    proxy_url: str | None = None
    proxy_credentials: Secret | None = None
    client: ClientCertificate | None = None

    @classmethod
    def of(cls, name: str, settings: ProviderSettings) -> "Egress":
        """The way out as a provider's settings have it.

        Raises:
            BadProvider: a proxy or a certificate that cannot work.
        """
        return cls(
            proxy_url=_proxy_url(name, settings),
            proxy_credentials=_credentials(name, settings),
            client=_client(name, settings),
        )


DIRECT: Final = Egress()


def _proxy_url(name: str, settings: ProviderSettings) -> str | None:
    url = settings.proxy_url
    if url is None:
        return None
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or port == 0 or parts.path.strip("/") or parts.query:
        raise BadProvider(f"provider {name}: proxy_url must be http://host:port, as CONNECT proxies have it")
    if "@" in parts.netloc:
        raise BadProvider(f"provider {name}: proxy_url must not hold a user or password; use proxy_credentials_env")
    if not settings.base_url.startswith("https://"):
        raise BadProvider(f"provider {name}: proxy_url needs an https base_url: a tunnel is for what nobody reads")
    return url


def _credentials(name: str, settings: ProviderSettings) -> Secret | None:
    told = settings.proxy_credentials
    if told is None:
        return None
    if settings.proxy_url is None:
        raise BadProvider(f"provider {name}: proxy_credentials are of no use without proxy_url")
    user, colon, _ = told.reveal().partition(":")
    if not user or not colon or not told.reveal().isprintable():
        raise BadProvider(f"provider {name}: proxy_credentials must be user:password")
    return told


def _client(name: str, settings: ProviderSettings) -> ClientCertificate | None:
    certificate, key = settings.client_cert_file, settings.client_key_file
    if certificate is None:
        if key is not None:
            raise BadProvider(f"provider {name}: client_key_file is of no use without client_cert_file")
        return None
    if not settings.base_url.startswith("https://"):
        raise BadProvider(f"provider {name}: client_cert_file needs an https base_url")
    files = (certificate, key or certificate)
    try:
        stamps = tuple(file.stat().st_mtime_ns for file in files)
        client = ClientCertificate(certificate=files[0], key=files[1], stamps=stamps)
        client.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except (OSError, ssl.SSLError) as error:
        raise BadProvider(
            f"provider {name}: client_cert_file and client_key_file must be a certificate and its key in PEM, without "
            f"a passphrase: {error}"
        ) from None
    return client
