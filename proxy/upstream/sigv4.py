"""AWS credentials: each request signed with Signature Version 4 by botocore's signer, over exactly what is sent.

Source: AWS, "Create a signed AWS API request".
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from proxy.core.secret import Secret
from proxy.upstream.bad_provider import BadProvider
from proxy.upstream.failure import UpstreamFailed
from proxy.upstream.headers import RawHeader
from proxy.upstream.settings import ProviderSettings

SERVICE: Final = "bedrock"
LOOK_AGAIN_S: Final = 60.0
"""How often the chain is asked again, beside the calls; botocore renews what runs out within a quarter of an hour."""
_SIGNED_HERE: Final = 256 * 1024
"""Hashing more than this would hold others up."""
_SIGNED: Final = frozenset({b"content-type"})
_MADE: Final = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
log = logging.getLogger("flyball.upstream")


class Keys(NamedTuple):
    """What signs. Its names are those that botocore's signer reads."""

    access_key: str
    secret_key: str
    token: str | None = None


class Source(Protocol):
    """Where keys come from."""

    async def keys(self) -> Keys:
        """Those that are good now. Raises UpstreamFailed."""
        ...


@dataclass(frozen=True)
class _Given:
    """Keys of the configuration."""

    access_key: Secret
    secret_key: Secret
    token: Secret | None

    async def keys(self) -> Keys:
        token = None if self.token is None else self.token.reveal()
        return Keys(self.access_key.reveal(), self.secret_key.reveal(), token)


class Chain:
    """Keys of botocore's standard chain (environment, shared files, roles, the host's own), looked up off the loop.

    The first call waits for them; afterwards they are renewed beside the calls, one look-up at a time.
    """

    def __init__(self, find: Callable[[], Keys]) -> None:
        """`find` blocks, and raises LookupError where there are none."""
        self._find = find
        self._keys: Keys | None = None
        self._looked_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._failure = ""

    async def keys(self) -> Keys:
        """The keys; waits only where there are none yet. Raises UpstreamFailed."""
        loop = asyncio.get_running_loop()
        if self._keys is None:
            await asyncio.wait({self._look(loop)})
        elif loop.time() - self._looked_at > LOOK_AGAIN_S:
            self._look(loop)
        if self._keys is None:
            raise UpstreamFailed("credentials", f"no AWS credentials: {self._failure}", sent=False)
        return self._keys

    def _look(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Task[None]":
        if self._looking is None or self._looking.done() or self._looking.get_loop() is not loop:
            self._looked_at = loop.time()
            self._looking = loop.create_task(self._renew())
        return self._looking

    async def _renew(self) -> None:
        try:
            self._keys = await asyncio.to_thread(self._find)
        except (LookupError, OSError, ValueError) as error:
            self._failure = str(error)
            log.warning("no new AWS credentials", extra={"error": self._failure})


class SigV4Signer:
    """Signs requests of one region."""

    def __init__(self, region: str, source: Source) -> None:
        self._region = region
        self._source = source

    async def sign(self, method: str, url: str, headers: Sequence[RawHeader], body: bytes) -> list[RawHeader]:
        """The headers that sign a request with this URL, this content type and this body.

        Raises:
            UpstreamFailed: there are no credentials; nothing was sent.
        """
        keys = await self._source.keys()
        signed = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name in _SIGNED}
        if len(body) > _SIGNED_HERE:
            return await asyncio.to_thread(_signature, keys, self._region, method, url, signed, body)
        return _signature(keys, self._region, method, url, signed, body)


def _signature(keys: Keys, region: str, method: str, url: str, headers: dict[str, str], body: bytes) -> list[RawHeader]:
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - an optional extra
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - an optional extra

    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    SigV4Auth(keys, SERVICE, region).add_auth(request)
    return [
        (name.lower().encode(), str(request.headers[name]).encode("latin-1"))
        for name in _MADE
        if name in request.headers
    ]


def sigv4_of(name: str, settings: ProviderSettings) -> SigV4Signer:
    """The signer of a provider; the same one for the same settings, so that a reload keeps its credentials.

    Raises:
        BadProvider: settings that cannot work, or botocore is not there.
    """
    if find_spec("botocore") is None:
        raise BadProvider(f"provider {name}: signing for AWS needs the `botocore` package: install flyball[bedrock]")
    region = settings.aws_region or _region_of(settings.base_url)
    if not region:
        raise BadProvider(f"provider {name}: aws_region must be set; it is not in the host of base_url")
    both = (settings.aws_access_key_id, settings.aws_secret_access_key)
    if (both[0] is None) is not (both[1] is None):
        raise BadProvider(f"provider {name}: aws_access_key_id and aws_secret_access_key go together")
    if both[0] is None or both[1] is None:
        if settings.aws_session_token is not None:
            raise BadProvider(f"provider {name}: aws_session_token is of no use without aws_access_key_id")
        return _of_chain(region, settings.aws_profile)
    if settings.aws_profile is not None:
        raise BadProvider(f"provider {name}: aws_profile and aws_access_key_id both say who calls; set one")
    return SigV4Signer(region, _Given(both[0], both[1], settings.aws_session_token))


@lru_cache(maxsize=64)
def _of_chain(region: str, profile: str | None) -> SigV4Signer:
    return SigV4Signer(region, Chain(_found(profile)))


def _found(profile: str | None) -> Callable[[], Keys]:
    held: list[Any] = []

    def find() -> Keys:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an optional extra
        from botocore.session import Session  # noqa: PLC0415 - an optional extra

        try:
            if not held and (first := Session(profile=profile).get_credentials()) is not None:
                held.append(first)
            if not held:
                raise LookupError("neither the environment nor a shared file nor a role of this host has any")
            frozen = held[0].get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise LookupError(f"{type(error).__name__}: {error}") from error
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    return find


def _region_of(base_url: str) -> str:
    """The region that stands in a host of AWS's: `bedrock-runtime.eu-central-1.amazonaws.com`."""
    labels = (urlsplit(base_url).hostname or "").split(".")
    is_aws = len(labels) > 2 and "amazonaws" in labels
    return labels[1] if is_aws and labels[0].startswith("bedrock") else ""
